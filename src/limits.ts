/**
 * Every number of the broker but those of memory, storage, logins, shares, work and code, which have files of their own: value, unit, reason,
 * source. What an operator may change is in `Limits` (settings.ts reads it from variables); what must not change stands as a constant. How they relate is asserted at the end: a limit that breaks another one
 * refuses to start instead of failing under load.
 */

import { CHUNK_OVERHEAD_BYTES_MAX, ROW_BYTES_MAX } from "./storage-limits.ts";
import { CROWDED_REQUESTS, FILTERS_UNDER_WAY_WORK, SHARE_WORK, TICK_WORK } from "./work-limits.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const KIB = 1024;
const MIB = 1024 * KIB;

/** What an operator may change; the defaults are those of other brokers where they agree. */
export interface Limits {
  /**
   * A whole Control Packet with its fixed header, bytes. Announced as Maximum Packet Size; more is answered 0x95. 1 MiB, where mosquitto 2.1
   * has 2,000,000: a message is one row with its recipients, which bounds it at 1.3 MB, and what waits for a client that does not read
   * is counted in messages of this size.
   */
  readonly packetBytesMax: number;
  /** Messages that wait for one session beyond those in flight. When full, the oldest one that is not in flight is dropped. */
  readonly queueMessagesMax: number;
  /** Bytes of topic, properties and payload that wait for one session. */
  readonly queueBytesMax: number;
  /** QoS 1 and 2 messages sent to a client and not yet acknowledged; the client's Receive Maximum may lower it. */
  readonly inflightMax: number;
  /** QoS 2 and QoS 1 messages of a client that the broker has not yet acknowledged; announced as Receive Maximum. */
  readonly receiveMaximum: number;
  /** The longest time that a session outlives its connection, seconds; a 5.0 client that asks for more is told. */
  readonly sessionExpirySecondsMax: number;
  /** How long a 3.x session with Clean Session 0 outlives its connection, seconds (5.0 clients say it themselves). */
  readonly sessionExpirySecondsV3: number;
  /** Subscriptions of one session. More is answered 0x97. */
  readonly subscriptionsMax: number;
  /** UTF-8 bytes of the Topic Filters of all subscriptions of one session. More is answered 0x97. */
  readonly subscriptionBytesMax: number;
  /** UTF-8 bytes of a Topic Name or Topic Filter, at most 65,535 by the protocol. */
  readonly topicBytesMax: number;
  /** Levels of a Topic Name or Topic Filter. */
  readonly topicLevelsMax: number;
  /** Retained messages in one Topic object. A retained message beyond it is delivered but not kept: 0x97. */
  readonly retainedMessagesMax: number;
  /** Sessions of one Session object that wait for their clients; a new one that would outlive its connection is answered 0x97 (3.x: return code 3). */
  readonly sessionsMax: number;
  /** Network Connections in one Session object; one more is answered 0x97 (3.x: return code 3). */
  readonly connectionsMax: number;
  /** UTF-8 bytes of a Client Identifier; longer is answered 0x85 (3.x: return code 2). */
  readonly clientIdBytesMax: number;
  /** The same for MQTT 3.1, whose specification allows 1 to 23 [3.1/connect/clientid]. */
  readonly clientIdBytesMaxV31: number;
  /** Topic Aliases that a client may use on one connection; announced as Topic Alias Maximum; 0 = none. */
  readonly topicAliasMaximum: number;
  /** The longest Keep Alive, seconds; a 5.0 client that asks for more or for none is told by Server Keep Alive; 0 = as clients like. */
  readonly keepAliveSecondsMax: number;
  /** From the upgrade to a whole CONNECT, and from the first to the last byte of any packet, seconds. */
  readonly packetSecondsMax: number;
  /** What one object may hold in memory, bytes, by its ledger; how much of it is left decides which load is refused (`REFUSED_ABOVE`). */
  readonly objectBytesMax: number;
  /**
   * What is sent to a client that has not shown to have read it, bytes; beyond it QoS 0 messages are dropped and others wait. 0 = not looked
   * at. The platform tells nobody what waits in a socket (workerd issue 988), so clients are asked (`session/unread.ts`).
   */
  readonly unheardBytesMax: number;
}

