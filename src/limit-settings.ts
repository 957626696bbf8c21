/** The variables of the limits: what objects, sessions, packets and rates may be. */

import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { BYTE_RATE_FORM, parseByteRate, parseRate, RATE_FORM, type Rate, type Rates } from "./rate.ts";
import { integer, type Setting, setting } from "./setting.ts";
import { CHUNK_OVERHEAD_BYTES_MAX, ROW_BYTES_MAX } from "./storage-limits.ts";

/** Session Expiry Interval is a four-byte integer whose largest value means "never" [5.0/3.1.2.11.2/default]. */
const EXPIRY_SECONDS_MAX = 0xffff_ffff;

const D = DEFAULT_LIMITS;
export const LIMIT_SETTINGS = {
  packetBytesMax: integer(
    "PACKET_BYTES_MAX",
    D.packetBytesMax,
    128,
    ROW_BYTES_MAX - CHUNK_OVERHEAD_BYTES_MAX,
    "largest Control Packet, bytes; announced as Maximum Packet Size",
  ),
  queueMessagesMax: integer(
    "QUEUE_MESSAGES_MAX",
    D.queueMessagesMax,
    1,
    63_485,
    "messages that wait for one session; what happens then is `QUEUE_POLICY`",
  ),
  queueBytesMax: integer(
    "QUEUE_BYTES_MAX",
    D.queueBytesMax,
    128,
    1 << 30,
    "bytes that wait for one session; what happens then is `QUEUE_POLICY`",
  ),
  inflightMax: integer("INFLIGHT_MAX", D.inflightMax, 1, 63_485, "QoS 1 and 2 messages sent to a client and not yet acknowledged"),
  receiveMaximum: integer(
    "RECEIVE_MAXIMUM",
    D.receiveMaximum,
    1,
    65_535,
    "QoS 1 and 2 messages of a client that the broker has not yet acknowledged; announced as Receive Maximum",
  ),
  sessionExpirySecondsMax: integer(
    "SESSION_EXPIRY_SECONDS_MAX",
    D.sessionExpirySecondsMax,
    0,
    EXPIRY_SECONDS_MAX,
    "longest time that a session outlives its connection, seconds; `4294967295` = for ever",
  ),
  sessionExpirySecondsV3: integer(
    "SESSION_EXPIRY_SECONDS_V3",
    D.sessionExpirySecondsV3,
    0,
    EXPIRY_SECONDS_MAX,
    "how long a 3.1 or 3.1.1 session with Clean Session 0 outlives its connection, seconds",
  ),
  subscriptionsMax: integer("SUBSCRIPTIONS_MAX", D.subscriptionsMax, 1, 1_000_000, "subscriptions of one session"),
  subscriptionBytesMax: integer(
    "SUBSCRIPTION_BYTES_MAX",
    D.subscriptionBytesMax,
    1,
    1 << 30,
    "bytes of the Topic Filters of all subscriptions of one session",
  ),
  topicBytesMax: integer("TOPIC_BYTES_MAX", D.topicBytesMax, 1, 65_535, "longest Topic Name or Topic Filter, bytes"),
  topicLevelsMax: integer("TOPIC_LEVELS_MAX", D.topicLevelsMax, 1, 512, "levels of a Topic Name or Topic Filter"),
  retainedMessagesMax: integer(
    "RETAINED_MESSAGES_MAX",
    D.retainedMessagesMax,
    0,
    10_000_000,
    "retained messages in one Topic object; `0` = none, announced as Retain Available 0",
  ),
  sessionsMax: integer("SESSIONS_MAX", D.sessionsMax, 1, 10_000_000, "sessions of one Session object that wait for their clients"),
  connectionsMax: integer(
    "CONNECTIONS_MAX",
    D.connectionsMax,
    1,
    32_768,
    "connections of one Session object; so many that do nothing fit into what `OBJECT_BYTES_MAX` is by default, and some 7,000 with a subscription each",
  ),
  clientIdBytesMax: integer("CLIENT_ID_BYTES_MAX", D.clientIdBytesMax, 23, 1024, "longest Client Identifier, bytes"),
  clientIdBytesMaxV31: integer(
    "CLIENT_ID_BYTES_MAX_V31",
    D.clientIdBytesMaxV31,
    23,
    1024,
    "longest Client Identifier of an MQTT 3.1 client, bytes",
  ),
  topicAliasMaximum: integer(
    "TOPIC_ALIAS_MAXIMUM",
    D.topicAliasMaximum,
    0,
    65_535,
    "Topic Aliases that a client may use on one connection; `0` = none",
  ),
  keepAliveSecondsMax: integer(
    "KEEP_ALIVE_SECONDS_MAX",
    D.keepAliveSecondsMax,
    0,
    65_535,
    "longest Keep Alive, seconds; 5.0 clients that ask for more, or for none, are told by Server Keep Alive; `0` = as clients like",
  ),
  packetSecondsMax: integer(
    "PACKET_SECONDS_MAX",
    D.packetSecondsMax,
    1,
    3600,
    "time for a CONNECT, and for any packet once begun, seconds",
  ),
  objectBytesMax: integer(
    "OBJECT_BYTES_MAX",
    D.objectBytesMax,
    1 << 20,
    1 << 30,
    "what one object may hold in memory, bytes; as it fills, new load is refused, sort by sort (docs/guarantees.md)",
  ),
  unheardBytesMax: integer(
    "UNHEARD_BYTES_MAX",
    D.unheardBytesMax,
    0,
    1 << 30,
    "bytes that a client was sent and has not shown to have read; beyond it QoS 0 messages are dropped, others wait, and a client that shows nothing is disconnected; `0` = not looked at",
  ),
} satisfies { readonly [Field in keyof Limits]: Setting<number> };

