/** Retained messages as other Workers are told of them. */

import { messageView } from "../hooks/message-view.ts";
import type { RoutingCore } from "../routing/core.ts";
import type { RetainedMessages } from "./calls.ts";

/** One slice of those whose topics match: what one costs is bounded, and who asks for the next one leaves others a turn in between. */
export function retainedView(routing: RoutingCore, filter: string, from: string, now: number): RetainedMessages {
  const { messages, next } = routing.retainedSlice(filter, from, now);
  return { messages: messages.map((message) => messageView(message, now)), next };
}
