/** Chapter 3.3.1.3 of MQTT 3.1.1: RETAIN. */

import { expect, it } from "vitest";
import { describeTopologies } from "../../support/brokers.ts";
import { request, textOf, unique } from "../../support/mqtt-client.ts";
import { keptSession, observer } from "./support.ts";

describeTopologies((broker) => {
  it("[MQTT311-3.3.1-5] [MQTT311-3.3.1-8] a retained message is kept with payload and QoS and given with RETAIN 1 to later subscribers", async () => {
    for (const qos of [0, 1, 2] as const) {
      const topic = unique();
      const publisher = await broker.connect();
      await publisher.publish(topic, `at ${qos}`, { qos, retain: true });
      if (qos === 0) await publisher.silence(publisher);
      await publisher.disconnect();
      const reader = await observer(broker, topic);
      const message = await reader.message();
      expect(message).toMatchObject({ topic, qos, retain: true, dup: false });
      expect(textOf(message)).toBe(`at ${qos}`);
      const low = await broker.connect();
      await low.subscribe(topic, { qos: 0 });
      expect(await low.message()).toMatchObject({ qos: 0, retain: true });
    }
  });

  it("[MQTT311-3.3.1-6] a new subscription gets the latest retained message of each topic that matches, and no other", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    for (const level of ["a", "b", "b/c", "b/c/d"]) {
      await publisher.publish(`${topic}/${level}`, "older", { qos: 1, retain: true });
      await publisher.publish(`${topic}/${level}`, level, { qos: 1, retain: true });
    }
    await publisher.publish(`${topic}x/a`, "other", { qos: 1, retain: true });
    const expected: Readonly<Record<string, readonly string[]>> = {
      [`${topic}/#`]: ["a", "b", "b/c", "b/c/d"],
      [`${topic}/+`]: ["a", "b"],
      [`${topic}/b/#`]: ["b", "b/c", "b/c/d"],
      [`${topic}/+/c`]: ["b/c"],
      [`${topic}/+/+/d`]: ["b/c/d"],
      [`${topic}/a`]: ["a"],
      [`${topic}/none`]: [],
      [topic]: [],
    };
    for (const [filter, payloads] of Object.entries(expected)) {
      const reader = await observer(broker, filter);
      expect((await reader.texts(payloads.length)).sort(), filter).toEqual(payloads);
      await reader.silence(reader);
    }
  });

  it("[MQTT311-3.3.1-7] a retained QoS 0 message takes the place of an older one, of whatever QoS", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    await publisher.publish(topic, "older", { qos: 2, retain: true });
    await publisher.publish(topic, "newer", { qos: 0, retain: true });
    await publisher.silence(publisher);
    const reader = await observer(broker, topic);
    expect(await reader.message()).toMatchObject({ qos: 0, retain: true, payload: new TextEncoder().encode("newer") });
    await reader.silence(reader);
  });

  it("[MQTT311-3.3.1-9] a standing subscription gets a retained message with RETAIN 0", async () => {
    const topic = unique();
    const client = await observer(broker, topic);
    for (const qos of [0, 1, 2] as const) {
      await client.publish(topic, "", { qos, retain: true });
      expect(await client.message()).toMatchObject({ retain: false, qos });
    }
  });

  it("[MQTT311-3.3.1-9] so does a session that was away", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId);
    await client.subscribe(topic, { qos: 1 });
    await client.disconnect();
    const publisher = await broker.connect();
    await publisher.publish(topic, "", { qos: 1, retain: true });
    expect(await (await keptSession(broker, clientId)).message()).toMatchObject({ retain: false });
  });

  it("[MQTT311-3.3.1-6] a session that is resumed gets no retained messages for the subscriptions it has", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId);
    await client.publish(topic, "retained", { qos: 1, retain: true });
    await client.subscribe(topic, { qos: 1 });
    await client.message();
    await client.silence();
    await client.disconnect();
    const again = await keptSession(broker, clientId);
    await again.silence(again);
  });

  it("[MQTT311-3.3.1-10] [3.1.1/3.3.1.3/as-normal] an empty retained message reaches subscribers like any other and clears its topic", async () => {
    const topic = unique();
    const client = await observer(broker, topic);
    await client.publish(topic, "here", { qos: 1, retain: true });
    await client.publish(topic, "", { qos: 1, retain: true });
    const messages = await client.messages(2);
    expect(messages[1]).toMatchObject({ retain: false, qos: 1, payload: new Uint8Array(0) });
    const later = await observer(broker, topic);
    await later.silence(later);
  });

  it("[MQTT311-3.3.1-11] an empty message is never retained, on a topic that has none either", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    for (const qos of [0, 1, 2] as const) await publisher.publish(topic, "", { qos, retain: true });
    await publisher.silence(publisher);
    const later = await observer(broker, topic);
    await later.silence(later);
  });

  it("[MQTT311-3.3.1-12] a message with RETAIN 0 neither stores, nor replaces, nor clears", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    await publisher.publish(`${topic}/none`, "live", { qos: 1 });
    await publisher.publish(`${topic}/kept`, "kept", { qos: 1, retain: true });
    await publisher.publish(`${topic}/kept`, "live", { qos: 1 });
    await publisher.publish(`${topic}/kept`, "", { qos: 1 });
    const reader = await observer(broker, `${topic}/#`);
    expect(await reader.texts(1)).toEqual(["kept"]);
    await reader.silence(reader);
  });

  it("[MQTT311-3.3.1-6] [MQTT311-3.8.4-4] each filter of a SUBSCRIBE gets its retained messages, as by successive SUBSCRIBEs", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.publish(`${topic}/a`, "", { qos: 1, retain: true });
    await client.publish(`${topic}/a`, "a", { qos: 1, retain: true });
    await client.subscribe([request(`${topic}/a`, 1), request(`${topic}/+`, 0)]);
    const messages = await client.messages(2);
    expect(messages.map(({ qos, retain }) => [qos, retain]).sort()).toEqual([
      [0, true],
      [1, true],
    ]);
    await client.silence(client);
  });

  it("[MQTT311-3.3.1-6] a subscription made while values are published gets none twice out of order: the last one is the newest", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    await publisher.publish(topic, "0", { qos: 1, retain: true });
    const reader = await broker.connect();
    const publishing = (async () => {
      for (let value = 1; value <= 40; value += 1) await publisher.publish(topic, String(value), { qos: 1, retain: true });
    })();
    await reader.subscribe(topic, { qos: 1 });
    await publishing;
    await reader.unsubscribe(topic);
    const values = reader.arrived.flatMap((packet) => (packet.type === 3 ? [Number(textOf(packet))] : []));
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(values.at(-1)).toBe(40);
  });
});
