/** MQTT 5.0, chapters 3.1.2.5 to 3.1.2.7 and 3.1.3.2: the Will Message. */

import { expect, it } from "vitest";
import type { Properties } from "../../../src/mqtt/packet.ts";
import { type ConnectOptions, type MqttTestClient, textOf, unique } from "../../support/mqtt-client.ts";
import { type Broker5, describe5, ended } from "./support.ts";

/** A client that watches a topic, and one with a will there. */
async function pair(broker: Broker5, options: ConnectOptions = {}, will: Properties = {}) {
  const topic = unique("will");
  const watcher = await broker.connect();
  await watcher.subscribe(topic, { qos: 2 });
  const properties = { willDelayInterval: 0, ...will };
  const client = await broker.connect({ will: { topic, payload: "will", properties }, ...options });
  return { topic, watcher, client };
}

/** Proves that no will has come and none is on its way: what the watcher publishes there comes first. */
async function noWill(watcher: MqttTestClient, topic: string): Promise<void> {
  await watcher.publish(topic, "marker", { qos: 2 });
  expect(await watcher.texts(1)).toEqual(["marker"]);
}

/** Seconds until the will comes. @param since what brings it about had not happened yet */
async function secondsToWill(watcher: MqttTestClient, since = performance.now()): Promise<number> {
  expect(textOf(await watcher.message())).toBe("will");
  return (performance.now() - since) / 1000;
}

const DURABLE = { sessionExpiryInterval: 300 };

