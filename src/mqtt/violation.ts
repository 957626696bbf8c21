/**
 * A broken rule of the specification, as a value: what kind of rule, which clause, which Reason Code, and a sentence for people.
 * It is returned, never thrown. One switch in the session core turns it into CONNACK, DISCONNECT or a plain close; it ends one
 * Network Connection and never an object.
 */

/** The discriminant that tells a Violation from a Packet: packet type 0 is reserved, so no packet has it. */
export const VIOLATION = 0;

export interface Violation {
  readonly type: typeof VIOLATION;
  /** `malformed`: the bytes can't be parsed. `protocol`: they can, but the packet is not allowed here. */
  readonly kind: "malformed" | "protocol";
  /** The clause that was broken, with its version: `MQTT5-1.5.4-2`, `MQTT311-1.5.3-2`, `MQTT31-connect-name`. */
  readonly clause: string;
  /** The MQTT 5.0 Reason Code that names it (0x81, 0x82, 0x84, 0x90, 0x95 ...); 3.x connections are closed without it. */
  readonly reasonCode: number;
  /** A sentence that names the input and what was expected; safe to send to the client: it never quotes a secret. */
  readonly message: string;
}
