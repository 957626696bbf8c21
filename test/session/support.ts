/** What the tests of the session core share. */

import { Message, type MessageFields } from "../../src/mqtt/message.ts";
import type { Packet } from "../../src/mqtt/packet.ts";
import { utf8 } from "../support/core-harness.ts";

/** A message as it comes from another object. */
export function messageTo(topic: string, fields: Partial<MessageFields> = {}): Message {
  return new Message({
    topic,
    qos: 1,
    retain: false,
    payload: utf8("payload"),
    propertyBytes: new Uint8Array(0),
    expiresAt: 0,
    publisher: "publisher",
    origin: "elsewhere@1",
    sequence: 1,
    repeated: false,
    settledBelow: 0,
    ...fields,
  });
}

/** Packets without their empty properties and without bytes, to compare with what is expected. */
export function plain(packets: readonly Packet[]): Record<string, unknown>[] {
  return packets.map((packet) => {
    const { propertyBytes, payload, properties, ...rest } = packet as unknown as Record<string, unknown>;
    const text = payload instanceof Uint8Array ? { payload: new TextDecoder().decode(payload) } : {};
    const some = properties !== undefined && Object.keys(properties as object).length > 0 ? { properties } : {};
    return { ...rest, ...text, ...some };
  });
}
