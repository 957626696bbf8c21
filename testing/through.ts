/**
 * A client that comes to a broker by `fetch`, without a network: in the Workers test pool by `SELF`, elsewhere by a service binding. It knows
 * nothing of either, so that this file runs and type-checks wherever the client does.
 */

import { type Client, type ConnectOptions, connect, type Socket } from "../src/client/index.ts";

/** What has `fetch` of Workers: `SELF` of `cloudflare:test`, `exports.default` of `cloudflare:workers`, a service binding. */
export interface Upgrader {
  fetch(
    url: string,
    init: { headers: Record<string, string> },
  ): Promise<{ readonly status: number; readonly webSocket?: unknown; text(): Promise<string> }>;
}

/** How `connectThrough` connects: as `connect` of `durable-mqtt/client` does, and where. */
export interface ThroughOptions extends ConnectOptions {
  /** `http://broker/mqtt` by default; the host is nobody's, the path is the broker's. */
  readonly url?: string;
}

/**
 * Connects to the broker that answers there; each further connection of the client comes the same way.
 * @throws Error with the answer when that is no WebSocket, MqttError when the broker refuses the client
 */
export async function connectThrough(upgrader: Upgrader, options: ThroughOptions = {}): Promise<Client> {
  const { url = "http://broker/mqtt", ...connecting } = options;
  const protocol = options.version === 3 ? "mqttv3.1" : "mqtt";
  let noSocket: Error | undefined;
  const open = async (): Promise<Socket> => {
    const answer = await upgrader.fetch(url, { headers: { Upgrade: "websocket", "Sec-WebSocket-Protocol": protocol } });
    if (answer.webSocket) return answer.webSocket as Socket;
    noSocket = new Error(`The broker did not take a WebSocket at ${url}: ${answer.status} ${(await answer.text()).trim()}`);
    throw noSocket;
  };
  try {
    return await connect(open, connecting);
  } catch (error) {
    throw noSocket ?? error;
  }
}