export const DEFAULT_LIMITS: Limits = {
  packetBytesMax: 1 * MIB,
  queueMessagesMax: 1000,
  queueBytesMax: 16 * MIB,
  inflightMax: 256,
  receiveMaximum: 4096,
  sessionExpirySecondsMax: (7 * 24 * HOUR) / SECOND,
  sessionExpirySecondsV3: (24 * HOUR) / SECOND,
  subscriptionsMax: 1000,
  subscriptionBytesMax: 256 * KIB,
  topicBytesMax: 65_535,
  topicLevelsMax: 128,
  retainedMessagesMax: 100_000,
  sessionsMax: 100_000,
  connectionsMax: 10_000,
  clientIdBytesMax: 256,
  clientIdBytesMaxV31: 23,
  topicAliasMaximum: 32,
  keepAliveSecondsMax: 0,
  packetSecondsMax: 10,
  // The platform takes an object's memory at 128 MB for an isolate: the code, garbage and what a tick needs come on top of this.
  objectBytesMax: 64 * MIB,
  unheardBytesMax: 16 * MIB,
};

/** What a client may send before it has been let in, as a multiple of PACKET_BYTES_MAX: a CONNECT, and what it sends without waiting. */
export const EARLY_PACKETS_MAX = 4;

/**
 * Bytes of topic, properties and payload on their way to one client: with so many unacknowledged no further message is sent, however
 * small their number. What a slow client does not read waits in the object's memory.
 */
export const INFLIGHT_BYTES_MAX = 1 * MIB;

/**
 * Retained messages that a subscription is owed are read and sent in pages of so many messages or, from the message on that reaches it, so
 * many bytes: what one slow client holds in memory of them. The next page is read when the client has taken this one.
 */
export const RETAINED_PAGE_MESSAGES = 64;
export const RETAINED_PAGE_BYTES = 64 * KIB;

/** Places of the index that one page may look at, whatever it finds: about 2 ms. A filter that matches little costs several pages. */
export const RETAINED_LOOKS = 512;

/**
 * What one tick of an object reads for all clients together, as places looked at, messages and KiB: a page, about 1.5 ms. While others speak
 * the pause after it has a millisecond for each so many: what is read has to be sent and acknowledged as well.
 */
export const RETAINED_WORK_PER_TICK = 64;
export const RETAINED_WORK_PER_MS = 16;

/** Pages of one Session object that are asked for and have not come. More wait their turn. */
export const RETAINED_ASKS_MAX = 256;
export const RETAINED_ASKS_PER_SESSION = 32;

/** Retained messages that may be on their way to one session at once, whatever else waits for it. */
const OWED_PACKETS_MAX = RETAINED_ASKS_PER_SESSION * RETAINED_PAGE_MESSAGES;

/** Packet Identifiers of a session that no full queue, no full window and no retained messages take. */
export function packetIdsLeft({ queueMessagesMax, inflightMax }: Limits): number {
  return PACKET_ID_MAX - OWED_PACKETS_MAX - queueMessagesMax - inflightMax;
}

/** A page that could not be had is asked for again after this time. */
export const RETAINED_RETRY_MS = 5 * SECOND;

/** Requests in one batch between objects: what waits behind it goes with the next. */
export const BATCH_ITEMS_MAX = 1024;

/** Packets of one client that a relay passes on in a tick, about 1 ms; what else has come follows in the next. */
export const RELAYED_PACKETS_MAX = 4096;

