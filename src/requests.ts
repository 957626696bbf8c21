/** The broker's paths, and who answers there. MQTT connections go to `edge/`, the rest of HTTP to `api/`. What is no path of its own it leaves alone. */

import { Hono } from "hono/tiny";
import { api } from "./api/api.ts";
import { namespacesOf, refusal, scrape } from "./api/scrape.ts";
import { DEFAULT_NAMESPACE, exists, noNamespace, sentence } from "./edge/answers.ts";
import { shielded } from "./edge/headers.ts";
import { refusesHost } from "./edge/origin.ts";
import { upgrade } from "./edge/upgrade.ts";
import { asksForWebSocket, type UpgradeRequest, upgradeRequestOf } from "./edge/upgrade-request.ts";
import type { Definition } from "./objects/definition.ts";
import type { BrokerEnv } from "./objects/env.ts";
import type { Settings } from "./settings.ts";

/** Paths of the broker. A path means the same with a slash behind it. */
const PATHS = /^\/(?:mqtt|ws|health|metrics|api\/v5(?:\/.*)?|[^/]+\/mqtt)\/?$/;

/** Without these nothing works: whoever forgot one is told so, and not by an exception. */
const BINDINGS = ["SESSIONS", "TOPICS"] as const;

/** Settings; or the answer to a request when these are wrong, or it is not meant for this broker. */
export function settingsFor(url: URL, env: BrokerEnv, definition: Definition): Settings | Response {
  const missing = BINDINGS.filter((name) => typeof (env[name] as { idFromName?: unknown } | undefined)?.idFromName !== "function");
  const settings = definition.settingsOf(env);
  const problems = [
    ...missing.map((name) => `The Worker has no Durable Object binding ${name}.`),
    ...(Array.isArray(settings) ? settings.map((problem) => problem.sentence) : []),
  ];
  if (problems.length > 0) return sentence(500, `The broker's settings are wrong, so it serves nobody:\n${problems.join("\n")}`);
  return refusesHost(url, settings as Settings) ?? (settings as Settings);
}

export type Requests = (request: Request, env: BrokerEnv, context: ExecutionContext) => Promise<Response | undefined>;

/** @returns answers requests to paths of the broker, and undefined to others */
export function requestsOf(definition: Definition): Requests {
  const app = appOf(definition);
  const connect = connectorOf(definition);
  return async (request, env, context) => {
    const url = new URL(request.url);
    const connecting = asksForWebSocket(request) ? connect(upgradeRequestOf(request, url), env) : undefined;
    if (connecting !== undefined) return connecting;
    return PATHS.test(url.pathname) ? shielded(await app.fetch(request, env, context)) : undefined;
  };
}

export type Connector = (request: UpgradeRequest, env: BrokerEnv) => Promise<Response> | undefined;

/**
 * The short way of clients: they come and go far more often than anything else is asked for, and finding out by routes who answers costs as
 * much as the rest of their upgrade.
 * @returns answers requests for a WebSocket at paths for clients, and undefined to others
 */
export function connectorOf(definition: Definition): Connector {
  return (request, env) => {
    const namespace = namespaceAt(request.url.pathname);
    return namespace === undefined ? undefined : connects(request, env, definition, namespace);
  };
}

/** The namespace at whose path a client connects; undefined for what is no path for clients. */
function namespaceAt(pathname: string): string | undefined {
  // The last two are where clients look that were told no path.
  if (/^\/(?:mqtt\/?|ws\/?)?$/.test(pathname)) return DEFAULT_NAMESPACE;
  const [, namespace] = /^\/([^/]+)\/mqtt\/?$/.exec(pathname) ?? [];
  return namespace?.includes("%") ? decoded(namespace) : namespace;
}

/** What can't be decoded names nothing, and stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** An upgrade to the broker of a namespace. */
async function connects(request: UpgradeRequest, env: BrokerEnv, definition: Definition, namespace: string): Promise<Response> {
  try {
    const settings = settingsFor(request.url, env, definition);
    return shielded(
      settings instanceof Response ? settings : await upgrade(request, { env, settings, hooks: definition.hooks }, namespace),
    );
  } catch (error) {
    return shielded(failed(error));
  }
}

/** The answer to a request that is for no WebSocket, at a path for clients. */
function connectsNobody(settings: Settings, namespace: string): Response {
  if (!exists(settings, namespace)) return noNamespace(namespace);
  return sentence(426, "This path speaks MQTT over WebSocket: connect an MQTT client to it.", { Upgrade: "websocket" });
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
    const settings = settingsFor(new URL(context.req.url), context.env, definition);
    if (settings instanceof Response) return settings;
    context.set("settings", settings);
    return next();
  });
  for (const path of ["/mqtt", "/ws"]) app.all(path, (context) => connectsNobody(context.get("settings"), DEFAULT_NAMESPACE));
  app.all("/:namespace/mqtt", (context) => connectsNobody(context.get("settings"), context.req.param("namespace")));
  app.get("/health", (context) => context.json({ status: "ok", topology: context.get("settings").topology }));
  app.get("/metrics", async (context) => {
    const settings = context.get("settings");
    const refused = await refusal(context.req.raw, settings);
    if (refused !== undefined) return refused;
    const asked = context.req.query("namespace");
    if (asked !== undefined && !exists(settings, asked)) return noNamespace(asked);
    return scrape(context.env, settings, namespacesOf(settings, asked));
  });
  app.route("/api/v5", api);
  app.notFound((context) => nothingAt(context.req.raw));
  app.onError(failed);
  return app;
}
