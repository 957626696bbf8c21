/**
 * `onPublish`, over sockets on every topology: what it may make of a message, and what happens to the message, its client and others when it is
 * wrong, slow, or away, and when its client goes, comes again, or loses its object meanwhile.
 */

import { describe, expect, test, vi } from "vitest";
import { HOOK_MS_MAX } from "../../src/code-limits.ts";
import { HOOK_LINES_MAX } from "../../src/login-limits.ts";
import { PINGREQ, PINGRESP, type ProtocolVersion, PUBACK, PUBCOMP, PUBREC, type QoS } from "../../src/mqtt/packet.ts";
import type { Shape } from "../support/brokers.ts";
import { describeEmbedded, type EmbeddedBroker, type HookAnswer, type HookCall } from "../support/embedded-broker.ts";
import { isLong } from "../support/long.ts";
import { acknowledgement, type MqttTestClient, publishPacket, textOf, unique } from "../support/mqtt-client.ts";

const VERSIONS = [3, 4, 5] as const;
const KEPT = { version: 5, clean: false, properties: { sessionExpiryInterval: 3600 } } as const;

/** The answer to a question that the test gives when it likes. */
function later(): { readonly answer: Promise<HookAnswer>; give(answer: HookAnswer): void } {
  let give!: (answer: HookAnswer) => void;
  const answer = new Promise<HookAnswer>((resolve) => {
    give = resolve;
  });
  return { answer, give };
}

const of =
  (topic: string) =>
  ({ args: [message] }: HookCall): boolean =>
    message.topic === topic;

/** A client that is given all below a topic. */
async function listener(broker: EmbeddedBroker, filter: string): Promise<MqttTestClient> {
  const client = await broker.connect({ version: 5 });
  await client.subscribe(filter, { qos: 2, retainAsPublished: true });
  return client;
}

/** Behind what a publisher has sent. */
async function nothingMore(client: MqttTestClient): Promise<void> {
  await client.silence(client);
}

const code = {
  ALLOW_ANONYMOUS: true,
  ACL: '[{"permission":"deny","action":"publish","topics":["ask/denied"]}]',
  ACL_NO_MATCH: "allow",
  PACKET_BYTES_MAX: 2000,
};

/** A client that is handed over is served by the same objects; it is asked about in the long form. */
const SHAPES: readonly Shape[] | undefined = isLong ? undefined : ["compact", "sharded"];

