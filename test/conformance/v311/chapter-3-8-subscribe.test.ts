/** Chapters 3.8 to 3.11 of MQTT 3.1.1: SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK. Wrong flags and ids are in chapter-2-format. */

import { expect, it } from "vitest";
import { PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { acknowledgement, publishPacket, request, unique } from "../../support/mqtt-client.ts";
import { field, rawPacket } from "../../support/raw-packet.ts";
import { expectEachCloses, keptSession } from "./support.ts";

describeTopologies((broker) => {
  it("[MQTT311-3.8.3-1] a filter that is not whole closes the connection", () =>
    expectEachCloses(broker, {
      "half a length": rawPacket(0x82, [0, 1], [0]),
      "shorter than said": rawPacket(0x82, [0, 1], [0, 5, 0x61]),
      "without QoS": rawPacket(0x82, [0, 1], field("a")),
      "second without QoS": rawPacket(0x82, [0, 1], field("a"), [0], field("b")),
    }));

  it("[MQTT311-3.8.3-2] filters with wildcards are granted and work", async () => {
    const topic = unique();
    const client = await broker.connect();
    const suback = await client.subscribe([request(`${topic}/+`, 1), request(`${topic}/x/#`, 2), request("+/+/+/+", 0)]);
    expect(suback.reasonCodes).toEqual([1, 2, 0]);
    await client.publish(`${topic}/a`, "1", { qos: 1 });
    await client.publish(`${topic}/x/y/z`, "2", { qos: 1 });
    expect(await client.texts(2)).toEqual(["1", "2"]);
  });

  it("[MQTT311-3.8.3-3] a SUBSCRIBE without filter closes the connection", () =>
    expectEachCloses(broker, { empty: rawPacket(0x82, [0, 1]) }));

  it("[MQTT311-3.8.3-4] a requested QoS above 2, or with reserved bits, closes the connection", () =>
    expectEachCloses(
      broker,
      Object.fromEntries([3, 4, 0x08, 0x10, 0x20, 0x40, 0x80, 0x81, 0xff].map((qos) => [qos, rawPacket(0x82, [0, 1], field("a"), [qos])])),
    ));

  it("[MQTT311-3.8.3-4] one bad requested QoS among good ones closes the connection and subscribes to nothing", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId);
    client.sendBytes(rawPacket(0x82, [0, 1], field(topic), [1], field("b"), [3]));
    expect(await client.closed).toMatchObject({ code: 1002, packetsBefore: [] });
    const again = await keptSession(broker, clientId);
    await again.publish(topic, "", { qos: 1 });
    await again.silence(again);
  });

  it("[MQTT311-3.8.4-1] [MQTT311-3.8.4-2] [MQTT311-3.8.4-5] SUBSCRIBE is answered by SUBACK with its Packet Identifier and the granted QoS", async () => {
    const client = await broker.connect();
    for (const qos of [0, 1, 2] as const) {
      const suback = await client.subscribe(unique(), { qos, packetId: 500 + qos });
      expect(client.rawOf(suback)).toEqual(Uint8Array.of(0x90, 3, 0x01, 0xf4 + qos, qos));
    }
  });

  it("[MQTT311-3.8.4-3] a second SUBSCRIBE to the same filter replaces the QoS and sends the retained messages again", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.publish(topic, "retained", { qos: 2, retain: true });
    for (const qos of [2, 0, 1] as const) {
      expect((await client.subscribe(topic, { qos })).reasonCodes).toEqual([qos]);
      expect(await client.message()).toMatchObject({ retain: true, qos });
      await client.publish(topic, "live", { qos: 2 });
      expect(await client.message()).toMatchObject({ retain: false, qos });
    }
    await client.silence(client);
  });

  it("[MQTT311-3.8.4-3] no message is lost or doubled while a subscription is replaced over and over", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 1 });
    const publisher = await broker.connect();
    let publishing = true;
    const resubscribing = (async () => {
      for (let round = 0; publishing; round += 1) await client.subscribe(topic, { qos: round % 2 === 0 ? 2 : 1 });
    })();
    const payloads = Array.from({ length: 60 }, (_, index) => String(index));
    for (const payload of payloads) await publisher.publish(topic, payload, { qos: 1 });
    publishing = false;
    await resubscribing;
    expect(await client.texts(60)).toEqual(payloads);
    await client.silence(publisher);
  });

  it("[MQTT311-3.8.4-4] [MQTT311-3.9.3-1] a SUBSCRIBE of many filters has one SUBACK, its codes in the order of the filters", async () => {
    const client = await broker.connect();
    const filters = Array.from({ length: 50 }, (_, index) => request(unique(), ((index * 7) % 3) as 0 | 1 | 2));
    const suback = await client.subscribe(filters);
    expect(suback.reasonCodes).toEqual(filters.map(({ qos }) => qos));
    await client.silence();
    expect(client.arrived.filter(({ type }) => type === SUBACK)).toHaveLength(1);
  });

  it("[MQTT311-3.8.4-4] the same filter twice in one SUBSCRIBE counts as it stands last", async () => {
    const topic = unique();
    const client = await broker.connect();
    expect((await client.subscribe([request(topic, 2), request(topic, 0)])).reasonCodes).toEqual([2, 0]);
    await client.publish(topic, "", { qos: 2 });
    expect(await client.message()).toMatchObject({ qos: 0 });
    await client.silence(client);
  });

  it("[MQTT311-3.8.4-6] a message arrives at the lower of its QoS and the granted one", async () => {
    for (const granted of [0, 1, 2] as const) {
      const topic = unique();
      const client = await broker.connect();
      await client.subscribe(topic, { qos: granted });
      for (const qos of [0, 1, 2] as const) {
        await client.publish(topic, "", { qos });
        expect((await client.message()).qos).toBe(Math.min(qos, granted));
      }
    }
  });

  it("[MQTT311-3.9.3-2] SUBACK codes are granted QoS; where nothing is refused no code above 2 appears", async () => {
    const client = await broker.connect();
    const suback = await client.subscribe([request("a/b/#", 2), request("/", 1), request("any/#", 0)]);
    expect(suback.reasonCodes).toEqual([2, 1, 0]);
  });

  it("[3.1.1/3.8.4/before-suback] a SUBSCRIBE counts from its arrival: what its client publishes behind it in one frame comes back", async () => {
    const topic = unique();
    const client = await broker.connect();
    client.sendTogether(
      { type: SUBSCRIBE, packetId: 1, subscriptions: [request(topic, 1)], properties: {} },
      publishPacket(topic, "right behind", { qos: 1, packetId: 2 }),
    );
    const arrived = [await client.next(), await client.next(), await client.next()];
    expect(arrived.map(({ type }) => type).sort((a, b) => a - b)).toEqual([PUBLISH, PUBACK, SUBACK]);
  });

  it("[MQTT311-3.10.3-1] a filter of UNSUBSCRIBE that is not whole closes the connection", () =>
    expectEachCloses(broker, {
      "half a length": rawPacket(0xa2, [0, 1], [0]),
      "shorter than said": rawPacket(0xa2, [0, 1], [0, 5, 0x61]),
      "bytes behind": rawPacket(0xa2, [0, 1], field("a"), [0]),
    }));

  it("[MQTT311-3.10.3-2] an UNSUBSCRIBE without filter closes the connection", () =>
    expectEachCloses(broker, { empty: rawPacket(0xa2, [0, 1]) }));

  it("[MQTT311-3.10.4-1] UNSUBSCRIBE removes only a filter that is the same character by character", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(`${topic}/+`, { qos: 1 });
    await client.unsubscribe(`${topic}/a`, `${topic}/#`, `${topic}/+/`, `${topic}/+`.toUpperCase(), "+/+");
    await client.publish(`${topic}/a`, "still", { qos: 1 });
    expect(await client.texts(1)).toEqual(["still"]);
    await client.unsubscribe(`${topic}/+`);
    await client.publish(`${topic}/a`, "gone", { qos: 1 });
    await client.silence(client);
  });

  it("[MQTT311-3.10.4-1] one of two overlapping subscriptions stays", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe([request(`${topic}/a`, 0), request(`${topic}/#`, 1)]);
    await client.unsubscribe(`${topic}/#`);
    await client.publish(`${topic}/a`, "", { qos: 1 });
    expect(await client.message()).toMatchObject({ qos: 0 });
    await client.silence(client);
  });

  it("[MQTT311-3.10.4-2] nothing that is published after UNSUBACK is delivered, nor kept for later", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId);
    await client.subscribe(topic, { qos: 2 });
    await client.unsubscribe(topic);
    const publisher = await broker.connect();
    for (const qos of [0, 1, 2] as const) await publisher.publish(topic, "", { qos });
    await client.silence(publisher);
    await client.disconnect();
    await publisher.publish(topic, "", { qos: 1 });
    const again = await keptSession(broker, clientId);
    await again.silence(publisher);
  });

  it("[MQTT311-3.10.4-3] QoS 1 and 2 exchanges that have begun are completed after UNSUBSCRIBE", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const client = await keptSession(broker, clientId, { autoAck: false });
    await client.subscribe(topic, { qos: 2 });
    for (const qos of [1, 2, 2] as const) await client.publish(topic, String(qos), { qos });
    const [one, two, three] = await client.messages(3);
    await client.unsubscribe(topic);
    client.send(acknowledgement(PUBREC, two!.packetId));
    expect(await client.expect(PUBREL)).toMatchObject({ packetId: two!.packetId });
    client.send(acknowledgement(PUBCOMP, two!.packetId));
    client.terminate();
    const again = await keptSession(broker, clientId, { autoAck: false });
    expect((await again.messages(2)).map(({ packetId, dup }) => [packetId, dup])).toEqual([
      [one!.packetId, true],
      [three!.packetId, true],
    ]);
    await again.silence();
  });

  it("[MQTT311-3.10.4-4] [MQTT311-3.10.4-5] UNSUBSCRIBE is answered by UNSUBACK with its Packet Identifier, whether anything was removed or not", async () => {
    const client = await broker.connect();
    for (const packetId of [0x0102, 0xfffe]) {
      client.send({ type: UNSUBSCRIBE, packetId, filters: [unique()], properties: {} });
      expect(client.rawOf(await client.expect(UNSUBACK))).toEqual(Uint8Array.of(0xb0, 2, packetId >> 8, packetId & 0xff));
    }
  });

  it("[MQTT311-3.10.4-6] an UNSUBSCRIBE of many filters removes each of them and has one UNSUBACK", async () => {
    const topic = unique();
    const client = await broker.connect();
    const filters = Array.from({ length: 20 }, (_, index) => `${topic}/${index}`);
    await client.subscribe(filters.map((filter) => request(filter, 1)));
    await client.unsubscribe(...filters.slice(0, 19), "nothing");
    for (const filter of filters) await client.publish(filter, filter, { qos: 1 });
    expect(await client.texts(1)).toEqual([filters[19]]);
    await client.silence(client);
    // One of the test's own and the two of `silence`.
    expect(client.arrived.filter(({ type }) => type === UNSUBACK)).toHaveLength(2);
  });
});

describeTopologies(
  (broker) => {
    it("[3.1.1/3.10.4/buffered] messages that wait behind a full window are still delivered after UNSUBSCRIBE", async () => {
      const topic = unique();
      const client = await broker.connect({ autoAck: false });
      await client.subscribe(topic, { qos: 1 });
      for (const payload of ["1", "2", "3"]) await client.publish(topic, payload, { qos: 1 });
      const first = await client.message();
      await client.unsubscribe(topic);
      client.send(acknowledgement(PUBACK, first.packetId));
      const second = await client.message();
      client.send(acknowledgement(PUBACK, second.packetId));
      expect([second, await client.message()].map(({ payload }) => new TextDecoder().decode(payload))).toEqual(["2", "3"]);
    });
  },
  { INFLIGHT_MAX: "1" },
);
