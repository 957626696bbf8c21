/** `/api/v5/clients/{clientid}/trace`: the packets of one client as they come and go, as Server-Sent Events. */

import { ServiceError } from "../service/error.ts";
import type { Trace } from "../service/trace.ts";
import { type EventSource, event, eventStream } from "./event-stream.ts";
import { orBadRequest, refuse, sentenceOf } from "./problem.ts";
import { EVENTS, route } from "./route.ts";
import { about, TEXT } from "./schema.ts";

export const TRACE = [
  route({
    method: "GET",
    path: "/clients/:clientid{.+}/trace",
    scope: "admin",
    summary: "The packets of one client, which need not be connected yet, as Server-Sent Events: packet, dropped and end",
    params: { clientid: about("A Client Identifier.", TEXT) },
    answers: { 200: EVENTS },
    problems: ["SERVICE_UNAVAILABLE"],
    handle: async ({ service, namespace, expiresAt, waitUntil, params: { clientid } }) => {
      try {
        const trace = await orBadRequest(() => service.trace(clientid, { namespace }));
        return { status: 200, body: eventStream(sourceOf(trace), "watching", { expiresAt, waitUntil }) };
      } catch (error) {
        if (error instanceof ServiceError) return refuse("SERVICE_UNAVAILABLE", sentenceOf(error.message));
        throw error;
      }
    },
  }),
];

function sourceOf(trace: Trace): EventSource {
  let dropped = 0;
  return {
    async next() {
      const text = await trace.next();
      if (text === undefined) return { ended: "the object of the client has ended it" };
      const more = trace.dropped - dropped;
      dropped = trace.dropped;
      return (more > 0 ? event("dropped", { count: more }) : "") + event("packet", text);
    },
    end: () => trace.end(),
  };
}
