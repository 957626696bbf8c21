/** Retained messages as other Workers are told of them, and those that come from another broker. */

import { messageView } from "../hooks/message-view.ts";
import { Message } from "../mqtt/message.ts";
import type { RoutingCore } from "../routing/core.ts";
import type { PortableMessage } from "../session/portable.ts";
import type { RetainedMessages, TakenRetained } from "./calls.ts";

/** One slice of those whose topics match: what one costs is bounded, and who asks for the next one leaves others a turn in between. */
export function retainedView(routing: RoutingCore, filter: string | undefined, from: string, now: number): RetainedMessages {
  const { messages, next } = routing.retainedSlice(filter, from, now);
  return { messages: messages.map((message) => messageView(message, now)), next };
}

/** @param replaces also where there is something @returns what became of each */
export function keepRetained(routing: RoutingCore, messages: readonly PortableMessage[], replaces: boolean, now: number): TakenRetained[] {
  return messages.map((told) => {
    const message = new Message({ ...told, retain: true, origin: "", sequence: 0, repeated: false, settledBelow: 0 });
    const kept = routing.keep(message, replaces, now);
    if (kept === undefined) return "there";
    return kept ? "taken" : { problem: "there is no room for another retained message" };
  });
}