/**
 * What has come to all relays of an isolate and is not whole, or waits until its client is let in, bytes: beyond the first of two bounds who has
 * more than UNFINISHED_BYTES_SHORT there has to go, beyond the second who has more than RELAYED_BYTES_SHORT, which the socket itself costs as
 * well. Those who are not let in yet have bounds of their own, below half of the memory of an isolate: they go before clients that are connected.
 */
export const RELAYED_STRANGERS_BYTES_MAX = 32 * MIB;
export const RELAYED_STRANGERS_BYTES_FULL = 48 * MIB;
export const RELAYED_BYTES_MAX = 64 * MIB;
export const RELAYED_BYTES_FULL = 80 * MIB;
export const RELAYED_BYTES_SHORT = 1 * KIB;

/** What a relay holds counts for so long after its client was heard: longer than letting a client in takes, as one may be gone without a word. */
export const RELAYED_LEASE_MS = 2 * MINUTE;

/**
 * PINGREQ that a relay answers one client in this time; with more it is disconnected (0x96). What it answers waits in the Worker, which can't
 * see whether its client reads. The shortest Keep Alive needs one a second.
 */
export const RELAYED_PINGS_MAX = 1000;
export const RELAYED_PINGS_MS = 1 * MINUTE;

/** The largest Packet Identifier [MQTT5-2.2.1-3]. */
export const PACKET_ID_MAX = 65_535;

/**
 * UTF-8 bytes of the topics that the Topic Aliases of one connection stand for: one topic of the greatest length, or 32 of 2,000 bytes.
 * A client may use as many aliases as it was told; one that goes beyond this with their topics is disconnected with 0x97.
 */
export const TOPIC_ALIAS_BYTES_MAX = 64 * KIB;

/** Of them, what stands in the socket's attachment, bytes; more gets rows, so that it is not written with whatever changes. */
export const ALIASES_ATTACHED_BYTES_MAX = 4 * KIB;

/**
 * Characters of the topics that have Topic Aliases of the broker towards one client, and of those that may get one: a client may allow
 * 65,535 aliases, and topics may be long.
 */
export const OWN_ALIAS_CHARACTERS_MAX = 64 * KIB;

/** How many of both there may be: each takes memory beside its topic, about 128 bytes. Who is sent more topics than that repeats few of them. */
export const OWN_ALIASES_MAX = 1000;

/** Incoming QoS 2 exchanges that stand in the row or attachment of their session; more of them stand in pages of their own. */
export const RECEIVED_INLINE_MAX = 256;

/** What a session is owed of retained messages and stands in its row, bytes: more of it has rows of its own, one for each cursor. */
export const OWED_INLINE_BYTES_MAX = 4 * KIB;

/** QoS 2 messages, of all other objects, that are remembered one by one for a session that has moved here; the oldest are forgotten first. */
export const MOVED_EXCHANGES_MAX = 16 * KIB;

/** The filters of shared subscriptions with which one message goes to a Session object, characters; more of them go with it once more. */
export const SHARES_CHARACTERS_MAX = 256 * KIB;

/** What may wait in one outbox, bytes. Beyond it publishing clients are told (0x83) or closed (3.x), and repeat. */
export const OUTBOX_BYTES_MAX = 32 * MIB;

/**
 * What may wait in a Topic object of one publisher of whose messages each goes to very many shared subscriptions, bytes: beyond it they are not
 * taken, as where an outbox is full.
 */
export const HEAVY_WAITING_BYTES_MAX = 4 * MIB;

/** One batch between objects, bytes: RPC arguments are limited to 32 MiB, and a batch is held on both sides at once. */
export const BATCH_BYTES_MAX = 4 * MIB;

/**
 * After a call with several items the next one to the same object is not made before that one is this old (1 ms after two items), unless so
 * many items wait: then what comes closely together shares one. With 2 ms ten pairs of clients with 16 messages on the way each make a fifth
 * fewer deliveries a second, with 6 ms as many as with 4. Longer costs latency under load; shorter makes more calls, which are billed.
 */
export const CALL_GATHER_MS = 4;
export const CALL_GATHER_ITEMS = 16;

