/** `onMessages` in somebody's Worker, on every topology: what a handler is given, and what a reset and a handler that fails make of it. */

import { beforeEach, describe, expect, test } from "vitest";
import { checkOptions } from "../../src/hooks/options.ts";
import { describeEmbedded, type EmbeddedBroker, type HookCall } from "../support/embedded-broker.ts";
import { publishPacket, unique } from "../support/mqtt-client.ts";

describe("options", () => {
  const handle = (): void => {};
  const wrong: readonly (readonly [onMessages: unknown, sentence: RegExp])[] = [
    [{ filter: "a", handle }, /onMessages must be a list of consumers/],
    [[undefined], /onMessages\[0\] must be an object/],
    [[{ filter: "a" }], /onMessages\[0\]: handle must be a function/],
    [[{ handle }], /filter must be a Topic Filter/],
    [[{ filter: "a/#/b", handle }], /filter: /],
    [[{ filter: "$share/g/a", handle }], /must not be a shared one/],
    [[{ filter: "a", handle, name: "" }], /name must be a text of 1 to 256 bytes/],
    [[{ filter: "a".repeat(257), handle }], /a filter of more than 256 bytes needs a name/],
    [[{ filter: "a", handle, batch: 3 }], /batch must be \{ messages, ms \}/],
    [[{ filter: "a", handle, batch: { messages: 0 } }], /batch\.messages must be 1 to 1000/],
    [[{ filter: "a", handle, batch: { ms: -1 } }], /batch\.ms must be 0 to 60000/],
    [[{ filter: "a", handle, attempts: 1.5 }], /attempts must be 1 to 100/],
    [[{ filter: "a", handle, topic: "a" }], /topic is no option of a consumer; expected: filter, name, batch, attempts, handle/],
    [
      [
        { filter: "a", handle },
        { filter: "b", name: "a", handle },
      ],
      /onMessages\[1\]: there is another one of the name "a"/,
    ],
  ];
  test.each(wrong)("%o", (onMessages, sentence) => {
    expect(() => checkOptions({ onMessages })).toThrow(sentence);
  });

  test("what is right", () => {
    checkOptions({ onMessages: [] });
    checkOptions({ onMessages: [{ filter: "#", handle, name: "x", batch: { messages: 1000, ms: 0 }, attempts: 1 }] });
  });
});

interface Told {
  readonly topic: string;
  readonly payload: string;
}

/** A call that has a message of this topic. */
const has =
  (topic: string) =>
  (call: HookCall): boolean =>
    call.args.some((each: Told) => each.topic === topic);

/** The payloads of a topic in each call, in order. */
function calls({ director }: EmbeddedBroker, topic: string): string[][] {
  return director
    .all("messages", has(topic))
    .map(({ args }) => args.filter((each: Told) => each.topic === topic).map((each: Told) => each.payload));
}

