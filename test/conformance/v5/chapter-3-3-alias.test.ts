/** MQTT 5.0, chapter 3.3.2.3.4: Topic Aliases of the client and of the broker. */

import { expect, it } from "vitest";
import { PUBCOMP, PUBREC, PUBREL, type Publish } from "../../../src/mqtt/packet.ts";
import { acknowledgement, type MqttTestClient, publishPacket, textOf, unique } from "../../support/mqtt-client.ts";
import { describe5, ended, field, raw, reaction, section } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

/** The aliases of a client's PUBLISH packets, and the topics that they stand for: follows them as a client must. */
function topicsOf(messages: readonly Publish[]): string[] {
  const table = new Map<number, string>();
  return messages.map(({ topic, properties: { topicAlias } }) => {
    if (topicAlias === undefined) return topic;
    if (topic !== "") table.set(topicAlias, topic);
    return table.get(topicAlias) ?? `unknown alias ${topicAlias}`;
  });
}

const aliasMaximumOf = (client: MqttTestClient): number => client.connack?.properties.topicAliasMaximum ?? 0;

describe5((broker) => {
  it("[MQTT5-3.3.2-12] [MQTT5-3.2.2-17] [5.0/3.3.2.3.4/no-leak] takes every alias from 1 to its maximum, and passes on the topic instead", async () => {
    const clientId = unique();
    const topic = unique();
    const offline = await broker.connect({ clientId, properties: DURABLE });
    await offline.subscribe(topic, { qos: 1 });
    await offline.close();
    const client = await broker.connect();
    const watcher = await broker.connect();
    await watcher.subscribe(topic, { qos: 2 });
    const max = aliasMaximumOf(client);
    expect(max).toBeGreaterThan(1);
    for (const topicAlias of [1, max]) {
      await client.publish(topic, "set", { qos: 1, properties: { topicAlias } });
      await client.publish("", "0", { qos: 0, properties: { topicAlias } });
      await client.publish("", "1", { qos: 1, properties: { topicAlias } });
      await client.publish("", "2", { qos: 2, retain: true, properties: { topicAlias } });
    }
    const messages = await watcher.messages(8);
    expect(messages.map(textOf).sort()).toEqual(["0", "0", "1", "1", "2", "2", "set", "set"]);
    for (const message of messages) expect(message).toMatchObject({ topic, properties: {} });
    const later = await broker.connect();
    await later.subscribe(topic);
    expect(await later.message()).toMatchObject({ topic, retain: true, properties: {} });
    const back = await broker.connect({ clientId, clean: false });
    for (const message of await back.messages(6)) expect(message).toMatchObject({ topic, properties: {} });
    await client.publish("", "", { qos: 1, retain: true, properties: { topicAlias: max } });
  });

  it("[5.0/3.3.2.3.4/remap] maps an alias to another topic when it comes with one", async () => {
    const [first, second] = [unique(), unique()];
    const client = await broker.connect();
    await client.subscribe(first);
    await client.subscribe(second);
    const properties = { topicAlias: 1 };
    for (const [topic, payload] of [
      [first, "1"],
      ["", "2"],
      [second, "3"],
      ["", "4"],
    ] as const) {
      await client.publish(topic, payload, { qos: 1, properties });
    }
    expect((await client.messages(4)).map((message) => [message.topic, textOf(message)]).sort()).toEqual(
      [
        [first, "1"],
        [first, "2"],
        [second, "3"],
        [second, "4"],
      ].sort(),
    );
  });

  it("[MQTT5-3.3.2-8] [MQTT5-3.3.2-9] [MQTT5-3.2.2-17] [5.0/3.3.4/alias-unknown] refuses alias 0 and aliases above its maximum with 0x94", async () => {
    const max = aliasMaximumOf(await broker.connect());
    for (const alias of [0, max + 1, 65_535]) {
      const property = [0x23, alias >> 8, alias & 0xff];
      expect(await reaction(broker, raw(0x30, field("t"), section(property))), `${alias}`).toBe(0x94);
      expect(await reaction(broker, raw(0x30, field(""), section(property))), `${alias}`).toBe(0x94);
    }
  });

  it("[5.0/3.3.4/alias-unknown] refuses an alias that no topic was given with 0x82, and forwards nothing", async () => {
    expect(await reaction(broker, raw(0x30, field(""), section("23 0001")))).toBe(0x82);
    expect(await reaction(broker, raw(0x30, field("t"), section("23 0001")), raw(0x32, field(""), "0001", section("23 0002")))).toBe(0x82);
  });

  it("[MQTT5-3.3.2-7] forgets aliases with the connection, not with the session", async () => {
    const clientId = unique();
    const first = await broker.connect({ clientId, properties: DURABLE });
    await first.publish(unique(), "", { qos: 1, properties: { topicAlias: 1 } });
    await first.close();
    const second = await broker.connect({ clientId, clean: false });
    expect(second.connack?.sessionPresent).toBe(true);
    second.send(publishPacket("", "", { properties: { topicAlias: 1 } }));
    expect((await ended(second)).reasonCode).toBe(0x82);
  });

  it("[MQTT5-3.3.2-7] a repeat of an aliased QoS 2 message is answered again and not delivered twice", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 2 });
    const packet = publishPacket(topic, "once", { qos: 2, packetId: 5, properties: { topicAlias: 1 } });
    const answers = [client.acknowledged(PUBREC, 5), client.acknowledged(PUBREC, 5)];
    client.send(packet, { ...packet, dup: true, topic: "" });
    await Promise.all(answers);
    const completed = client.acknowledged(PUBCOMP, 5);
    client.send(acknowledgement(PUBREL, 5));
    await completed;
    expect(await client.texts(1)).toEqual(["once"]);
    await client.silence(client);
  });

  it("[MQTT5-3.1.2-26] [MQTT5-3.3.2-11] sends aliases within the client's maximum only, and each with its topic first", async () => {
    for (const topicAliasMaximum of [1, 2, 10]) {
      const base = unique();
      const client = await broker.connect({ properties: { topicAliasMaximum } });
      await client.subscribe(`${base}/#`, { qos: 1 });
      const publisher = await broker.connect();
      const sent: string[] = [];
      for (let i = 0; i < 24; i += 1) {
        const topic = `${base}/${i % 3}`;
        sent.push(topic);
        await publisher.publish(topic, "", { qos: i % 2 === 0 ? 1 : 0 });
        // One after the other, so that they come in the order of the list.
        if (i % 2 === 1) await publisher.publish(topic, "", { qos: 1 }).then(() => sent.push(topic));
      }
      const messages = await client.messages(sent.length);
      const aliases = messages.map(({ properties }) => properties.topicAlias).filter((alias) => alias !== undefined);
      for (const alias of aliases) {
        expect(alias).toBeGreaterThan(0);
        expect(alias).toBeLessThanOrEqual(topicAliasMaximum);
      }
      expect(aliases.length).toBeGreaterThan(0);
      expect(messages.some(({ topic }) => topic === "")).toBe(true);
      expect(topicsOf(messages).sort()).toEqual(sent.sort());
    }
  });

  it("[MQTT5-3.1.2-27] [MQTT5-3.3.2-7] sends no alias where the client takes none, and starts anew with each connection", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    for (const [i, topicAliasMaximum] of [undefined, 0, 5, 5, 0].entries()) {
      const properties = { ...DURABLE, ...(topicAliasMaximum === undefined ? {} : { topicAliasMaximum }) };
      const client = await broker.connect({ clientId, clean: i === 0, properties });
      if (i === 0) await client.subscribe(topic, { qos: 1 });
      for (let j = 0; j < 6; j += 1) await publisher.publish(topic, "", { qos: 1 });
      const messages = await client.messages(6);
      expect(messages[0]!.topic).toBe(topic);
      expect(topicsOf(messages)).toEqual(Array(6).fill(topic));
      if (topicAliasMaximum !== 5) for (const message of messages) expect(message.properties.topicAlias).toBeUndefined();
      await client.close();
    }
  });

  it("[5.0/3.3.2.3.4/remap] aliases of the two directions have nothing to do with each other", async () => {
    const [own, other] = [unique(), unique()];
    const client = await broker.connect({ properties: { topicAliasMaximum: 1 } });
    const publisher = await broker.connect();
    await client.subscribe(other);
    for (let i = 0; i < 3; i += 1) await publisher.publish(other, "", { qos: 1 });
    expect(topicsOf(await client.messages(3))).toEqual([other, other, other]);
    await publisher.subscribe(own);
    await client.publish(own, "1", { properties: { topicAlias: 1 } });
    await client.publish("", "2", { properties: { topicAlias: 1 } });
    expect(await publisher.texts(2)).toEqual(["1", "2"]);
  });
});

describe5(
  (broker) => {
    it("[MQTT5-3.2.2-18] announces no Topic Alias Maximum where none is taken, and answers any alias with 0x94", async () => {
      const client = await broker.connect();
      expect(aliasMaximumOf(client)).toBe(0);
      expect(await reaction(broker, raw(0x30, field("t"), section("23 0001")))).toBe(0x94);
    });
  },
  { TOPIC_ALIAS_MAXIMUM: "0" },
);
