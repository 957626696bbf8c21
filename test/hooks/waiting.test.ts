/** Packets that wait for the Worker's code, in the object that holds them: what is said of one is said of no other, and none waits for ever. */

import { expect, test, vi } from "vitest";
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