describeEmbedded(
  (broker) => {
    const { director } = broker;
    beforeEach(() => director.on("authenticate", () => ({ value: { result: "allow", is_superuser: true } })));

    test("a handler is given messages whole, and what the context has", async () => {
      const topic = unique("consumed/t");
      const client = await broker.connect({ version: 5 });
      const properties = {
        payloadFormatIndicator: 1,
        contentType: "text/plain",
        responseTopic: "answers",
        correlationData: new Uint8Array([1, 2, 3]),
        userProperties: [
          ["a", "1"],
          ["a", "2"],
        ] as [string, string][],
      };
      const answer = await client.publish(topic, "first", {
        qos: 1,
        retain: true,
        properties: { ...properties, messageExpiryInterval: 60 },
      });
      // Nobody has subscribed; the consumer wants it all the same.
      expect(answer?.reasonCode).toBe(0);
      const { args, namespace } = await director.call("messages", has(topic));
      expect(namespace).toBe("default");
      expect(args).toEqual([
        {
          id: expect.any(String),
          topic,
          payload: "first",
          qos: 1,
          retain: true,
          publisher: client.clientId,
          properties: { ...properties, correlationData: [1, 2, 3], messageExpiryInterval: 60 },
        },
      ]);
    });

    test("what it publishes itself goes to subscribers", async () => {
      const topic = unique("consumed/t");
      director.on("messages", () => ({ publish: { topic: "copies", payload: "a copy" } }));
      const client = await broker.connect({ version: 5 });
      await client.subscribe("copies");
      await client.publish(topic, "x", { qos: 1 });
      const { topic: copied } = await client.message();
      expect(copied).toBe("copies");
    });

    test("it sees what onPublish has made of a message, and nothing of what that refuses; what code publishes, and wills", async () => {
      const topic = unique("consumed/t");
      const client = await broker.connect({ version: 5 });
      const publish = (answer: object): Promise<unknown> => client.publish("now/x", JSON.stringify(answer), { qos: 1 });
      await publish({ value: { topic, payload: "changed", qos: 0 } });
      await publish({ value: { topic, payload: "also changed" } });
      await publish({ error: "no" });
      await publish({ value: { topic: "else" }, publish: { topic, payload: "of code" } });
      const will = { topic, payload: new TextEncoder().encode("will"), qos: 1, retain: false, properties: {} } as const;
      const dying = await broker.connect({ version: 5, will });
      dying.terminate();
      await director.call("messages", ({ args }) => args.some((each: Told) => each.topic === topic && each.payload === "will"));
      const told = director.all("messages", has(topic)).flatMap(({ args }) => args);
      expect(told.map(({ payload, qos, publisher }) => [payload, qos, publisher])).toEqual([
        ["changed", 0, client.clientId],
        ["also changed", 1, client.clientId],
        ["of code", 0, ""],
        ["will", 1, dying.clientId],
      ]);
    });

    test("a handler that fails gets the same again, together and then alone, and no more than three times; others go on", async () => {
      const topic = unique("consumed/t");
      director.on("messages", ({ args }) => (args.some((each: Told) => each.payload === "bad") ? { error: "no" } : {}));
      const client = await broker.connect({ version: 5 });
      // In one frame, so that they are one batch.
      client.sendTogether(...["bad", "2", "3"].map((payload, index) => publishPacket(topic, payload, { qos: 1, packetId: 101 + index })));
      await director.call("messages", ({ args }) => args.length === 1 && args[0].topic === topic && args[0].payload === "3");
      expect(calls(broker, topic)).toEqual([["bad", "2", "3"], ["bad", "2", "3"], ["bad"], ["2"], ["3"]]);
      const ids = director.all("messages", has(topic)).flatMap(({ args }) => args.map(({ id }) => id));
      expect(new Set(ids).size).toBe(3);
      expect(broker.lines.filter((line) => line.includes("given up") && line.includes(topic)).length).toBe(1);
    });

    test("a handler that ends its object each time is given a message no more than once too often", async () => {
      const topic = unique("consumed/t");
      const clientId = unique("c");
      const resets: Promise<void>[] = [];
      director.on("messages", async ({ args }) => {
        if (!args.some((each: Told) => each.payload === "bad")) return {};
        const reset = broker.reset(clientId);
        resets.push(reset);
        await reset;
        return {};
      });
      const client = await broker.connect({ version: 5, clientId });
      await client.publish(topic, "bad", { qos: 1 });
      for (let round = 1; round <= 4; round += 1) {
        await director.call("messages", () => resets.length === round);
        await resets[round - 1];
        // Whoever connects wakes the object, and may be cut off by the next reset.
        if (round < 4) await broker.connect({ version: 5, clientId }).catch(() => {});
      }
      const again = await broker.connect({ version: 5, clientId });
      await again.publish(topic, "2", { qos: 1 });
      await director.call("messages", ({ args }) => args.some((each: Told) => each.topic === topic && each.payload === "2"));
      const times = calls(broker, topic).filter((each) => each.includes("bad")).length;
      expect(times).toBe(4);
    });

    test("an object that is reset before the handler has ended gives it what was acknowledged again", async () => {
      const topic = unique("consumed/t");
      director.on("messages", () => new Promise(() => {}));
      const client = await broker.connect({ version: 5 });
      const { clientId } = client;
      await client.publish(topic, "1", { qos: 2 });
      await director.call("messages", has(topic));
      director.on("messages", () => ({}));
      await broker.reset(clientId);
      const again = await broker.connect({ version: 5, clientId });
      await again.publish(topic, "2", { qos: 1 });
      await director.call("messages", ({ args }) => has(topic)({ args } as HookCall) && args.some((each: Told) => each.payload === "2"));
      expect(calls(broker, topic).flat()).toEqual(["1", "1", "2"]);
    });
  },
  { ALLOW_ANONYMOUS: true },
);
