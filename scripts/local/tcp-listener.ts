/**
 * MQTT over TCP in front of the local broker: each TCP connection becomes one WebSocket connection, so that any device and any
 * command-line client works. It passes bytes on as they are, both ways, with backpressure, and knows nothing of MQTT.
 */
import { createServer, type Socket } from "node:net";
import WebSocket from "ws";
import { ADDRESS_HEADER, CONTROL_HEADER } from "./worker-paths.ts";

export interface TcpListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The broker's WebSocket URL. */
  readonly mqttUrl: string;
  /** With it the broker believes where a client is. */
  readonly token: string;
}

export interface TcpListener {
  readonly port: number;
  /** Takes no more connections and cuts those there are. */
  close(): Promise<void>;
}

/** Bytes on their way to the broker above which a client is not read any further, and below which it is again. */
const UNSENT_BYTES_HIGH = 1024 * 1024;
const UNSENT_BYTES_LOW = 256 * 1024;

/** A client that takes nothing for this long although something waits for it is cut off. */
const STALLED_MS = 60_000;

/** How long a client may take to read the rest and to close after the broker has closed. */
const LINGER_MS = 5000;

const HANDSHAKE_MS = 10_000;

/** @throws the system's error when the port cannot be had */
export async function listenTcp({ host, port, mqttUrl, token }: TcpListenerOptions): Promise<TcpListener> {
  const clients = new Set<Socket>();
  // Half-open: a client may close its side and still has to get what was sent before.
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true, keepAlive: true }, (client) => {
    clients.add(client);
    client.once("close", () => clients.delete(client));
    const headers = { [CONTROL_HEADER]: token, [ADDRESS_HEADER]: client.remoteAddress ?? "" };
    const options = { perMessageDeflate: false, handshakeTimeout: HANDSHAKE_MS, skipUTF8Validation: true, headers };
    bridge(client, new WebSocket(mqttUrl, "mqtt", options));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
  return {
    port: (server.address() as { port: number }).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const client of clients) client.destroy();
      }),
  };
}

function bridge(client: Socket, broker: WebSocket): void {
  let isBehind = false;
  const sent = (): void => {
    if (!isBehind || broker.bufferedAmount > UNSENT_BYTES_LOW) return;
    isBehind = false;
    client.resume();
  };

  broker.once("open", () => client.resume());
  client.on("data", (bytes) => {
    broker.send(bytes, sent);
    if (isBehind || broker.bufferedAmount <= UNSENT_BYTES_HIGH) return;
    isBehind = true;
    client.pause();
  });
  broker.on("message", (bytes: Buffer) => {
    if (client.write(bytes)) return;
    broker.pause();
    client.setTimeout(STALLED_MS);
  });
  client.on("drain", () => {
    if (broker.readyState === WebSocket.CLOSED) return;
    client.setTimeout(0);
    broker.resume();
  });
  client.on("timeout", () => client.destroy());

  // The client has said all: the broker gets it all, and a Close, which is a connection's end without DISCONNECT unless one was sent.
  client.once("end", () => broker.close());
  client.once("close", () => {
    // Reset, or ended from here. After an orderly end the Close frame above is on its way and its answer ends the WebSocket.
    if (client.errored !== null || !client.readableEnded) broker.terminate();
  });
  broker.once("close", () => {
    client.end();
    client.setTimeout(LINGER_MS);
    // What the client still sends has nobody to go to, but its end must be seen.
    client.removeAllListeners("data").resume();
  });
  // Each error is followed by "close", which does all there is to do.
  client.on("error", () => {});
  broker.on("error", () => {});
}
