/** The entrypoint for other Workers: what it publishes, tells and ends, from a second Worker with a service binding, used rightly and wrongly. */

import { expect, test } from "vitest";
import { DISCONNECT } from "../../src/mqtt/packet.ts";
import { textOf, unique } from "../support/mqtt-client.ts";
import { CallFailed, describeService, type ServiceBroker } from "../support/service-broker.ts";

/** What a call throws there. */
async function errorOf(call: Promise<unknown>): Promise<CallFailed["error"]> {
  const failed = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failed instanceof CallFailed)) throw new Error(`an error was expected and ${String(failed)} came`);
  return failed.error;
}

/** All pages. */
async function walk(
  broker: ServiceBroker,
  method: string,
  list: string,
  args: readonly unknown[],
  options: object = {},
): Promise<unknown[]> {
  const found = [];
  for (let cursor: string | undefined, pages = 0; pages < 1000; pages += 1) {
    const page = await broker.call(method, ...args, { ...options, ...(cursor === undefined ? {} : { cursor }) });
    found.push(...page[list]);
    cursor = page.cursor;
    if (cursor === undefined) return found;
  }
  throw new Error("the walk does not end");
}

describeService(
  (broker) => {
    test("publishes at every QoS with all properties; the receipt says whether somebody was subscribed", async () => {
      const topic = unique("t");
      const subscriber = await broker.connect({ version: 5 });
      await subscriber.subscribe(topic, { qos: 2 });
      const properties = {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 100,
        contentType: "text/plain",
        responseTopic: "answers",
        correlationData: { bytes: [1, 2] },
        userProperties: [["a", "b"]],
      };
      expect(await broker.call("publish", topic, "at 1", { qos: 1, properties })).toEqual({ reasonCode: 0, matched: true });
      const { qos, payload, properties: came } = await subscriber.message();
      expect([qos, new TextDecoder().decode(payload)]).toEqual([1, "at 1"]);
      expect(came).toMatchObject({ ...properties, messageExpiryInterval: expect.any(Number), correlationData: new Uint8Array([1, 2]) });
      expect(await broker.call("publish", topic, { bytes: [255, 0] }, { qos: 2 })).toEqual({ reasonCode: 0, matched: true });
      const second = await subscriber.message();
      expect([second.qos, [...second.payload]]).toEqual([2, [255, 0]]);
      expect(await broker.call("publish", topic, "at 0")).toEqual({ reasonCode: 0 });
      expect(textOf(await subscriber.message())).toBe("at 0");
      expect(await broker.call("publish", unique("nobody"), "", { qos: 1 })).toEqual({ reasonCode: 0x10, matched: false });
    });

    test("a message is stored for a session that is away before the receipt comes", async () => {
      const topic = unique("t");
      const clientId = unique("away");
      const kept = { clientId, clean: false, version: 5, properties: { sessionExpiryInterval: 100 } } as const;
      const before = await broker.connect(kept);
      await before.subscribe(topic, { qos: 1 });
      await before.disconnect();
      expect(await broker.call("publish", topic, "kept", { qos: 1 })).toEqual({ reasonCode: 0, matched: true });
      expect(textOf(await (await broker.connect(kept)).message())).toBe("kept");
    });

    test("messages of one topic come in the order of their publishing", async () => {
      const topic = unique("t");
      const subscriber = await broker.connect({ version: 5 });
      await subscriber.subscribe(topic, { qos: 1 });
      const texts = Array.from({ length: 30 }, (_, index) => String(index));
      for (const text of texts) await broker.call("publish", topic, text, { qos: 1 });
      expect(await subscriber.texts(30)).toEqual(texts);
    });

    const wrong: readonly (readonly [args: readonly unknown[], sentence: RegExp])[] = [
      [[], /^publish: topic must be a text/],
      [["a/+", "x"], /^publish: .*wildcard/],
      [["", "x"], /^publish: .*empty|^publish: .*Topic Name/],
      [[1, "x"], /^publish: topic must be a text/],
      [["a", 1], /^publish: payload must be a text, Uint8Array or ArrayBuffer/],
      [["a"], /^publish: payload must be a text/],
      [["a", "x", { qos: 3 }], /^publish: qos must be 0, 1 or 2/],
      [["a", "x", { retain: 1 }], /^publish: retain must be true or false/],
      [["a", "x", { wait: "stored" }], /^publish has no option wait; expected: qos, retain, properties, namespace/],
      [["a", "x", "y"], /^publish: the options must be an object/],
      [["a", "x", { properties: { messageExpiryInterval: -1 } }], /^publish: .*(range|0)/],
      [["a", "x", { properties: { messageExpiryInterval: 2 ** 32 } }], /^publish: /],
      [["a", "x", { properties: { topicAlias: 1 } }], /^publish: properties has no topicAlias; expected: payloadFormatIndicator/],
      [["a", "x".repeat(3000)], /^publish: the message makes a packet of \d+ bytes; at most 2000 are accepted/],
      [["a", "x", { namespace: "else" }], /^publish: There is no namespace "else" here/],
      [["a", "x", { namespace: 1 }], /^publish: namespace must be a text/],
    ];
    test.each(wrong.map(([args, sentence]) => ({ args, sentence })))(
      "publish is refused by name: $sentence",
      async ({ args, sentence }) => {
        const { isTypeError, message } = await errorOf(broker.call("publish", ...args));
        expect(message).toMatch(sentence);
        expect(isTypeError).toBe(true);
      },
    );

    test("namespaces are apart", async () => {
      const topic = unique("t");
      const here = await broker.connect({ version: 5 });
      const there = await broker.connect({ version: 5, namespace: "other" });
      for (const client of [here, there]) await client.subscribe(topic, { qos: 1 });
      await broker.call("publish", topic, "there", { qos: 1, namespace: "other" });
      await broker.call("publish", topic, "here", { qos: 1 });
      expect([textOf(await here.message()), textOf(await there.message())]).toEqual(["here", "there"]);
    });

    test("retained messages, page by page, and what is wrong", async () => {
      const place = unique("r");
      const topics = Array.from({ length: 250 }, (_, index) => `${place}/${String(index).padStart(3, "0")}/x`);
      for (const topic of topics) await broker.call("publish", topic, topic, { qos: 1, retain: true, properties: { contentType: "a" } });
      const found = (await walk(broker, "retained", "messages", [`${place}/+/x`])) as { topic: string }[];
      expect(found.map(({ topic }) => topic).sort()).toEqual(topics);
      const { messages, cursor } = await broker.call("retained", topics[0]);
      expect([messages, cursor]).toEqual([
        [
          {
            topic: topics[0],
            payload: { bytes: [...new TextEncoder().encode(topics[0])] },
            qos: 1,
            retain: true,
            properties: { contentType: "a" },
          },
        ],
        undefined,
      ]);
      expect((await broker.call("retained", `${place}/none`)).messages).toEqual([]);
      expect((await errorOf(broker.call("retained", "a/#/b"))).message).toMatch(/^retained: The # in the Topic Filter/);
      expect((await errorOf(broker.call("retained", "$share/a/b"))).message).toMatch(/must not be a shared one/);
      expect((await errorOf(broker.call("retained", 1))).message).toMatch(/must be a text/);
      for (const wrongCursor of ["", "x", "99:", 1])
        expect((await errorOf(broker.call("retained", "#", { cursor: wrongCursor }))).message).toMatch(
          /cursor must be that of the page before/,
        );
    });

    test("clients, page by page: connected ones and those that are away", async () => {
      const prefix = unique("p");
      const names = Array.from({ length: 25 }, (_, index) => `${prefix}-${String(index).padStart(2, "0")}`);
      for (const clientId of names.slice(1)) await broker.connect({ clientId, userName: clientId, version: 4 });
      const away = await broker.connect({ clientId: names[0]!, version: 5, properties: { sessionExpiryInterval: 0xffff_ffff } });
      await away.subscribe(prefix, { qos: 1 });
      await away.disconnect();
      await broker.call("publish", prefix, "waits", { qos: 1 });
      const all = (await walk(broker, "clients", "clients", [], { limit: 7 })) as { clientId: string }[];
      const ours = all.filter(({ clientId }) => clientId.startsWith(prefix)).sort((a, b) => (a.clientId < b.clientId ? -1 : 1));
      expect(ours.map(({ clientId }) => clientId)).toEqual(names);
      expect(new Set(all.map(({ clientId }) => clientId)).size).toBe(all.length);
      expect(ours[0]).toEqual({
        clientId: names[0],
        address: "",
        connected: false,
        expiresAt: expect.any(Number),
        subscriptions: 1,
        waiting: 1,
      });
      expect(ours[1]).toMatchObject({ connected: true, version: 4, subscriptions: 0, waiting: 0 });
      for (const limit of [0, 1001, 1.5, "1"])
        expect((await errorOf(broker.call("clients", { limit }))).message).toMatch(/limit must be 1 to 1000/);
      expect((await errorOf(broker.call("clients", { most: 1 }))).message).toMatch(
        /has no option most; expected: cursor, limit, namespace/,
      );
    });

    test("disconnect: a 5.0 client hears 0x98, its session stays; who is not connected is told", async () => {
      const clientId = unique("d");
      const properties = { sessionExpiryInterval: 100 };
      const client = await broker.connect({ clientId, version: 5, properties });
      expect(await broker.call("disconnect", clientId)).toBe(true);
      expect((await client.expect(DISCONNECT)).reasonCode).toBe(0x98);
      expect(await broker.call("disconnect", clientId)).toBe(false);
      const again = await broker.connect({ clientId, version: 5, clean: false, properties });
      expect(again.connack?.sessionPresent).toBe(true);
      expect((await errorOf(broker.call("disconnect", ""))).message).toMatch(/Client Identifier must be a text, and not empty/);
    });
  },
  { PACKET_BYTES_MAX: "2000", NAMESPACES: "default,other" },
);
