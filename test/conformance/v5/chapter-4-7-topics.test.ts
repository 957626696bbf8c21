/** MQTT 5.0, chapter 4.7: Topic Names and Topic Filters. */

import { expect, it } from "vitest";
import { PUBLISH } from "../../../src/mqtt/packet.ts";
import { request, textOf, unique } from "../../support/mqtt-client.ts";
import { describe5, field, raw, reaction, USERS } from "./support.ts";

/** Filters, each with the topics that it matches. Topics and filters stand below a first level of their own. */
const MATCHES: Record<string, readonly string[]> = {
  "/#": ["", "/", "/a", "/a/", "/a/b", "/a/b/c", "//", "//b", "/A", "/a ", "/ä", "/a\u0308"],
  "/+": ["/", "/a", "/A", "/a ", "/ä", "/a\u0308"],
  "/a": ["/a"],
  "/a/#": ["/a", "/a/", "/a/b", "/a/b/c"],
  "/a/+": ["/a/", "/a/b"],
  "/+/b": ["/a/b", "//b"],
  "/+/+": ["/a/", "/a/b", "//", "//b"],
  "/+/#": ["/", "/a", "/a/", "/a/b", "/a/b/c", "//", "//b", "/A", "/a ", "/ä", "/a\u0308"],
  "/a/b/c": ["/a/b/c"],
  "/+/b/+": ["/a/b/c"],
  "/A": ["/A"],
  "/a ": ["/a "],
  "/ä": ["/ä"],
  "/": ["/"],
  "//": ["//"],
};
const TOPICS = MATCHES["/#"]!;

describe5((broker) => {
  it("[MQTT5-3.3.2-3] [MQTT5-4.7.3-4] [5.0/4.7.1/parent] [5.0/4.7.1/plus-empty] [5.0/4.7.3/slashes] delivers what matches, byte by byte, and nothing else, live and retained", async () => {
    const base = unique();
    const publisher = await broker.connect();
    const filters = Object.keys(MATCHES);
    const clients = await Promise.all(filters.map(() => broker.connect()));
    await Promise.all(filters.map((filter, i) => clients[i]!.subscribe(base + filter)));
    await Promise.all(TOPICS.map((topic) => publisher.publish(base + topic, `=${topic}`, { qos: 1 })));
    for (const [i, filter] of filters.entries()) {
      const live = await clients[i]!.messages(MATCHES[filter]!.length);
      expect(live.map(({ topic }) => topic.slice(base.length)).sort(), filter).toEqual(MATCHES[filter]!.toSorted());
      await clients[i]!.unsubscribe(base + filter);
    }
    // With nobody subscribed: what is retained just after a SUBACK may come as a live and as a retained copy. A Topic object may not have heard of
    // that yet, and nobody waits for what it sends at QoS 0: that has arrived, and is nobody's, before somebody subscribes anew.
    await Promise.all(TOPICS.map((topic) => publisher.publish(base + topic, `=${topic}`, { qos: 1, retain: true })));
    for (const client of clients) await client.silence(publisher);
    for (const [i, filter] of filters.entries()) {
      await clients[i]!.subscribe(base + filter);
      const stored = await clients[i]!.messages(MATCHES[filter]!.length);
      expect(stored.map((message) => textOf(message).slice(1)).sort(), filter).toEqual(MATCHES[filter]!.toSorted());
    }
    // Nothing more is on its way to the two that match least and most.
    for (const i of [filters.indexOf("/a"), filters.indexOf("/#")]) await clients[i]!.silence(publisher);
    await Promise.all(TOPICS.map((topic) => publisher.publish(base + topic, "", { qos: 1, retain: true })));
  });

  it("[5.0/4.7.1/plus-empty] [5.0/4.7.3/slashes] an empty first level is a level: / and /x", async () => {
    const x = unique();
    const client = await broker.connect();
    const publisher = await broker.connect();
    for (const [filter, count] of [
      ["+", 1],
      ["+/+", 2],
      ["/+", 2],
      [`/${x}`, 1],
      [`+/${x}`, 1],
      [x, 1],
    ] as const) {
      await client.subscribe(filter, { qos: 1, retainHandling: 2 });
      for (const topic of [`/${x}`, x, "/"]) await publisher.publish(topic, filter, { qos: 1 });
      expect(await client.texts(count)).toEqual(Array(count).fill(filter));
      await client.unsubscribe(filter);
      await client.silence(publisher);
    }
  });

  it("[MQTT5-4.7.0-1] takes wildcards in no Topic Name, that of a will included", async () => {
    for (const topic of ["a/+", "#", "a+"]) {
      expect(await reaction(broker, raw(0x30, field(topic), "00"))).toBe(0x90);
      const client = await broker.open();
      const { reasonCode } = await client.connect({ version: 5, will: { topic } });
      expect(reasonCode).toBe(0x90);
      await client.closed;
    }
  });

  it("[MQTT5-4.7.1-1] [MQTT5-4.7.1-2] [MQTT5-4.7.3-1] refuses filters whose wildcards do not stand alone, and the empty one, with 0x8F", async () => {
    const wrong = ["a#", "a/b#", "a/#/b", "#/a", "##", "a/##", "a+", "+a", "a/b+", "a/+b/c", "++", "a/++", "+#", ""];
    const right = ["#", "a/#", "+", "+/+", "a/+/b", "+/a/#", "/", "//", "/+", "+/#"];
    const client = await broker.connect();
    const codesOf = (filters: string[]) => client.subscribe(filters.map((filter) => request(filter, 0, { retainHandling: 2 })));
    expect((await codesOf(wrong)).reasonCodes).toEqual(wrong.map(() => 0x8f));
    expect((await codesOf(right)).reasonCodes).toEqual(right.map(() => 0));
  });

  it("[5.0/4.7.2/publish] clients exchange nothing through topics that begin with $", async () => {
    const name = unique("$");
    const client = await broker.connect();
    const publisher = await broker.connect();
    const filters = ["#", "+/x", "+/#", "$share/g/#", `${name}/#`, `${name}/+`, `$share/g/${name}/#`];
    const { reasonCodes } = await client.subscribe(filters.map((filter) => request(filter, 1, { retainHandling: 2 })));
    expect(reasonCodes).toEqual(filters.map((filter) => (filter.includes(name) ? 0x87 : 1)));
    for (const retain of [true, false]) {
      await publisher.publish(`${name}/x`, "", { qos: 0, retain });
      for (const qos of [1, 2] as const) expect((await publisher.publish(`${name}/x`, "x", { qos, retain }))?.reasonCode).toBe(0x87);
    }
    const marker = unique();
    await publisher.publish(marker, "marker", { qos: 1 });
    for (const message of await client.messages(1)) expect(message.topic).toBe(marker);
  });

  it("[MQTT5-4.7.3-3] takes topics and filters of 65,535 bytes", async () => {
    const client = await broker.connect();
    const longest = unique().padEnd(65_533, "x");
    expect((await client.subscribe([request(`${longest}/+`, 1), request(`${longest}/y`, 1)])).reasonCodes).toEqual([1, 1]);
    await client.publish(`${longest}/y`, "x", { qos: 1 });
    const message = await client.message();
    expect(message.topic).toBe(`${longest}/y`);
    await client.silence();
    const multibyte = `${unique()}/`.padEnd(32_000, "ä");
    await client.subscribe(multibyte);
    await client.publish(multibyte, "y");
    expect(await client.texts(1)).toEqual(["y"]);
  });

  it("[MQTT5-4.7.3-4] matches without normalization, case folding or trimming", async () => {
    const base = unique();
    const same = ["é", "e\u0301", "É", " é", "é ", "\u212b", "Å", "\ufb01", "fi", "\u200bfi"];
    const client = await broker.connect();
    await client.subscribe(same.map((each, i) => request(`${base}/${each}`, 0, { retainHandling: i === 0 ? 0 : 2 })));
    for (const each of same) {
      await client.publish(`${base}/${each}`, "", { qos: 1 });
      expect((await client.message()).topic).toBe(`${base}/${each}`);
    }
    await client.silence(client);
  });
});

