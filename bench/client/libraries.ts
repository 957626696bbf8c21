/** The clients that are compared, each as its users have it, behind one face. A program loads no other one than that which it measures. */

import { type ConnectOptions, connect, type SocketConstructor } from "../../src/client/index.ts";
import type { QoS } from "../../src/mqtt/packet.ts";

export interface BenchClient {
  /** Resolves when it is sent (QoS 0) or acknowledged. */
  publish(topic: string, payload: Uint8Array, qos: QoS): Promise<unknown>;
  subscribe(topic: string, qos: QoS, onMessage: () => void): Promise<unknown>;
  end(): Promise<unknown>;
}

export type LibraryName = "mqttJs" | "own" | "ownOverWs";

export interface Library {
  readonly name: LibraryName;
  readonly title: string;
  connect(url: string, version: 4 | 5): Promise<BenchClient>;
}

function own(name: LibraryName, title: string, options: () => Promise<ConnectOptions>): Library {
  return {
    name,
    title,
    async connect(url, version) {
      const client = await connect(url, { version, reconnect: false, ...(await options()) });
      return {
        publish: (topic, payload, qos) => client.publish(topic, payload, { qos }),
        subscribe: (topic, qos, onMessage) => client.subscribe(topic, { qos, onMessage }),
        end: () => client.end(),
      };
    },
  };
}

/** MQTT.js first: the others are compared with it. */
export const LIBRARIES: readonly Library[] = [
  {
    name: "mqttJs",
    title: "MQTT.js",
    async connect(url, version) {
      const { default: mqtt } = await import("mqtt");
      const client = await mqtt.connectAsync(url, { protocolVersion: version, reconnectPeriod: 0 });
      return {
        publish: (topic, payload, qos) => client.publishAsync(topic, payload as Buffer, { qos }),
        subscribe: (topic, qos, onMessage) => {
          client.on("message", onMessage);
          return client.subscribeAsync(topic, { qos });
        },
        end: () => client.endAsync(),
      };
    },
  },
  own("own", "durable-mqtt/client", async () => ({})),
  // MQTT.js runs over it: what is left is the difference of the clients.
  own("ownOverWs", "the same over ws", async () => ({ WebSocket: (await import("ws")).default as unknown as SocketConstructor })),
];
