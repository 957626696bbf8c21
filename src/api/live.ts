/**
 * `/api/v5/subscribe`: what comes for a subscription, as Server-Sent Events. The Worker is a client of the broker, and the stream goes from here:
 * while nothing comes the object of its session may sleep. The next message is asked for when the reader has taken the last one, which is
 * acknowledged by that: so a slow reader holds up nobody else, and the broker keeps what waits for it as it does for every client. That a reader has
 * gone is noticed when something is written to it.
 */

import * as z from "zod/mini";
import { API_HEARTBEAT_MS } from "../login-limits.ts";
import { PLATFORM, type Timer } from "../runtime.ts";
import type { ServiceSubscription } from "../service/subscription.ts";
import { isOfEvents } from "../topic/events.ts";
import { topicFilterOf } from "../topic/filter.ts";
import { messageView, QOS } from "./message.ts";
import { orBadRequest, refuse } from "./problem.ts";
import { EVENTS, route } from "./route.ts";
import { about, FLAG, list, TEXT } from "./schema.ts";

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // Of proxies that would wait for more.
  "X-Accel-Buffering": "no",
};

const TOPIC_FILTER = "a Topic Filter; it may be given several times";

export const LIVE = [
  route({
    method: "GET",
    path: "/subscribe",
    scope: "read",
    summary: "What comes for Topic Filters, as Server-Sent Events: message, dropped and end",
    query: {
      filter: about("A Topic Filter; it may be given several times.", list(TEXT, TOPIC_FILTER)),
      qos: z._default(QOS, 0),
      retained: about("Whether retained messages come first.", z._default(FLAG, true)),
    },
    answers: { 200: EVENTS },
    handle: async ({ service, namespace, scopes, expiresAt, waitUntil, query: { filter, qos, retained } }) => {
      // They tell who the clients are and what they do.
      if (filter.some((each) => isOfEvents(topicFilterOf(each))) && !scopes.includes("admin"))
        return refuse("FORBIDDEN", "Events need a token with the scope admin.");
      const subscription = await orBadRequest(() => service.subscribe(filter, { qos, retained, namespace }));
      const { readable, writable } = new IdentityTransformStream();
      // The reader has gone: that is no failure.
      waitUntil(stream(subscription, writable, expiresAt).catch(() => {}));
      return { status: 200, body: new Response(readable, { headers: HEADERS }) };
    },
  }),
];

/** @param expiresAt of the login, milliseconds since the epoch @returns when the stream is over, by whichever side */
async function stream(subscription: ServiceSubscription, writable: WritableStream<Uint8Array>, expiresAt: number): Promise<void> {
  const encoder = new TextEncoder();
  const writer = writable.getWriter();
  let waits = 0;
  // Resolves when the reader has taken it, and rejects when he has gone.
  const write = async (text: string): Promise<void> => {
    waits += 1;
    await writer.write(encoder.encode(text));
    waits -= 1;
  };
  const isOver = (): boolean => PLATFORM.now() >= expiresAt;
  const rearm = (): Timer => PLATFORM.after(Math.min(API_HEARTBEAT_MS, expiresAt - PLATFORM.now()), beat);
  const beat = (): void => {
    if (isOver()) {
      void subscription.return();
      return;
    }
    heartbeat = rearm();
    if (waits === 0) void write(": still here\n\n").catch(() => subscription.return());
  };
  let heartbeat = rearm();
  try {
    // So that whoever connects knows that the subscription stands.
    await write(": subscribed\n\n");
    for (let dropped = 0; ; ) {
      const next = await subscription.next().catch((error: Error) => error);
      if (next instanceof Error || next.done) {
        const ended = next instanceof Error ? next.message : "the subscription has ended";
        await write(event("end", { message: isOver() ? "the token has expired" : ended }));
        await writer.close();
        return;
      }
      if (subscription.dropped > dropped) await write(event("dropped", { count: subscription.dropped - dropped }));
      dropped = subscription.dropped;
      await write(event("message", messageView(next.value)));
    }
  } finally {
    heartbeat.cancel();
    await subscription.return();
  }
}

/** JSON has no line break that would end the data. */
function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
