/** MQTT.js as the load: what an application in Node.js or in a browser makes of a broker. */

import mqtt, { type MqttClient } from "mqtt";
import { inParallel, type Measure } from "./measure.ts";
import type { LibraryLoad, LoadOptions } from "./options.ts";

export async function mqttjs({ target }: LoadOptions, load: LibraryLoad, measure: Measure): Promise<void> {
  const { clients: count, qos, window, payloadBytes } = load;
  const clients = await inParallel(count, count, (index) => connect(target, `library-${index}`, load.version));
  await inParallel(count, count, (index) => clients[index]!.subscribeAsync(`bench/${index}`, { qos }));
  const payload = Buffer.alloc(payloadBytes, "a");
  const send = (index: number): void => {
    clients[index]!.publish(`bench/${(index + 1) % count}`, payload, { qos }, failed);
  };
  for (const [index, client] of clients.entries()) {
    client.on("message", () => {
      measure.count += 1;
      send((index + count - 1) % count);
    });
  }
  for (let sent = 0; sent < window; sent += 1) for (const index of clients.keys()) send(index);
  await measure.run();
}

function connect({ url, idInUrl }: LoadOptions["target"], clientId: string, protocolVersion: 4 | 5): Promise<MqttClient> {
  return mqtt.connectAsync(idInUrl ? `${url}?clientId=${clientId}` : url, { clientId, protocolVersion, reconnectPeriod: 0 });
}

function failed(error?: Error | null): void {
  if (error != null) throw error;
}
