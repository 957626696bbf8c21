/** The way to the broker: one WebSocket for each client, opened once. What became of an attempt is told; nothing is tried again. */

import type { ClientRequest, IncomingMessage } from "node:http";
import WebSocket from "ws";
import type { Clock } from "../client/platform.ts";
import { EXPLANATION_MS, FRAME_BYTES_MAX, OPENING_MS, REFUSAL_CHARACTERS_MAX, TCP_KEEP_ALIVE_MS } from "./limits.ts";

/** Who is at the other end of a client's connection, as far as the gateway knows. */
export interface Peer {
  /** Where the client is; empty when that is not known. */
  readonly address: string;
  /** Whom its certificate names. */
  readonly userName?: string | undefined;
}

/** The broker in front of which the gateway stands. */
export interface Broker {
  /** Its `ws:` or `wss:` URL. */
  readonly url: string;
  /** Whether the Client Identifier goes into the URL, so that a sharded broker connects the client straight to its object. */
  readonly handsOver: boolean;
  /** What is said of a client in headers of the upgrade. */
  readonly headersOf: (peer: Peer) => Record<string, string> | Promise<Record<string, string>>;
  /** These headers are signed, so that a broker that does not believe them refuses. */
  readonly isSigned: boolean;
}

export interface UpstreamListener {
  opened(): void;
  /** An HTTP answer came that is no WebSocket. */
  refused(status: number): void;
  /** What that answer says to people: the beginning, printable ASCII alone; empty where it says nothing. */
  explained(status: number, said: string): void;
  /** Bytes of MQTT; undefined for a text, which is none. */
  received(bytes: Buffer | undefined): void;
  /** It is over, or never began. @param problem a few words, when it never began */
  closed(problem: string | undefined): void;
}

export interface Opening {
  readonly broker: Broker;
  /** Of CONNECT; may be empty. */
  readonly clientId: string;
  readonly headers: Record<string, string>;
  readonly clock: Clock;
}

/** Opens a WebSocket to the broker. */
export function openUpstream({ broker, clientId, headers, clock }: Opening, listener: UpstreamListener): WebSocket {
  const url = new URL(broker.url);
  if (broker.handsOver && clientId !== "") url.searchParams.set("clientId", clientId);
  const socket = new WebSocket(url.href, "mqtt", {
    headers,
    handshakeTimeout: OPENING_MS,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
  let problem: string | undefined = "it ended before it began";
  socket.on("upgrade", ({ socket: tcp }: IncomingMessage) => tcp.setKeepAlive(true, TCP_KEEP_ALIVE_MS));
  socket.on("open", () => {
    problem = undefined;
    listener.opened();
  });
  socket.on("message", (data: Buffer, isBinary) => listener.received(isBinary ? data : undefined));
  socket.on("unexpected-response", (_request: ClientRequest, response: IncomingMessage) => {
    const { statusCode = 0 } = response;
    listener.refused(statusCode);
    void beginningOf(response, clock).then((said) => {
      listener.explained(statusCode, said);
      socket.terminate();
    });
  });
  // It is followed by "close", which does all there is to do.
  socket.on("error", (error: NodeJS.ErrnoException) => {
    if (problem !== undefined) problem = error.code ?? "the WebSocket was not opened";
  });
  socket.on("close", () => listener.closed(problem));
  return socket;
}

/** The first line of an answer, as far as it is for people. */
async function beginningOf(response: IncomingMessage, clock: Clock): Promise<string> {
  let text = "";
  const enough = clock.after(EXPLANATION_MS, () => response.destroy());
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length >= REFUSAL_CHARACTERS_MAX) break;
    }
  } catch {
    // What came of it will do.
  }
  enough();
  const isForPeople = response.headers["content-type"]?.startsWith("text/plain") ?? false;
  return isForPeople
    ? text
        .slice(0, REFUSAL_CHARACTERS_MAX)
        .split("\n", 1)[0]!
        .replace(/[^ -~]/g, "?")
    : "";
}
