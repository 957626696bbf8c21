/** The broker's paths, and who answers there. MQTT connections go to `edge/`, the rest of HTTP to `api/`. What is no path of its own it leaves alone. */

import { Hono } from "hono";
import { admin } from "./api/admin.ts";
import { namespacesOf, refusal, scrape } from "./api/scrape.ts";
import { DEFAULT_NAMESPACE, exists, noNamespace, sentence } from "./edge/answers.ts";
import type { Edge } from "./edge/edge.ts";
import { withHeaders } from "./edge/headers.ts";
import { refusesHost } from "./edge/origin.ts";
import { asksForWebSocket, upgrade } from "./edge/upgrade.ts";
import type { Definition } from "./objects/definition.ts";
import type { BrokerEnv } from "./objects/env.ts";
import type { Settings } from "./settings.ts";

/** Paths of the broker. A path means the same with a slash behind it. */
const PATHS = /^\/(?:mqtt|ws|health|metrics|api\/v5(?:\/.*)?|[^/]+\/mqtt)\/?$/;

/** Without these nothing works: whoever forgot one is told so, and not by an exception. */
const BINDINGS = ["SESSIONS", "TOPICS"] as const;

/** Settings; or the answer to a request when these are wrong, or it is not meant for this broker. */
export function settingsFor(request: Request, env: BrokerEnv, definition: Definition): Settings | Response {
  const missing = BINDINGS.filter((name) => typeof (env[name] as { idFromName?: unknown } | undefined)?.idFromName !== "function");
  const settings = definition.settingsOf(env);
  const problems = [
    ...missing.map((name) => `The Worker has no Durable Object binding ${name}.`),
    ...(Array.isArray(settings) ? settings.map((problem) => problem.sentence) : []),
  ];
  if (problems.length > 0) return sentence(500, `The broker's settings are wrong, so it serves nobody:\n${problems.join("\n")}`);
  return refusesHost(request, settings as Settings) ?? (settings as Settings);
}

export type Requests = (request: Request, env: BrokerEnv, context: ExecutionContext) => Promise<Response | undefined>;

/** @returns answers requests to paths of the broker, and undefined to others */
export function requestsOf(definition: Definition): Requests {
  const app = appOf(definition);
  return async (request, env, context) => {
    const { pathname } = new URL(request.url);
    if (!PATHS.test(pathname) && !(pathname === "/" && asksForWebSocket(request))) return undefined;
    const answer = await app.fetch(request, env, context);
    return answer.headers.has("Content-Security-Policy") ? answer : withHeaders(answer);
  };
}

export function nothingAt(request: Request): Response {
  const { pathname } = new URL(request.url);
  return sentence(404, `There is nothing at ${pathname}. MQTT clients connect to /mqtt or /{namespace}/mqtt.`);
}

function appOf(definition: Definition) {
  const app = new Hono<{ Bindings: BrokerEnv; Variables: { settings: Settings } }>({ strict: false });
  app.use(async (context, next) => {
    const settings = settingsFor(context.req.raw, context.env, definition);
    if (settings instanceof Response) return settings;
    context.set("settings", settings);
    return next();
  });
  const connect = (request: Request, env: BrokerEnv, settings: Settings, namespace: string): Promise<Response> => {
    const edge: Edge = { env, settings, hooks: definition.hooks };
    return upgrade(request, edge, namespace);
  };
  // The last two are where clients look that were told no path.
  for (const path of ["/mqtt", "/ws", "/"])
    app.all(path, (context) => connect(context.req.raw, context.env, context.get("settings"), DEFAULT_NAMESPACE));
  app.all("/:namespace/mqtt", (context) => connect(context.req.raw, context.env, context.get("settings"), context.req.param("namespace")));
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
  app.notFound((context) => nothingAt(context.req.raw));
  app.onError((error) => {
    console.log(JSON.stringify({ event: "request failed", problem: error.message }));
    return sentence(500, "The broker failed to answer this request.");
  });
  return app;
}
