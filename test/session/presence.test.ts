/** What a Session object tells of who is there, where telling it fails. */

import { expect, test, vi } from "vitest";
import type { Message } from "../../src/mqtt/message.ts";
import { isPresenceRow } from "../../src/session/presence.ts";
import { decodeReport, isOfPresence, type PresenceReport } from "../../src/topic/presence.ts";
import { type TestClient, World } from "../support/core-harness.ts";

test.each(["join", "leave"] as const)(
  "a report that can't be handed on is told with what changes next, and no row says otherwise: %s",
  (what) => {
    const world = new World({ faults: { caught: () => {} } });
    const node = world.sessions[0]!;
    const { router } = node.core;
    const reports: PresenceReport[] = [];
    let fails = false;
    const publish = router.publish.bind(router);
    vi.spyOn(router, "publish").mockImplementation((message: Message, ticket, owner) => {
      if (!isOfPresence(message.topic)) {
        publish(message, ticket, owner);
        return;
      }
      if (fails) throw new Error("a fault");
      reports.push(decodeReport(message.payload)!);
      ticket?.settled(0);
    });
    const join = (clientId: string): TestClient => {
      const client = world.connect(clientId);
      client.subscribe("room", 0);
      return client;
    };
    const a = join("a");
    node.machine.watchPresence("room", world.now);
    world.settle();
    expect(reports.splice(0)).toMatchObject([{ whole: true, count: 1 }]);
    fails = true;
    if (what === "join") join("b");
    else a.lose();
    world.settle();
    const [row] = [...node.store.sessions()].filter(isPresenceRow);
    // Watchers hold what is not so.
    expect(row!.state[1]).toBe(2);
    fails = false;
    join("c");
    world.settle();
    const expected = what === "join" ? ["a", "b", "c"] : ["c"];
    const { came, count, whole, lost } = reports.at(-1)!;
    expect({ who: came.map(({ clientid }) => clientid).sort(), count, whole, lost }).toEqual({
      who: expected,
      count: expected.length,
      whole: true,
      lost: true,
    });
  },
);
