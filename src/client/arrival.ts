/** A message between its arrival and its acknowledgement: handed to one or more inboxes, settled when the last of them is done with it. */

import type { Publish } from "../mqtt/packet.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import { Message } from "./message.ts";

/** A pair of texts in memory, beside their bytes. */
const USER_PROPERTY_BYTES = 128;

export class Arrival {
  readonly message: Message;
  /** What it costs while it waits, bytes. */
  readonly bytes: number;
  /** 0 at QoS 0. */
  readonly packetId: number;
  /** The server will send it again: whoever has not begun with it leaves it to that. */
  isObsolete = false;
  /** How many have it to settle. */
  holders = 1;
  /** The Reason Code of its PUBACK or PUBREC; undefined before it is settled. */
  outcome: number | undefined;
  /** PUBREC was sent: what comes next is PUBREL. */
  isReceived = false;
  #worst = SUCCESS;
  readonly #settled: ((arrival: Arrival) => void) | undefined;

  constructor(topic: string, packet: Publish, settled: ((arrival: Arrival) => void) | undefined) {
    const { packetId, payload, properties, propertyBytes } = packet;
    this.message = new Message(topic, packet);
    this.bytes = topic.length + payload.length + propertyBytes.length + USER_PROPERTY_BYTES * (properties.userProperties?.length ?? 0);
    this.packetId = packetId;
    this.#settled = settled;
  }

  /** A holder is done with it. */
  settle(reasonCode: number = SUCCESS): void {
    this.#worst = Math.max(this.#worst, reasonCode);
    this.holders -= 1;
    if (this.holders > 0 || this.outcome !== undefined) return;
    this.outcome = this.#worst;
    this.#settled?.(this);
  }
}
