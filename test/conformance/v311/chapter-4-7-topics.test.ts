/** Chapter 4.7 of MQTT 3.1.1: Topic Names and Topic Filters. */

import { expect, it } from "vitest";
import { PUBLISH } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { request, textOf, unique } from "../../support/mqtt-client.ts";
import { field, rawPacket } from "../../support/raw-packet.ts";
import { CLOSE_POLICY, expectEachCloses, usersOf } from "./support.ts";

/** Every filter, and which of the topics it matches; ROOT stands for a level of the test's own. */
const TOPICS = ["ROOT", "ROOT/", "ROOT/a", "ROOT/a/", "ROOT//a", "/ROOT", "ROOT/a/b", "ROOT/A", "ROOT/ a", "ROOT/a/b/c"];
const MATCHES: Readonly<Record<string, readonly string[]>> = {
  "ROOT/#": ["ROOT", "ROOT/", "ROOT/a", "ROOT/a/", "ROOT//a", "ROOT/a/b", "ROOT/A", "ROOT/ a", "ROOT/a/b/c"],
  "ROOT/+": ["ROOT/", "ROOT/a", "ROOT/A", "ROOT/ a"],
  "ROOT/+/#": ["ROOT/", "ROOT/a", "ROOT/a/", "ROOT//a", "ROOT/a/b", "ROOT/A", "ROOT/ a", "ROOT/a/b/c"],
  "ROOT/a/#": ["ROOT/a", "ROOT/a/", "ROOT/a/b", "ROOT/a/b/c"],
  "ROOT/+/": ["ROOT/a/"],
  "ROOT//#": ["ROOT/", "ROOT//a"],
  "ROOT/+/+": ["ROOT/a/", "ROOT//a", "ROOT/a/b"],
  "ROOT/+/b/+": ["ROOT/a/b/c"],
  "+/ROOT": ["/ROOT"],
  "/ROOT": ["/ROOT"],
  "ROOT/": ["ROOT/"],
  ROOT: ["ROOT"],
  "ROOT/a": ["ROOT/a"],
};

describeTopologies((broker) => {
  it("[3.1.1/4.7/matching] [MQTT311-3.3.2-3] filters match exactly the topics that they should, live and retained", async () => {
    const root = unique();
    const own = (text: string): string => text.replace("ROOT", root);
    const clients = new Map(await Promise.all(Object.keys(MATCHES).map(async (filter) => [filter, await broker.connect()] as const)));
    for (const [filter, client] of clients) await client.subscribe(own(filter), { qos: 1 });
    const publisher = await broker.connect();
    for (const topic of TOPICS) await publisher.publish(own(topic), topic, { qos: 1 });
    for (const [filter, client] of clients) {
      expect(await client.texts(MATCHES[filter]!.length), filter).toEqual(MATCHES[filter]);
      await client.silence(publisher);
      await client.unsubscribe(own(filter));
    }
    // With nobody subscribed: what is retained just after a SUBACK may come as a live and as a retained copy.
    for (const topic of TOPICS) await publisher.publish(own(topic), topic, { qos: 1, retain: true });
    for (const [filter, client] of clients) {
      await client.subscribe(own(filter), { qos: 1 });
      expect((await client.texts(MATCHES[filter]!.length)).sort(), filter).toEqual([...MATCHES[filter]!].sort());
      await client.silence(publisher);
    }
  });

  it("[MQTT311-4.7.1-2] # anywhere but alone in the last level closes the connection", () =>
    expectEachCloses(broker, invalidFilters("a#", "a/b#", "#/a", "a/#/b", "##", "/#/", "+#", "a/#a")));

  it("[MQTT311-4.7.1-3] + that does not fill its level closes the connection", () =>
    expectEachCloses(broker, invalidFilters("a+", "+a", "a/b+", "a/+b/c", "++", "/a+/")));

  it("[MQTT311-4.7.1-2] [MQTT311-4.7.1-3] valid wildcards are granted", async () => {
    const client = await broker.connect();
    const filters = ["#", "+", "/#", "+/#", "/+", "+/+", "a/+/#", "+/a/+/b", "/", "//", "a//#"];
    expect((await client.subscribe(filters.map((filter) => request(filter)))).reasonCodes).toEqual(filters.map(() => 0));
  });

  it("[MQTT311-4.7.3-1] an empty Topic Filter closes the connection", () =>
    expectEachCloses(broker, {
      SUBSCRIBE: rawPacket(0x82, [0, 1], field(""), [0]),
      "among others": rawPacket(0x82, [0, 1], field("a"), [0], field(""), [0]),
    }));

  it("[MQTT311-4.7.3-1] an empty Topic Name closes the connection", () =>
    expectEachCloses(broker, { "QoS 0": rawPacket(0x30, field("")), "QoS 1": rawPacket(0x32, field(""), [0, 1]) }, CLOSE_POLICY));

  it("[MQTT311-4.7.3-2] U+0000 in a Topic Name or Topic Filter closes the connection", () =>
    expectEachCloses(broker, {
      PUBLISH: rawPacket(0x30, field("a\0b")),
      SUBSCRIBE: rawPacket(0x82, [0, 1], field("\0"), [0]),
      UNSUBSCRIBE: rawPacket(0xa2, [0, 1], field("a\0")),
    }));

  it("[MQTT311-4.7.3-3] names and filters of 65535 bytes work", async () => {
    const head = `${unique()}/`;
    const client = await broker.connect();
    for (const letter of ["x", "é"]) {
      const topic = head + letter.repeat(Math.floor((65_535 - head.length) / Buffer.byteLength(letter)));
      expect(65_535 - Buffer.byteLength(topic)).toBeLessThan(2);
      expect((await client.subscribe(topic, { qos: 1 })).reasonCodes).toEqual([1]);
      await client.publish(topic, "long", { qos: 1, retain: true });
      expect((await client.message()).topic).toBe(topic);
      await client.unsubscribe(topic);
    }
  });

  it("[MQTT311-4.7.3-4] names are compared as they are: case, accents composed or not, blanks and width all count", async () => {
    const root = unique();
    const names = ["Café", "Cafe\u0301", "café", " Café", "Café ", "Ｃafé", "ﬁ", "fi", "ß", "ss", "\u{1f600}"];
    const clients = await Promise.all(names.map(() => broker.connect()));
    for (const [index, name] of names.entries()) await clients[index]!.subscribe(`${root}/${name}`, { qos: 1 });
    const publisher = await broker.connect();
    for (const name of names) await publisher.publish(`${root}/${name}`, name, { qos: 1 });
    for (const [index, name] of names.entries()) {
      const message = await clients[index]!.message();
      expect(message.topic).toBe(`${root}/${name}`);
      expect(textOf(message)).toBe(name);
      await clients[index]!.silence();
    }
  });
});

