/** A broker in a Worker, with two hooks: who published stands in each message, and who leaves is told. */

import { type BrokerBindings, defineBroker } from "durable-mqtt";

const broker = defineBroker({
  settings: { TOPOLOGY: "compact" },
  onPublish: ({ properties }, { clientId }) => ({ properties: { ...properties, userProperties: [["from", clientId]] } }),
  onDisconnect: ({ clientId }, { reason }, { publish }) => publish({ topic: `gone/${clientId}`, payload: reason }),
});

export const { SessionObject, TopicObject } = broker;

export default {
  fetch: async (request, env, context) => (await broker.fetch(request, env, context)) ?? new Response("Not found", { status: 404 }),
} satisfies ExportedHandler<BrokerBindings>;
