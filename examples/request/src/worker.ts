/**
 * HTTP to a device and back: `GET /devices/kitchen/temperature` asks whoever is subscribed to `devices/kitchen/temperature`, and answers with
 * what that device answers. `POST /devices/kitchen/light` with a body tells it something. Whoever asks needs the secret API_TOKEN.
 *
 * | what happens | status |
 * |---|---|
 * | the device has answered | 200, with its payload |
 * | no such device is connected | 404 |
 * | it has not answered within two seconds | 504 |
 */

import { exports } from "cloudflare:workers";
import { type BrokerBindings, defineBroker, type MqttService as Mqtt } from "durable-mqtt";

const ANSWER_MS_MAX = 2000;
/** One level of a topic, of a few letters. */
const NAME = /^[\w-]{1,64}$/;

interface Env extends BrokerBindings {
  readonly API_TOKEN?: string;
}

const broker = defineBroker<Env>({ settings: { TOPOLOGY: "compact" } });

export const { SessionObject, TopicObject, MqttService } = broker;

/** The broker as it is bound to other Workers; for its own it is among the exports. */
const mqtt = (): Service<Mqtt> => (exports as unknown as { readonly MqttService: Service<Mqtt> }).MqttService;

async function askDevice(request: Request, device: string, what: string): Promise<Response> {
  try {
    const { payload } = await mqtt().request(`devices/${device}/${what}`, await request.arrayBuffer(), { timeoutMs: ANSWER_MS_MAX });
    return new Response(payload, { headers: { "content-type": "application/octet-stream" } });
  } catch (error) {
    const { name, message } = error as Error;
    const status = name === "TimeoutError" ? 504 : name === "RefusedError" ? 404 : 500;
    return Response.json({ error: status === 404 ? `nobody answers for devices/${device}/${what}` : message }, { status });
  }
}

/** Equal in the same time, wherever they differ. */
async function isToken(given: string, token: string): Promise<boolean> {
  const [one, other] = await Promise.all([given, token].map((text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
  return crypto.subtle.timingSafeEqual(one!, other!);
}

export default {
  async fetch(request, env, context) {
    const [, first, device = "", what = "", ...rest] = new URL(request.url).pathname.split("/");
    if (first !== "devices") return (await broker.fetch(request, env, context)) ?? new Response("Not found", { status: 404 });
    if (!NAME.test(device) || !NAME.test(what) || rest.length > 0)
      return Response.json({ error: "expected /devices/DEVICE/WHAT" }, { status: 404 });
    if (request.method !== "GET" && request.method !== "POST") return Response.json({ error: "expected GET or POST" }, { status: 405 });
    const given = request.headers.get("authorization") ?? "";
    if (!env.API_TOKEN || !(await isToken(given, `Bearer ${env.API_TOKEN}`)))
      return Response.json({ error: "expected Authorization: Bearer API_TOKEN" }, { status: 401 });
    return askDevice(request, device, what);
  },
} satisfies ExportedHandler<Env>;
