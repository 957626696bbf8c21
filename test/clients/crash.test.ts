/**
 * A publisher and a subscriber with durable sessions, both MQTT.js that reconnects by itself, while the runtime is killed again and
 * again: whatever was acknowledged to the publisher reaches the subscriber, at QoS 1 at least once, at QoS 2 exactly once, in order.
 */

import mqtt, { type MqttClient } from "mqtt";
import { describe, expect, it } from "vitest";
import { startBroker } from "../../scripts/local-broker.ts";
import type { ProtocolVersion, QoS } from "../../src/mqtt/packet.ts";
import { PACKET_IDENTIFIER_NOT_FOUND } from "../../src/mqtt/reason-code.ts";
import { Inbox, mqttJsOptions, within } from "../support/real-clients.ts";

const MESSAGES = 150;
/** Each crash comes when this many messages have been acknowledged, with others on their way in every direction. */
const CRASHES_AT = [30, 100, 200];
/** Messages that the publisher has under way at once, of each QoS. */
const UNDER_WAY = 8;
const RUN_MS = 25_000;

function connect(url: string, version: ProtocolVersion, clientId: string): MqttClient {
  return mqtt.connect(url, { ...mqttJsOptions(version, { clientId, clean: false }), reconnectPeriod: 50 });
}

/** Publishes until the message is acknowledged, whatever happens to the connection. */
async function publish(client: MqttClient, topic: string, text: string, qos: QoS): Promise<void> {
  for (;;) {
    try {
      await client.publishAsync(topic, text, { qos });
      return;
    } catch (error) {
      const { code, message } = error as { code?: number; message: string };
      // The answer to a PUBREL that was repeated because its PUBCOMP was lost: no error in recovery, but MQTT.js reports it as one.
      if (code === PACKET_IDENTIFIER_NOT_FOUND) return;
      // MQTT.js gave up what it had not sent yet, because it lost the connection while it still repeated what it had sent before.
      if (message !== "Connection closed") throw error;
    }
  }
}

const connected = (client: MqttClient): Promise<void> =>
  within(new Promise((resolve) => client.once("connect", () => resolve())), "CONNECT");

describe.each(["compact", "sharded"])("%s", (topology) => {
  it.each([4, 5] as const)(
    "nothing acknowledged is lost and no QoS 2 message repeats over crashes, protocol version %i",
    async (version) => {
      const broker = await startBroker({ env: { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true" } });
      const subscriber = connect(broker.mqttUrl, version, "subscriber");
      const publisher = connect(broker.mqttUrl, version, "publisher");
      try {
        const inboxes = { 1: new Inbox(), 2: new Inbox() };
        subscriber.on("message", (topic, payload, { qos, retain }) => inboxes[qos as 1 | 2].add(topic, payload, qos, retain));
        await Promise.all([connected(subscriber), connected(publisher)]);
        await subscriber.subscribeAsync("measured/+", { qos: 2 });

        let acknowledged = 0;
        const crashes: Promise<void>[] = [];
        const send = async (qos: QoS): Promise<void> => {
          const waiting = new Set<Promise<unknown>>();
          for (let number = 0; number < MESSAGES; number += 1) {
            const sent = publish(publisher, `measured/${qos}`, String(number), qos).then(() => {
              waiting.delete(sent);
              acknowledged += 1;
              if (CRASHES_AT.includes(acknowledged)) crashes.push(broker.crash());
            });
            waiting.add(sent);
            if (waiting.size === UNDER_WAY) await Promise.race(waiting);
          }
          await Promise.all(waiting);
        };
        await within(Promise.all([send(1), send(2)]), "acknowledging every message", RUN_MS);
        await Promise.all(crashes);
        expect(crashes.length).toBe(CRASHES_AT.length);

        await within(publisher.publishAsync("measured/1", "end", { qos: 1 }), "the last message");
        await within(publisher.publishAsync("measured/2", "end", { qos: 2 }), "the last message");
        const numbers = Array.from({ length: MESSAGES }, (_, number) => String(number));
        const once = (await inboxes[2].until("end", RUN_MS)).map(({ text }) => text);
        expect(once).toEqual(numbers);
        const atLeastOnce = (await inboxes[1].until("end", RUN_MS)).map(({ text }) => text);
        expect([...new Set(atLeastOnce)]).toEqual(numbers);
      } finally {
        await Promise.all([subscriber.endAsync(true), publisher.endAsync(true)]);
        await broker.dispose();
      }
    },
    2 * RUN_MS,
  );
});
