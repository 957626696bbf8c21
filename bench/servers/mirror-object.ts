/**
 * A bare Durable Object that passes frames on (mirror.ts): what the runtime itself costs, and so the floor for the broker. Its sockets
 * are handed over to it; below /relayed a Worker keeps them and passes every frame on.
 */

import { DurableObject } from "cloudflare:workers";
import { Mirror } from "./mirror.ts";

interface Env {
  readonly MIRRORS: DurableObjectNamespace<MirrorObject>;
}

export class MirrorObject extends DurableObject<Env> {
  readonly #mirror = new Mirror<WebSocket>((socket, bytes) => {
    try {
      socket.send(bytes);
    } catch {
      // It closed.
    }
  });

  override fetch(request: Request): Response {
    const { 0: outer, 1: inner } = new WebSocketPair();
    this.ctx.acceptWebSocket(inner);
    this.#mirror.join(inner, request.url);
    return new Response(null, { status: 101, webSocket: outer, headers: { "Sec-WebSocket-Protocol": "mqtt" } });
  }

  override webSocketMessage(socket: WebSocket, data: ArrayBuffer | string): void {
    if (typeof data !== "string") this.#mirror.receive(socket, new Uint8Array(data));
  }

  override webSocketClose(socket: WebSocket): void {
    this.#mirror.leave(socket);
    socket.close(1000);
  }
}

const RELAYED = "/relayed";

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const object = env.MIRRORS.get(env.MIRRORS.idFromName("mirror"));
    const url = new URL(request.url);
    if (!url.pathname.startsWith(RELAYED)) return object.fetch(request);
    url.pathname = url.pathname.slice(RELAYED.length);
    const { webSocket } = await object.fetch(url.toString(), { headers: { Upgrade: "websocket" } });
    const { 0: outer, 1: inner } = new WebSocketPair();
    relay(inner, webSocket!);
    relay(webSocket!, inner);
    inner.accept();
    webSocket!.accept();
    return new Response(null, { status: 101, webSocket: outer, headers: { "Sec-WebSocket-Protocol": "mqtt" } });
  },
};

function relay(from: WebSocket, to: WebSocket): void {
  from.binaryType = "arraybuffer";
  from.addEventListener("message", ({ data }) => to.send(data));
  from.addEventListener("close", () => to.close());
}
