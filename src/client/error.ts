/**
 * What goes wrong in the client, as one kind of error: what kind it is, the Reason Code where a server gave one, and a sentence. A message
 * never holds a password, a token or the URL of the server, which may carry one.
 */

import type { Properties } from "../mqtt/packet.ts";

/**
 * What kind of thing went wrong:
 *
 * - `refused`: the server said no, with a Reason Code
 * - `disconnected`: the server ended the connection, with a Reason Code
 * - `lost`: the connection could not be made, or it is gone
 * - `timeout`: the server did not answer in time
 * - `protocol`: the server sent what is not MQTT
 * - `invalid`: MQTT, or this server, has no such thing; nothing was sent
 * - `unknown`: the server has lost the session: whether the message arrived cannot be known
 * - `full`: too much waits already
 * - `aborted`: the signal that was given with it says so; `cause` is its reason
 * - `ended`: the client was ended
 */
export type MqttErrorKind =
  | "refused"
  | "disconnected"
  | "lost"
  | "timeout"
  | "protocol"
  | "invalid"
  | "unknown"
  | "full"
  | "aborted"
  | "ended";

export interface MqttErrorDetails {
  readonly reasonCode?: number | undefined;
  readonly properties?: Properties | undefined;
  readonly filter?: string | undefined;
  /** What a function of the user has thrown, or why a signal was aborted. */
  readonly cause?: unknown;
}

/** Everything that goes wrong in the client. A handler may throw one too: its Reason Code goes to the server. */
export class MqttError extends Error {
  override readonly name: string = "MqttError";
  /** What kind of thing went wrong: to decide by, where `message` is for people. */
  readonly kind: MqttErrorKind;
  /** Of MQTT 5.0; a Return Code of 3.x is told as the Reason Code that means the same. Undefined where there is none. */
  readonly reasonCode: number | undefined;
  /** What came with the Reason Code: Reason String, Server Reference, User Properties. */
  readonly properties: Properties;
  /** The Topic Filter that was refused, or not answered in time. */
  readonly filter: string | undefined;

  constructor(kind: MqttErrorKind, message: string, { reasonCode, properties = {}, filter, cause }: MqttErrorDetails = {}) {
    super(message, cause === undefined ? {} : { cause });
    this.kind = kind;
    this.reasonCode = reasonCode;
    this.properties = properties;
    this.filter = filter;
  }
}

/** A no with a Reason Code: what it was about, and why in the words of the specification and the server's own. */
export function refusal(kind: MqttErrorKind, what: string, reasonCode: number, properties: Properties = {}, filter?: string): MqttError {
  const said = properties.reasonString;
  const message = `${what}: ${reasonText(reasonCode)} (0x${reasonCode.toString(16).padStart(2, "0")})${said ? `, ${said}` : ""}`;
  return new MqttError(kind, message, { reasonCode, properties, filter });
}

/** What a Reason Code of MQTT 5.0 means, in a few words, such as `not authorized`; `success` for all below 0x80. */
export function reasonText(reasonCode: number): string {
  return reasonCode < FAILURES ? "success" : (FAILURE_WORDS[reasonCode - FAILURES] ?? "reason code");
}

const FAILURES = 0x80;

/** From 0x80. */
const FAILURE_WORDS =
  `unspecified error|malformed packet|protocol error|implementation specific error|unsupported protocol version|client identifier not valid|bad user name or password|not authorized|server unavailable|server busy|banned|server shutting down|bad authentication method|keep alive timeout|session taken over|topic filter invalid|topic name invalid|packet identifier in use|packet identifier not found|receive maximum exceeded|topic alias invalid|packet too large|message rate too high|quota exceeded|administrative action|payload format invalid|retain not supported|QoS not supported|use another server|server moved|shared subscriptions not supported|connection rate exceeded|maximum connect time|subscription identifiers not supported|wildcard subscriptions not supported`.split(
    "|",
  );