describe5(
  (broker) => {
    it("[MQTT5-4.7.2-1] [5.0/4.7.2/explicit] [5.0/4.7.2/retained] only filters whose first level names it match a topic that begins with $: live, retained, shared", async () => {
      const name = unique();
      const topic = `$dev/${name}/x`;
      const system = { userName: "sys", password: "secret" };
      const publisher = await broker.connect(system);
      await publisher.publish(topic, "retained", { qos: 1, retain: true });
      const expected: Record<string, string[]> = {
        "#": [],
        "+/#": [],
        [`+/${name}/x`]: [],
        [`+/${name}/#`]: [],
        "$share/g/#": [],
        [`$share/g/+/${name}/x`]: [],
        [`$dev/${name}/#`]: ["retained", "live"],
        "$dev/+/x": ["retained", "live"],
        [topic]: ["retained", "live"],
        [`$share/g/$dev/${name}/+`]: ["live"],
      };
      const clients = await Promise.all(Object.keys(expected).map(() => broker.connect(system)));
      await Promise.all(Object.keys(expected).map((filter, i) => clients[i]!.subscribe(filter, { qos: 1 })));
      await publisher.publish(topic, "live", { qos: 1 });
      const got: Record<string, string[]> = {};
      for (const [i, filter] of Object.keys(expected).entries()) {
        const client = clients[i]!;
        // Whatever was on its way is here, in the order of this topic, when this has come.
        await client.subscribe(topic, { qos: 1, retainHandling: 2 });
        await publisher.publish(topic, "marker", { qos: 1 });
        await client.unsubscribe(topic);
        got[filter] = client.arrived.flatMap((packet) => (packet.type === PUBLISH && packet.topic === topic ? [textOf(packet)] : []));
        expect(got[filter], filter).toContain("marker");
        got[filter] = got[filter].filter((each) => each !== "marker");
      }
      expect(got).toEqual(expected);
      await publisher.publish(topic, "", { qos: 1, retain: true });
    });
  },
  { USERS },
);
