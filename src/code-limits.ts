/** The numbers of code beside the clients: consumers and hooks of the Worker, other Workers: value, unit, reason. All others are in limits.ts. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * What a consumer is given at once where its code does not say it: so many messages, or those that have come so long after the first of them.
 * A second later costs most of what messages are kept for nothing, and one row then serves all of it.
 */
export const CONSUMER_BATCH_MESSAGES = 100;
export const CONSUMER_BATCH_MS = 1 * SECOND;
/** What code may ask for. */
export const CONSUMER_BATCH_MESSAGES_MAX = 1000;
export const CONSUMER_BATCH_MS_MAX = 60 * SECOND;

/** A batch ends with the message that reaches this, bytes: its messages are copied for the handler, and objects have little memory. */
export const CONSUMER_BATCH_BYTES = 1 * MIB;

/** A handler that takes longer has failed. Longer than D1, R2 and Queues take on bad days; what it blocks is its own queue alone. */
export const CONSUMER_MS_MAX = 30 * SECOND;

/**
 * How often a message is given to a consumer where its code does not say it. With the times between them a message is given up after about
 * nine minutes, and what stands behind it in a queue of a service that is down goes that slowly, too.
 */
export const CONSUMER_ATTEMPTS = 10;
export const CONSUMER_ATTEMPTS_MAX = 100;

/** So often a batch that has failed is given as a whole: most faults pass. Then its messages come alone, so that one costs the others nothing. */
export const CONSUMER_TOGETHER = 2;

/** Between one attempt and the next: after the first so long, then twice as long each time, up to the last. */
export const CONSUMER_RETRY_MS_FIRST = 1 * SECOND;
export const CONSUMER_RETRY_MS_MAX = 5 * MINUTE;

/**
 * An object with messages for consumers wakes after this time, at most twice: should it have been reset without a word, with nobody who
 * connects, they are given then.
 */
export const CONSUMER_WATCH_MS = 15 * MINUTE;

/** UTF-8 bytes of a consumer's name. */
export const CONSUMER_NAME_BYTES_MAX = 256;

/**
 * A hook of the Worker's code that takes longer has failed: its client's later packets wait for it, and clients give a broker 10 s and more to
 * answer. What a client has sent before it was gone is asked about for as long together.
 */
export const HOOK_MS_MAX = 5 * SECOND;

/** What hooks are to be told of the clients of one object and have not been, and of one client, bytes: thousands of things. More is not told, and logged. */
export const HOOK_NEWS_BYTES_MAX = 4 * MIB;
export const HOOK_NEWS_BYTES_PER_CLIENT_MAX = 256 * KIB;

/** What a hook may have a client told of why its message is refused, UTF-8 bytes. */
export const HOOK_REASON_BYTES_MAX = 1024;

/** Clients on a page that another Worker is given, where it does not say how many, and at most: a page of the most has some 200 KiB. */
export const CLIENTS_PAGE = 100;
export const CLIENTS_PAGE_MAX = 1000;

/** Messages that wait for a client, in one answer about them, bytes of topics, properties and payloads: the object copies them, and has little memory. */
export const WAITING_PAGE_BYTES = 1 * MIB;

/** Calls to objects for one page: the free plan has 50 for a whole request, and a caller may want some pages in one. */
export const PAGE_CALLS_MAX = 16;

/** Publishers that stand for topics of what other Workers publish: more than there are objects on most brokers, and so few that none rests for long. */
export const PUBLISHERS = 64;

/**
 * Messages of other Workers that wait for `onPublish` in one object, bytes with what each costs beside its own, before more are refused: some
 * thousand readings. They are there three times: as they came, as the packet, and as the code is given them.
 */
export const SERVICE_ASKED_BYTES_MAX = 4 * MIB;

/** How long one of them waits behind others of its topic, ms: a thousand whose code takes 50 ms go through, none waits for hours. */
export const SERVICE_ASKED_MS_MAX = MINUTE;

/**
 * Acknowledgements that one object waits for because publishers want to hear of them, one for each message and session: some six MiB. Of more
 * nothing is heard, as if they did not come.
 */
export const RECEIPTS_MAX = 100_000;

/**
 * Answers to what was asked with a key are kept for at least a day, as others keep them: they are deleted by the period in which they were first
 * given, ms, when so many periods have passed. So many in one object: some 200 bytes of a row each; more are refused until old ones go.
 */
export const ANSWER_PERIOD_MS = 12 * 60 * MINUTE;
export const ANSWER_PERIODS = 2;
export const ANSWERS_MAX = 100_000;

/** How long acknowledgements are waited for, ms, where it is not said, and at most: all objects concerned stay awake for that, and are billed. */
export const ACKNOWLEDGED_MS = 10 * SECOND;
export const ACKNOWLEDGED_MS_MAX = 60 * SECOND;

/** QoS 1 and 2 messages that wait in the Worker for one subscription of another one; the others wait in rows. Large ones have to fit into an isolate. */
export const SERVICE_RECEIVE_MAXIMUM = 32;

/** How long a subscription above QoS 0 of another Worker outlives the loss of its connection, seconds: it is made again within a minute. */
export const SERVICE_SESSION_SECONDS = 60;

/** How long the service waits for its own connection, ms. */
export const SERVICE_CONNECT_MS = 10 * SECOND;

/** How long a request waits for its response, ms, where it does not say it, and at most: a call that is longer is no call any more. */
export const REQUEST_MS = 30 * SECOND;
export const REQUEST_MS_MAX = 300 * SECOND;

/** Packets of a client that is watched which wait for a slow reader in the Worker; more are left out, and counted. */
export const TRACE_WAITING_MAX = 1000;

/** The Correlation Data of a request, bytes: nobody guesses one. */
export const CORRELATION_BYTES = 12;
