/** What one user may take of the retained messages of a Topic object, and what is left to the others. */

import { expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { NO_MATCHING_SUBSCRIBERS, QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { RoutingCore } from "../../src/routing/core.ts";
import { retainedFor } from "../../src/routing/move.ts";
import { userNumber } from "../../src/session/user-shares.ts";
import { RETAINED_BYTES_SHARED, RETAINED_BYTES_SMALL } from "../../src/share-limits.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { messageTo } from "../session/support.ts";

const [ADA, BOB] = ["ada", "bob"].map(userNumber);
const KEPT = NO_MATCHING_SUBSCRIBERS;

function setup(userShare = 0.5) {
  const store = new MemoryRoutingStore(createRowMeter());
  const open = (): RoutingCore =>
    new RoutingCore({
      ledger: new Ledger(1 << 30),
      damaged: () => {},
      origin: "topic@1",
      limits: { ...DEFAULT_LIMITS, retainedMessagesMax: 8 },
      sharedStrategy: "round_robin",
      userShare,
      store,
      delivery: { deliver: () => {} },
      owns: () => true,
      now: 1000,
    });
  let core = open();
  const retain = (owner: number | undefined, topic: string, { size = 1, expiresAt = 0, now = 1000 } = {}): number => {
    let code = -1;
    const message = messageTo(topic, { retain: true, qos: 1, payload: new Uint8Array(size), expiresAt });
    const told = (reasonCode: number): void => {
      code = reasonCode;
    };
    core.publish(message, now, told, { owner });
    return code;
  };
  const reset = (): void => {
    core = open();
  };
  return { store, retain, reset };
}

const codes = (count: number, code: number): number[] => Array<number>(count).fill(code);

test("one user ends at the share, over a reset too; others find room, and nothing is refused before there is so much", () => {
  const { retain, reset } = setup();
  const each = (owner: number | undefined, name: string, count: number): number[] =>
    Array.from({ length: count }, (_, index) => retain(owner, `${name}/${index}`));
  expect(each(ADA, "a", 5)).toEqual([...codes(4, KEPT), QUOTA_EXCEEDED]);
  reset();
  expect(retain(ADA, "a/4")).toBe(QUOTA_EXCEEDED);
  expect(each(BOB, "b", 5)).toEqual([...codes(4, KEPT), QUOTA_EXCEEDED]);
});

test("what one has may change and go, and room that is given back is found again", () => {
  const { retain } = setup();
  for (let index = 0; index < 4; index += 1) retain(ADA, `a/${index}`, { expiresAt: index === 3 ? 5000 : 0 });
  expect([retain(ADA, "a/0"), retain(ADA, "b")]).toEqual([KEPT, QUOTA_EXCEEDED]);
  retain(ADA, "a/0", { size: 0 });
  expect([retain(ADA, "b"), retain(ADA, "c")]).toEqual([KEPT, QUOTA_EXCEEDED]);
  expect(retain(ADA, "c", { now: 5000 })).toBe(KEPT);
});

test("a message counts for who published it last", () => {
  const { retain } = setup();
  for (let index = 0; index < 4; index += 1) retain(ADA, `a/${index}`);
  expect([retain(BOB, "a/0"), retain(BOB, "a/1"), retain(ADA, "c"), retain(ADA, "d"), retain(ADA, "e")]).toEqual([
    ...codes(4, KEPT),
    QUOTA_EXCEEDED,
  ]);
  // Above the share by another one's as well, and not by one's own.
  expect([retain(ADA, "a/0"), retain(ADA, "a/2")]).toEqual([QUOTA_EXCEEDED, KEPT]);
});

test("rows of before belong to nobody, and nobody has a share where one has all", () => {
  const { retain } = setup();
  for (let index = 0; index < 6; index += 1) expect(retain(undefined, `old/${index}`)).toBe(KEPT);
  expect([retain(ADA, "a"), retain(ADA, "b"), retain(ADA, "c")]).toEqual([KEPT, KEPT, QUOTA_EXCEEDED]);
  const all = setup(1);
  expect(Array.from({ length: 9 }, (_, index) => all.retain(ADA, `a/${index}`))).toEqual([...codes(8, KEPT), QUOTA_EXCEEDED]);
});

test("bytes have a share as well; what is small and takes the place of one's own is not counted", () => {
  const { store, retain } = setup();
  retain(ADA, "a/0", { size: 100 });
  const { holdingOf } = store;
  const more = 0.5 * RETAINED_BYTES_SHARED;
  // As if there were so much: nobody fills gigabytes in a test.
  store.holding = () => ({ count: 2, bytes: 2 * more });
  store.holdingOf = (owner) => (owner === ADA ? { count: 1, bytes: more } : holdingOf.call(store, owner));
  expect([retain(ADA, "a/1"), retain(BOB, "b")]).toEqual([QUOTA_EXCEEDED, KEPT]);
  expect(retain(ADA, "a/0", { size: RETAINED_BYTES_SMALL - 10 })).toBe(KEPT);
  expect(retain(ADA, "a/0", { size: 2 * RETAINED_BYTES_SMALL })).toBe(QUOTA_EXCEEDED);
});

test("whose it is goes with it to another Topic object", () => {
  const { store, retain } = setup();
  retain(ADA, "a");
  retain(undefined, "b");
  expect(retainedFor(store, { owns: () => true, only: undefined }, "").map(({ topic, owner }) => [topic, owner])).toEqual([
    ["a", ADA],
    ["b", undefined],
  ]);
});

test("users have numbers of their own", () => {
  const names = [undefined, "", "a", "b", ...Array.from({ length: 50_000 }, (_, index) => `device-${index}`)];
  const numbers = names.map(userNumber);
  expect(new Set(numbers).size).toBe(names.length);
  expect(numbers.every((number) => Number.isSafeInteger(number) && number > 0)).toBe(true);
  // They stand in rows: never others.
  expect([undefined, "ada"].map(userNumber)).toEqual([1, 3_024_756_202_351_994]);
});