/**
 * When one object holds targets of others, so that calls are not billed. An object that is kept awake costs 0.128 GB x $12.50 a million GB-s,
 * $1.60 for a million seconds; a million calls cost $0.15: so what it costs to keep one awake for a moment of `ms` is `callsOfObject` calls. Whoever
 * holds others pays for itself and, as others hold them too, for its part of them: what there are of those, by what there are of its own kind. A
 * hash has spread what there is, so it sees by its own calls what others make. From twice a break-even on, as each direction alone is to pay for
 * both. Where others do not call them after all it pays `callsOfObject` for each of them, however few calls it makes there. A target is held of
 * whom it calls `callsOfWay` times in a moment, and let go of with fewer than `callsOfWayHeld`, or when all calls are fewer than `staying` of what
 * began it.
 */
export const HOLD = { ms: 2 * SECOND, callsOfObject: 21.4, staying: 0.55, callsOfWay: 4, callsOfWayHeld: 2 } as const;

/** A failed call between objects is tried again after this time, doubling up to the maximum, for no longer than the last. */
export const RETRY_MS_FIRST = 50;
export const RETRY_MS_MAX = 5 * SECOND;
export const RETRY_MS_TOTAL = 60 * SECOND;

/**
 * A Topic object answers a batch after this time at the latest, and tells later what it does not know yet because a Session object is
 * slow. Longer holds up publishers, shorter costs calls that ask.
 */
export const ANSWER_MS_MAX = 250;

/**
 * A queue of a connected client that is fuller than this is slow: publishers of further messages at QoS 1 and 2 get their answers when those
 * have come down to it, so that they send no faster than the client reads. What is above is for what they have sent meanwhile.
 */
export const SLOW_FILL = 0.5;

/**
 * For so long publishers wait for a slow client at most. One that has acknowledged nothing in this time is waited for no more until it
 * does: a client that never reads costs its publishers this time once. Shorter than clients take for a broker that does not answer.
 */
export const SLOW_MS_MAX = 3 * SECOND;

/** A Session object whose members of a shared subscription were all busy is asked last for so long: every message asked it in vain else. */
export const SHARE_BUSY_MS = 250;

/** The same of one whose members have acknowledged nothing lately: only as long as it takes one that has just begun. */
export const SHARE_STUCK_MS = 25;

/**
 * What a Session object does not want any more a Topic object hears with the next call, or after this time; and what only sessions that
 * are not kept want gets a row if it is still wanted after this time: clients that come and go cost one call each instead of two, and no
 * rows. Far below the ten seconds after which an idle object hibernates.
 */
export const LATER_MS = 1 * SECOND;

/**
 * As much of that goes with one call, and where no other is made the next one follows after this time: the rest of a client that has given up
 * a thousand subscriptions at once, or has kept them for so long, stands before nobody's message.
 */
export const LATER_REQUESTS_MAX = 32;
export const LATER_NEXT_MS = 20;

/**
 * How many members of a shared subscription are connected is told at once, and once more after this time, or twice as long, where it is not in
 * the row of the share yet: clients that come and go and come cost no rows. What a Topic object refuses is told again after twice the time each
 * round, up to the last: one that is misplaced costs a handful of calls an hour until somebody mends it.
 */
export const SHARE_AGAIN_MS = 4 * SECOND;
export const SHARE_AGAIN_MS_MAX = 5 * MINUTE;

/** How often such outcomes are asked for: after the first time, then after twice as long each time while nothing is known, up to the last. */
export const AWAITED_MS_FIRST = 25;
export const AWAITED_MS = 500;

/** How long a later life keeps an earlier one out: longer than calls are on their way, short should a clock have been set back. */
export const FENCE_MS = 10 * SECOND;

/** How long a receiver remembers which messages it has already handled: longer than any sender repeats them. */
export const REPEAT_WINDOW_MS = 5 * MINUTE;

