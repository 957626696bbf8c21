/** Every number of the client, with its unit and reason. It stands by itself: the client does not carry the broker's numbers along. */

const SECOND = 1000;
const KIB = 1024;

/** From the beginning of an attempt to CONNACK, ms. */
export const CONNECT_MS = 30 * SECOND;

/** From SUBSCRIBE or UNSUBSCRIBE to its answer, ms. A PUBLISH waits as long as there is a client. */
export const ANSWER_MS = 30 * SECOND;

/** From a request to its response, ms. */
export const REQUEST_MS = 30 * SECOND;

/** Keep Alive, seconds: below the idle time-outs of proxies, most of which close after 60 to 100 s. */
export const KEEP_ALIVE_SECONDS = 50;

/** How often it is looked at, as a share of the Keep Alive: a little under half, because timers are late. */
export const KEEP_ALIVE_LOOK_SHARE = 0.45;

/** The first wait before a new connection is below the first, no wait is above the second, ms. */
export const RECONNECT_MIN_MS = 1 * SECOND;
export const RECONNECT_MAX_MS = 60 * SECOND;

/** A connection that lived so long was a good one, ms: the waits before new ones begin anew. */
export const STABLE_MS = 10 * SECOND;

/**
 * How long a server keeps a session that nobody asked it to keep, seconds: long enough to come back after a lost connection without losing
 * or repeating anything. `end` ends it.
 */
export const SESSION_EXPIRY_SECONDS = 300;

/** The same for a session that was to be kept (`clean: false`) without saying for how long, seconds: a day. */
export const KEPT_SESSION_EXPIRY_SECONDS = 86_400;

/** QoS 1 and 2 messages that the server may send before the first is acknowledged: what handlers can be behind. */
export const RECEIVE_MAXIMUM = 256;

/** Topic Aliases that the server may use towards the client, and that the client uses towards it at most. */
export const TOPIC_ALIAS_MAXIMUM = 64;

/** QoS 1 and 2 messages on their way to the server; its Receive Maximum may lower it. In 3.x nobody else bounds it. */
export const IN_FLIGHT_MAX = 1024;

/** Messages that were given to `publish` and are not settled; the next is refused. */
export const QUEUE_MAX = 10_000;

/** QoS 0 messages that wait for the handler or the loop of one subscription; the next is dropped. */
export const INBOX_QOS_0_MAX = 10_000;

/** The same of them with their topics and properties, bytes: a Worker has 128 MiB for all that it does. */
export const INBOX_QOS_0_BYTES_MAX = 4096 * KIB;

/** Packets of one moment go out in one frame up to this, bytes. */
export const FRAME_BYTES = 64 * KIB;

/** When so much waits in the socket, bytes, messages wait in the client; and how often it is looked at then, ms. */
export const BUFFERED_BYTES_MAX = 1024 * KIB;
export const BUFFERED_LOOK_MS = 10;

/** How long `end` waits until what was published is acknowledged, and then for the socket's own end, ms. */
export const END_MS = 5 * SECOND;
export const CLOSE_MS = 2 * SECOND;

/** How long a message of a resumed session waits for a subscription that wants it, ms. */
export const UNCLAIMED_MS = 10 * SECOND;

/** Topics whose subscriptions are remembered, so that filters are not compared for each message. */
export const TOPICS_REMEMBERED = 1000;

/** The largest packet of the protocol with its fixed header, bytes. */
export const PACKET_BYTES_MAX = 268_435_460;
