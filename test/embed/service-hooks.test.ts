/** What other Workers publish, and `onPublish`: it is asked about it as about what clients publish, is told who it is, and stands in nobody's way. */

import { createHash } from "node:crypto";
import { expect, test, vi } from "vitest";
import { HOOK_MS_MAX, SERVICE_ASKED_BYTES_MAX } from "../../src/code-limits.ts";
import { describeEmbedded, type HookAnswer, type HookCall } from "../support/embedded-broker.ts";
import { textOf, unique } from "../support/mqtt-client.ts";

const TOKEN = "a-token-of-the-tests";
const API_TOKENS = JSON.stringify([{ name: "op", sha256: createHash("sha256").update(TOKEN).digest("hex"), scopes: ["admin"] }]);
const NOBODY = { reasonCode: 0x10, matched: false, sessions: 0, away: 0 };
const NO_CLIENT = { clientId: "", address: "", attributes: {} };

describeEmbedded(
  (broker) => {
    const { director } = broker;
    const listener = async (filter: string) => {
      const client = await broker.connect({ version: 5 });
      await client.subscribe(filter, { qos: 2 });
      return client;
    };

    test("the API answers with what the hook has said, wherever it publishes", async () => {
      const api = async (method: string, path: string, body?: object): Promise<unknown> => {
        const init = { method, headers: { Authorization: `Bearer ${TOKEN}` }, ...(body && { body: JSON.stringify(body) }) };
        const answer = await fetch(`${broker.url}/api/v5${path}`, init);
        return [answer.status, answer.status === 204 ? undefined : await answer.json()];
      };
      const topic = `ask/${unique()}`;
      const kept = `/mqtt/retainer/message/${encodeURIComponent(topic)}`;
      director.on("onPublish", () => ({}));
      expect(await api("PUT", kept, { payload: "x" })).toEqual([204, undefined]);
      for (const [refuse, status] of [
        [0x87, 403],
        [0x97, 503],
      ] as const) {
        director.on("onPublish", () => ({ value: { refuse, reason: "not on Sundays" } }));
        const refused = [status, { reason_code: refuse, message: expect.stringContaining("not on Sundays") }];
        expect(await api("POST", "/publish", { topic, payload: "x", qos: 1 })).toEqual(refused);
        expect(await api("POST", "/request", { request: { topic, payload: "x" } })).toEqual(refused);
        expect(await api("PUT", kept, { payload: "x" })).toEqual(refused);
        expect(await api("DELETE", kept)).toEqual(refused);
        expect(await api("DELETE", `/mqtt/retainer/messages?topic=${encodeURIComponent(topic)}`)).toEqual(refused);
      }
    });

    for (const way of ["now", "ask"] as const) {
      /** Publishes with this answer of the hook. */
      const publish = (topic: string, answer: HookAnswer, options: object) => {
        director.on("onPublish", () => answer);
        return broker.publish(`${way}/${topic}`, way === "now" ? JSON.stringify(answer) : "as it was", options);
      };

      test(`${way}: goes on as it was, or as the hook has changed it, at every QoS`, async () => {
        for (const qos of [0, 1, 2] as const) {
          const topic = unique();
          const all = await listener(`+/${topic}/#`);
          const receipt = qos === 0 ? { reasonCode: 0 } : { reasonCode: 0, matched: true, sessions: 1, away: 0 };
          expect(await publish(`${topic}/a`, {}, { qos })).toEqual(receipt);
          expect(await all.message()).toMatchObject({ topic: `${way}/${topic}/a`, qos });
          expect(await publish(`${topic}/a`, { value: { topic: `else/${topic}/b`, payload: "another" } }, { qos })).toEqual(receipt);
          const changed = await all.message();
          expect([changed.topic, changed.qos, textOf(changed)]).toEqual([`else/${topic}/b`, qos, "another"]);
          // Nobody is asked who wants it, then.
          expect(await publish(`${topic}/a`, { value: { qos: 0 } }, { qos })).toEqual({ reasonCode: 0 });
          expect(await all.message()).toMatchObject({ qos: 0 });
          all.terminate();
        }
      });

      test(`${way}: one that is refused goes nowhere and is thrown, at QoS 0 too`, async () => {
        const topic = unique();
        const all = await listener(`+/${topic}`);
        for (const qos of [0, 1, 2]) {
          expect(await publish(topic, { value: { refuse: 0x97, reason: "not on Sundays" } }, { qos })).toEqual({
            name: "RefusedError",
            message: "publish: the broker does not take the message: quota exceeded (0x97), not on Sundays",
            reasonCode: 0x97,
          });
        }
        await all.silence(all);
      });

      test(`${way}: where the hook fails it goes nowhere, and the log says why`, async () => {
        const topic = unique();
        const all = await listener(`+/${topic}`);
        const error = `${topic} is away`;
        for (const answer of [{ error }, { value: { topic: "a/#" } }, { value: { qos: 3 } }])
          expect(await publish(topic, answer, { qos: 1 })).toMatchObject({ name: "RefusedError", reasonCode: 0x83 });
        await all.silence(all);
        await vi.waitFor(() => expect(broker.lines.some((line) => line.includes("a hook failed") && line.includes(error))).toBe(true));
      });
    }

    test("it is told that another Worker publishes, or which client, or whose will it is", async () => {
      const topic = `ask/${unique()}`;
      const properties = { contentType: "text/plain" };
      await broker.publish(topic, "of a Worker", { qos: 1, properties });
      const will = { topic, payload: "gone" };
      const client = await broker.connect({ version: 5, will });
      await client.publish(topic, "of a client", { qos: 1 });
      client.terminate();
      await director.call("onPublish", ({ args: [message] }) => message.payload === "gone");
      const told = director.all("onPublish", ({ args: [message] }) => message.topic === topic);
      expect(told[0]!.args).toEqual([{ topic, payload: "of a Worker", qos: 1, retain: false, properties }, NO_CLIENT, "service"]);
      expect(told.slice(1).map(({ args: [, who, source] }) => [who.clientId, source])).toEqual([
        [client.clientId, "client"],
        [client.clientId, "will"],
      ]);
    });

    test("what it publishes itself it is not asked about: nothing goes round", async () => {
      const topic = `ask/${unique()}`;
      const all = await listener(topic);
      director.on("onPublish", () => ({ publish: { topic, payload: "the hook's own" } }));
      await broker.publish(topic, "of a Worker", { qos: 1 });
      expect((await all.texts(2)).sort()).toEqual(["of a Worker", "the hook's own"]);
      await all.silence(all);
      expect(director.all("onPublish").length).toBe(1);
    });

    test("it is not asked about the broker's own topics", async () => {
      expect(await broker.publish("$SYS/ask", "", { qos: 1 })).toEqual(NOBODY);
      expect(director.all("onPublish")).toEqual([]);
    });

    test("messages of one topic stay in order while it takes its time, and hold up no others", async () => {
      const place = unique();
      const all = await listener(`+/${place}/+`);
      const waiting: (() => void)[] = [];
      const isOf = (topic: string, { args: [message] }: HookCall): boolean => message.topic === `ask/${place}/${topic}`;
      director.on("onPublish", (call) => (isOf("b", call) ? {} : new Promise((resolve) => waiting.push(() => resolve({})))));
      const published = ["1", "2", "3"].map((text) => broker.publish(`ask/${place}/a`, text, { qos: 1 }));
      await director.call("onPublish");
      expect(await broker.publish(`ask/${place}/b`, "another", { qos: 1 })).toMatchObject({ matched: true });
      expect(textOf(await all.message())).toBe("another");
      const asked: string[] = [];
      for (let count = 1; count <= 3; count += 1) {
        await vi.waitFor(() => expect(waiting.length).toBe(count));
        const told = director.all("onPublish", (call) => isOf("a", call));
        // Of those behind it nobody has been asked about yet.
        expect(told.length).toBe(count);
        asked.push(told.at(-1)!.args[0].payload);
        waiting.at(-1)!();
        expect(textOf(await all.message())).toBe(asked.at(-1));
      }
      await Promise.all(published);
      expect(asked.sort()).toEqual(["1", "2", "3"]);
    });

    test("what waits for it is bounded; when it never answers they go nowhere after its time", { timeout: 4 * HOOK_MS_MAX }, async () => {
      const topic = `ask/${unique()}`;
      const payload = "x".repeat(900_000);
      director.on("onPublish", () => new Promise(() => {}));
      const first = broker.publish(topic, payload, { qos: 1 });
      await director.call("onPublish");
      const fit = Math.floor(SERVICE_ASKED_BYTES_MAX / payload.length) + 1;
      const others = Array.from({ length: fit + 2 }, () => broker.publish(topic, payload, { qos: 1 }));
      // Those that are taken wait until the first one has had its time.
      expect(await Promise.race(others)).toEqual({
        name: "RefusedError",
        message: expect.stringContaining("quota exceeded (0x97), too many messages of other Workers wait for onPublish"),
        reasonCode: 0x97,
      });
      director.on("onPublish", () => ({}));
      expect(await first).toMatchObject({ name: "RefusedError", reasonCode: 0x83 });
      const taken = (await Promise.all(others)).filter(({ reasonCode }) => reasonCode !== 0x97);
      expect(taken.length).toBe(fit - 1);
      expect(await broker.publish(topic, "after it", { qos: 1 })).toEqual(NOBODY);
    });
  },
  { ALLOW_ANONYMOUS: true, API_TOKENS },
  {},
  ["compact", "sharded"],
);