/** What is left of a log that everybody has read goes after that time at the earliest, and after this time more when the object has to wake for it. */
export const LOG_TIDY_SLACK_MS = HOUR;

/**
 * Incoming QoS 2 exchanges of one Session object from the oldest unsettled one on: receivers remember each of them, for its publisher may
 * repeat it. As many as one client may have open by default; more are refused, or the oldest is given up where its publisher is away.
 */
export const OPEN_EXCHANGES_MAX = 4096;

/** Open QoS 2 exchanges of a publisher of 3.x, which knows no Receive Maximum; with one more it is disconnected. They take 3 MiB. */
export const RECEIVED_MAX_V3 = 8192;

/** After a start that found sessions without their sockets: the time their clients have to come back before wills are published. */
export const RESTART_GRACE_MS = 30 * SECOND;

/** Up to 1.5 times 20 seconds: clients that ask for so short a Keep Alive want to be missed soon, and an object that sleeps wakes for it. */
export const KEEP_ALIVE_EXACT_MS = 30 * SECOND;

/** A client is gone after 1.5 times its Keep Alive [MQTT5-3.1.2-22]. */
export const KEEP_ALIVE_FACTOR = 1.5;

/**
 * Deadlines farther away than this may fire late by as much: an alarm costs a request and a row, and any event that wakes the
 * object fires what is due at its exact time.
 */
export const DEADLINE_COARSE_MS = 15 * MINUTE;

/** An alarm is set no farther ahead, and once more when it fires: the platform takes none after 2189, and logins may end later. */
export const ALARM_MS_MAX = 365 * 24 * HOUR;

/** After how long an alarm that storage refused to set is tried again; until then the object stays awake. */
export const ALARM_RETRY_MS = 5 * SECOND;

/**
 * What a will may take in memory: the longest payload and topic that there are, and about as much of properties. A User Property takes 128
 * bytes beside its texts, and five in the packet.
 */
export const WILL_BYTES_MAX = 384 * KIB;

/** A will that no object took is tried again after this time, then after twice as long each time, at most the latter. */
export const WILL_RETRY_MS_FIRST = 30 * SECOND;
export const WILL_RETRY_MS_MAX = 15 * MINUTE;

/**
 * An object with wills of connections that have no Keep Alive wakes after this time, at most twice: should it have been reset without a word,
 * it finds out then. At most a few alarms an hour.
 */
export const WILL_WATCH_MS = 15 * MINUTE;

/** How often the edge passes liveness on to the object although it answers PINGREQ itself. */
export const LIVENESS_MS = 10 * MINUTE;

/**
 * Garbage is collected for the sake of closed sockets so long after the first of them, and no more often: it takes up to 50 ms, in which nothing
 * else happens, so that this is at most a hundredth of the time. Longer lets clients wait.
 */
export const LET_GO_MS = 5 * SECOND;

/** An object that holds messages only in memory stays awake for them at most this long. */
export const AWAKE_MS_MAX = 30 * SECOND;

/** What waits for one TCP connection of another Worker that takes nothing, bytes; then it is cut off. As much as a client may leave unread. */
export const TCP_UNSENT_BYTES_MAX = 16 * MIB;

/** How long it may take to read the rest when the broker has closed it, ms. */
export const TCP_LINGER_MS = 5 * SECOND;

/** What one SUBACK says of why filters were refused, characters: about ten of them are told; a packet may have thousands. */
export const REASONS_CHARACTERS_MAX = 1024;

/** One fact of a line of the log, characters: names and filters that clients choose may have 65,535 bytes. */
export const LOG_FACT_CHARACTERS_MAX = 500;

/** The close reason of a WebSocket: the platform throws above 123 bytes (compatibility date 2026-03-03). */
export const CLOSE_REASON_BYTES_MAX = 123;

/**
 * Checks the relations between limits.
 * @returns a sentence for each broken relation, naming the limit and what was expected; empty when all hold
 */
