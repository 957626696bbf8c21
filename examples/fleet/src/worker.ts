/**
 * A fleet: each truck has a token of its own (JWT), in which stands what it may do, and what it calls an alarm goes to a Queue. `token.mjs` makes
 * tokens, `truck.mjs` is a truck.
 *
 * | topic | message |
 * |---|---|
 * | `fleet/TRUCK/position` | retained: where it is |
 * | `fleet/TRUCK/alarm` | QoS 1: it is acknowledged when it is safe, and is in the Queue soon after |
 *
 * `GET /alarms` shows what the consumer of the Queue has kept. Whoever asks needs the secret API_TOKEN.
 */

import { type BrokerBindings, defineBroker } from "durable-mqtt";

interface Alarm {
  readonly id: string;
  readonly truck: string;
  readonly text: string;
}

interface Env extends BrokerBindings {
  readonly ALARMS: Queue<Alarm>;
  readonly KEPT: KVNamespace;
  readonly API_TOKEN?: string;
}

/** Days for which alarms are kept, in seconds. */
const KEPT_SECONDS = 30 * 86_400;

const broker = defineBroker<Env>({
  onMessages: [
    {
      filter: "fleet/+/alarm",
      batch: { messages: 100, ms: 200 },
      // At least once: a repeat has the same id.
      async handle(messages, { env }) {
        const alarms = messages.map(({ id, topic, payload }) => ({
          id,
          truck: topic.split("/")[1]!,
          text: new TextDecoder().decode(payload),
        }));
        await env.ALARMS.sendBatch(alarms.map((body) => ({ body })));
      },
    },
  ],
});

export const { SessionObject, TopicObject } = broker;

/** Equal in the same time, wherever they differ. */
async function isToken(given: string, token: string): Promise<boolean> {
  const [one, other] = await Promise.all([given, token].map((text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
  return crypto.subtle.timingSafeEqual(one!, other!);
}

async function alarms(request: Request, env: Env): Promise<Response> {
  const given = request.headers.get("authorization") ?? "";
  if (!env.API_TOKEN || !(await isToken(given, `Bearer ${env.API_TOKEN}`)))
    return Response.json({ error: "expected Authorization: Bearer API_TOKEN" }, { status: 401 });
  const { keys } = await env.KEPT.list<Alarm>({ prefix: "alarm/", limit: 100 });
  return Response.json(keys.map(({ metadata }) => metadata));
}

export default {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname === "/alarms") return alarms(request, env);
    return (await broker.fetch(request, env, context)) ?? new Response("Not found", { status: 404 });
  },

  // Whatever is to happen with an alarm happens here: a call, an email, a row.
  async queue({ messages }, env) {
    for (const { body: alarm } of messages) await env.KEPT.put(`alarm/${alarm.id}`, "", { metadata: alarm, expirationTtl: KEPT_SECONDS });
  },
} satisfies ExportedHandler<Env, Alarm>;
