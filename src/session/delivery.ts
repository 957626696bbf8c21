/** One Application Message on its way: to a Session, and from a client until it is answered. Data; who handles it stands above. */

import type { Message } from "../mqtt/message.ts";
import type { Due } from "./due.ts";
import type { Ticket } from "./ports.ts";

/** One Application Message on its way to one Session at QoS 1 or 2. Exists until it is acknowledged, expired or dropped. */
export interface Delivery extends Due {
  readonly packetId: number;
  /** Undefined after hibernation when only its acknowledgement is still awaited; the log has it and `share`, if anything does. */
  readonly message: Message | undefined;
  /** Its record in the log; 0 for sessions that are not stored, or were not when it came. */
  sequence: number;
  /** Bytes of topic, properties and payload. */
  readonly size: number;
  /** As in `chunk-heads.ts`, of one whose message is not here; 0 for others. */
  readonly flags: number;
  /** PUBLISH went out at least once: the next one carries DUP [MQTT5-3.3.1-1], and expiry no longer applies [MQTT5-4.3.3-7]. */
  sent: boolean;
}

/** An incoming QoS 1 or 2 PUBLISH between its arrival and the end of its exchange. */
export interface Incoming extends Ticket {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly sequence: number;
  /** The Session object that gave it its sequence, for an exchange that moved here with its session; undefined: this one. */
  readonly begunAt: string | undefined;
  /** The routing side has it; false for one that a restart found and whose publisher has not repeated it yet. */
  handedOn: boolean;
  /** Undefined until every Session object concerned has the message. */
  reasonCode: number | undefined;
  /** Why it was refused, where that is more than its Reason Code says. */
  readonly reason?: string | undefined;
}
