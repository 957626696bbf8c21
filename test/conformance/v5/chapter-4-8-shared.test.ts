/** MQTT 5.0, chapter 4.8.2: Shared Subscriptions. */

import { expect, it } from "vitest";
import { PUBCOMP, PUBLISH, PUBREC, PUBREL, type QoS } from "../../../src/mqtt/packet.ts";
import { acknowledgement, type MqttTestClient, request, textOf, unique } from "../../support/mqtt-client.ts";
import { type Broker5, describe5, ended, field, raw, reaction } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

const textsOf = (client: MqttTestClient): string[] => client.arrived.flatMap((packet) => (packet.type === PUBLISH ? [textOf(packet)] : []));

/** Members of `$share/g/{topic}`. */
async function group(broker: Broker5, count: number, qos: QoS = 2, options = {}) {
  const topic = unique();
  const filter = `$share/g/${topic}`;
  const publisher = await broker.connect();
  const members = await Promise.all(Array.from({ length: count }, () => broker.connect({ properties: DURABLE, ...options })));
  for (const member of members) expect((await member.subscribe(filter, { qos })).reasonCodes).toEqual([qos]);
  return { topic, filter, publisher, members };
}

/** A round trip through each member's object: what was acknowledged to its publisher has arrived. */
async function settle(members: readonly MqttTestClient[]): Promise<void> {
  await Promise.all(members.map((member) => member.unsubscribe("none")));
}

/** The member that has the message, and the others. */
async function chosen(members: readonly MqttTestClient[], text: string): Promise<[MqttTestClient, MqttTestClient[]]> {
  await settle(members);
  const having = members.filter((member) => textsOf(member).includes(text));
  expect(having).toHaveLength(1);
  return [having[0]!, members.filter((member) => member !== having[0])];
}

