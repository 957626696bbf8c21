/** A message as the Worker's code is given it: values of the language, with bytes of its own, so that whatever is done to them, the message stays what it is. */

import { type Message, remainingSeconds } from "../mqtt/message.ts";
import { PUBLISH } from "../mqtt/packet.ts";
import { decodeProperties } from "../mqtt/property.ts";
import type { HookMessage, MessageProperties } from "./contract.ts";

/** @param now milliseconds since the epoch: what is left of its time is told */
export function messageView(message: Message, now: number): HookMessage {
  const { topic, qos, retain, expiresAt } = message;
  const decoded = decodeProperties(message.propertyBytes.slice(), PUBLISH);
  const properties = ("type" in decoded ? {} : decoded) as MessageProperties;
  const left = expiresAt === 0 ? {} : { messageExpiryInterval: remainingSeconds(message, now) };
  return { topic, payload: message.payload.slice(), qos, retain, properties: { ...properties, ...left } };
}
