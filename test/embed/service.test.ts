/** The entrypoint for other Workers: what it publishes, tells and ends, from a second Worker with a service binding, used rightly and wrongly. */

import { expect, test, vi } from "vitest";
import { encodeHandover, HANDOVER_HEADER, type Handover } from "../../src/handshake/handover.ts";
import { DISCONNECT, PUBACK, PUBREC } from "../../src/mqtt/packet.ts";
import { SERVICE_GRANTS } from "../../src/session/ports.ts";
import { acknowledgement, textOf, unique } from "../support/mqtt-client.ts";
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

/** Whether nobody is subscribed to a topic, now or soon. */
async function unsubscribed(broker: ServiceBroker, topic: string): Promise<boolean> {
  for (let attempt = 0; attempt < 1000; attempt += 1)
    if (!(await broker.call("publish", topic, "is anybody there?", { qos: 1 })).matched) return true;
  return false;
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
      expect(await broker.call("publish", topic, "at 1", { qos: 1, properties })).toEqual({
        reasonCode: 0,
        matched: true,
        sessions: 1,
        away: 0,
      });
      const { qos, payload, properties: came } = await subscriber.message();
      expect([qos, new TextDecoder().decode(payload)]).toEqual([1, "at 1"]);
      expect(came).toMatchObject({ ...properties, messageExpiryInterval: expect.any(Number), correlationData: new Uint8Array([1, 2]) });
      expect(await broker.call("publish", topic, { bytes: [255, 0] }, { qos: 2 })).toEqual({
        reasonCode: 0,
        matched: true,
        sessions: 1,
        away: 0,
      });
      const second = await subscriber.message();
      expect([second.qos, [...second.payload]]).toEqual([2, [255, 0]]);
      expect(await broker.call("publish", topic, "at 0")).toEqual({ reasonCode: 0 });
      expect(textOf(await subscriber.message())).toBe("at 0");
      expect(await broker.call("publish", unique("nobody"), "", { qos: 1 })).toEqual({
        reasonCode: 0x10,
        matched: false,
        sessions: 0,
        away: 0,
      });
    });

    test("a message is stored for a session that is away before the receipt comes", async () => {
      const topic = unique("t");
      const clientId = unique("away");
      const kept = { clientId, clean: false, version: 5, properties: { sessionExpiryInterval: 100 } } as const;
      const before = await broker.connect(kept);
      await before.subscribe(topic, { qos: 1 });
      await before.disconnect();
      expect(await broker.call("publish", topic, "kept", { qos: 1 })).toEqual({ reasonCode: 0, matched: true, sessions: 1, away: 1 });
      expect(textOf(await (await broker.connect(kept)).message())).toBe("kept");
    });

    test("a receipt that waits comes when all who are there have acknowledged; it says how many have, and who is away", async () => {
      const topic = unique("t");
      const clients = await Promise.all([0, 1, 2].map(() => broker.connect({ version: 5, autoAck: false })));
      for (const [qos, client] of clients.entries()) await client.subscribe(topic, { qos: qos as 0 | 1 | 2 });
      const away = await broker.connect({ version: 5, properties: { sessionExpiryInterval: 100 } });
      await away.subscribe(topic, { qos: 1 });
      await away.disconnect();
      const wait = { qos: 2, wait: "acknowledged", timeoutMs: 30_000 };
      let isOver = false;
      const receipt = broker.call("publish", topic, "x", wait).finally(() => {
        isOver = true;
      });
      const [, one, two] = await Promise.all(clients.map((client) => client.message()));
      clients[1]!.send(acknowledgement(PUBACK, one!.packetId));
      await clients[1]!.ping();
      // Not yet all.
      expect(isOver).toBe(false);
      clients[2]!.send(acknowledgement(PUBREC, two!.packetId));
      expect(await receipt).toEqual({ reasonCode: 0, matched: true, sessions: 4, away: 1, acknowledged: 2, pending: 0 });
      expect(await broker.call("publish", unique("nobody"), "x", wait)).toEqual({
        ...{ reasonCode: 0x10, matched: false, sessions: 0, away: 0, acknowledged: 0, pending: 0 },
      });
    });

    test("a receipt that waits says who has not when its time is over; one who leaves or refuses is not waited for", async () => {
      const topic = unique("t");
      const kept = { version: 5, autoAck: false, properties: { sessionExpiryInterval: 100 } } as const;
      const [silent, leaving, refusing] = await Promise.all([0, 1, 2].map(() => broker.connect(kept)));
      for (const client of [silent, leaving, refusing]) await client!.subscribe(topic, { qos: 1 });
      const wait = { qos: 1, wait: "acknowledged" };
      const late = broker.call("publish", topic, "x", { ...wait, timeoutMs: 1000 });
      refusing!.send(acknowledgement(PUBACK, (await refusing!.message()).packetId, 0x83));
      await leaving!.message();
      leaving!.terminate();
      expect(await late).toEqual({ reasonCode: 0, matched: true, sessions: 3, away: 1, acknowledged: 0, pending: 1 });
      silent!.terminate();
      refusing!.terminate();
      // They have left, which their object hears.
      await vi.waitFor(async () => expect(await broker.call("publish", topic, "x", { qos: 1 })).toMatchObject({ away: 3 }));
      // Nobody is there to be waited for.
      expect(await broker.call("publish", topic, "x", { ...wait, timeoutMs: 60_000 })).toMatchObject({ sessions: 3, away: 3, pending: 0 });
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
      [
        ["a", "x", { wati: "stored" }],
        /^publish has no option wati; expected: qos, retain, properties, wait, timeoutMs, signal, namespace/,
      ],
      [["a", "x", { wait: "stored" }], /^publish: wait needs qos 1 or 2: at 0 nothing is stored or acknowledged/],
      [["a", "x", { qos: 1, wait: true }], /^publish: wait must be "stored" or "acknowledged"/],
      [["a", "x", { qos: 1, timeoutMs: 5 }], /^publish: timeoutMs goes with wait: "acknowledged" alone/],
      [["a", "x", { qos: 1, wait: "stored", signal: {} }], /^publish: signal goes with wait: "acknowledged" alone/],
      [["a", "x", { qos: 1, wait: "acknowledged", signal: {} }], /^publish: signal must be an AbortSignal/],
      [["a", "x", { qos: 1, wait: "acknowledged", timeoutMs: 60_001 }], /^publish: timeoutMs must be 1 to 60000/],
      [["a", "x", { qos: 1, wait: "acknowledged", timeoutMs: 0 }], /^publish: timeoutMs must be 1 to 60000/],
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
        parted: { at: expect.any(Number), reasonCode: 0, reason: "" },
        expiresAt: expect.any(Number),
        subscriptions: 1,
        waiting: 1,
        queued: 1,
        received: 0,
        expirySeconds: 604_800,
      });
      expect(ours[1]).toMatchObject({ connected: true, version: 4, subscriptions: 0, waiting: 0, queued: 0, keepAlive: 0 });
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

    test("a subscription: retained messages first, then what is published, with QoS and properties, until the loop is left", async () => {
      const place = unique("s");
      await broker.call("publish", `${place}/kept`, "retained", { qos: 1, retain: true, properties: { userProperties: [["a", "b"]] } });
      const publish = [0, 1, 2].map((qos) => [`${place}/live`, `at ${qos}`, qos]);
      const messages = await broker.call("collect", { filters: [`${place}/+`], options: { qos: 2 }, publish, count: 4 });
      const text = ({ payload }: { payload: { bytes: number[] } }): string => new TextDecoder().decode(new Uint8Array(payload.bytes));
      expect(messages[0]).toMatchObject({ topic: `${place}/kept`, qos: 1, retain: true, properties: { userProperties: [["a", "b"]] } });
      expect(messages.slice(1).map(text).sort()).toEqual(["at 0", "at 1", "at 2"]);
      expect(
        messages
          .slice(1)
          .map(({ qos }: { qos: number }) => qos)
          .sort(),
      ).toEqual([0, 1, 2]);
      // The loop was left: nobody is subscribed any more.
      expect(await unsubscribed(broker, `${place}/live`)).toBe(true);
      const live = { filters: `${place}/kept`, options: { retained: false }, publish: [[`${place}/kept`, "new", 1]], count: 1 };
      expect((await broker.call("collect", live)).map(text)).toEqual(["new"]);
    });

    test("a subscription whose Worker has forgotten it ends with the call that it was made in", async () => {
      const topic = unique("s");
      await broker.call("subscribe", topic, { qos: 1 });
      expect(await unsubscribed(broker, topic)).toBe(true);
    });

    test("a reader that is slow acknowledges nothing but what it has asked behind", async () => {
      const { texts, waiting } = await broker.call("behind", unique("s"), 100, 3);
      expect([texts, waiting]).toEqual([["0", "1", "2"], [98]]);
    });

    test.each<readonly [args: readonly unknown[], sentence: RegExp]>([
      [["a/#/b"], /^subscribe: The # in the Topic Filter/],
      [[[]], /^subscribe: expected a Topic Filter, or a list of 1 to 1000/],
      [[["a", 1]], /^subscribe: the Topic Filter must be a text/],
      [["a", { qos: 3 }], /^subscribe: qos must be 0, 1 or 2/],
      [["a", { retained: 1 }], /^subscribe: retained must be true or false/],
      [["a", { signal: 1 }], /^subscribe has no option signal; expected: qos, retained, namespace/],
      [["$share/+/a"], /^subscribe: The ShareName of/],
    ])("subscribe(%j) is refused", async (args, sentence) => {
      const { isTypeError, message } = await errorOf(broker.call("subscribe", ...args));
      expect(message).toMatch(sentence);
      expect(isTypeError).toBe(true);
    });

    test("a request has its response, found by its Correlation Data", async () => {
      const topic = unique("q");
      const device = await broker.connect({ version: 5 });
      await device.subscribe(topic, { qos: 1 });
      const asked = broker.call("request", topic, "how warm?", { properties: { contentType: "text/plain" } });
      const { payload, properties } = await device.message();
      expect([new TextDecoder().decode(payload), properties.contentType]).toEqual(["how warm?", "text/plain"]);
      const { responseTopic, correlationData } = properties;
      await device.publish(responseTopic!, "not this", { qos: 1, properties: { correlationData: new Uint8Array([1]) } });
      await device.publish(responseTopic!, "21", { qos: 1, properties: { correlationData: correlationData! } });
      expect(await asked).toMatchObject({ topic: responseTopic, payload: { bytes: [...new TextEncoder().encode("21")] } });
    });

    test("a request without a response in time, without anybody, and what is wrong with one", async () => {
      const topic = unique("q");
      const nobody = await errorOf(broker.call("request", topic, "?"));
      expect(nobody).toMatchObject({ name: "RefusedError", reasonCode: 0x10, message: `request to ${topic}: nobody is subscribed to it` });
      const device = await broker.connect({ version: 5 });
      await device.subscribe(topic, { qos: 1 });
      const late = await errorOf(broker.call("request", topic, "?", { timeoutMs: 300 }));
      expect(late).toMatchObject({ name: "TimeoutError", message: `request to ${topic}: no response within 300 ms` });
      const wrong: readonly (readonly [options: object, sentence: RegExp])[] = [
        [{ timeoutMs: 0 }, /timeoutMs must be 1 to 300000/],
        [{ properties: { responseTopic: "a" } }, /properties\.responseTopic is what the response is found by/],
        [{ responseTopic: "$share/workers/jobs" }, /request: responseTopic must be a Topic Name, and none that begins with \$share\//],
        [{ retain: true }, /request has no option retain/],
        [{ qos: 4 }, /request: qos must be 0, 1 or 2/],
      ];
      for (const [options, sentence] of wrong) {
        const { isTypeError, message } = await errorOf(broker.call("request", topic, "?", options));
        expect(message).toMatch(sentence);
        expect(isTypeError).toBe(true);
      }
    });
  },
  { PACKET_BYTES_MAX: "2000", NAMESPACES: "default,other" },
);

