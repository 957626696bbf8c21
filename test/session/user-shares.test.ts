/** What part of a Session object one user may take. */

import { describe, expect, test } from "vitest";
import { PUBACK, SUBACK } from "../../src/mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { USER_SHARE_LOOKS } from "../../src/share-limits.ts";
import { World } from "../support/core-harness.ts";

const KEPT = { clean: false, properties: { sessionExpiryInterval: 1000 } };

const FULL = [QUOTA_EXCEEDED, 3];

/** @returns the codes of a CONNECT of each version */
function codes(world: World, name: string, userName: string | undefined, options = {}): number[] {
  return ([5, 4] as const).map((version) => {
    const client = world.connect(`${name}-${version}`, { version, ...(userName === undefined ? {} : { userName }), ...options });
    const { reasonCode } = client.connack;
    if (reasonCode === 0) client.lose();
    return reasonCode;
  });
}

describe("connections", () => {
  test("one user has half of them at the most, and others have theirs", () => {
    const world = new World({ userShare: 0.5, limits: { connectionsMax: 10 } });
    for (let count = 0; count < 5; count += 1) world.connect(`ada-${count}`, { userName: "ada" });
    expect(codes(world, "more", "ada")).toEqual(FULL);
    for (let count = 0; count < 4; count += 1) world.connect(`bob-${count}`, { userName: "bob" });
    expect(codes(world, "more", "bob")).toEqual([0, 0]);
    expect(codes(world, "more", undefined)).toEqual([0, 0]);
  });

  test("anonymous clients are one user; a client that takes its own connection over is not refused; room comes back", () => {
    const world = new World({ userShare: 0.5, limits: { connectionsMax: 10 } });
    const clients = [...Array(5).keys()].map((count) => world.connect(`nobody-${count}`));
    expect(codes(world, "more", undefined)).toEqual(FULL);
    expect(world.connect("nobody-0").connack.reasonCode).toBe(0);
    clients[1]!.lose();
    expect(codes(world, "more", undefined)).toEqual([0, 0]);
  });

  test("with a share of 1 the limit alone counts", () => {
    const world = new World({ limits: { connectionsMax: 10 } });
    for (let count = 0; count < 9; count += 1) world.connect(`ada-${count}`, { userName: "ada" });
    expect(codes(world, "last", "ada")).toEqual([0, 0]);
  });

  test("where there are many sessions some are looked at each time, and the user is refused soon", () => {
    const most = 6 * USER_SHARE_LOOKS;
    const world = new World({ userShare: 0.5, limits: { connectionsMax: most } });
    let taken = 0;
    while (world.connect(`ada-${taken}`, { userName: "ada" }).connack.reasonCode === 0) taken += 1;
    expect(taken).toBeGreaterThanOrEqual(most / 2);
    expect(taken).toBeLessThan(most / 2 + 20);
    expect(world.connect("bob", { userName: "bob" }).connack.reasonCode).toBe(0);
  });
});