export function limitProblems(limits: Limits): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, sentence: string): void => {
    if (!holds) problems.push(sentence);
  };
  expect(limits.packetBytesMax >= 128, "PACKET_BYTES_MAX must be at least 128: a CONNECT has to fit");
  expect(
    limits.packetBytesMax + CHUNK_OVERHEAD_BYTES_MAX <= ROW_BYTES_MAX,
    `PACKET_BYTES_MAX must be at most ${ROW_BYTES_MAX - CHUNK_OVERHEAD_BYTES_MAX}: a message is stored in one row with its recipients`,
  );
  expect(limits.packetBytesMax <= BATCH_BYTES_MAX, "PACKET_BYTES_MAX must not exceed a batch between objects");
  expect(limits.queueBytesMax >= limits.packetBytesMax, "QUEUE_BYTES_MAX must be at least PACKET_BYTES_MAX: one message has to fit");
  expect(limits.inflightMax >= 1 && limits.inflightMax <= PACKET_ID_MAX, "INFLIGHT_MAX must be 1 to 65535");
  expect(limits.receiveMaximum >= 1 && limits.receiveMaximum <= PACKET_ID_MAX, "RECEIVE_MAXIMUM must be 1 to 65535");
  expect(
    packetIdsLeft(limits) > 0,
    `QUEUE_MESSAGES_MAX plus INFLIGHT_MAX must be below ${PACKET_ID_MAX - OWED_PACKETS_MAX}: each waiting message holds a Packet Identifier`,
  );
  expect(limits.topicBytesMax >= 1 && limits.topicBytesMax <= 65_535, "TOPIC_BYTES_MAX must be 1 to 65535");
  expect(
    limits.subscriptionBytesMax >= limits.topicBytesMax,
    "SUBSCRIPTION_BYTES_MAX must be at least TOPIC_BYTES_MAX: one subscription has to fit",
  );
  expect(limits.topicLevelsMax >= 1 && limits.topicLevelsMax <= 512, "TOPIC_LEVELS_MAX must be 1 to 512: matching recurses over levels");
  expect(limits.clientIdBytesMax >= 23 && limits.clientIdBytesMax <= 1024, "CLIENT_ID_BYTES_MAX must be 23 to 1024");
  expect(
    limits.clientIdBytesMaxV31 >= 23 && limits.clientIdBytesMaxV31 <= limits.clientIdBytesMax,
    "CLIENT_ID_BYTES_MAX_V31 must be 23 to CLIENT_ID_BYTES_MAX",
  );
  expect(limits.topicAliasMaximum >= 0 && limits.topicAliasMaximum <= 65_535, "TOPIC_ALIAS_MAXIMUM must be 0 to 65535");
  expect(limits.keepAliveSecondsMax >= 0 && limits.keepAliveSecondsMax <= 65_535, "KEEP_ALIVE_SECONDS_MAX must be 0 to 65535");
  expect(
    limits.sessionExpirySecondsV3 <= limits.sessionExpirySecondsMax,
    "SESSION_EXPIRY_SECONDS_V3 must not exceed SESSION_EXPIRY_SECONDS_MAX",
  );
  expect(
    limits.connectionsMax >= 1 && limits.connectionsMax <= 32_768,
    "CONNECTIONS_MAX must be 1 to 32768: the platform's limit of sockets",
  );
  expect(RETRY_MS_TOTAL + RETRY_MS_MAX < REPEAT_WINDOW_MS, "a repeat must not outlive the memory of the receiver");
  expect(SHARE_WORK <= TICK_WORK && TICK_WORK <= CROWDED_REQUESTS, "a share must fit into a tick, and a tick into what is no crowd");
  expect(FILTERS_UNDER_WAY_WORK <= SHARE_WORK, "the filters of a client that are on their way must be no more than a share");
  expect(limits.packetSecondsMax >= 1, "PACKET_SECONDS_MAX must be at least 1");
  return problems;
}
