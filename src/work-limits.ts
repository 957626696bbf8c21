/** The numbers of fair shares: what things cost as work, in packets, and how much of it is done at once: value, unit, reason. All others are in limits.ts. */

const SECOND = 1000;
const KIB = 1024;

/**
 * What one client or one batch may have done in a tick, and what all that wait may have done, as packets: about 2 ms and 8 ms. A packet
 * counts once more for each BYTES_WORK, and a retained message RETAINED_WORK times, for it writes a row. Less costs more ticks for those who
 * send many packets at once, more makes all others wait longer.
 */
export const SHARE_WORK = 256;
export const TICK_WORK = 1024;
export const RETAINED_WORK = 8;
export const BYTES_WORK = 4 * KIB;

/**
 * What it costs, as packets, to give a message to one more session here: half a microsecond at QoS 0, 1.5 where it waits. So a message for a
 * thousand counts as 125 packets, and who publishes many of those at once has its next turn after two or, while nobody else waits, eight.
 */
export const DELIVERY_WORK = 0.125;

/** The same for one member of a shared subscription: it is chosen, and gets a copy for each of its shared subscriptions. Three microseconds. */
export const SHARED_WORK = 0.375;

/**
 * What it costs, as packets, to look at one more of those who may get a message: a subscription that matches it, though its session gets one
 * copy for all, or a member of a shared subscription. An eighth of a microsecond.
 */
export const MATCH_WORK = 1 / 64;

/** How much is done at once of what may be very much. A simulation has less, so that little is very much already. */
export interface Slices {
  /** The work of one turn, and of all turns in a tick. */
  readonly share: number;
  readonly tick: number;
  /**
   * A message for more sessions than this is for many: what it brings them leaves in slices of so many frames, for a frame to a socket costs the
   * runtime some 30 microseconds, four packets (workerd, measured 2026-11). What comes meanwhile for the sockets that wait shares their frames.
   */
  readonly many: number;
  readonly frames: number;
  /** Attachments that one flush writes: about 1 ms. */
  readonly attachments: number;
}

export const SLICES: Slices = { share: SHARE_WORK, tick: TICK_WORK, many: 64, frames: 64, attachments: 256 };

/** What it costs that something falls due, that a subscription is taken out, and that a session is looked at, as packets. */
export const DEADLINE_WORK = 2;
export const FORGET_WORK = 1;
export const LOOK_WORK = 0.125;

/** While something is due that had no turn yet the alarm is set for so much later: should the object be reset meanwhile, it goes on then. */
export const LEFT_ALARM_MS = 5 * SECOND;

/**
 * What it costs to take a filter of SUBSCRIBE or UNSUBSCRIBE, as packets: FILTER_WORK, for it is told to Topic objects and may have a row
 * there and here, and one more for so many characters of it, for its levels.
 */
export const FILTER_WORK = 8;
export const FILTER_WORK_CHARACTERS = 8;

/**
 * What the filters of one client weigh, by the same measure, that are on their way to Topic objects at once; the next one is sent when
 * something is known of those. As much as a share: so nobody's message stands behind more than that of a client that subscribes to very
 * much. Less costs more calls, each for fewer filters.
 */
export const FILTERS_UNDER_WAY_WORK = 256;

/**
 * Bytes that wait for their client's turn above which each further frame brings it TICK_WORK at once: the runtime reads the next frame of a
 * socket when the last one has been handled, so that this slows down who sends. Not behind a relay, which reads as fast as it can: there
 * it would only move what waits from the object, which counts it, to the Worker.
 */
export const AHEAD_BYTES = 64 * KIB;

/**
 * A client that is this far ahead of what is handled, as a multiple of PACKET_BYTES_MAX, is disconnected (0x97). A frame costs memory
 * beside its bytes.
 */
export const AHEAD_PACKETS_MAX = 4;
export const FRAME_BYTES = 256;

/**
 * So many requests that wait for one Topic object are a crowd: then a client adds at most a share in CROWDED_MS, and the rest of what it has
 * sent waits for its turn. So nobody's message stands behind more than this and a share of each other client.
 */
export const CROWDED_REQUESTS = 1024;
export const CROWDED_MS = 250;

/** Sockets that watch clients of one object: people look at a few. */
export const TRACES_MAX = 16;

/** Packets that one of them is told of in a second, what one is told of at most, characters, and of a list in it: more than anybody reads. */
export const TRACED_PACKETS_PER_SECOND = 500;
export const TRACED_BYTES_MAX = 16 * 1024;
export const TRACED_ITEMS_MAX = 100;

/** Of each text of a packet of more than that, characters. */
export const TRACED_TEXT_MAX = 256;

/** Packets of who connects anew that are looked through for a DISCONNECT on the old connection, about 3 ms: behind more it is not found. */
export const LEAVE_LOOKS = 16_384;

/**
 * Where at most so many frames came in a tick, what the next ones bring leaves at once: waiting for others takes longer than one message takes
 * otherwise. After as many, one waits again.
 */
export const ALONE_FRAMES = 2;
export const ALONE_FLUSHES = 16;
