/** Hooks in an object that has slept: a socket that stayed is asked about as before, and one that closed meanwhile is told of. */

import { describe, expect, test, vi } from "vitest";
import { PUBACK } from "../../src/mqtt/packet.ts";
import { HookedObject } from "../support/hooked-object.ts";
import { publishPacket } from "../support/mqtt-client.ts";

/** An object with a client whose session is kept for so long. */
async function slept(sessionExpiryInterval: number) {
  const told: string[] = [];
  const object = new HookedObject({
    onConnect: ({ clientId }) => void told.push(`${clientId} is here`),
    onDisconnect: ({ clientId }, { reasonCode }) => void told.push(`${clientId} is gone: ${reasonCode}`),
    onPublish: async ({ topic }) => {
      told.push(`asked about ${topic}`);
      return { refuse: 0x97 };
    },
  });
  const client = await object.connect({ clientId: "c1", properties: { sessionExpiryInterval } });
  return { told, object, client };
}

describe.each([0, 100])("of a session that is kept %i s", (seconds) => {
  test("what comes over a socket that stayed is asked about, and nobody is told again that its client is here", async () => {
    const { told, object, client } = await slept(seconds);
    object.sleep([client]);
    client.send(publishPacket("a", "x", { qos: 1, packetId: 3 }));
    await vi.waitFor(() => expect(client.came.at(-1)).toMatchObject({ type: PUBACK, packetId: 3, reasonCode: 0x97 }));
    client.lose();
    await vi.waitFor(() => expect(told).toEqual(["c1 is here", "asked about a", "c1 is gone: undefined"]));
  });

  test("a socket that was closed meanwhile: its client is gone", async () => {
    const { told, object, client } = await slept(seconds);
    object.sleep([]);
    client.lose();
    await vi.waitFor(() => expect(told).toEqual(["c1 is here", "c1 is gone: undefined"]));
  });
});
