/** How many ask a hook at a time, and that one which does not answer is left alone. Time stands until the test lets it go. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HookGate, type Pass } from "../../src/auth/hook-gate.ts";
import { ServiceHook } from "../../src/auth/service-hook.ts";
import {
  HOOK_CALLS_MAX,
  HOOK_CALLS_PER_ADDRESS_MAX,
  HOOK_COOL_DOWN_MS,
  HOOK_FAILURES_MAX,
  HOOK_LEASE_MS,
  HOOK_LOOK_MS,
  HOOK_WAITING_MAX,
  HOOK_WAITING_PER_ADDRESS_MAX,
} from "../../src/login-limits.ts";
import { PLATFORM, type Runtime } from "../../src/runtime.ts";

const TIMEOUT_MS = 1000;
let gate: HookGate;

beforeEach(() => {
  vi.useFakeTimers();
  gate = new HookGate(PLATFORM, TIMEOUT_MS);
});
afterEach(() => void vi.useRealTimers());

async function enter(address = ""): Promise<Pass> {
  const pass = await gate.enter(address);
  if (typeof pass === "string") throw new Error(pass);
  return pass;
}

const passes = (count: number, address = ""): Promise<Pass[]> => Promise.all(Array.from({ length: count }, () => enter(address)));

test("so many at a time; the next one waits until one leaves, and no longer than an answer may take", async () => {
  const [first] = await passes(HOOK_CALLS_MAX);
  const next = enter();
  const late = gate.enter("");
  await vi.advanceTimersByTimeAsync(HOOK_LOOK_MS * 3);
  first!.leave(true);
  await vi.advanceTimersByTimeAsync(HOOK_LOOK_MS);
  await next;
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
  expect(await late).toBe("busy");
});

test("one address has no more than its part", async () => {
  const mine = await passes(HOOK_CALLS_PER_ADDRESS_MAX, "loud");
  const more = gate.enter("loud");
  await enter("quiet");
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS + HOOK_LOOK_MS);
  expect(await more).toBe("busy");
  mine[0]!.leave(true);
  await enter("loud");
});

test("a network of IPv6 is one address: two of its addresses have no more places than one, and wait in no more", async () => {
  const all = Array.from({ length: HOOK_CALLS_MAX + HOOK_WAITING_MAX }, (_, index) => gate.enter(`2001:db8::${(index % 5).toString(16)}`));
  let refused = 0;
  for (const each of all) void each.then((pass) => (refused += pass === "busy" ? 1 : 0));
  await vi.advanceTimersByTimeAsync(0);
  expect(gate.size).toBe(HOOK_CALLS_PER_ADDRESS_MAX + HOOK_WAITING_PER_ADDRESS_MAX);
  expect(refused).toBe(all.length - gate.size);
  await enter("2001:db8:0:1::1");
});

test("only so many wait", async () => {
  await passes(HOOK_CALLS_MAX);
  const waiting = Array.from({ length: HOOK_WAITING_MAX }, () => gate.enter(""));
  expect(await gate.enter("")).toBe("busy");
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS + HOOK_LOOK_MS);
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(["busy"]));
});

test("who asked and is gone, as in a Worker whose client has left, holds its place for a bounded time", async () => {
  await passes(HOOK_CALLS_MAX);
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS + HOOK_LEASE_MS);
  await passes(HOOK_CALLS_MAX);
});

test("who waited and is gone is forgotten when somebody else has to wait", async () => {
  let isGone = false;
  const runtime: Runtime = { ...PLATFORM, after: (ms, run) => (isGone ? { cancel: () => {} } : PLATFORM.after(ms, run)) };
  gate = new HookGate(runtime, TIMEOUT_MS);
  await passes(HOOK_CALLS_MAX);
  isGone = true;
  for (let i = 0; i < 10; i += 1) void gate.enter("");
  isGone = false;
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS + HOOK_LEASE_MS);
  await passes(HOOK_CALLS_MAX);
  void gate.enter("");
  expect(gate.size).toBe(HOOK_CALLS_MAX + 1);
});

test("down after some failures in a row: nobody asks, then one does, and with its answer all may", async () => {
  for (let i = 1; i < HOOK_FAILURES_MAX; i += 1) (await enter()).leave(false);
  (await enter()).leave(true);
  for (let i = 0; i < HOOK_FAILURES_MAX; i += 1) (await enter()).leave(false);
  expect(await gate.enter("")).toBe("down");
  await vi.advanceTimersByTimeAsync(HOOK_COOL_DOWN_MS - 1);
  expect(await gate.enter("")).toBe("down");
  await vi.advanceTimersByTimeAsync(1);
  const probe = await enter();
  expect(await gate.enter("")).toBe("down");
  probe.leave(false);
  expect(await gate.enter("")).toBe("down");
  await vi.advanceTimersByTimeAsync(HOOK_COOL_DOWN_MS);
  const second = await enter();
  second.leave(true);
  await passes(HOOK_CALLS_MAX);
});

test("one that was to try and is gone does not keep it down", async () => {
  for (let i = 0; i < HOOK_FAILURES_MAX; i += 1) (await enter()).leave(false);
  await vi.advanceTimersByTimeAsync(HOOK_COOL_DOWN_MS);
  await enter();
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS + HOOK_LEASE_MS);
  (await enter()).leave(true);
  await enter();
});

test("who leaves without having waited for an answer gives its place back, says nothing of the hook, and is heard once", async () => {
  const all = await passes(HOOK_CALLS_MAX);
  for (const pass of all) {
    pass.leave(undefined);
    pass.leave(false);
  }
  for (const pass of await passes(HOOK_CALLS_MAX)) pass.leave(false);
  await vi.advanceTimersByTimeAsync(HOOK_COOL_DOWN_MS);
  const probe = await enter();
  expect(await gate.enter("")).toBe("down");
  probe.leave(undefined);
  const second = await enter();
  expect(await gate.enter("")).toBe("down");
  second.leave(true);
  await enter();
});

test("what another Worker is asked goes on when its client leaves, and keeps its place", async () => {
  const hook = new ServiceHook("it", TIMEOUT_MS, { runtime: PLATFORM, failed: () => {} });
  let underWay = 0;
  const leave: (() => void)[] = [];
  const ask = (index: number): void => {
    const asker = { address: `192.0.2.${index}`, whenGone: (run: () => void) => void leave.push(run) };
    const call = (): Promise<never> => {
      underWay += 1;
      return new Promise(() => {});
    };
    void hook.ask(asker, call, () => "");
  };
  for (let index = 0; index < 2 * HOOK_CALLS_MAX; index += 1) {
    ask(index);
    await vi.advanceTimersByTimeAsync(1);
    for (const gone of leave.splice(0)) gone();
  }
  expect(underWay).toBe(HOOK_CALLS_MAX);
});

test("who waits when it goes down is told at once", async () => {
  const all = await passes(HOOK_CALLS_MAX);
  const waiting = gate.enter("");
  for (const pass of all) pass.leave(false);
  await vi.advanceTimersByTimeAsync(HOOK_LOOK_MS);
  expect(await waiting).toBe("down");
});
