/** The Worker of a deploy: a broker without anything in code, and its page. */

import { defineBroker } from "./broker.ts";
import { shielded, withHeaders } from "./edge/headers.ts";
import { Definition } from "./objects/definition.ts";
import type { BrokerEnv } from "./objects/env.ts";
import { nothingAt, settingsFor } from "./requests.ts";

const broker = defineBroker<BrokerEnv>();
export const { SessionObject, TopicObject, DirectoryObject, MqttService } = broker;

const definition = new Definition();

/** The page is also at /, so that it is asked for through here; the files it needs are not. */
async function page(request: Request, env: BrokerEnv): Promise<Response> {
  const url = new URL(request.url);
  const settings = settingsFor(url, env, definition);
  if (settings instanceof Response) return settings;
  const file = url.pathname === "/" ? await env.ASSETS?.fetch(request) : undefined;
  return file === undefined ? nothingAt(request) : withHeaders(file, true);
}

export default {
  connect: broker.connect,
  async fetch(request: Request, env: BrokerEnv, context: ExecutionContext): Promise<Response> {
    return shielded((await broker.fetch(request, env, context)) ?? (await page(request, env)));
  },
};
