/**
 * A home: sensors that speak MQTT over TCP, and a page that shows what they say. `sensors.mjs` plays the sensors, `npx durable-mqtt gateway`
 * takes their TCP, and the page is in `public` and `src/page.ts`.
 *
 * | topic | message |
 * |---|---|
 * | `home/ROOM/temperature` | retained: degrees Celsius, such as `21.5` |
 * | `home/ROOM/temperature/get` | a request: the sensor measures at once and answers |
 * | `home/ROOM/status` | retained: `online`, or `offline` by the sensor's will |
 *
 * Nobody comes in without an account: `npx durable-mqtt hash-password` makes entries of the secret USERS. `npm run dev` lets in everybody on this machine.
 */

import { type BrokerBindings, defineBroker } from "durable-mqtt";

const broker = defineBroker({ settings: { TOPOLOGY: "compact" } });

export const { SessionObject, TopicObject } = broker;

export default {
  fetch: async (request, env, context) => (await broker.fetch(request, env, context)) ?? new Response("Not found", { status: 404 }),
} satisfies ExportedHandler<BrokerBindings>;