describeTopologies((broker) => {
  it("$share/NAME/FILTER, which 3.1.1 does not know, is a shared subscription here too: each message goes to one member", async () => {
    const topic = unique();
    const members = [await broker.connect(), await broker.connect({ version: 3 }), await broker.connect({ version: 5 })];
    for (const member of members) expect((await member.subscribe(`$share/group/${topic}/#`, { qos: 1 })).reasonCodes).toEqual([1]);
    const publisher = await broker.connect();
    const payloads = Array.from({ length: 12 }, (_, index) => String(index));
    for (const payload of payloads) await publisher.publish(`${topic}/x`, payload, { qos: 1 });
    for (const member of members) await member.unsubscribe(`$share/group/${topic}/#`);
    const received = members.map(({ arrived }) => arrived.flatMap((packet) => (packet.type === PUBLISH ? [textOf(packet)] : [])));
    expect(received.flat().sort()).toEqual([...payloads].sort());
    expect(received.every((texts) => texts.length > 0)).toBe(true);
  });

  it("[MQTT311-4.8.0-1] a $share filter without name or filter closes the connection", () =>
    expectEachCloses(broker, invalidFilters("$share//a", "$share/name", "$share/name/", "$share/na+me/a", "$share/#/a")));
});

describeTopologies(
  (broker) => {
    it("[MQTT311-4.7.2-1] filters that begin with a wildcard do not match topics that begin with $, live or retained; others do", async () => {
      const admin = { userName: "admin", password: "admin" };
      const topic = `$test/${unique()}`;
      const blind = await broker.connect(admin);
      await blind.subscribe(["#", "+/#", "+/+", `+/${topic.slice(6)}`, "+/+/#"].map((filter) => request(filter, 1)));
      const seeing = await broker.connect(admin);
      await seeing.subscribe(topic, { qos: 1 });
      const wild = await broker.connect(admin);
      await wild.subscribe("$test/#", { qos: 1 });
      const all = await broker.connect(admin);
      await all.subscribe([request("#", 1), request("$test/+", 1)]);
      await seeing.publish(topic, "system", { qos: 1 });
      for (const client of [seeing, wild, all]) expect(await client.texts(1)).toEqual(["system"]);
      for (const client of [seeing, wild, all, blind]) await client.silence();
      await seeing.publish(topic, "system", { qos: 1, retain: true });
      const later = await broker.connect(admin);
      await later.subscribe([request("#", 1), request("+/+", 1)]);
      await later.silence(seeing);
      await later.subscribe("$test/+", { qos: 1 });
      expect(await later.texts(1)).toEqual(["system"]);
    });
  },
  { USERS: await usersOf({ user: "admin", password: "admin", publish: ["#", "$test/#"], subscribe: ["#", "$test/#"] }) },
);

function invalidFilters(...filters: readonly string[]): Record<string, Uint8Array> {
  return Object.fromEntries(filters.map((filter) => [filter, rawPacket(0x82, [0, 1], field(filter), [0])]));
}
