/** The numbers of the gateway: value, unit, reason. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KIB = 1024;
const MIB = 1024 * KIB;

/** From the beginning of a connection to the last byte of its CONNECT, PROXY header included, TLS left out; then it is cut. As the broker has it. */
export const CONNECT_MS = 10 * SECOND;

/** TLS, within which the client shows its certificate: slow ones need seconds for it alone. */
export const TLS_MS = 10 * SECOND;

/** A CONNECT with its fixed header: the largest Will Payload there is, and a token. What is longer is cut before it is read. */
export const CONNECT_BYTES_MAX = 128 * KIB;

/**
 * All that clients have said for whom there is no way to the broker yet: nobody is known of whom they are. Beyond it who sends more is
 * refused, but who has said no more than the second: that is what a connection costs anyway.
 */
export const UNFINISHED_BYTES_MAX = 64 * MIB;
export const UNFINISHED_BYTES_SHORT = 1 * KIB;

/** What a piece of that costs in memory beside its bytes, however little came in it. */
export const CHUNK_BYTES = 256;

/** A Client Identifier that goes into the URL, UTF-8 bytes: no broker is set to take a longer one (CLIENT_ID_BYTES_MAX). */
export const CLIENT_ID_BYTES_MAX = 1024;

/** The name of a user that a certificate gives, UTF-8 bytes, as the broker takes it. */
export const USER_NAME_BYTES_MAX = 1024;

/** WebSockets that are being opened at a time: a fleet that comes back at once does not open them all at once. */
export const OPENING_MAX = 256;

/** From CONNECT to the WebSocket, waiting for its turn included: clients give a server about 30 s. */
export const OPENING_MS = 20 * SECOND;

/** Of what an HTTP server says that refuses the WebSocket, characters, and how long more of it is waited for: for the log. */
export const EXPLANATION_MS = 1 * SECOND;
export const REFUSAL_CHARACTERS_MAX = 300;

/** Bytes on their way to the broker above which the client is not read any further, and below which it is again. */
export const UNSENT_BYTES_HIGH = 64 * KIB;
export const UNSENT_BYTES_LOW = 16 * KIB;

/** What is written to a client at a time, bytes: it has to take so much within STALLED_MS, 1 KiB/s, or is cut. */
export const SLICE_BYTES = 64 * KIB;

/** A side that takes nothing for so long although something waits for it is dead. */
export const STALLED_MS = 1 * MINUTE;

/** What the broker may send in one frame, bytes: the platform's largest message. */
export const FRAME_BYTES_MAX = 32 * MIB;

/** How long a client may take to close its side after the broker has closed and all is sent. */
export const LINGER_MS = 5 * SECOND;

/** The first probe of a TCP connection over which nothing came: who is gone without a word is found out, whatever its Keep Alive. */
export const TCP_KEEP_ALIVE_MS = 1 * MINUTE;

/** From the order to stop to the end, whoever is still there. */
export const SHUTDOWN_MS = 5 * SECOND;

/** A PROXY header, bytes: of version 1 by its specification, of version 2 with what load balancers add to it. */
export const PROXY_V1_BYTES_MAX = 107;
export const PROXY_V2_BYTES_MAX = 4 * KIB;

/** The same problem is logged again after this time, with how often it was there meanwhile. */
export const REPEATED_MS = 10 * SECOND;
