/** MQTT 5.0, chapters 3.8 and 3.9: SUBSCRIBE and SUBACK. */

import { expect, it } from "vitest";
import { NO_PROPERTIES, PUBLISH, type QoS, SUBACK, SUBSCRIBE } from "../../../src/mqtt/packet.ts";
import { request, textOf, unique } from "../../support/mqtt-client.ts";
import { type Bytes, describe5, ended, field, raw, reaction, USERS } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

describe5((broker) => {
  it("[MQTT5-3.8.3-2] refuses a SUBSCRIBE without filters with 0x82", async () => {
    expect(await reaction(broker, "82 03 0001 00")).toBe(0x82);
  });

  it("[MQTT5-3.8.3-5] [5.0/3.8.3.1/qos3] refuses options with reserved bits (0x81), QoS 3 or Retain Handling 3 (0x82)", async () => {
    for (const [options, code] of [
      ["40", 0x81],
      ["80", 0x81],
      ["c2", 0x81],
      ["03", 0x82],
      ["30", 0x82],
      ["32", 0x82],
    ] as const) {
      expect(await reaction(broker, raw(0x82, "0001 00", field("t"), options)), options).toBe(code);
      // The second filter counts as the first.
      expect(await reaction(broker, raw(0x82, "0001 00", field("t"), "00", field("u"), options)), options).toBe(code);
    }
  });

  it("[MQTT5-3.8.3-3] No Local keeps a client's own messages from it, and no other's", async () => {
    const topic = unique();
    const clientId = unique();
    const client = await broker.connect({ clientId, properties: DURABLE });
    const other = await broker.connect();
    await client.subscribe(topic, { noLocal: true, qos: 2 });
    await other.subscribe(topic, { qos: 2 });
    for (const qos of [0, 1, 2] as const) {
      await client.publish(topic, "own", { qos });
      await other.publish(topic, "other's", { qos });
      expect(await client.texts(1)).toEqual(["other's"]);
      expect((await other.texts(2)).sort()).toEqual(["other's", "own"]);
    }
    // Neither the next connection of the session gets them.
    await client.close();
    const again = await broker.connect({ clientId, clean: false });
    await again.publish(topic, "own again", { qos: 1 });
    await again.silence(again);
  });

  it("[MQTT5-3.8.3-3] an overlapping subscription without No Local still gets a client's own messages", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe([request(topic, 2, { noLocal: true }), request(`${topic}/#`, 1)]);
    await client.publish(topic, "x", { qos: 2 });
    expect(await client.message()).toMatchObject({ qos: 1 });
    await client.silence(client);
  });

  it("[MQTT5-3.8.4-1] [MQTT5-3.8.4-5] [MQTT5-3.8.4-6] [MQTT5-3.8.4-7] [MQTT5-3.9.3-1] [MQTT5-3.9.3-2] answers with one SUBACK that has a code for every filter, in their order", async () => {
    const client = await broker.connect();
    const base = unique();
    const requests = [
      request(`${base}/a`, 2),
      request(`${base}/#/a`, 2),
      request(`${base}/b`, 0),
      request(`${base}+`, 1),
      request("", 1),
      request(`${base}/c`, 1),
    ];
    const { reasonCodes } = await client.subscribe(requests);
    expect(reasonCodes).toEqual([2, 0x8f, 0, 0x8f, 0x8f, 1]);
    for (const [level, qos] of [
      ["a", 2],
      ["b", 0],
      ["c", 1],
    ] as const) {
      await client.publish(`${base}/${level}`, "", { qos: 2 });
      expect(await client.message()).toMatchObject({ qos });
    }
    expect(client.arrived.filter(({ type }) => type === SUBACK)).toHaveLength(1);
  });

  it("[MQTT5-3.8.4-5] takes as many filters as fit, under one SUBACK", async () => {
    const client = await broker.connect();
    const base = unique();
    const requests = Array.from({ length: 200 }, (_, i) => request(`${base}/${i}`, (i % 3) as QoS));
    expect((await client.subscribe(requests)).reasonCodes).toEqual(requests.map(({ qos }) => qos));
    await client.publish(`${base}/199`, "x", { qos: 1 });
    expect(await client.texts(1)).toEqual(["x"]);
  });

  it("[MQTT5-3.8.4-3] an identical filter replaces the subscription: QoS, options, identifier", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 2, retainAsPublished: true, properties: { subscriptionIdentifiers: [1] } });
    await client.publish(topic, "", { qos: 2, retain: true });
    expect(await client.message()).toMatchObject({ qos: 2, retain: true, properties: { subscriptionIdentifiers: [1] } });
    await client.subscribe(topic, { qos: 1, properties: { subscriptionIdentifiers: [2] } });
    await client.publish(topic, "", { qos: 2, retain: true });
    expect(await client.message()).toMatchObject({ qos: 1, retain: false, properties: { subscriptionIdentifiers: [2] } });
    await client.subscribe(topic, { qos: 0, noLocal: true });
    await client.publish(topic, "own", { qos: 2 });
    await client.subscribe(topic, { qos: 0 });
    await client.publish(topic, "x", { qos: 2 });
    const message = await client.message();
    expect([textOf(message), message.qos, message.properties]).toEqual(["x", 0, {}]);
    await client.silence(client);
  });

  it("[MQTT5-3.8.4-4] replacing a subscription loses and repeats no live message", async () => {
    const topic = unique();
    const client = await broker.connect();
    const publisher = await broker.connect();
    await client.subscribe(topic, { qos: 1 });
    const texts = Array.from({ length: 40 }, (_, i) => String(i));
    const publishing = (async () => {
      for (const each of texts) await publisher.publish(topic, each, { qos: 1 });
    })();
    for (let i = 0; i < 10; i += 1) await client.subscribe(topic, { qos: i % 2 === 0 ? 2 : 1, retainHandling: 2 });
    await publishing;
    expect(await client.texts(40)).toEqual(texts);
    await client.silence(publisher);
  });

  it("[MQTT5-3.8.4-8] delivers at the lower of the publisher's and the subscription's QoS", async () => {
    const client = await broker.connect();
    const base = unique();
    for (const granted of [0, 1, 2] as const) {
      expect((await client.subscribe(`${base}/${granted}`, { qos: granted })).reasonCodes).toEqual([granted]);
      for (const qos of [0, 1, 2] as const) {
        await client.publish(`${base}/${granted}`, "", { qos });
        expect((await client.message()).qos).toBe(Math.min(granted, qos));
      }
    }
  });

  it("[5.0/3.8.2.1.2/stored] the identifier is kept with the session and removed by a SUBSCRIBE without", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.subscribe(topic, { qos: 1, properties: { subscriptionIdentifiers: [77_777] } });
    await client.close();
    await publisher.publish(topic, "queued", { qos: 1 });
    const again = await broker.connect({ clientId, clean: false, properties: DURABLE });
    expect((await again.message()).properties.subscriptionIdentifiers).toEqual([77_777]);
    await publisher.publish(topic, "live", { qos: 1 });
    expect((await again.message()).properties.subscriptionIdentifiers).toEqual([77_777]);
    await again.subscribe(topic, { qos: 1 });
    await publisher.publish(topic, "without", { qos: 1 });
    expect((await again.message()).properties).toEqual({});
  });

  it("[5.0/3.8.4/dup-filter] a filter twice in one SUBSCRIBE gets two codes and is one subscription with the last options", async () => {
    const topic = unique();
    const client = await broker.connect();
    expect((await client.subscribe([request(topic, 2), request(topic, 0)])).reasonCodes).toEqual([2, 0]);
    await client.publish(topic, "", { qos: 2 });
    expect((await client.message()).qos).toBe(0);
    await client.silence(client);
    expect((await client.unsubscribe(topic, topic)).reasonCodes).toEqual([0x00, 0x11]);
  });

  it("[5.0/3.8.4/before-suback] everything that was retained before SUBSCRIBE comes, before or after SUBACK", async () => {
    const base = unique();
    const client = await broker.connect();
    const topics = Array.from({ length: 30 }, (_, i) => `${base}/${i}`);
    for (const topic of topics) await client.publish(topic, topic, { qos: 1, retain: true });
    client.send({ type: SUBSCRIBE, packetId: 9, subscriptions: [request(`${base}/+`, 1)], properties: NO_PROPERTIES });
    const packets = [];
    while (packets.length < 31) packets.push(await client.next());
    expect(packets.filter(({ type }) => type === SUBACK)).toHaveLength(1);
    expect(packets.flatMap((packet) => (packet.type === PUBLISH ? [textOf(packet)] : [])).sort()).toEqual(topics.sort());
  });

  it("[MQTT5-3.9.2-1] [MQTT5-3.1.2-24] SUBACK leaves out its Reason String where the client takes no packet of that size", async () => {
    for (const maximumPacketSize of [1000, 30]) {
      const client = await broker.connect({ properties: { maximumPacketSize } });
      const suback = await client.subscribe("a#");
      expect(suback.reasonCodes).toEqual([0x8f]);
      expect(suback.properties.reasonString === undefined).toBe(maximumPacketSize === 30);
      expect(client.rawOf(suback).length).toBeLessThanOrEqual(maximumPacketSize);
    }
  });

  it("[MQTT5-3.8.1-1] [MQTT5-3.8.3-1] a broken SUBSCRIBE subscribes to nothing", async () => {
    const topic = unique();
    const clientId = unique();
    const client = await broker.connect({ clientId, properties: DURABLE });
    const broken: Bytes = raw(0x82, "0001 00", field(topic), "01", field([0xff]), "01");
    client.sendBytes(broken);
    expect((await ended(client)).reasonCode).toBe(0x81);
    const again = await broker.connect({ clientId, clean: false });
    await again.publish(topic, "x", { qos: 1 });
    await again.silence(again);
  });
});

describe5(
  (broker) => {
    it("[MQTT5-3.8.4-7] [MQTT5-3.9.3-2] refuses what is not allowed (0x87) and what is too much (0x97), one by one", async () => {
      const ann = await broker.connect({ userName: "ann", password: "secret" });
      const filters = ["ann/a", "other", "ann/+", "#", "ann/a/b"];
      expect((await ann.subscribe(filters.map((filter) => request(filter, 1)))).reasonCodes).toEqual([1, 0x87, 1, 0x87, 1]);
      expect((await ann.subscribe([request("ann/c"), request("ann/a", 2)])).reasonCodes).toEqual([0x97, 2]);
      await ann.unsubscribe("ann/a");
      expect((await ann.subscribe("ann/c")).reasonCodes).toEqual([0]);
    });
  },
  { USERS, SUBSCRIPTIONS_MAX: "3" },
);
