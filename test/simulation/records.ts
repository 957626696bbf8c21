/** What clients of a simulation write down: what they were promised and what they got. */

import type { QoS } from "../../src/mqtt/packet.ts";
import type { Content } from "./content.ts";

/** One Application Message of a run. */
export interface Published {
  readonly number: number;
  readonly publisher: string;
  readonly topic: string;
  readonly qos: QoS;
  readonly kind: "message" | "retained" | "clearing" | "will";
  /** RETAIN, as published. */
  readonly retain: boolean;
  readonly content: Content;
  /** Its publisher may not publish it. */
  readonly forbidden: boolean;
  /** Message Expiry Interval, seconds; 0 = none. */
  readonly expirySeconds: number;
  /** Of a will: when its connection ended. */
  sentAt: number;
  /** When the broker took it on: PUBACK or PUBREC with success. */
  acknowledgedAt: number | undefined;
  /** It was sent more than once. */
  repeated: boolean;
  /** It may have been repeated in another session than it began in. */
  inDoubt: boolean;
}

export interface Got {
  readonly number: number;
  readonly qos: QoS;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly at: number;
  /** Counts the sessions of the client: a message may come again in a new one. */
  readonly session: number;
}

export interface Held {
  readonly filter: string;
  readonly qos: QoS;
  /** Subscription Identifier; 0 = none. */
  readonly identifier: number;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  /** Which connection of its client asked for it. */
  readonly connection: number;
  /** Milliseconds: SUBACK came. */
  since: number | undefined;
  /** Milliseconds: UNSUBSCRIBE was sent. */
  until: number | undefined;
  /** Milliseconds: it is over for certain, by UNSUBACK or with its session. */
  ended: number | undefined;
}

/** One connection of a client, from its CONNACK on. */
export interface Life {
  readonly will: Published | undefined;
  readonly willDelaySeconds: number;
  readonly since: number;
  /** `cut`: the object was reset. `replaced`: its own client opened another one. `closed`: the broker ended it. */
  end: "disconnect" | "drop" | "cut" | "replaced" | "closed" | undefined;
  endAt: number;
  /** When the broker was heard last: the connection was there until then, at least. */
  heardAt: number;
  /** When the client began to open the next connection. */
  nextAt: number | undefined;
  /** When the client was connected again, and whether to the same session. */
  backAt: number | undefined;
  resumed: boolean;
  /** Another connection of the same client had just been opened: which of them the broker saw last is not known. */
  readonly contested: boolean;
  /** It broke the protocol, or lost its Worker: its connection ends for that, whatever else it says. */
  rude: boolean;
}
