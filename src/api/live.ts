/**
 * `/api/v5/subscribe`: what comes for a subscription, as Server-Sent Events. The Worker is a client of the broker, and the stream goes from here:
 * while nothing comes the object of its session may sleep. That the reader has taken a message acknowledges it, so that the broker keeps what
 * waits for a slow one as it does for every client.
 */

import * as z from "zod/mini";
import { SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, TOPIC_FILTER_INVALID, WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED } from "../mqtt/reason-code.ts";
import { ServiceError } from "../service/error.ts";
import type { ServiceSubscription } from "../service/subscription.ts";
import { isOfEvents } from "../topic/events.ts";
import { topicFilterOf } from "../topic/filter.ts";
import { isFor } from "./context.ts";
import { type EventSource, event, eventStream } from "./event-stream.ts";
import { messageView, QOS } from "./message.ts";
import { orBadRequest, refuse, sentenceOf } from "./problem.ts";
import { EVENTS, route } from "./route.ts";
import { about, FLAG, list, TEXT } from "./schema.ts";

/** Said of filters that are none, or none of those that the broker takes. */
const OF_FILTERS: readonly number[] = [TOPIC_FILTER_INVALID, SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED];

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
    problems: ["SERVICE_UNAVAILABLE"],
    handle: async ({ service, namespace, scopes, expiresAt, waitUntil, query: { filter, qos, retained } }) => {
      // They tell who the clients are and what they do.
      if (filter.some((each) => isOfEvents(topicFilterOf(each))) && !isFor({ scopes }, "admin"))
        return refuse("FORBIDDEN", "Events need a token with the scope admin.");
      const subscription = await orBadRequest(() => service.subscribe(filter, { qos, retained, namespace })).catch(refused);
      return { status: 200, body: eventStream(sourceOf(subscription), "subscribed", { expiresAt, waitUntil }) };
    },
  }),
];

/** @throws all but what the broker itself has said to the subscription */
function refused(error: unknown): never {
  if (!(error instanceof ServiceError)) throw error;
  const isOfFilter = error.reasonCode !== undefined && OF_FILTERS.includes(error.reasonCode);
  return refuse(isOfFilter ? "BAD_REQUEST" : "SERVICE_UNAVAILABLE", sentenceOf(error.message.replace(/^subscribe: /, "")));
}

function sourceOf(subscription: ServiceSubscription): EventSource {
  let dropped = 0;
  return {
    async next() {
      const next = await subscription.next().catch((error: Error) => error);
      if (next instanceof Error) return { ended: next.message };
      if (next.done) return { ended: "the subscription has ended" };
      const more = subscription.dropped - dropped;
      dropped = subscription.dropped;
      return (more > 0 ? event("dropped", { count: more }) : "") + event("message", messageView(next.value));
    },
    end: () => subscription.return(),
  };
}
