/** MQTT 5.0, chapter 3.3: PUBLISH, without Topic Aliases (chapter-3-3-alias) and expiry (chapter-3-3-expiry). */

import { expect, it } from "vitest";
import { type Properties, PUBACK, PUBCOMP, PUBREC } from "../../../src/mqtt/packet.ts";
import { acknowledgement, publishPacket, request, textOf, unique } from "../../support/mqtt-client.ts";
import { describe5, ended, field, hex, raw, reaction, refusal, section, text } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

const PROPERTIES: Properties = {
  payloadFormatIndicator: 1,
  contentType: "text/plain; charset=utf-8",
  responseTopic: "answers/ä",
  correlationData: Uint8Array.of(0, 1, 2, 0xff),
  userProperties: [
    ["z", "1"],
    ["a", "2"],
    ["z", "1"],
    ["", "empty name"],
    ["emoji", "\u{1f600}"],
  ],
};

describe5((broker) => {
  it("[MQTT5-3.3.1-1] [MQTT5-4.3.2-2] [MQTT5-4.3.3-2] sends a message with DUP 0 first and with DUP 1 again", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const first = await broker.connect({ clientId, properties: DURABLE, autoAck: false });
    await first.subscribe(topic, { qos: 2 });
    for (const qos of [1, 2] as const) await publisher.publish(topic, `${qos}`, { qos });
    const sent = await first.messages(2);
    expect(sent.map(({ dup, qos }) => [dup, qos])).toEqual([
      [false, 1],
      [false, 2],
    ]);
    await first.close();
    const second = await broker.connect({ clientId, clean: false, properties: DURABLE });
    const again = await second.messages(2);
    expect(again.map(({ dup, qos, packetId }) => [dup, qos, packetId])).toEqual(sent.map(({ qos, packetId }) => [true, qos, packetId]));
  });

  it("[MQTT5-3.3.1-2] [MQTT5-4.3.1-1] sends QoS 0 with DUP 0, and refuses QoS 0 with DUP 1", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.subscribe(topic);
    await client.publish(topic, "", { qos: 2, dup: true });
    expect(await client.message()).toMatchObject({ qos: 0, dup: false });
    expect(await reaction(broker, raw(0x38, field("t"), "00"))).toBe(0x81);
  });

  it("[MQTT5-3.3.1-3] does not copy the publisher's DUP", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.subscribe(topic, { qos: 2 });
    for (const qos of [1, 2] as const) {
      await client.publish(topic, "", { qos, dup: true });
      expect(await client.message()).toMatchObject({ qos, dup: false });
    }
  });

  it("[MQTT5-3.3.1-4] refuses QoS 3 with 0x81", async () => {
    expect(await reaction(broker, raw(0x36, field("t"), "0001 00"))).toBe(0x81);
  });

  it("[MQTT5-3.3.1-5] [5.0/3.3.1.3/qos0] keeps the latest retained message of a topic, QoS 0 included", async () => {
    for (const qos of [0, 1, 2] as const) {
      const client = await broker.connect();
      const topic = unique();
      await client.publish(topic, "old", { qos: 1, retain: true });
      await client.publish(topic, "new", { qos, retain: true });
      await client.publish(`${topic}/other`, "other", { qos: 1, retain: true });
      await client.subscribe(unique());
      await client.silence(client);
      await client.subscribe(topic, { qos: 2 });
      const message = await client.message();
      expect([textOf(message), message.qos, message.retain]).toEqual(["new", qos, true]);
      await client.silence(client);
    }
  });

  it("[MQTT5-3.3.1-6] [MQTT5-3.3.1-7] an empty retained message goes to the subscribers and clears the topic's", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.publish(topic, "kept", { qos: 1, retain: true });
    await client.subscribe(topic);
    expect(await client.texts(1)).toEqual(["kept"]);
    await client.publish(topic, "", { qos: 1, retain: true });
    expect(await client.message()).toMatchObject({ topic, retain: false });
    const later = await broker.connect();
    await later.subscribe(topic);
    await later.silence(client);
  });

  it("[MQTT5-3.3.1-8] a message without RETAIN neither stores, replaces nor clears", async () => {
    const client = await broker.connect();
    const [kept, never] = [unique(), unique()];
    await client.publish(kept, "kept", { qos: 1, retain: true });
    for (const payload of ["live", ""]) {
      await client.publish(kept, payload, { qos: 1 });
      await client.publish(never, payload, { qos: 1 });
    }
    await client.subscribe([request(kept), request(never)]);
    expect(await client.texts(1)).toEqual(["kept"]);
    await client.silence(client);
  });

  it("[MQTT5-3.3.1-9] [MQTT5-3.8.4-4] Retain Handling 0 sends retained messages at every SUBSCRIBE", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.publish(topic, "kept", { qos: 1, retain: true });
    for (let i = 0; i < 3; i += 1) {
      await client.subscribe(topic, { retainHandling: 0 });
      expect(await client.texts(1)).toEqual(["kept"]);
    }
    await client.silence(client);
  });

  it("[MQTT5-3.3.1-10] [5.0/3.8.4/rh-new] Retain Handling 1 sends them only if the subscription is new, restored ones included", async () => {
    const clientId = unique();
    const base = unique();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.publish(`${base}/a`, "kept", { qos: 1, retain: true });
    await client.subscribe(`${base}/#`, { retainHandling: 1 });
    expect(await client.texts(1)).toEqual(["kept"]);
    await client.subscribe(`${base}/#`, { retainHandling: 1, qos: 1 });
    await client.silence(client);
    await client.close();
    const again = await broker.connect({ clientId, clean: false, properties: DURABLE });
    await again.subscribe(`${base}/#`, { retainHandling: 1 });
    await again.silence(again);
    // Another filter that matches the same is another subscription; so is the same one after UNSUBSCRIBE.
    await again.subscribe(`${base}/+`, { retainHandling: 1 });
    expect(await again.texts(1)).toEqual(["kept"]);
    await again.unsubscribe(`${base}/#`);
    await again.subscribe(`${base}/#`, { retainHandling: 1 });
    expect(await again.texts(1)).toEqual(["kept"]);
    await again.silence(again);
  });

  it("[MQTT5-3.3.1-11] Retain Handling 2 sends none", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.publish(topic, "kept", { qos: 1, retain: true });
    await client.subscribe(topic, { retainHandling: 2 });
    await client.publish(topic, "live", { qos: 0 });
    expect(await client.texts(1)).toEqual(["live"]);
    await client.silence(client);
  });

  it("[5.0/3.3.1.3/no-retained-on-resume] resuming a session sends no retained messages", async () => {
    const clientId = unique();
    const topic = unique();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.publish(topic, "kept", { qos: 1, retain: true });
    await client.subscribe(topic, { qos: 1 });
    await client.texts(1);
    await client.close();
    const again = await broker.connect({ clientId, clean: false });
    await again.silence(again);
  });

  it("[MQTT5-3.3.1-12] [MQTT5-3.3.1-13] [5.0/3.3.1.3/subscribe-flag] live messages keep RETAIN with Retain As Published only; stored ones always have it", async () => {
    const client = await broker.connect();
    const plain = await broker.connect();
    const topic = unique();
    await client.publish(topic, "kept", { qos: 1, retain: true });
    await client.subscribe(topic, { retainAsPublished: true });
    await plain.subscribe(topic, { retainAsPublished: false });
    expect([(await client.message()).retain, (await plain.message()).retain]).toEqual([true, true]);
    for (const qos of [0, 1] as const) {
      for (const retain of [true, false]) {
        await client.publish(topic, "live", { qos, retain });
        expect([(await client.message()).retain, (await plain.message()).retain]).toEqual([retain, false]);
      }
    }
  });

  it("[MQTT5-3.3.1-13] a queued message keeps RETAIN as its subscription asks", async () => {
    const clientId = unique();
    const base = unique();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.subscribe([request(`${base}/rap`, 1, { retainAsPublished: true }), request(`${base}/plain`, 1)]);
    await client.close();
    const publisher = await broker.connect();
    await publisher.publish(`${base}/rap`, "1", { qos: 1, retain: true });
    await publisher.publish(`${base}/plain`, "2", { qos: 1, retain: true });
    const again = await broker.connect({ clientId, clean: false });
    const retained = (await again.messages(2)).map((message) => [textOf(message), message.retain]).sort();
    expect(retained).toEqual([
      ["1", true],
      ["2", false],
    ]);
  });

  it("[MQTT5-3.3.2-2] [MQTT5-4.7.0-1] ends a connection that publishes to a topic with wildcards, and forwards nothing", async () => {
    const base = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(`${base}/#`);
    for (const topic of [`${base}/+`, `${base}/#`, `${base}/a+`]) {
      expect(await reaction(broker, raw(0x32, field(topic), "0001 00"))).toBe(0x90);
      expect(await reaction(broker, raw(0x31, field(topic), "00"))).toBe(0x90);
    }
    await watcher.silence(watcher);
  });

  it("[5.0/3.3.2.1/empty] [MQTT5-4.7.3-1] refuses an empty topic without alias with 0x82", async () => {
    expect(await reaction(broker, raw(0x30, field(""), "00"))).toBe(0x82);
  });

  it("[MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18] [MQTT5-3.3.2-20] forwards properties unaltered: live, queued, retained, at every QoS", async () => {
    const clientId = unique();
    const topic = unique();
    const offline = await broker.connect({ clientId, properties: DURABLE });
    await offline.subscribe(topic, { qos: 2 });
    await offline.close();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 2 });
    for (const qos of [0, 1, 2] as const) {
      await client.publish(topic, "x", { qos, retain: qos === 2, properties: PROPERTIES });
      expect((await client.message()).properties).toEqual(PROPERTIES);
    }
    const later = await broker.connect();
    await later.subscribe(topic);
    expect((await later.message()).properties).toEqual(PROPERTIES);
    const back = await broker.connect({ clientId, clean: false });
    for (const { properties } of await back.messages(2)) expect(properties).toEqual(PROPERTIES);
  });

  it("[MQTT5-3.3.2-4] forwards Payload Format Indicator 0 and adds nothing to a message without properties", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.subscribe(topic, { qos: 1 });
    await client.publish(topic, "", { qos: 1, properties: { payloadFormatIndicator: 0 } });
    expect((await client.message()).properties).toEqual({ payloadFormatIndicator: 0 });
    await client.publish(topic, "", { qos: 1 });
    expect((await client.message()).properties).toEqual({});
  });

  it("[5.0/2.2.2.2/invalid] refuses a Payload Format Indicator above 1", async () => {
    expect(await reaction(broker, raw(0x30, field("t"), section("01 02")))).toBe(0x82);
  });

  it("[MQTT5-3.3.2-14] refuses a Response Topic with wildcards with 0x82", async () => {
    for (const topic of ["a/+", "#", "a/#"]) {
      expect(await reaction(broker, raw(0x30, field("t"), section(text(0x08, topic))))).toBe(0x82);
    }
  });

  it("[MQTT5-4.7.3-1] refuses an empty Response Topic with 0x82, in PUBLISH and in a will", async () => {
    expect(await reaction(broker, raw(0x30, field("t"), section(text(0x08, ""))))).toBe(0x82);
    const will = { topic: "t", payload: "", properties: { responseTopic: "" } };
    expect(await refusal(broker, { clientId: unique("c"), will })).toBe(0x82);
  });

  it("[5.0/compat/props] gives 3.1.1 subscribers the message without properties, and their messages to 5.0 subscribers", async () => {
    const topic = unique();
    const old = await broker.connect({ version: 4 });
    const client = await broker.connect();
    await client.publish(topic, "kept", { qos: 1, retain: true, properties: PROPERTIES });
    await old.subscribe(topic, { qos: 1 });
    await client.subscribe(topic, { retainHandling: 2, properties: { subscriptionIdentifiers: [7] } });
    const kept = await old.message();
    expect(hex(old.rawOf(kept))).toBe(hex(raw(0x33, field(topic), [0, kept.packetId], Buffer.from("kept"))));
    await client.publish(topic, "live", { properties: { ...PROPERTIES, messageExpiryInterval: 60 }, retain: true });
    expect(hex(old.rawOf(await old.message()))).toBe(hex(raw(0x30, field(topic), Buffer.from("live"))));
    expect(textOf(await client.message())).toBe("live");
    // No Local 0: a 3.1.1 client gets what it publishes itself.
    await old.publish(topic, "old");
    expect((await old.message()).retain).toBe(false);
    expect((await client.message()).properties).toEqual({ subscriptionIdentifiers: [7] });
    await client.publish(topic, "", { qos: 1, retain: true });
  });

  it("[MQTT5-3.3.4-1] answers by QoS: nothing, PUBACK, PUBREC", async () => {
    const client = await broker.connect();
    client.send(publishPacket("t", "", { qos: 0 }));
    client.send(publishPacket("t", "", { qos: 1, packetId: 1 }));
    expect((await client.expect(PUBACK)).packetId).toBe(1);
    client.send(publishPacket("t", "", { qos: 2, packetId: 2 }));
    expect((await client.expect(PUBREC)).packetId).toBe(2);
    await client.silence();
  });

  it("[MQTT5-3.3.4-2] [MQTT5-3.3.4-3] [MQTT5-3.3.4-4] overlapping subscriptions give one copy at the highest QoS with all identifiers", async () => {
    const base = unique();
    const client = await broker.connect();
    const filters = [
      [`${base}/a`, 0, 1],
      [`${base}/+`, 2, 268_435_455],
      [`${base}/#`, 1, 300],
      [`+/a`, 1, 0],
      [`${base}/b`, 2, 4],
    ] as const;
    for (const [filter, qos, identifier] of filters) {
      const properties = identifier === 0 ? {} : { subscriptionIdentifiers: [identifier] };
      await client.subscribe(filter, { qos, retainHandling: 2, properties });
    }
    for (const qos of [2, 1, 0] as const) {
      await client.publish(`${base}/a`, "", { qos });
      const message = await client.message();
      expect(message.qos).toBe(qos);
      expect([...message.properties.subscriptionIdentifiers!].sort((a, b) => a - b)).toEqual([1, 300, 268_435_455]);
    }
    await client.silence(client);
  });

  it("[MQTT5-3.3.4-3] [MQTT5-3.3.4-5] each client gets its own identifiers only, and none where it gave none", async () => {
    const topic = unique();
    const clients = await Promise.all([0, 1, 2].map(() => broker.connect()));
    for (const [i, client] of clients.entries()) {
      await client.subscribe(topic, { qos: 1, properties: i === 0 ? {} : { subscriptionIdentifiers: [i] } });
    }
    for (const qos of [0, 1] as const) {
      await clients[0]!.publish(topic, "", { qos });
      const identifiers = await Promise.all(clients.map(async (client) => (await client.message()).properties.subscriptionIdentifiers));
      expect(identifiers).toEqual([undefined, [1], [2]]);
    }
  });

  it("[5.0/3.3.4/same-id] an identifier of two matching subscriptions stands twice", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe([request(topic), request(`${topic}/#`)], { properties: { subscriptionIdentifiers: [5] } });
    await client.publish(topic);
    expect((await client.message()).properties.subscriptionIdentifiers).toEqual([5, 5]);
  });

  it("[5.0/3.3.4/retained-id] retained messages carry the identifier of the SUBSCRIBE that asked for them", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.publish(topic, "kept", { qos: 1, retain: true });
    for (const [qos, identifier] of [
      [0, 8],
      [1, 9],
    ] as const) {
      await client.subscribe(topic, { qos, properties: { subscriptionIdentifiers: [identifier] } });
      expect((await client.message()).properties.subscriptionIdentifiers).toEqual([identifier]);
    }
  });

  it("[MQTT5-3.3.4-6] refuses a Subscription Identifier in a client's PUBLISH with 0x82 and forwards nothing", async () => {
    const topic = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(topic);
    expect(await reaction(broker, raw(0x30, field(topic), section("0b 01")))).toBe(0x82);
    expect(await reaction(broker, raw(0x31, field(topic), section("0b 01 0b 02"), "ff"))).toBe(0x82);
    await watcher.silence(watcher);
  });

  it("[5.0/3.3.2.3.8/zero] refuses Subscription Identifier 0, and takes the largest", async () => {
    expect(await reaction(broker, raw(0x82, "0001", section("0b 00"), field("t"), "00"))).toBe(0x82);
    expect(await reaction(broker, raw(0x82, "0001", section("0b 80808080 01"), field("t"), "00"))).toBe(0x81);
    const client = await broker.connect();
    const { reasonCodes } = await client.subscribe(unique(), { properties: { subscriptionIdentifiers: [268_435_455] } });
    expect(reasonCodes).toEqual([0]);
  });
});