test("sessions that wait for their clients: one user has half of them, and those that end with their connections do not count", () => {
  const world = new World({ userShare: 0.5, limits: { sessionsMax: 8 } });
  for (let count = 0; count < 4; count += 1) world.connect(`ada-${count}`, { userName: "ada", ...KEPT }).lose();
  expect(codes(world, "more", "ada", KEPT)).toEqual(FULL);
  expect(codes(world, "more", "ada", { clean: true })).toEqual([0, 0]);
  const known = world.connect("ada-0", { userName: "ada", ...KEPT });
  expect(known.connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
  known.lose();
  // Nor does who has connected without one before.
  const clients = ([5, 4] as const).map((version) => world.connect(`late-${version}`, { version, userName: "ada" }));
  expect(codes(world, "late", "ada", KEPT)).toEqual(FULL);
  expect(clients.map(({ closed }) => closed)).toEqual([undefined, undefined]);
  expect(codes(world, "more", "bob", KEPT)).toEqual([0, 0]);
});

test("what one user takes over from another is its own from then on", () => {
  const world = new World({ userShare: 0.5, limits: { connectionsMax: 10, sessionsMax: 8 }, choices: { clientIdOwner: "anyone" } });
  for (let count = 0; count < 4; count += 1) world.connect(`ada-${count}`, { userName: "ada", ...KEPT }).lose();
  world.connect("bob-0", { userName: "bob", ...KEPT }).lose();
  expect(world.connect("bob-0", { userName: "ada", ...KEPT }).connack.reasonCode).toBe(QUOTA_EXCEEDED);
  expect(world.connect("bob-0", { userName: "bob", ...KEPT }).connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
  for (let count = 0; count < 5; count += 1) world.connect(`ada+${count}`, { userName: "ada" });
  expect(world.connect("bob-0", { userName: "ada" }).connack.reasonCode).toBe(QUOTA_EXCEEDED);
});

describe("memory", () => {
  /** A broker of which ada has more than half the memory that subscriptions may take. */
  function crowded() {
    const world = new World({ userShare: 0.5, limits: { objectBytesMax: 1 << 20 } });
    const ada = world.connect("ada", { userName: "ada" });
    const answers: number[] = [];
    for (let count = 0; count < 200; count += 1) ada.subscribe(`${count}/${"x".repeat(2000)}`, 1);
    for (const packet of ada.take()) if (packet.type === SUBACK) answers.push(...packet.reasonCodes);
    return { world, ada, answers };
  }

  test("whoever has its share of it subscribes to nothing more, and others do", () => {
    const { world, ada, answers } = crowded();
    const taken = answers.indexOf(QUOTA_EXCEEDED);
    // 0.35 of a mebibyte, at 4.8 KB each.
    expect(taken).toBeGreaterThan(60);
    expect(taken).toBeLessThan(90);
    expect(answers.slice(taken).every((code) => code === QUOTA_EXCEEDED)).toBe(true);
    const bob = world.connect("bob", { userName: "bob" });
    bob.take();
    bob.subscribe("b", 1);
    expect(bob.take()).toMatchObject([{ type: SUBACK, reasonCodes: [1] }]);
    expect(world.sessions[0]!.core.ledger.figures().refused.subscriptions).toBe(200 - taken);
    // It goes on with what it has.
    expect(ada.publish("a", "", { qos: 1 })).toBeDefined();
    expect(ada.take()).toMatchObject([{ type: PUBACK }]);
  });

  test("Topic Aliases that its clients give count", () => {
    const world = new World({ userShare: 0.5, limits: { objectBytesMax: 1 << 20 } });
    const bob = world.connect("bob", { userName: "bob" });
    // 0.45 of a mebibyte, at 124 KB each.
    let taken = 0;
    const give = (): boolean => {
      const client = world.connect(`ada-${taken}`, { userName: "ada" });
      for (let topicAlias = 1; topicAlias <= 30; topicAlias += 1) {
        client.publish(`${topicAlias}/${"t".repeat(2000)}`, "", { properties: { topicAlias } });
        if (client.closed !== undefined) return false;
      }
      return true;
    };
    while (give() && taken < 10) taken += 1;
    expect(taken).toBeGreaterThanOrEqual(3);
    expect(taken).toBeLessThan(5);
    expect(world.sessions[0]!.core.ledger.figures().refused.aliases).toBe(1);
    bob.publish("b", "", { properties: { topicAlias: 1 } });
    expect(bob.closed).toBeUndefined();
  });

  test("Topic Aliases that its clients are given count", () => {
    const world = new World({ userShare: 0.5, limits: { objectBytesMax: 1 << 20 } });
    const [ada, bob] = ["ada", "bob"].map((userName) => world.connect(userName, { userName }));
    const granted = (filter: string): readonly number[] =>
      [ada, bob].flatMap((client) => {
        client!.take();
        client!.subscribe(filter, 1);
        return client!.take().flatMap((packet) => (packet.type === SUBACK ? packet.reasonCodes : []));
      });
    for (let count = 0; count < 3; count += 1) {
      world.connect(`ada-${count}`, { userName: "ada", properties: { topicAliasMaximum: 65_535 } }).subscribe("many/#", 0);
    }
    expect(granted("one")).toEqual([1, 1]);
    // A thousand for each of them, of 170 bytes.
    for (let count = 0; count < 2000; count += 1) bob!.publish(`many/${count >> 1}/${"t".repeat(12)}`);
    expect(granted("more")).toEqual([QUOTA_EXCEEDED, 1]);
  });
});
