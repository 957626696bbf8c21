/** What waits for the Worker's code, in the object that holds it: what is said of one message is said of no other, and nothing waits for ever. */

import { expect, test, vi } from "vitest";
import { CONSUMER_RETRY_MS_FIRST } from "../../src/code-limits.ts";
import type { ConsumedMessage } from "../../src/hooks/contract.ts";
import { PUBACK } from "../../src/mqtt/packet.ts";
import { HookedObject } from "../support/hooked-object.ts";
import { publishPacket } from "../support/mqtt-client.ts";

test("what is said of a message whose client may not publish it any more is not said of the next", async () => {
  const asked: string[] = [];
  let answer = (): void => {};
  let mayPublishFirst = true;
  const object = new HookedObject({
    authorize: ({ topic }) => topic !== "first" || mayPublishFirst,
    onPublish: async ({ topic }) => {
      asked.push(topic);
      if (topic !== "first") return { refuse: 0x97 };
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return { topic: "else", payload: "of the first" };
    },
  });
  const client = await object.connect({ clientId: "c1" });
  client.send(publishPacket("first", "1", { qos: 1, packetId: 1 }));
  client.send(publishPacket("second", "2", { qos: 1, packetId: 2 }));
  await vi.waitFor(() => expect(asked).toEqual(["first"]));
  mayPublishFirst = false;
  answer();
  await vi.waitFor(() => expect(client.came.length).toBe(3));
  expect(client.came.slice(1)).toMatchObject([
    { type: PUBACK, packetId: 1, reasonCode: 0x87 },
    { type: PUBACK, packetId: 2, reasonCode: 0x97 },
  ]);
  expect(asked).toEqual(["first", "second"]);
});

/** Errors that say nothing, and what can't be read. */
function odd(): { readonly [what: string]: () => Promise<unknown> } {
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  return {
    nothing: () => Promise.reject(Object.create(null)),
    thrown: () => {
      throw Object.create(null);
    },
    detached: async () => ({ payload: detached }),
  };
}

test.each(["nothing", "thrown", "detached"])(
  "a message whose onPublish fails oddly (%s) is refused, and the next one goes",
  async (what) => {
    const object = new HookedObject({ onPublish: ({ topic }) => (topic === "odd" ? (odd()[what]!() as Promise<undefined>) : undefined) });
    const client = await object.connect({ clientId: "c1" });
    for (const [packetId, topic] of [[1, "odd"] as const, [2, "plain"] as const])
      client.send(publishPacket(topic, "x", { qos: 1, packetId }));
    await vi.waitFor(() => expect(client.came.length).toBe(3));
    expect(client.came.slice(1)).toMatchObject([
      { type: PUBACK, packetId: 1, reasonCode: 0x83 },
      { type: PUBACK, packetId: 2, reasonCode: 0x10 },
    ]);
  },
);

test("a consumer whose handler fails oddly is given the same again", async () => {
  const given: string[] = [];
  const handle = async (messages: readonly ConsumedMessage[]): Promise<void> => {
    for (const { payload } of messages) given.push(new TextDecoder().decode(payload));
    if (given.length === 1) throw Object.create(null);
  };
  const object = new HookedObject({}, [{ name: "a", filter: "a", attemptsMax: 10, batchMessages: 1, batchMs: 0, handle }]);
  const client = await object.connect({ clientId: "c1" });
  for (const packetId of [1, 2]) client.send(publishPacket("a", `${packetId}`, { qos: 1, packetId }));
  await vi.waitFor(() => expect(given).toEqual(["1", "1", "2"]), 3 * CONSUMER_RETRY_MS_FIRST);
});

test("a client whose onConnect fails oddly is told of when it goes", async () => {
  const told: string[] = [];
  const object = new HookedObject({
    onConnect: () => Promise.reject(Object.create(null)),
    onDisconnect: ({ clientId }) => void told.push(clientId),
  });
  (await object.connect({ clientId: "c1" })).lose();
  await vi.waitFor(() => expect(told).toEqual(["c1"]));
});