describe5(
  (broker) => {
    it("[MQTT5-3.3.4-7] [5.0/3.3.4/recvmax] a client that exceeds our Receive Maximum is disconnected with 0x93", async () => {
      const client = await broker.connect();
      expect(client.connack?.properties.receiveMaximum).toBe(2);
      for (const packetId of [1, 2, 3]) client.send(publishPacket(unique(), "", { qos: 2, packetId }));
      const { packetsBefore } = await client.closed;
      expect(packetsBefore.at(-1)).toMatchObject({ type: 14, reasonCode: 0x93 });
      for (const packet of packetsBefore.slice(0, -1)) expect(packet.type === PUBREC && packet.reasonCode).toBeLessThan(0x80);
    });

    it("[MQTT5-3.3.4-7] counts a client's messages until PUBACK, PUBCOMP or a refusing PUBREC, and repeats once", async () => {
      const client = await broker.connect();
      for (let i = 0; i < 5; i += 1) {
        await client.publish(unique(), "", { qos: 1 });
        await client.publish(unique(), "", { qos: 2 });
        // Refused: clients do not publish below $SYS.
        expect((await client.publish("$SYS/x", "", { qos: 2 }))?.reasonCode).toBe(0x87);
      }
      for (const packetId of [100, 101]) {
        client.send(publishPacket(unique(), "", { qos: 2, packetId }));
        await client.acknowledged(PUBREC, packetId);
      }
      client.send(publishPacket(unique(), "", { qos: 2, packetId: 101, dup: true }));
      await client.acknowledged(PUBREC, 101);
      const completed = client.acknowledged(PUBCOMP, 101);
      client.send(acknowledgement(6, 101));
      await completed;
      await client.publish(unique(), "", { qos: 1 });
      await client.ping();
    });

    it("[5.0/3.3.4/recvmax] counts exchanges that a resumed session has open", async () => {
      const clientId = unique();
      const client = await broker.connect({ clientId, properties: DURABLE });
      for (const packetId of [1, 2]) {
        client.send(publishPacket(unique(), "", { qos: 2, packetId }));
        await client.acknowledged(PUBREC, packetId);
      }
      await client.close();
      const again = await broker.connect({ clientId, clean: false });
      again.send(publishPacket(unique(), "", { qos: 2, packetId: 3 }));
      expect((await ended(again)).reasonCode).toBe(0x93);
    });
  },
  { RECEIVE_MAXIMUM: "2" },
);

describe5(
  (broker) => {
    it("[MQTT5-3.4.2-1] [MQTT5-3.5.2-1] refuses what says it is UTF-8 and is not with 0x99, where the operator asks for it", async () => {
      const client = await broker.connect();
      const topic = unique();
      await client.subscribe(topic);
      const properties = { payloadFormatIndicator: 1 };
      const broken = Uint8Array.of(0xff);
      expect((await client.publish(topic, broken, { qos: 1, properties }))?.reasonCode).toBe(0x99);
      expect((await client.publish(topic, broken, { qos: 2, properties }))?.reasonCode).toBe(0x99);
      expect((await client.publish(topic, broken, { qos: 1 }))?.reasonCode).toBe(0);
      expect((await client.publish(topic, "ok", { qos: 1, properties }))?.reasonCode).toBe(0);
      expect((await client.messages(2)).map(({ payload }) => hex(payload))).toEqual(["ff", hex(Buffer.from("ok"))]);
    });
  },
  { VALIDATE_PAYLOAD_FORMAT: "true" },
);
