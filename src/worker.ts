/** The Worker: paths. MQTT connections go to `edge/`, the rest of HTTP to `api/`. */

import { Hono } from "hono";
import { admin } from "./api/admin.ts";
import { namespacesOf, refusal, scrape } from "./api/scrape.ts";
import { DEFAULT_NAMESPACE, exists, noNamespace, sentence } from "./edge/answers.ts";
import { withHeaders } from "./edge/headers.ts";
import { refusesHost } from "./edge/origin.ts";
import { asksForWebSocket, upgrade } from "./edge/upgrade.ts";
import { type BrokerEnv, settingsOf } from "./objects/env.ts";
import type { Settings } from "./settings.ts";

export { DirectoryObject } from "./objects/directory-object.ts";
export { SessionObject } from "./objects/session-object.ts";
export { TopicObject } from "./objects/topic-object.ts";

/** A path means the same with a slash behind it. */
const app = new Hono<{ Bindings: BrokerEnv; Variables: { settings: Settings } }>({ strict: false });

app.use(async (context, next) => {
  const settings = settingsOf(context.env);
  if (Array.isArray(settings)) {
    const sentences = settings.map((problem) => problem.sentence).join("\n");
    return sentence(500, `The broker's settings are wrong, so it serves nobody:\n${sentences}`);
  }
  context.set("settings", settings as Settings);
  return refusesHost(context.req.raw, settings as Settings) ?? next();
});

app.all("/mqtt", (context) => upgrade(context.req.raw, context.env, context.get("settings"), DEFAULT_NAMESPACE));
// Where clients look that were told no path. The page is also at /, so that it is asked for through here; the files it needs are not.
app.all("/ws", (context) => upgrade(context.req.raw, context.env, context.get("settings"), DEFAULT_NAMESPACE));
app.all("/", async (context) => {
  const { raw } = context.req;
  if (asksForWebSocket(raw)) return upgrade(raw, context.env, context.get("settings"), DEFAULT_NAMESPACE);
  const page = await context.env.ASSETS?.fetch(raw);
  return page === undefined ? context.notFound() : withHeaders(page, true);
});
app.all("/:namespace/mqtt", (context) => upgrade(context.req.raw, context.env, context.get("settings"), context.req.param("namespace")));
app.get("/health", (context) => context.json({ status: "ok", topology: context.get("settings").topology }));
app.get("/metrics", async (context) => {
  const settings = context.get("settings");
  const refused = await refusal(context.req.raw, settings);
  if (refused !== undefined) return refused;
  const asked = context.req.query("namespace");
  if (asked !== undefined && !exists(settings, asked)) return noNamespace(asked);
  return scrape(context.env, settings, namespacesOf(settings, asked));
});
app.route("/api/v5", admin);
app.notFound((context) => {
  const { pathname } = new URL(context.req.url);
  return sentence(404, `There is nothing at ${pathname}. MQTT clients connect to /mqtt or /{namespace}/mqtt.`);
});
app.onError((error) => {
  console.log(JSON.stringify({ event: "request failed", problem: error.message }));
  return sentence(500, "The broker failed to answer this request.");
});

export default {
  async fetch(request: Request, env: BrokerEnv, context: ExecutionContext): Promise<Response> {
    const answer = await app.fetch(request, env, context);
    return answer.headers.has("Content-Security-Policy") ? answer : withHeaders(answer);
  },
};
