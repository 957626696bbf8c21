/** The numbers of storage: what stands in rows and attachments, in which pieces. All others are in limits.ts. */

const KIB = 1024;

/** A socket's attachment, serialized: the platform's limit is 16,384 (measured 2026-11: 16,000 bytes of payload pass). */
export const ATTACHMENT_BYTES_MAX = 15_000;

/**
 * What an attachment says of QoS 2 messages that a session without rows was given, of each kind, and bytes of their names: a call that
 * fails is made again before much else comes.
 */
export const GIVEN_MAX = 16;
export const GIVEN_BYTES_MAX = 2 * KIB;

/** A session's row says in words why its client went; what a client has said of it is cut to so many bytes. */
export const PARTED_REASON_BYTES_MAX = 200;

/** One SQLite row, blob or RPC-free value on the platform: 2 MB, with room for the row's other columns. */
export const ROW_BYTES_MAX = 1_900_000;

/**
 * A retained message with more bytes lies in a row of its own beside that of its topic: to find a topic SQLite reads the whole rows of about
 * a dozen others, 3 ns a byte (measured 2026-11: beside sixty of 900 KB each small one took 0.6 ms to find and 1.1 ms to write, now 0.02).
 * Less costs a second row for more messages.
 */
export const RETAINED_INLINE_BYTES_MAX = 8 * KIB;

/** As many retained messages of an object are counted for whoever only looks, once after each start; more are left out. */
export const RETAINED_COUNTED_MAX = 100;

/**
 * A chunk of the message log takes further records until it has this many bytes. Rewriting a chunk costs one row however often it
 * grows; larger chunks cost more CPU for each append, smaller ones more rows to delete.
 */
export const CHUNK_BYTES = 16 * KIB;

/**
 * Where so few changes are to be written, they wait until the row before is this old: at 2,000 messages a second about six share a row
 * and a commit, and at 100 a second none waits. Longer costs latency, shorter more rows.
 */
export const ROW_GATHER_MS = 3;
export const ROW_GATHER_CHANGES = 8;

/**
 * Attachments of sessions without rows wait until the ones before are this old: a message and its acknowledgement of the next tick need one.
 * While one waits the object is awake, and billed: no longer than the 10 ms which an event is counted with (docs/costs.md).
 */
export const ATTACHMENT_GATHER_MS = 2;

/**
 * Of what waits for a connected client so much is in memory at once beside what is in flight, messages and bytes; more is read from rows when
 * that was sent.
 */
export const LOADED_MESSAGES = 64;
export const LOADED_BYTES = 256 * KIB;

/** How finely messages that wait are cut; simulations cut them finer, to see more of the edges. */
export interface PieceSizes {
  /** Of a chunk of the message log. */
  readonly chunkBytes: number;
  readonly loadedMessages: number;
  readonly loadedBytes: number;
}

export const PIECE_SIZES: PieceSizes = { chunkBytes: CHUNK_BYTES, loadedMessages: LOADED_MESSAGES, loadedBytes: LOADED_BYTES };

/**
 * What stands beside a chunk to be read without it at a start, bytes: with a row's blob they are below the platform's 2 MB. With more
 * recipients a start reads the chunk itself.
 */
export const HEADS_BYTES_MAX = 64 * KIB;

/** Chunks whose heads a start reads at once. */
export const HEADS_AT_ONCE = 256;

/**
 * Chunks that a start reads for the repeats they remember, where none remembers all that were known: 64 have four times the pairs that memory
 * holds.
 */
export const REPEATS_CHUNKS_MAX = 64;

/** The list of recipients of one record of the message log, bytes; a message for more sessions has several records. */
export const RECIPIENT_BYTES_MAX = 256 * KIB;

/**
 * What a row of the message log may hold besides one packet: the topic that a Topic Alias stands for in it, its recipients, of whom the
 * last one's shared subscription may go beyond their bound, and the repeats that are recognised after a restart.
 */
export const CHUNK_OVERHEAD_BYTES_MAX = 64 * KIB + RECIPIENT_BYTES_MAX + 64 * KIB + 288 * KIB;

/**
 * Sessions of one page for another broker, bytes: they are held in the object, in the Worker, and there as text. One that is larger has a page
 * of its own.
 */
export const PORTABLE_PAGE_BYTES = 2048 * KIB;

/** A session that is told of as a whole, bytes: more than a queue may hold by default, less than a call may bring (32 MiB). */
export const PORTABLE_SESSION_BYTES_MAX = 20 * 1024 * KIB;

/** Minutes of which an object keeps what it has counted (`MONITOR`), a row each: a day, of which people look at curves. */
export const SAMPLE_MINUTES = 24 * 60;

/** Months of which an object keeps what is billed of it (`MONITOR`), a row each. */
export const BILL_MONTHS = 13;

/**
 * What was counted is written so long after something was, ms, or when the minute is over where no end of it is in sight. An object is awake for
 * ten seconds after the last event anyway: it need not be kept awake for this.
 */
export const SAMPLE_DELAY_MS = 3 * 1000;