describeService(
  (broker) => {
    test("whoever is bound may all, where no client may anything; and is kept connected whatever Keep Alive clients must have", async () => {
      // Before: who has just left still counts for a moment.
      expect((await errorOf(broker.call("request", unique("q"), "?"))).reasonCode).toBe(0x10);
      const topic = unique("closed");
      const publish = Array.from({ length: 3 }, (_, index) => [topic, String(index), 2]);
      expect(await broker.call("collect", { filters: "#", options: { qos: 2 }, publish, count: 3 })).toHaveLength(3);
    });

    test("nobody comes in by saying that he is the service", async () => {
      const admission = { userName: undefined, address: "", grants: SERVICE_GRANTS, expiresAt: null };
      for (const relayed of [true, false]) {
        const headers = { [HANDOVER_HEADER]: encodeHandover({ relayed, admission } as unknown as Handover) };
        const client = await broker.open({ headers });
        expect((await client.connect({ version: 5, clientId: client.clientId })).reasonCode).toBe(0x87);
      }
      const client = await broker.open();
      const { reasonCode } = await client.connect({
        version: 5,
        clientId: client.clientId,
        userName: SERVICE_GRANTS,
        password: SERVICE_GRANTS,
      });
      expect(reasonCode).toBe(0x87);
    });
  },
  { ALLOW_ANONYMOUS: "false", KEEP_ALIVE_SECONDS_MAX: "1" },
);

describeService(
  (broker) => {
    test("a signal ends a wait: a receipt says what there is, and a request throws", async () => {
      const topic = unique("abort");
      const client = await broker.connect({ version: 5, autoAck: false });
      await client.subscribe(topic, { qos: 1 });
      const options = { qos: 1, wait: "acknowledged", timeoutMs: 60_000 };
      expect(await broker.call("aborting", 50, "publish", topic, options)).toMatchObject({ sessions: 1, acknowledged: 0, pending: 1 });
      expect(await errorOf(broker.call("aborting", 50, "request", topic, {}))).toMatchObject({ message: "the user has left" });
    });
  },
  {},
  ["enable_abortsignal_rpc"],
);
