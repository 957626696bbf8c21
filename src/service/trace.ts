/** The packets of one client, as they come and go: the Session object tells of them over a socket, which lets it sleep. */

import { TRACE_WAITING_MAX } from "../code-limits.ts";
import { SERVER_UNAVAILABLE } from "../mqtt/reason-code.ts";
import { sessionsOf } from "../objects/env.ts";
import { sessionObjectName } from "../objects/names.ts";
import { TRACE_HEADER } from "../objects/traces.ts";
import type { Destination } from "./connection.ts";
import { refused } from "./error.ts";

/** JSON texts, one for each packet. */
export interface Trace {
  /** The next one, when there is one; undefined: the trace has ended. */
  next(): Promise<string | undefined>;
  /** Of those that came while nobody took them: so many were left out. */
  readonly dropped: number;
  end(): void;
}

export async function openTrace({ env, settings, namespace }: Destination, clientId: string): Promise<Trace> {
  const object = sessionsOf(env)(sessionObjectName(settings, namespace, clientId));
  const headers = { Upgrade: "websocket", [TRACE_HEADER]: encodeURIComponent(clientId) };
  const { webSocket } = await object.fetch("https://session/", { headers });
  if (webSocket === null) throw refused("trace: too many clients of this object are watched", SERVER_UNAVAILABLE);
  webSocket.accept();
  return new SocketTrace(webSocket);
}

class SocketTrace implements Trace {
  readonly #socket: WebSocket;
  #waiting: string[] = [];
  #isOver = false;
  #wake: (() => void) | undefined;
  dropped = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      if (this.#waiting.length < TRACE_WAITING_MAX) this.#waiting.push(data as string);
      else this.dropped += 1;
      this.#wake?.();
    });
    for (const kind of ["close", "error"] as const) socket.addEventListener(kind, () => this.#over());
  }

  async next(): Promise<string | undefined> {
    while (this.#waiting.length === 0 && !this.#isOver)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#waiting.shift();
  }

  end(): void {
    if (!this.#isOver) this.#socket.close(1000);
    this.#over();
  }

  #over(): void {
    this.#isOver = true;
    this.#wake?.();
  }
}