function rate<const Name extends string>(name: Name, text: string, meaning: string): Setting<Rate, Name> {
  return setting(name, text, RATE_FORM, meaning, parseRate);
}

export const RATE_SETTINGS = {
  clientMessages: rate(
    "CLIENT_MESSAGE_RATE",
    "unlimited",
    "PUBLISH packets of one client; above it QoS 0 is dropped, QoS 1 and 2 are refused (0x97), and a 3.x client is read more slowly and then closed",
  ),
  clientBytes: setting(
    "CLIENT_BYTE_RATE",
    "unlimited",
    BYTE_RATE_FORM,
    "bytes of the PUBLISH packets of one client; above it as above `CLIENT_MESSAGE_RATE`",
    parseByteRate,
  ),
  clientSubscribes: rate(
    "CLIENT_SUBSCRIBE_RATE",
    "unlimited",
    "SUBSCRIBE packets of one client; above it they are refused (0x97), and a 3.x client is read more slowly and then closed",
  ),
  addressConnects: rate(
    "ADDRESS_CONNECT_RATE",
    "unlimited",
    "WebSocket connections that one address (of IPv6 one /64) asks for; above it they are refused (HTTP 429)",
  ),
  addressLoginFailures: rate(
    "ADDRESS_LOGIN_FAILURE_RATE",
    "10/30s",
    "logins of one address (of IPv6 one /64) that fail; above it they are refused before any hash is begun (0x9F; 3.x: return code 3)",
  ),
  apiRequests: rate(
    "API_RATE",
    "1000/10s",
    "requests of one token to [the HTTP API](api.md) in one namespace, as each isolate of the Worker counts them for itself; above it they are refused (HTTP 429, `Retry-After`)",
  ),
} satisfies { readonly [Field in keyof Rates]: Setting<Rate> };

export const USER_SHARE = setting(
  "USER_SHARE",
  "0.5",
  "a part from 0.01 to 1",
  "the part of an object's connections, waiting sessions, memory and retained messages that one user may take (0x97; 3.x: return code 3), where there may be several users; anonymous clients are one; `1` = all",
  (text) => (/^(0\.\d{1,4}|1(\.0{1,4})?)$/.test(text) && Number(text) >= 0.01 ? Number(text) : undefined),
);
