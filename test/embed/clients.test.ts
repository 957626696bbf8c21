/** Hooks that are told of clients after the fact: of what, in which order, and that nothing they do changes anything. */

import { describe, expect, test, vi } from "vitest";
import { HOOK_MS_MAX } from "../../src/code-limits.ts";
import { DISCONNECT, NO_PROPERTIES, PINGRESP } from "../../src/mqtt/packet.ts";
import { describeEmbedded, type HookAnswer, type HookCall } from "../support/embedded-broker.ts";
import { request, textOf, unique } from "../support/mqtt-client.ts";

describeEmbedded(
  (broker) => {
    const { director } = broker;
    const about =
      (clientId: string) =>
      ({ args: [client] }: HookCall): boolean =>
        client?.clientId === clientId;
    /** What was told of a client, in order, when so many have come. */
    const told = async (clientId: string, count: number): Promise<readonly HookCall[]> => {
      const all = (): readonly HookCall[] => director.calls.filter(about(clientId)).filter(({ hook }) => hook !== "authenticate");
      await vi.waitFor(() => expect(all().length).toBeGreaterThanOrEqual(count), { timeout: 5000 });
      return all();
    };
    const ended = async (clientId: string): Promise<object> => (await director.call("onDisconnect", about(clientId))).args[1];

    test("a client comes, subscribes, unsubscribes and goes", async () => {
      const client = await broker.connect({ version: 5, keepAliveSeconds: 60, properties: { sessionExpiryInterval: 100 } });
      const filters = [request("a/#", 1), request("$share/g/b", 2), request("not/$/a#", 0), request("c", 0, { noLocal: true })];
      expect((await client.subscribe(filters)).reasonCodes).toEqual([1, 2, 0x8f, 0]);
      await client.subscribe([request("a/#", 2, { retainAsPublished: true })]);
      await client.unsubscribe("a/#", "never", "c");
      await client.disconnect();
      const { clientId } = client;
      // The last: how many there are of subscriptions is up to the topology.
      await ended(clientId);
      const calls = await told(clientId, 5);
      const who = { clientId, address: expect.any(String), attributes: {} };
      const options = { noLocal: false, retainAsPublished: false, retainHandling: 0 };
      const beginning = { protocolVersion: 5, sessionPresent: false, keepAliveSeconds: 60, sessionExpirySeconds: 100 };
      // Those of one packet are told together where they are known at once, which is up to the topology.
      const granted = calls.filter(({ hook }) => hook === "onSubscribe").flatMap(({ args }) => args[1]);
      expect(granted.slice(0, 3).sort((one, other) => (one.filter < other.filter ? -1 : 1))).toEqual([
        { filter: "$share/g/b", qos: 2, ...options },
        { filter: "a/#", qos: 1, ...options },
        { filter: "c", qos: 0, ...options, noLocal: true },
      ]);
      expect(granted[3]).toEqual({ filter: "a/#", qos: 2, ...options, retainAsPublished: true });
      const others = calls.filter(({ hook }) => hook !== "onSubscribe");
      expect(others).toEqual([
        { hook: "onConnect", namespace: "default", args: [{ ...who, ...beginning }] },
        { hook: "onUnsubscribe", namespace: "default", args: [who, ["a/#", "c"]] },
        { hook: "onDisconnect", namespace: "default", args: [who, { reasonCode: 0, reason: "", willPublished: false }] },
      ]);
      expect(calls[0]!.hook).toBe("onConnect");
      expect(calls.at(-1)!.hook).toBe("onDisconnect");
    });

    test("it comes again: with its session, and with another connection in its place", async () => {
      const clientId = unique("c");
      const kept = { version: 5, clientId, clean: false, properties: { sessionExpiryInterval: 100 } } as const;
      const first = await broker.connect(kept);
      await broker.connect(kept);
      await first.closed;
      const calls = await told(clientId, 3);
      expect(calls.map(({ hook }) => hook)).toEqual(["onConnect", "onDisconnect", "onConnect"]);
      expect(calls[1]!.args[1]).toEqual({ reasonCode: 0x8e, reason: expect.stringContaining("another connection"), willPublished: false });
      expect(calls[2]!.args[0]).toMatchObject({ sessionPresent: true });
    });

    test("nobody is told of a client that is not let in", async () => {
      const client = await broker.connect({ version: 5 });
      const refused = await broker.open();
      director.on("authenticate", () => ({ value: { result: "deny" } }));
      expect((await refused.connect({ version: 5, userName: "nobody", password: "x" })).reasonCode).toBe(0x87);
      await told(client.clientId, 1);
      expect(director.calls.filter(about(refused.clientId)).map(({ hook }) => hook)).toEqual(["authenticate"]);
    });

    describe("why it has gone", () => {
      const will = { topic: "somewhere", payload: "will" };

      test("DISCONNECT with will, of 5.0; with what the client says", async () => {
        const client = await broker.connect({ version: 5, will });
        client.send({ type: DISCONNECT, reasonCode: 4, properties: { reasonString: "enough" } });
        expect(await ended(client.clientId)).toEqual({ reasonCode: 4, reason: "enough", willPublished: true });
      });

      test("its socket closes, or is lost", async () => {
        const client = await broker.connect({ version: 4, will });
        await client.close();
        expect(await ended(client.clientId)).toEqual({ reason: "", willPublished: true });
        const lost = await broker.connect({ version: 4 });
        lost.terminate();
        expect(await ended(lost.clientId)).toEqual({ reason: "", willPublished: false });
      });

      test("a will that waits is not published yet", async () => {
        const properties = { willDelayInterval: 50 };
        const client = await broker.connect({ version: 5, will: { ...will, properties }, properties: { sessionExpiryInterval: 100 } });
        client.terminate();
        expect(await ended(client.clientId)).toEqual({ reason: "", willPublished: false });
      });

      test("it breaks a rule: also of 3.x it is told by the code of 5.0", async () => {
        for (const version of [3, 4, 5] as const) {
          const client = await broker.connect({ version });
          client.send({ type: PINGRESP });
          await client.closed;
          expect(await ended(client.clientId)).toMatchObject({ reasonCode: expect.any(Number), reason: expect.stringMatching(/./) });
        }
      });
    });

    describe("what they do wrong", () => {
      test("changes nothing for the client, and the next is told", async () => {
        for (const hook of ["onConnect", "onSubscribe", "onUnsubscribe", "onDisconnect"])
          director.on(hook, () => ({ error: `${hook} is broken` }));
        const client = await broker.connect({ version: 5 });
        expect((await client.subscribe("a", { qos: 1 })).reasonCodes).toEqual([1]);
        await client.publish("a", "still", { qos: 1 });
        expect(textOf(await client.message())).toBe("still");
        await client.unsubscribe("a");
        await client.disconnect();
        const calls = await told(client.clientId, 4);
        expect(calls.map(({ hook }) => hook)).toEqual(["onConnect", "onSubscribe", "onUnsubscribe", "onDisconnect"]);
      });

      test("one that takes its time holds up what is told of that client, in order, and nobody else", async () => {
        const slowId = unique("c");
        let give!: (answer: HookAnswer) => void;
        const answer = new Promise<HookAnswer>((resolve) => {
          give = resolve;
        });
        director.on("onConnect", (call) => (about(slowId)(call) ? answer : {}));
        const slow = await broker.connect({ version: 5, clientId: slowId });
        await slow.subscribe("a", { qos: 1 });
        await slow.unsubscribe("a");
        const other = await broker.connect({ version: 5, clientId: broker.beside(slowId) });
        await other.subscribe("a");
        await told(other.clientId, 2);
        expect((await told(slowId, 1)).map(({ hook }) => hook)).toEqual(["onConnect"]);
        give({});
        expect((await told(slowId, 3)).map(({ hook }) => hook)).toEqual(["onConnect", "onSubscribe", "onUnsubscribe"]);
      });

      test("one that never ends holds it up for its time", async () => {
        director.on("onConnect", () => new Promise(() => {}));
        const client = await broker.connect({ version: 5 });
        const since = Date.now();
        await client.subscribe("a");
        await vi.waitFor(() => expect(director.all("onSubscribe", about(client.clientId)).length).toBe(1), { timeout: HOOK_MS_MAX + 3000 });
        expect(Date.now() - since).toBeGreaterThan(HOOK_MS_MAX - 500);
      });
    });

    test("what they publish reaches subscribers, also of the client itself", async () => {
      const topic = `presence/${unique()}`;
      const watcher = await broker.connect({ version: 5 });
      await watcher.subscribe(topic, { qos: 1 });
      director.on("onConnect", () => ({ publish: { topic, payload: "somebody is here" } }));
      const client = await broker.connect({ version: 4 });
      expect(textOf(await watcher.message())).toBe("somebody is here");
      await client.disconnect(0, NO_PROPERTIES);
    });
  },
  { ALLOW_ANONYMOUS: true, ACL: "", ADDRESS_LOGIN_FAILURE_RATE: "unlimited" },
);
