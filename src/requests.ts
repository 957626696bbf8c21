/** The broker's paths, and who answers there. MQTT connections go to `edge/`, the rest of HTTP to `api/`. What is no path of its own it leaves alone. */

import { API_PATH, api } from "./api/api.ts";
import { namespacesOf, refusal, scrape } from "./api/scrape.ts";
import { DEFAULT_NAMESPACE, exists, noNamespace, sentence } from "./edge/answers.ts";
import { shielded } from "./edge/headers.ts";
import { refusesHost } from "./edge/origin.ts";
import { upgrade } from "./edge/upgrade.ts";
import { asksForWebSocket, type UpgradeRequest, upgradeRequestOf } from "./edge/upgrade-request.ts";
import { problemOf } from "./fault.ts";
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
  const connect = connectorOf(definition);
  return async (request, env, context) => {
    const url = new URL(request.url);
    const connecting = asksForWebSocket(request) ? connect(upgradeRequestOf(request, url), env) : undefined;
    if (connecting !== undefined) return connecting;
    return PATHS.test(url.pathname) ? shielded(await answered({ request, url, env, definition, context })) : undefined;
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
  console.log(JSON.stringify({ event: "request failed", problem: problemOf(error) }));
  return sentence(500, "The broker failed to answer this request.");
}

export function nothingAt(request: Request): Response {
  const { pathname } = new URL(request.url);
  return sentence(404, `There is nothing at ${pathname}. MQTT clients connect to /mqtt or /{namespace}/mqtt.`);
}

interface Plain {
  readonly request: Request;
  readonly url: URL;
  readonly env: BrokerEnv;
  readonly definition: Definition;
  readonly context: ExecutionContext;
}

/** The answer to a request that is for no WebSocket. */
async function answered({ request, url, env, definition, context }: Plain): Promise<Response> {
  try {
    const settings = settingsFor(url, env, definition);
    if (settings instanceof Response) return settings;
    const path = url.pathname.replace(/\/$/, "");
    const waitUntil = (promise: Promise<unknown>): void => context.waitUntil(promise);
    if (path.startsWith(API_PATH)) return await api({ request, url, env, settings, hooks: definition.hooks, waitUntil });
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (isRead && path === "/health") return Response.json({ status: "ok", topology: settings.topology });
    if (isRead && path === "/metrics") return await metrics(request, url, env, settings);
    const namespace = namespaceAt(path);
    return namespace === undefined ? nothingAt(request) : connectsNobody(settings, namespace);
  } catch (error) {
    return failed(error);
  }
}

async function metrics(request: Request, url: URL, env: BrokerEnv, settings: Settings): Promise<Response> {
  const refused = await refusal(request, settings);
  if (refused !== undefined) return refused;
  const asked = url.searchParams.get("namespace") ?? undefined;
  if (asked !== undefined && !exists(settings, asked)) return noNamespace(asked);
  return scrape(env, settings, namespacesOf(settings, asked));
}
