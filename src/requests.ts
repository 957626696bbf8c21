/** The broker's paths, and who answers there. MQTT connections go to `edge/`, the rest of HTTP to `api/`. What is no path of its own it leaves alone. */

import { Hono } from "hono";
import { admin } from "./api/admin.ts";
import { namespacesOf, refusal, scrape } from "./api/scrape.ts";
import { DEFAULT_NAMESPACE, exists, noNamespace, sentence } from "./edge/answers.ts";
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
    const isUpgrade = asksForWebSocket(request);
    if (!PATHS.test(pathname) && !(pathname === "/" && isUpgrade)) return undefined;
    const namespace = isUpgrade ? namespaceAt(pathname) : undefined;
    const answer = namespace === undefined ? await app.fetch(request, env, context) : await connects(request, env, definition, namespace);
    return answer.headers.has("Content-Security-Policy") ? answer : withHeaders(answer);
  };
}

/**
 * The namespace at whose path a client connects, for the short way: clients that come and go do so far more often than anything else is
 * asked for, and finding out by routes who answers costs as much as the rest of their upgrade.
 * @returns undefined for what is no path for clients, or has to be decoded
 */
function namespaceAt(pathname: string): string | undefined {
  if (pathname === "/" || pathname === "/mqtt" || pathname === "/mqtt/" || pathname === "/ws" || pathname === "/ws/")
    return DEFAULT_NAMESPACE;
  return /^\/([^/%]+)\/mqtt\/?$/.exec(pathname)?.[1];
}

/** An upgrade to the broker of a namespace. */
async function connects(request: Request, env: BrokerEnv, definition: Definition, namespace: string): Promise<Response> {
  try {
    const settings = settingsFor(request, env, definition);
    return settings instanceof Response ? settings : await upgrade(request, { env, settings, hooks: definition.hooks }, namespace);
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): Response {
  console.log(JSON.stringify({ event: "request failed", problem: error instanceof Error ? error.message : String(error) }));
  return sentence(500, "The broker failed to answer this request.");
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
  const connect = (request: Request, env: BrokerEnv, namespace: string): Promise<Response> => connects(request, env, definition, namespace);
  // The last two are where clients look that were told no path.
  for (const path of ["/mqtt", "/ws", "/"]) app.all(path, ({ req, env }) => connect(req.raw, env, DEFAULT_NAMESPACE));
  app.all("/:namespace/mqtt", ({ req, env }) => connect(req.raw, env, req.param("namespace")));
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
  app.onError(failed);
  return app;
}