describeEmbedded(
  (broker) => {
    const { director } = broker;

    describe("what it makes of a message", () => {
      const WAYS = ["now", "ask"] as const;
      /** Publishes with an answer that is given at once or later. */
      const answering = async (
        client: MqttTestClient,
        way: (typeof WAYS)[number],
        topic: string,
        answer: HookAnswer,
        options: { readonly qos?: QoS; readonly retain?: boolean } = {},
      ) => {
        director.on("onPublish", () => answer);
        const asked = director.calls.length;
        const outcome = await client.publish(`${way}/${topic}`, way === "now" ? JSON.stringify(answer) : "", options);
        if (way === "ask") await vi.waitFor(() => expect(director.calls.length).toBeGreaterThan(asked));
        return outcome;
      };

      for (const way of WAYS) {
        test(`${way}: nothing, or some other fields, at every QoS of every version`, async () => {
          for (const version of VERSIONS) {
            for (const qos of [0, 1, 2] as const) {
              const topic = unique();
              const client = await broker.connect({ version });
              const all = await listener(broker, `+/${topic}/#`);
              const as = async (answer: HookAnswer) => {
                const outcome = await answering(client, way, `${topic}/a`, answer, { qos });
                expect(outcome?.reasonCode ?? 0).toBe(0);
                return all.message();
              };
              expect(await as({})).toMatchObject({ topic: `${way}/${topic}/a`, qos });
              expect(await as({ value: {} })).toMatchObject({ topic: `${way}/${topic}/a`, qos });
              const moved = await as({
                value: { topic: `else/${topic}/b`, payload: "another", properties: { contentType: "text/plain" } },
              });
              expect(moved).toMatchObject({ topic: `else/${topic}/b`, qos, properties: { contentType: "text/plain" } });
              expect(textOf(moved)).toBe("another");
              expect(await as({ value: { qos: 0 } })).toMatchObject({ topic: `${way}/${topic}/a`, qos: 0 });
              client.terminate();
              all.terminate();
            }
          }
        });

        test(`${way}: it is not retained after all, and what it was goes`, async () => {
          const topic = unique();
          const client = await broker.connect({ version: 5 });
          await answering(client, way, topic, { value: { retain: false } }, { qos: 1, retain: true });
          await answering(client, way, topic, { value: { properties: {} } }, { qos: 1 });
          const all = await listener(broker, `+/${topic}/#`);
          await nothingMore(all);
        });

        test(`${way}: refused: a 5.0 client hears the code and why, one of 3.x an acknowledgement, and it goes nowhere`, async () => {
          for (const version of VERSIONS) {
            const topic = unique();
            const client = await broker.connect({ version });
            const all = await listener(broker, `+/${topic}/#`);
            const refused: HookAnswer = { value: { refuse: 0x97, reason: "not on Sundays" } };
            for (const qos of [1, 2] as const) {
              const outcome = await answering(client, way, topic, refused, { qos });
              expect([version, outcome?.reasonCode]).toEqual([version, version === 5 ? 0x97 : 0]);
              expect(outcome?.properties).toEqual(version === 5 ? { reasonString: "not on Sundays" } : {});
            }
            await answering(client, way, topic, refused);
            // The next one goes.
            await answering(client, way, topic, {}, { qos: 1 });
            expect(await all.message()).toMatchObject({ qos: 1 });
            await nothingMore(all);
            client.terminate();
          }
        });

        test(`${way}: what is no answer lets nothing through`, async () => {
          const topic = unique();
          const all = await listener(broker, `+/${topic}/#`);
          const client = await broker.connect({ version: 5 });
          const wrong = [
            true,
            null,
            { topic: "a/#" },
            { payload: "x".repeat(1990) },
            { qos: 3 },
            { qos: 2 },
            { refused: 0x87 },
            { refuse: 0 },
          ];
          const possible = wrong.filter((value) => way === "ask" || JSON.stringify(value).length < 1900);
          const codes: number[] = [];
          for (const value of possible) codes.push((await answering(client, way, topic, { value }, { qos: 1 }))!.reasonCode);
          expect(codes).toEqual(possible.map(() => 0x83));
          await nothingMore(all);
        });
      }

      test("it is given what the client sent, also by a Topic Alias, and who that is; its payload is a copy", async () => {
        const topic = `ask/${unique()}`;
        const client = await broker.connect({ version: 5 });
        const properties = { contentType: "a/b", userProperties: [["k", "v"]] as const, topicAlias: 3, messageExpiryInterval: 60 };
        await client.publish(topic, "first", { qos: 1, properties });
        await client.publish("", "second", { qos: 2, properties: { topicAlias: 3 } });
        const [first, second] = director.all("onPublish", of(topic));
        const { topicAlias, ...kept } = properties;
        expect(first!.args[0]).toEqual({ topic, payload: "first", qos: 1, retain: false, properties: kept });
        expect(first!.args[1]).toEqual({ clientId: client.clientId, address: expect.any(String), attributes: {} });
        expect(second!.args[0]).toEqual({ topic, payload: "second", qos: 2, retain: false, properties: {} });
        const all = await listener(broker, "scribble/#");
        await client.publish("scribble/a", "as it was", { qos: 1 });
        expect(textOf(await all.message())).toBe("as it was");
      });

      test("it is not asked about what may not be published, nor about the broker's own topics", async () => {
        const client = await broker.connect({ version: 5 });
        expect((await client.publish("ask/denied", "", { qos: 1 }))?.reasonCode).toBe(0x87);
        expect((await client.publish("$SYS/ask", "", { qos: 1 }))?.reasonCode).toBe(0x87);
        expect(director.all("onPublish")).toEqual([]);
      });

      test("what it publishes itself it is not asked about, whatever of", async () => {
        const topic = unique();
        const client = await broker.connect({ version: 5 });
        const all = await listener(broker, `+/${topic}`);
        director.on("onPublish", () => ({ publish: { topic: `ask/${topic}`, payload: "its own" } }));
        await client.publish(`ask/${topic}`, "the client's", { qos: 1 });
        expect((await all.texts(2)).sort()).toEqual(["its own", "the client's"]);
        await client.publish(
          `now/${topic}`,
          JSON.stringify({ publish: { topic: `now/${topic}`, payload: "its own" }, value: { refuse: 0x87 } }),
          { qos: 1 },
        );
        expect(textOf(await all.message())).toBe("its own");
        expect(director.all("onPublish").length).toBe(1);
        // One that is none fails where it is called.
        director.on("onPublish", () => ({ publish: { topic: "a/#", payload: "" } }));
        expect((await client.publish(`ask/${topic}`, "", { qos: 1 }))?.reasonCode).toBe(0x83);
      });
    });

    describe("one that fails", () => {
      for (const way of ["now", "ask"] as const) {
        test(`${way}: by throwing: 0x83; a 3.x client has its connection ended, and sends the message again; nothing is delivered`, async () => {
          const topic = `${way}/${unique()}`;
          const all = await listener(broker, topic);
          const error = "the database is away";
          director.on("onPublish", () => ({ error }));
          const payload = JSON.stringify({ error });
          for (const version of VERSIONS) {
            for (const qos of [1, 2] as const) {
              const client = await broker.connect({ version });
              client.send(publishPacket(topic, payload, { qos }));
              if (version === 5)
                expect((await client.next()) as object).toMatchObject({ type: qos === 1 ? PUBACK : PUBREC, reasonCode: 0x83 });
              else expect((await client.closed).packetsBefore).toEqual([]);
            }
          }
          const client = await broker.connect({ version: 4 });
          await client.publish(topic, payload);
          // At QoS 0 there is nobody who would send it again.
          await client.ping();
          await nothingMore(all);
        });
      }

      test("by never answering: 0x83 after its time; meanwhile that client waits, and nobody else", async () => {
        const topic = `ask/${unique()}`;
        const all = await listener(broker, "+/+");
        director.on("onPublish", () => new Promise(() => {}));
        const client = await broker.connect({ version: 5 });
        const other = await broker.connect({ version: 5 });
        const since = Date.now();
        client.send(publishPacket(topic, "", { qos: 1, packetId: 7 }), publishPacket("else/behind", "", { qos: 0 }));
        await director.call("onPublish", of(topic));
        await other.publish("else/other", "", { qos: 1 });
        expect((await all.message()).topic).toBe("else/other");
        await vi.waitFor(() => expect(client.arrived).toContainEqual(expect.objectContaining({ packetId: 7, reasonCode: 0x83 })), {
          timeout: HOOK_MS_MAX + 3000,
          interval: 50,
        });
        expect(Date.now() - since).toBeGreaterThan(HOOK_MS_MAX - 100);
        expect((await all.message()).topic).toBe("else/behind");
      });
    });

    describe("while it takes its time", () => {
      test("what its client sent behind it waits, in its order, and what others send does not", async () => {
        const topic = unique();
        const all = await listener(broker, `+/${topic}/#`);
        const client = await broker.connect({ version: 5 });
        const first = later();
        director.on("onPublish", ({ args: [{ payload }] }) => (payload === "0" ? first.answer : {}));
        // One frame, or several: QoS 0, 1 and 2 in turn.
        const packets = Array.from({ length: 6 }, (_, index) => {
          const qos = (index % 3) as QoS;
          return publishPacket(`ask/${topic}`, String(index), { qos, packetId: qos === 0 ? 0 : index + 10 });
        });
        client.sendTogether(...packets.slice(0, 4));
        client.send(...packets.slice(4), publishPacket(`plain/${topic}`, "plain"), { type: PINGREQ });
        await director.call("onPublish");
        const other = await broker.connect({ version: 5 });
        await other.publish(`plain/${topic}`, "other", { qos: 1 });
        expect(textOf(await all.message())).toBe("other");
        expect(director.all("onPublish").length).toBe(1);
        expect(client.arrived.filter(({ type }) => type !== PINGRESP).length).toBe(1);
        first.give({});
        const texts = await all.texts(7);
        // Of another topic: what it comes before or behind is another object's to say.
        expect(texts.filter((text) => text !== "plain")).toEqual(["0", "1", "2", "3", "4", "5"]);
      });

      for (const version of VERSIONS) {
        test(`its client says goodbye (${version}): what came before goes out`, async () => {
          const topic = unique();
          const all = await listener(broker, `+/${topic}/#`);
          const held = later();
          director.on("onPublish", ({ args: [{ payload }] }) => (payload === "0" ? held.answer : {}));
          const client = await broker.connect({ version });
          client.send(...[0, 1, 2].map((index) => publishPacket(`ask/${topic}/${index}`, String(index))));
          const closed = client.disconnect();
          await director.call("onPublish");
          held.give({});
          expect((await all.texts(3)).sort()).toEqual(["0", "1", "2"]);
          await closed;
        });
      }

      test("its client is lost: what came before goes out, and its will", async () => {
        const topic = unique();
        const all = await listener(broker, `+/${topic}/#`);
        const held = later();
        director.on("onPublish", ({ args: [{ payload }] }) => (payload === "0" ? held.answer : {}));
        const will = { topic: `ask/${topic}/will`, payload: "will" };
        const client = await broker.connect({ version: 5, will });
        client.send(publishPacket(`ask/${topic}/0`, "0"), publishPacket(`ask/${topic}/1`, "1", { qos: 1 }));
        await director.call("onPublish");
        client.terminate();
        held.give({});
        expect((await all.texts(3)).sort()).toEqual(["0", "1", "will"]);
        await director.call("onDisconnect", ({ args: [{ clientId }] }) => clientId === client.clientId);
      });

      test("its client is lost, and it never answers: what is left goes nowhere after its time, once for all of it", async () => {
        const topic = unique();
        const all = await listener(broker, `+/${topic}/#`);
        director.on("onPublish", ({ args: [{ topic: asked }] }) => (asked.endsWith("will") ? {} : new Promise(() => {})));
        const client = await broker.connect({ version: 5, will: { topic: `ask/${topic}/will`, payload: "will" } });
        client.send(...[0, 1, 2, 3].map((index) => publishPacket(`ask/${topic}/${index}`, String(index))));
        await director.call("onPublish");
        client.terminate();
        await vi.waitFor(() => expect(all.arrived.some((packet) => "payload" in packet && textOf(packet as never) === "will")).toBe(true), {
          timeout: HOOK_MS_MAX + 3000,
          interval: 50,
        });
        // The first one took nearly all of the time.
        const asked = director.all("onPublish").map(({ args: [{ payload }] }) => payload);
        expect(asked.filter((payload) => payload !== "1")).toEqual(["0", "will"]);
      });

      test("its client connects anew: what waited goes nowhere, and is sent again", async () => {
        const topic = `ask/${unique()}`;
        const all = await listener(broker, topic);
        const held = later();
        director.on("onPublish", ({ args: [{ payload }] }) =>
          payload === "first" && director.all("onPublish").length === 1 ? held.answer : {},
        );
        const clientId = unique("c");
        const client = await broker.connect({ ...KEPT, clientId });
        client.send(publishPacket(topic, "first", { qos: 1, packetId: 1 }), publishPacket(topic, "second", { qos: 2, packetId: 2 }));
        await director.call("onPublish");
        const again = await broker.connect({ ...KEPT, clientId });
        expect((await client.closed).code).toBe(1000);
        held.give({});
        await nothingMore(all);
        again.send(
          publishPacket(topic, "first", { qos: 1, packetId: 1, dup: true }),
          publishPacket(topic, "second", { qos: 2, packetId: 2, dup: true }),
        );
        expect(await all.texts(2)).toEqual(["first", "second"]);
        await nothingMore(all);
        expect(director.all("onPublish").map(({ args: [{ payload }] }) => payload)).toEqual(["first", "first", "second"]);
      });

      test("its object is reset: nothing was acknowledged, so that its client sends it again, and it is asked again", async () => {
        const topic = `ask/${unique()}`;
        const clientId = unique("c");
        const client = await broker.connect({ ...KEPT, clientId });
        const held = later();
        director.on("onPublish", () => held.answer);
        client.send(publishPacket(topic, "x", { qos: 2, packetId: 9 }));
        await director.call("onPublish");
        await broker.reset(clientId);
        const { packetsBefore } = await client.closed;
        expect(packetsBefore).toEqual([]);
        held.give({});
        const all = await listener(broker, topic);
        const again = await broker.connect({ ...KEPT, clientId });
        again.send(publishPacket(topic, "x", { qos: 2, packetId: 9, dup: true }));
        expect(textOf(await all.message())).toBe("x");
        await nothingMore(all);
        expect(director.all("onPublish").length).toBe(2);
      });

      test("its client sends far more than can wait: it is disconnected, and others are served", async () => {
        const topic = `ask/${unique()}`;
        director.on("onPublish", () => new Promise(() => {}));
        const client = await broker.connect({ version: 5 });
        client.send(publishPacket(topic, "", { qos: 1 }));
        await director.call("onPublish");
        for (let index = 0; index < 6; index += 1) client.send(publishPacket(topic, "x".repeat(1900)));
        const { packetsBefore } = await client.closed;
        expect(packetsBefore.at(-1)).toMatchObject({ reasonCode: 0x97 });
      });
    });

    test("a QoS 2 message that its client repeats is asked about once", async () => {
      const topic = `ask/${unique()}`;
      const all = await listener(broker, topic);
      const client = await broker.connect({ version: 4 });
      for (const dup of [false, true, true]) {
        const received = client.acknowledged(PUBREC, 5);
        client.send(publishPacket(topic, "once", { qos: 2, packetId: 5, dup }));
        await received;
      }
      const completed = client.acknowledged(PUBCOMP, 5);
      client.send(acknowledgement(6, 5));
      await completed;
      expect(textOf(await all.message())).toBe("once");
      await nothingMore(all);
      expect(director.all("onPublish", of(topic)).length).toBe(1);
    });

    describe("a Will Message is asked about when it is published", () => {
      const lose = async (topic: string, payload: string, version: ProtocolVersion = 5): Promise<void> => {
        const client = await broker.connect({ version, will: { topic, payload, qos: 1 } });
        client.terminate();
        const isIt = ({ args: [{ clientId }] }: HookCall): boolean => clientId === client.clientId;
        await director.call("onDisconnect", isIt);
      };

      test("as it is, changed, refused, and by one that fails", async () => {
        const topic = unique();
        const all = await listener(broker, `+/${topic}`);
        const changed = { value: { topic: `else/${topic}`, payload: "changed" } };
        for (const way of ["now", "ask"]) {
          for (const answer of [{}, changed, { value: { refuse: 0x87 } }, { error: "no" }, { value: 5 }]) {
            director.on("onPublish", () => answer);
            await lose(`${way}/${topic}`, JSON.stringify(answer), way === "now" ? 4 : 5);
            if (answer === changed) expect(await all.message()).toMatchObject({ topic: `else/${topic}`, qos: 1 });
            else if (!("value" in answer) && !("error" in answer)) expect(await all.message()).toMatchObject({ topic: `${way}/${topic}` });
          }
        }
        await nothingMore(all);
      });

      test("while the code takes its time it is in its row: a reset of the object asks again", async () => {
        const topic = `ask/${unique()}`;
        const clientId = unique("c");
        const held = later();
        director.on("onPublish", () => held.answer);
        const client = await broker.connect({ ...KEPT, clientId, will: { topic, payload: "will", retain: true } });
        client.terminate();
        await director.call("onPublish");
        // Its CONNACK leaves when all that was before is in rows.
        await broker.connect({ version: 5, clientId: broker.beside(clientId) });
        await broker.reset(clientId);
        director.on("onPublish", () => ({}));
        // What is left in the rows is found when somebody wakes the object. It is retained: whoever comes later has it as well.
        await broker.connect({ version: 5, clientId: broker.beside(clientId) });
        const all = await listener(broker, topic);
        expect(textOf(await all.message())).toBe("will");
        expect(director.all("onPublish").length).toBe(2);
      });
    });
  },
  code,
  {},
  SHAPES,
);

