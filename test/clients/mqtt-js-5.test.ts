/** What only MQTT 5.0 has, as MQTT.js sends and shows it, from client to client. */

import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import { afterEach, expect, it } from "vitest";
import { describeTopologies } from "../support/brokers.ts";
import { unique } from "../support/mqtt-client.ts";
import { mqttJsConnected, mqttJsOptions, within } from "../support/real-clients.ts";

describeTopologies((broker) => {
  let clients: MqttClient[] = [];
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.endAsync(true)));
    clients = [];
  });

  const connect = async (options: IClientOptions = {}): Promise<MqttClient> => {
    const client = mqtt.connect(broker.mqttUrl, { ...mqttJsOptions(5, {}), ...options });
    clients.push(client);
    await mqttJsConnected(client);
    return client;
  };
  /** To be called before what makes the message come. */
  const nextMessage = (client: MqttClient): Promise<IPublishPacket & { readonly payload: Buffer }> =>
    within(
      new Promise((resolve) => client.once("message", (_topic, payload, packet) => resolve({ ...packet, payload }))),
      "waiting for a message",
    );

  it("carries every property of a message from publisher to subscriber", async () => {
    const topic = unique();
    const subscriber = await connect();
    const publisher = await connect();
    await subscriber.subscribeAsync(topic, { qos: 2 });
    const arrival = nextMessage(subscriber);
    const properties = {
      payloadFormatIndicator: true,
      contentType: "application/json",
      responseTopic: `${topic}/answers`,
      correlationData: Buffer.from([0, 1, 254, 255]),
      messageExpiryInterval: 100,
      userProperties: { zeta: "last letter, first here", trace: ["one", "two", "one"], empty: "" },
    };
    await publisher.publishAsync(topic, '{"celsius":21}', { qos: 2, properties });
    const { messageExpiryInterval, ...unchanged } = properties;
    const received = (await arrival).properties!;
    expect(received).toMatchObject(unchanged);
    expect(Object.keys(received.userProperties!)).toEqual(Object.keys(properties.userProperties));
    expect(received.messageExpiryInterval).toBeGreaterThan(0);
    expect(received.messageExpiryInterval).toBeLessThanOrEqual(messageExpiryInterval);
    expect(received.topicAlias).toBeUndefined();
  });

  it("keeps properties with a retained message and with one that waits for a client", async () => {
    const topic = unique();
    const clientId = unique("c");
    const durable = { clientId, clean: false, properties: { sessionExpiryInterval: 600 } };
    const publisher = await connect();
    const before = await connect(durable);
    await before.subscribeAsync(topic, { qos: 1 });
    await before.endAsync();
    const properties = { contentType: "text/plain", messageExpiryInterval: 100, userProperties: { b: "1", a: ["2", "3"] } };
    await publisher.publishAsync(topic, "kept", { qos: 1, retain: true, properties });

    const after = mqtt.connect(broker.mqttUrl, { ...mqttJsOptions(5, {}), ...durable });
    clients.push(after);
    const queued = await nextMessage(after);
    const late = await connect();
    const arrival = nextMessage(late);
    await late.subscribeAsync(topic, { qos: 1 });
    for (const { payload, properties: received } of [queued, await arrival]) {
      expect(payload.toString()).toBe("kept");
      expect(received).toMatchObject({ contentType: "text/plain", userProperties: { b: "1", a: ["2", "3"] } });
      expect(received!.messageExpiryInterval).toBeLessThanOrEqual(100);
    }
  });

  it("answers a request on its Response Topic with its Correlation Data", async () => {
    const topic = unique();
    const service = await connect();
    const asking = await connect();
    await service.subscribeAsync(`${topic}/square`, { qos: 1 });
    await asking.subscribeAsync(`${topic}/answers`, { qos: 1 });
    service.on("message", (_topic, payload, { properties }) => {
      const { responseTopic, correlationData } = properties!;
      service.publish(responseTopic!, String(Number(payload.toString()) ** 2), {
        qos: 1,
        properties: { correlationData: correlationData! },
      });
    });
    const arrival = nextMessage(asking);
    const correlationData = Buffer.from("request 1");
    await asking.publishAsync(`${topic}/square`, "12", { qos: 1, properties: { responseTopic: `${topic}/answers`, correlationData } });
    const answer = await arrival;
    expect(answer.payload.toString()).toBe("144");
    expect(answer.properties!.correlationData).toEqual(correlationData);
  });

  it("tells a subscriber all Subscription Identifiers that matched, with one copy", async () => {
    const topic = unique();
    const subscriber = await connect();
    await subscriber.subscribeAsync(`${topic}/#`, { qos: 0, properties: { subscriptionIdentifier: 7 } });
    await subscriber.subscribeAsync(`${topic}/+`, { qos: 1, properties: { subscriptionIdentifier: 300_000 } });
    const arrival = nextMessage(subscriber);
    await subscriber.publishAsync(`${topic}/a`, "both", { qos: 2 });
    const { qos, properties } = await arrival;
    expect(qos).toBe(1);
    expect([properties!.subscriptionIdentifier].flat().sort()).toEqual([300_000, 7]);
  });

  it("honours No Local, Retain As Published and Retain Handling", async () => {
    const topic = unique();
    const client = await connect();
    const publisher = await connect();
    await publisher.publishAsync(topic, "retained before", { qos: 1, retain: true });
    await client.subscribeAsync(topic, { qos: 1, nl: true, rap: true, rh: 2 });
    const arrival = nextMessage(client);
    await client.publishAsync(topic, "its own", { qos: 1 });
    await publisher.publishAsync(topic, "retained live", { qos: 1, retain: true });
    expect(await arrival).toMatchObject({ payload: Buffer.from("retained live"), retain: true });
  });

  it("publishes a will with its properties, after DISCONNECT with Reason Code 0x04 too", async () => {
    const topic = unique();
    const watcher = await connect();
    await watcher.subscribeAsync(topic, { qos: 1 });
    const arrival = nextMessage(watcher);
    const properties = { contentType: "text/plain", willDelayInterval: 0, userProperties: { reason: "left" } };
    const leaving = await connect({ will: { topic, payload: Buffer.from("gone"), qos: 1, retain: false, properties } });
    await leaving.endAsync(false, { reasonCode: 4 });
    const will = await arrival;
    expect(will.payload.toString()).toBe("gone");
    expect(will.properties).toMatchObject({ contentType: "text/plain", userProperties: { reason: "left" } });
  });

  it("assigns a Client Identifier to a client without one", async () => {
    const client = mqtt.connect(broker.mqttUrl, { ...mqttJsOptions(5, {}), clientId: "" });
    clients.push(client);
    const connack = await within(
      new Promise<{ properties?: { assignedClientIdentifier?: string } }>((resolve) => client.once("connect", resolve)),
      "CONNECT",
    );
    expect(connack.properties?.assignedClientIdentifier).toMatch(/./);
  });
});
