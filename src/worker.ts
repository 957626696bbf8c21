/** The Worker's entry: HTTP and WebSocket requests in, Durable Object classes out. */
import { DurableObject } from "cloudflare:workers";

export class SessionObject extends DurableObject {}
export class TopicObject extends DurableObject {}

export default {
  fetch(request: Request): Response {
    if (new URL(request.url).pathname === "/health") return Response.json({ status: "ok" });
    return new Response("There is nothing at this path.\n", { status: 404 });
  },
};