describeEmbedded(
  (broker) => {
    test("what fails is in the log: the hook, its client and why; the same once, and never more than somebody reads", async () => {
      const client = await broker.connect({ version: 5 });
      const said = async (answer: HookAnswer): Promise<void> => void (await client.publish("now/a", JSON.stringify(answer), { qos: 1 }));
      for (let time = 0; time < 3; time += 1) await said({ error: "the database is away" });
      await said({ value: { topic: "a/#" } });
      const lines = (): readonly string[] => broker.lines.filter((line) => line.includes('"event":"a hook failed"'));
      await vi.waitFor(() => expect(lines().length).toBe(2));
      const facts = { object: "default/broker", hook: "onPublish", client: client.clientId };
      expect(JSON.parse(lines()[0]!)).toEqual({ event: "a hook failed", ...facts, problem: "the database is away", others: 0 });
      expect(JSON.parse(lines()[1]!)).toMatchObject({
        ...facts,
        problem: expect.stringContaining("must not contain the wildcards"),
        others: 2,
      });
      for (let time = 0; time < 50; time += 1) await said({ error: `number ${time}` });
      await said({ value: { refuse: 0x87 } });
      expect(lines().length).toBe(HOOK_LINES_MAX);
    });

    test("ACL_DENY_ACTION=disconnect: what the code refuses ends the connection of a 3.x client", async () => {
      for (const version of VERSIONS) {
        const client = await broker.connect({ version });
        client.send(publishPacket("now/a", JSON.stringify({ value: { refuse: 0x87 } }), { qos: 1 }));
        if (version === 5) expect(await client.next()).toMatchObject({ type: PUBACK, reasonCode: 0x87 });
        else expect((await client.closed).packetsBefore).toEqual([]);
      }
    });
  },
  { ALLOW_ANONYMOUS: true, ACL_DENY_ACTION: "disconnect" },
  {},
  ["compact"],
);
