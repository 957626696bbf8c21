/** The numbers of memory: what things cost, what is refused as it fills, what may be unread. All others are in limits.ts. */

const SECOND = 1000;
const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * What things cost in memory beside their own bytes: Maps, objects and the sockets' own, in bytes. Measured with Node 24 (2026-11), where a
 * pointer has eight bytes; a test compares the sum with the heap.
 */
export const MEMORY = {
  /** Something that a hook is to be told of a client, without its texts. */
  newsBytes: 400,
  /** Half of it is the runtime's, for the socket and its attachment. */
  connectionBytes: 2816,
  sessionBytes: 2304,
  subscriptionBytes: 768,
  /** A filter of a SUBSCRIBE or UNSUBSCRIBE that is half taken. */
  requestBytes: 128,
  shareBytes: 768,
  /** What a subscription is owed of one Topic object's retained messages. */
  cursorBytes: 320,
  deliveryBytes: 320,
  /** Beside sixteen for each delivery. */
  backlogBytes: 384,
  messageBytes: 1152,
  incomingBytes: 384,
  numberBytes: 64,
  /** In a list. */
  sequenceBytes: 8,
  aliasBytes: 128,
  willBytes: 512,
  /** The buckets of a client's rates. */
  paceBytes: 512,
  userPropertyBytes: 128,
  routeBytes: 512,
  /** A character of a text: two where one of them is beyond Latin 1. */
  characterBytes: 2,
} as const;

/**
 * What is kept for longer may be a view of so much more than itself, and of so many bytes beside: beyond that it is copied. Less copies more
 * often, more lets a message of ten bytes keep a frame in memory.
 */
export const KEPT_FACTOR_MAX = 2;
export const KEPT_BYTES_BESIDE_MAX = 1 * KIB;

/**
 * When what has just begun to be kept is copied: when what it came in has so many bytes, or after so many messages. To copy each at once is a
 * twentieth of the work of a delivery at QoS 1 or 2; most are acknowledged before. More of them keep more garbage than copies cost.
 */
export const LENT_BYTES_MAX = 1 * MIB;
export const LENT_MESSAGES_MAX = 256;

/**
 * How much of an object's budget may be in use for each sort of load to be taken; what is refused first stands first. What makes little
 * difference to those who are served already goes first, messages for them last.
 */
export const REFUSED_ABOVE = {
  /** Packets that have not come whole and are longer than UNFINISHED_BYTES_SHORT. */
  unfinished: 0.6,
  /** New subscriptions, and routes of new filters. */
  subscriptions: 0.7,
  /** CONNECT that begins a session. */
  sessions: 0.8,
  /** Messages for sessions with long queues: there the bound of the queue is QUEUE_MESSAGES_SHORT and QUEUE_BYTES_SHORT. */
  queues: 0.85,
  /** New Topic Aliases of clients. */
  aliases: 0.9,
  /** Every CONNECT. */
  connections: 0.95,
  /** QoS 1 and 2 messages from clients, and whatever would have to wait. Nothing that was acknowledged is touched. */
  messages: 1,
} as const;

/** Filters in one SUBSCRIBE or UNSUBSCRIBE: they are decoded in one piece, about 5 ms, and take memory until they are taken. */
export const PACKET_FILTERS_MAX = 16_384;

/** What may have come of a packet that is not whole while memory is short. */
export const UNFINISHED_BYTES_SHORT = 64 * KIB;

/** What a session's queue may hold while memory is short: who holds less is not touched. */
export const QUEUE_MESSAGES_SHORT = 100;
export const QUEUE_BYTES_SHORT = 64 * KIB;

/**
 * What may be unread in all sockets together, as a part of an object's budget, and in one of them, bytes, while hardly anything is left of
 * that, or nothing of the budget. A fast reader needs its rate times the time of its answer.
 */
export const UNREAD_SHARE_MAX = 0.5;
export const UNREAD_BYTES_LEAST = 64 * KIB;
export const UNREAD_BYTES_FULL = 8 * KIB;

/** For how long a client need not show that it reads: at 1.5 Mbit/s it has read ten megabytes in this time. */
export const UNREAD_MS_MAX = 60 * SECOND;

/**
 * Questions that wait for their answers at one client: one for each such part of what may be unread while it gets retained messages, which
 * go on when it answers; live messages, which come as they come, bring fewer.
 */
export const UNREAD_QUESTIONS = 8;
export const UNREAD_QUESTIONS_LIVE = 2;

/** Who has less to read is not asked, and everybody no more often than this. */
export const UNREAD_ASK_BYTES = 1 * KIB;
export const UNREAD_ASK_MS = 1 * SECOND;
