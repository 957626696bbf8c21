/** The Worker of a broker in tests that has none of its own: nothing in code, settings come as variables. Built as one module for Miniflare. */

import { type BrokerBindings, defineBroker } from "../src/index.ts";

const broker = defineBroker();

export const { SessionObject, TopicObject, DirectoryObject } = broker;

export default {
  async fetch(request: Request, env: BrokerBindings, context: ExecutionContext): Promise<Response> {
    return (await broker.fetch(request, env, context)) ?? new Response("Not found\n", { status: 404 });
  },
};