describe5((broker) => {
  it("[MQTT5-4.8.2-1] [MQTT5-4.8.2-2] refuses shared filters without name or filter, and names with wildcards, with 0x8F", async () => {
    const client = await broker.connect();
    const wrong = [
      "$share//a",
      "$share/",
      "$share/g",
      "$share/g/",
      "$share/+/a",
      "$share/#/a",
      "$share/g+/a",
      "$share/g#/a",
      "$share/g/a#",
    ];
    expect((await client.subscribe(wrong.map((filter) => request(filter)))).reasonCodes).toEqual(wrong.map(() => 0x8f));
    expect((await client.unsubscribe(...wrong)).reasonCodes).toEqual(wrong.map(() => 0x8f));
    const right = ["$share/g/a", "$share/g//", "$share/g/+/#", "$share/ä b/a"];
    expect((await client.subscribe(right.map((filter) => request(filter)))).reasonCodes).toEqual(right.map(() => 0));
    // A filter like others, that of a topic which begins with $.
    expect((await client.subscribe("$share")).reasonCodes).toEqual([0x87]);
  });

  it("[MQTT5-3.8.3-4] refuses No Local on a shared filter with 0x82, and subscribes to nothing", async () => {
    expect(await reaction(broker, raw(0x82, "0001 00", field("$share/g/a"), "04"))).toBe(0x82);
    const clientId = unique();
    const client = await broker.connect({ clientId, properties: DURABLE });
    const topic = unique();
    client.sendBytes(raw(0x82, "0001 00", field(topic), "01", field(`$share/g/${topic}`), "05"));
    expect((await ended(client)).reasonCode).toBe(0x82);
    const again = await broker.connect({ clientId, clean: false });
    await again.publish(topic, "x", { qos: 1 });
    await again.silence(again);
  });

  it("[5.0/4.8.2/one] [5.0/4.7.2/explicit] each message goes to one member of each group", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    const filters = [`$share/g/${topic}/+`, `$share/h/${topic}/+`, `$share/g/${topic}/#`];
    const groups: MqttTestClient[][] = [];
    for (const filter of filters) {
      const members = await Promise.all([1, 2, 3].map(() => broker.connect()));
      for (const member of members) await member.subscribe(filter, { qos: 1 });
      groups.push(members);
    }
    const sent: string[] = [];
    for (let i = 0; i < 30; i += 1) {
      sent.push(String(i));
      await publisher.publish(`${topic}/${i % 7}`, String(i), { qos: (i % 3) as QoS });
    }
    for (const members of groups) {
      await Promise.all(members.map((member) => member.silence(publisher).catch(() => {})));
      const got = members.flatMap(textsOf).filter((each) => each !== "");
      expect(got.sort((a, b) => Number(a) - Number(b))).toEqual(sent);
      for (const member of members) expect(textsOf(member).length).toBeGreaterThan(0);
    }
  });

  it("[5.0/4.8.2/one] shares equally between members, wherever their sessions are", async () => {
    const { topic, publisher, members } = await group(broker, 10, 1);
    await Promise.all(Array.from({ length: 200 }, (_, i) => publisher.publish(topic, String(i), { qos: 1 })));
    await settle(members);
    for (const member of members) {
      expect(textsOf(member).length).toBeGreaterThanOrEqual(18);
      expect(textsOf(member).length).toBeLessThanOrEqual(22);
    }
  });

  it("[MQTT5-4.8.2-3] delivers at the member's own QoS", async () => {
    for (const qos of [0, 1, 2] as const) {
      const { topic, publisher, members } = await group(broker, 1, qos);
      for (const published of [0, 1, 2] as const) {
        await publisher.publish(topic, "", { qos: published });
        expect((await members[0]!.message()).qos).toBe(Math.min(qos, published));
      }
    }
  });

  it("[5.0/3.3.4/shared-id] a member gets its own identifier only", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    const members = await Promise.all([1, 2].map(() => broker.connect()));
    for (const [i, member] of members.entries()) {
      await member.subscribe(`$share/g/${topic}`, { qos: 1, properties: { subscriptionIdentifiers: [100 + i] } });
    }
    for (let i = 0; i < 10; i += 1) await publisher.publish(topic, String(i), { qos: 1 });
    await settle(members);
    for (const [i, member] of members.entries()) {
      const messages = member.arrived.filter((packet) => packet.type === PUBLISH);
      expect(messages.length).toBeGreaterThan(0);
      for (const { properties } of messages) expect(properties.subscriptionIdentifiers).toEqual([100 + i]);
    }
  });

  it("[5.0/4.8.2/plus-normal] a normal subscription of a member gets its own copy", async () => {
    const { topic, publisher, members } = await group(broker, 1, 1);
    const [member] = members;
    await member!.subscribe(topic, { qos: 1 });
    await publisher.publish(topic, "x", { qos: 1 });
    expect(await member!.texts(2)).toEqual(["x", "x"]);
    await member!.silence(publisher);
  });

  it("[5.0/4.8.2/no-retained] sends no retained messages, to the first member nor to a later one", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.publish(topic, "kept", { qos: 1, retain: true });
    for (let i = 0; i < 2; i += 1) {
      const member = await broker.connect();
      await member.subscribe(`$share/g/${topic}`, { qos: 1, retainHandling: 0 });
      await member.subscribe(`$share/g/${topic}`, { qos: 1, retainHandling: 0 });
      await member.silence(client);
    }
  });

  it("[5.0/4.8.2/resub] [5.0/3.10.4/share] a second SUBSCRIBE changes options; one UNSUBSCRIBE with the whole filter leaves", async () => {
    const { topic, filter, publisher, members } = await group(broker, 1, 2);
    const member = members[0]!;
    await member.subscribe(filter, { qos: 0 });
    await publisher.publish(topic, "once", { qos: 2 });
    expect(await member.message()).toMatchObject({ qos: 0 });
    await member.silence(publisher);
    expect((await member.unsubscribe(topic, `$share/h/${topic}`)).reasonCodes).toEqual([0x11, 0x11]);
    await publisher.publish(topic, "still", { qos: 1 });
    expect(await member.texts(1)).toEqual(["still"]);
    expect((await member.unsubscribe(filter)).reasonCodes).toEqual([0]);
    await publisher.publish(topic, "gone", { qos: 1 });
    await member.silence(publisher);
  });

  it("[MQTT5-4.8.2-4] a QoS 2 message that was begun with a member is finished with it, before and after PUBREC", async () => {
    const { topic, publisher, members } = await group(broker, 2, 2, { autoAck: false });
    await publisher.publish(topic, "x", { qos: 2 });
    const [member, others] = await chosen(members, "x");
    const options = { clientId: member.clientId, clean: false, properties: DURABLE, autoAck: false };
    await member.close();
    const second = await broker.connect(options);
    const { packetId } = await second.message();
    second.send(acknowledgement(PUBREC, packetId));
    await second.expect(PUBREL);
    await second.close();
    const third = await broker.connect(options);
    expect((await third.expect(PUBREL)).packetId).toBe(packetId);
    third.send(acknowledgement(PUBCOMP, packetId));
    await third.silence();
    for (const other of others) await other.silence(publisher);
  });

  it("[MQTT5-4.8.2-5] a QoS 2 message that was begun with a member whose session ends goes to nobody else", async () => {
    const { topic, publisher, members } = await group(broker, 2, 2, { autoAck: false });
    await publisher.publish(topic, "x", { qos: 2 });
    const [member, others] = await chosen(members, "x");
    await member.disconnect(0, { sessionExpiryInterval: 0 });
    await others[0]!.silence(publisher);
    await publisher.publish(topic, "next", { qos: 1 });
    expect(await others[0]!.texts(1)).toEqual(["next"]);
  });

  it("[5.0/4.8.2/qos1-handover] an unacknowledged QoS 1 message goes to another member when its session ends", async () => {
    const { topic, publisher, members } = await group(broker, 2, 1, { autoAck: false });
    await publisher.publish(topic, "x", { qos: 1 });
    const [member, others] = await chosen(members, "x");
    await member.disconnect(0, { sessionExpiryInterval: 0 });
    expect(await others[0]!.texts(1)).toEqual(["x"]);
    await others[0]!.silence(publisher);
  });

  it("[MQTT5-4.8.2-6] a message that a member refuses is discarded", async () => {
    const { topic, publisher, members } = await group(broker, 2, 2, { autoAck: false });
    for (const qos of [1, 2] as const) {
      await publisher.publish(topic, `${qos}`, { qos });
      const [member, others] = await chosen(members, `${qos}`);
      const { packetId } = await member.message();
      member.send(acknowledgement(qos === 1 ? 4 : PUBREC, packetId, 0x80));
      await member.silence(publisher);
      for (const other of others) await other.silence(publisher);
    }
  });

  it("[5.0/4.8.2/end] sessions that are away stay members; the subscription ends with its last session", async () => {
    const { topic, publisher, members } = await group(broker, 2, 1);
    for (const member of members) await member.close();
    const sent = ["1", "2", "3", "4"];
    for (const each of sent) await publisher.publish(topic, each, { qos: 1 });
    const back = await Promise.all(members.map(({ clientId }) => broker.connect({ clientId, clean: false })));
    await settle(back);
    expect(back.flatMap(textsOf).sort()).toEqual(sent);
    for (const each of back) await each.disconnect(0, { sessionExpiryInterval: 0 }).catch(() => {});
    await publisher.publish(topic, "nobody", { qos: 1 });
    const late = await broker.connect();
    await late.subscribe(`$share/g/${topic}`, { qos: 1 });
    await late.silence(publisher);
  });

  it("[5.0/4.8.2/one] while a member is connected, it gets the messages", async () => {
    const { topic, publisher, members } = await group(broker, 3, 1);
    const [stays, ...leave] = members;
    for (const member of leave) await member.close();
    for (const each of ["1", "2", "3", "4", "5", "6"]) await publisher.publish(topic, each, { qos: 1 });
    expect((await stays!.texts(6)).sort()).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  it("[5.0/3.1.2.11.4/shared] a message that is too large for one member never reaches it, and the group goes on", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    const small = await broker.connect({ properties: { maximumPacketSize: 60 } });
    const large = await broker.connect();
    for (const member of [small, large]) await member.subscribe(`$share/g/${topic}`, { qos: 1 });
    for (let i = 0; i < 4; i += 1) await publisher.publish(topic, "large".repeat(30), { qos: 1 });
    for (let i = 0; i < 8; i += 1) await publisher.publish(topic, String(i), { qos: 1 });
    await settle([small, large]);
    expect(textsOf(small).filter((each) => each.length > 20)).toEqual([]);
    const rest = [...textsOf(small), ...textsOf(large)].filter((each) => each.length === 1);
    expect(rest.sort()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
    expect(textsOf(small).length).toBeGreaterThan(0);
  });
});
