/**
 * The Worker as it runs on one's own machine: that of a deploy, and before it what the platform does there. It looks for files as the
 * platform does: Miniflare's own router would stay in the way of every connection for as long as it lives: 58 KB of memory each, and a
 * third of the processor time of connecting (measured 2026-11). And it watches over its objects, for `npm start` to ask.
 */

import { withHeaders } from "../../src/edge/headers.ts";
import { asksForWebSocket } from "../../src/edge/upgrade-request.ts";
import { addressOf } from "../../src/handshake/handover.ts";
import { Definition } from "../../src/objects/definition.ts";
import { type BrokerEnv, stubs } from "../../src/objects/env.ts";
import { LOCAL_ROOM } from "../../src/objects/local-room.ts";
import { OTHERS } from "../../src/objects/other-topology.ts";
import { connectorOf } from "../../src/requests.ts";
import worker, { SessionObject as DeployedSessionObject } from "../../src/worker.ts";
import { type Life, Lives } from "./lives.ts";
import {
  ADDRESS_HEADER,
  COLLECT_PATH,
  CONTROL_HEADER,
  CONTROL_PATH,
  type Control,
  type Notes,
  type Report,
  WORKER_FIRST_PATHS,
} from "./worker-paths.ts";

export { DirectoryObject, TopicObject } from "../../src/worker.ts";

interface LocalEnv extends BrokerEnv {
  readonly ASSETS: Fetcher;
  readonly NOTES: Fetcher;
  readonly CONTROL_TOKEN: string;
  readonly COLLECTS_GARBAGE: boolean;
  readonly TRUSTS_ADDRESSES: boolean;
}

OTHERS.areWoken = false;

/** Of all objects of this process, which share their memory with the Worker. */
const lives = new Lives();

/** A Session object that tells when it is reset with connections, and how many it has. */
export class SessionObject extends DeployedSessionObject {
  readonly #life: Life;

  constructor(ctx: DurableObjectState, env: BrokerEnv) {
    super(ctx, env);
    this.#life = lives.begin(ctx);
  }

  override fetch(request: Request): Response {
    this.#life.called();
    const answer = super.fetch(request);
    if (answer.status === 101) this.#life.sockets += 1;
    return answer;
  }

  override webSocketMessage(socket: WebSocket, data: ArrayBuffer | string): void {
    this.#life.called();
    super.webSocketMessage(socket, data);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#life.ended();
    super.webSocketClose(socket, code);
  }

  override webSocketError(socket: WebSocket): void {
    this.#life.ended();
    super.webSocketError(socket);
  }

  /** Answers, if it lives. */
  counted(): void {
    this.#life.called();
    this.#life.sockets = this.ctx.getWebSockets().length;
  }
}

/** Clients that connect need no Request of their own: to make one costs a twentieth of a connection. */
const connect = connectorOf(new Definition());

// workerd passes on what stands in the request line and in Host (`proxy`): left to itself it answers 500 to what makes no URL.
function urlOf({ url, headers }: Request): URL | undefined {
  const host = headers.get("Host") ?? "";
  if (!/^[^\s,/\\?#@]+$/.test(host)) return undefined;
  try {
    const whole = new URL(url.startsWith("/") ? `http://${host}${url}` : url);
    const { protocol, hostname } = whole;
    // workerd takes fewer names than URL does.
    const isName = /^(\[[0-9a-f:.]+\]|[\w.-]+)$/.test(hostname);
    return isName && (protocol === "http:" || protocol === "https:") ? whole : undefined;
  } catch {
    return undefined;
  }
}

/** The address of the other end of the socket; empty when workerd does not say it. */
function peerOf({ cf }: Request): string {
  const { clientIp } = (cf ?? {}) as { readonly clientIp?: unknown };
  if (typeof clientIp !== "string") return "";
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):\d+$/i.exec(clientIp) ?? [];
  return bracketed ?? plain ?? "";
}

const workerFirst = WORKER_FIRST_PATHS.map((path) => new RegExp(`^${path.replaceAll("*", ".*")}$`));

async function control(request: Request, env: LocalEnv): Promise<Response> {
  LOCAL_ROOM.isFull = ((await request.json()) as Control).isFull;
  const stub = stubs(env.SESSIONS as unknown as DurableObjectNamespace<SessionObject>);
  const report: Report = { lost: await lives.ask((name) => stub(name).counted()) };
  return Response.json(report);
}

async function health({ method }: Request, response: Response, env: LocalEnv): Promise<Response> {
  const { status, notes } = (await (await env.NOTES.fetch("http://notes/")).json()) as Notes;
  const own = method === "HEAD" ? {} : ((await response.json()) as object);
  return Response.json({ ...own, ...(status === undefined ? {} : { status }), notes }, { status: status === undefined ? 200 : 503 });
}

export default {
  async fetch(raw: Request, env: LocalEnv, context: ExecutionContext): Promise<Response> {
    const url = urlOf(raw);
    if (url === undefined) return new Response("Bad Request\n", { status: 400 });
    const isTold = raw.headers.get(CONTROL_HEADER) === env.CONTROL_TOKEN;
    // Where a client is only the platform knows: here the socket tells, and nobody else but who was told the token.
    const address = isTold || env.TRUSTS_ADDRESSES ? addressOf(raw) : peerOf(raw);
    const connecting = asksForWebSocket(raw) ? connect({ url, headers: raw.headers, address }, env) : undefined;
    if (connecting !== undefined) return connecting;
    const request = new Request(url.href, raw);
    request.headers.set(ADDRESS_HEADER, address);
    const { pathname } = url;
    if (pathname === CONTROL_PATH && isTold) return control(request, env);
    if (pathname === COLLECT_PATH && env.COLLECTS_GARBAGE) {
      (globalThis as unknown as { gc(): void }).gc();
      return new Response("");
    }
    if (!workerFirst.some((path) => path.test(pathname))) {
      const file = await env.ASSETS.fetch(request.clone());
      if (file.status !== 404) return withHeaders(file, true);
    }
    const response = await worker.fetch(request, env, context);
    return pathname === "/health" && response.ok ? withHeaders(await health(request, response, env)) : response;
  },
};