describe5((broker) => {
  it("[MQTT5-3.1.2-7] [MQTT5-3.1.2-8] publishes the will however the connection is lost", async () => {
    const lost: Record<string, (client: MqttTestClient) => unknown> = {
      "TCP connection broken": (client) => client.terminate(),
      "WebSocket closed": (client) => client.close(),
      "WebSocket closed with a code": (client) => client.close(4000),
      "malformed packet": (client) => client.sendBytes("c100"),
      "malformed length": (client) => client.sendBytes("3080808080"),
      "protocol error": (client) => client.sendBytes("2003000000"),
      "text frame": (client) => client.sendText("hello"),
    };
    for (const [name, lose] of Object.entries(lost)) {
      const { watcher, client } = await pair(broker);
      await lose(client);
      expect(await watcher.texts(1), name).toEqual(["will"]);
    }
  });

  it("[MQTT5-3.1.2-8] [MQTT5-3.1.2-22] publishes the will when the Keep Alive runs out", async () => {
    const since = performance.now();
    const { watcher, client } = await pair(broker, { keepAliveSeconds: 1 });
    expect(await secondsToWill(watcher, since)).toBeGreaterThan(1.3);
    expect((await ended(client)).reasonCode).toBe(0x8d);
  });

  it("[MQTT5-3.1.2-8] [MQTT5-3.1.2-10] [MQTT5-3.14.4-3] forgets the will on DISCONNECT 0x00", async () => {
    const { topic, watcher, client } = await pair(broker);
    await client.disconnect();
    await noWill(watcher, topic);
  });

  it("[MQTT5-3.1.2-10] publishes a will once", async () => {
    const clientId = unique();
    const { topic, watcher, client } = await pair(broker, { clientId, clean: false, properties: DURABLE });
    client.terminate();
    expect(await watcher.texts(1)).toEqual(["will"]);
    const again = await broker.connect({ clientId, clean: false, properties: DURABLE });
    await again.close();
    await noWill(watcher, topic);
  });

  it("[MQTT5-3.1.2-12] takes and publishes a will of every QoS", async () => {
    for (const qos of [0, 1, 2] as const) {
      const topic = unique();
      const watcher = await broker.connect();
      await watcher.subscribe(topic, { qos: 2 });
      const client = await broker.connect({ will: { topic, qos } });
      client.terminate();
      expect(await watcher.message()).toMatchObject({ topic, qos, retain: false, dup: false });
    }
  });

  it("[MQTT5-3.1.2-14] [MQTT5-3.1.2-15] retains a will if and only if it says so", async () => {
    for (const retain of [false, true]) {
      const topic = unique();
      const watcher = await broker.connect();
      await watcher.subscribe(topic);
      const client = await broker.connect({ will: { topic, retain, payload: "kept" } });
      client.terminate();
      await watcher.message();
      const later = await broker.connect();
      await later.subscribe(topic);
      if (retain) expect(await later.message()).toMatchObject({ topic, retain: true });
      await later.silence(watcher);
      await watcher.publish(topic, "", { retain: true, qos: 1 });
    }
  });

  it("[MQTT5-3.1.3-10] [5.0/3.1.3.2/props] publishes the will with its properties, User Properties in their order", async () => {
    const properties: Properties = {
      payloadFormatIndicator: 1,
      contentType: "text/plain",
      responseTopic: "answers",
      correlationData: Uint8Array.of(0, 1, 0xff),
      userProperties: [
        ["b", "1"],
        ["a", "2"],
        ["b", "1"],
        ["", ""],
      ],
    };
    const { watcher, client } = await pair(broker, {}, properties);
    client.terminate();
    expect((await watcher.message()).properties).toEqual(properties);
  });

  it("[5.0/3.1.3.2.4/will-expiry] counts the will's Message Expiry from its publication", async () => {
    const { watcher, client } = await pair(broker, { properties: DURABLE }, { willDelayInterval: 1, messageExpiryInterval: 1 });
    client.terminate();
    expect((await watcher.message()).properties.messageExpiryInterval).toBe(1);
  });

  it("[5.0/3.1.3.2.2/min] publishes the will after its delay or with the end of the session, whichever comes first", async () => {
    const cases = await Promise.all([
      pair(broker, { properties: DURABLE }, { willDelayInterval: 1 }),
      pair(broker, { properties: { sessionExpiryInterval: 1 } }, { willDelayInterval: 60 }),
      pair(broker, { properties: { sessionExpiryInterval: 0 } }, { willDelayInterval: 60 }),
      pair(broker, {}, { willDelayInterval: 60 }),
      pair(broker, { properties: DURABLE }, { willDelayInterval: 0 }),
    ]);
    for (const { client } of cases) client.terminate();
    const [delay, expiry, ...atOnce] = await Promise.all(cases.map(({ watcher }) => secondsToWill(watcher)));
    for (const seconds of [delay!, expiry!]) {
      expect(seconds).toBeGreaterThan(0.9);
      expect(seconds).toBeLessThan(2.5);
    }
    for (const seconds of atOnce) expect(seconds).toBeLessThan(0.8);
  });

  it("[MQTT5-3.1.3-9] a resume before the delay is over cancels the will", async () => {
    const clientId = unique();
    const { topic, watcher, client } = await pair(broker, { clientId, clean: false, properties: DURABLE }, { willDelayInterval: 1 });
    // Its delay is over a little later than that of the first: what was due by then has come.
    const other = await pair(broker, { properties: DURABLE }, { willDelayInterval: 1 });
    client.terminate();
    await watcher.silence(watcher);
    const again = await broker.connect({ clientId, clean: false, properties: DURABLE });
    expect(again.connack?.sessionPresent).toBe(true);
    other.client.terminate();
    await secondsToWill(other.watcher);
    await noWill(watcher, topic);
    // Nor is it left over for the end of the session.
    await again.disconnect(0x04, { sessionExpiryInterval: 0 });
    await noWill(watcher, topic);
  });

  it("[5.0/3.1.3.2.2/min] Clean Start 1 ends a session and so publishes the will whose delay still runs", async () => {
    const clientId = unique();
    const { watcher, client } = await pair(broker, { clientId, properties: DURABLE }, { willDelayInterval: 60 });
    client.terminate();
    await watcher.silence(watcher);
    await broker.connect({ clientId, clean: true });
    expect(await watcher.texts(1)).toEqual(["will"]);
  });

  it("[5.0/3.1.3.2.2/takeover] [MQTT5-3.1.4-3] [MQTT5-3.1.2-8] a takeover publishes the old will unless its session goes on and its delay still runs", async () => {
    for (const willDelayInterval of [0, 60]) {
      for (const sessionExpiryInterval of [0, 300]) {
        for (const clean of [false, true]) {
          const clientId = unique();
          const { topic, watcher, client } = await pair(broker, { clientId, properties: { sessionExpiryInterval } }, { willDelayInterval });
          await broker.connect({ clientId, clean });
          expect((await ended(client)).reasonCode).toBe(0x8e);
          const name = `delay ${willDelayInterval}, expiry ${sessionExpiryInterval}, Clean Start ${clean}`;
          if (willDelayInterval === 0 || sessionExpiryInterval === 0 || clean) expect(await watcher.texts(1), name).toEqual(["will"]);
          await noWill(watcher, topic);
        }
      }
    }
  });

  it("[MQTT5-3.1.2-8] a takeover without a will of its own does not inherit the old one", async () => {
    const clientId = unique();
    const { topic, watcher } = await pair(broker, { clientId, properties: DURABLE }, { willDelayInterval: 60 });
    const next = await broker.connect({ clientId, clean: false });
    next.terminate();
    await noWill(watcher, topic);
    await noWill(watcher, topic);
  });
});
