/** `/api/v5/mqtt/retainer`: retained messages, in the form of EMQX. */

import { Hono } from "hono";
import type { HookMessage } from "../hooks/contract.ts";
import { hasWildcard } from "../topic/filter.ts";
import { needs } from "./access.ts";
import type { ApiContext } from "./context.ts";
import { base64Of, messageView } from "./message.ts";
import { orBadRequest, problem, refuse } from "./problem.ts";

type Variables = ApiContext["Variables"];

export const retained = new Hono<ApiContext>()
  .get("/messages", needs("read"), async (context) => {
    const { service, namespace } = context.var;
    const [filter, cursor] = ["topic", "cursor"].map((name) => context.req.query(name));
    const page = await orBadRequest(() => service.retained(filter ?? "#", { cursor, namespace }));
    const hasnext = page.cursor !== undefined;
    return context.json({ data: page.messages.map(viewOf), meta: { hasnext, ...(hasnext && { cursor: page.cursor }) } });
  })
  .get("/message/:topic{.+}", needs("read"), async (context) => {
    const message = await find(context.var, context.req.param("topic"));
    return message === undefined ? none() : context.json({ ...viewOf(message), payload: base64Of(message.payload) });
  })
  .delete("/message/:topic{.+}", needs("admin"), async (context) => {
    const topic = context.req.param("topic");
    if ((await find(context.var, topic)) === undefined) return none();
    const { service, namespace } = context.var;
    await service.publish(topic, "", { qos: 1, retain: true, namespace });
    return context.body(null, 204);
  });

async function find({ service, namespace }: Variables, topic: string): Promise<HookMessage | undefined> {
  if (hasWildcard(topic)) return refuse("BAD_REQUEST", "The topic must be a Topic Name, without wildcards.");
  const { messages } = await orBadRequest(() => service.retained(topic, { namespace }));
  return messages[0];
}

function none(): Response {
  return problem("NOT_FOUND", "There is no retained message of this topic.");
}

/** Payloads are asked for one by one. */
function viewOf(message: HookMessage): object {
  const { payload: _text, payload_encoding: _encoding, retain: _retain, ...view } = messageView(message) as Record<string, unknown>;
  return { ...view, payload_size: message.payload.length };
}
