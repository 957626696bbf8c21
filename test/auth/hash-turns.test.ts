/** Hashing takes turns: one at a time, with pauses, fair between addresses, and refused early when too many wait. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HashTurns } from "../../src/auth/hash-turns.ts";
import { HASH_LEASE_MS, HASH_PAUSE_MS, HASHES_WAITING_MAX, HASHES_WAITING_PER_ADDRESS_MAX } from "../../src/login-limits.ts";
import { PLATFORM } from "../../src/runtime.ts";

const HASH_MS = 20;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Turns whose hashes take a time and are noted. */
function setup() {
  const turns = new HashTurns(PLATFORM);
  const begun: string[] = [];
  let running = 0;
  let most = 0;
  const hash = (name: string) => async (): Promise<string> => {
    begun.push(name);
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, HASH_MS));
    running -= 1;
    return name;
  };
  const run = async (address: string, name: string): Promise<string | undefined> => (await turns.run(address, hash(name)))?.result;
  return { run, begun, most: () => most };
}

test("one at a time, and no more in a second than the pauses leave room for", async () => {
  const { run, begun, most } = setup();
  const answers = Array.from({ length: 20 }, (_, index) => run(`address ${index}`, `${index}`));
  await vi.advanceTimersByTimeAsync(1000);
  expect(most()).toBe(1);
  expect(begun.length).toBeLessThanOrEqual(Math.ceil(1000 / (HASH_MS + HASH_PAUSE_MS)));
  await vi.advanceTimersByTimeAsync(5000);
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 20 }, (_, index) => `${index}`));
});

test("an address that sends many does not hold up another one", async () => {
  const { run, begun } = setup();
  for (let index = 0; index < HASHES_WAITING_PER_ADDRESS_MAX; index += 1) void run("loud", "loud");
  void run("quiet", "quiet");
  await vi.advanceTimersByTimeAsync(4 * (HASH_MS + HASH_PAUSE_MS));
  expect(begun.indexOf("quiet")).toBeGreaterThan(0);
  expect(begun.indexOf("quiet")).toBeLessThanOrEqual(2);
});

test("beyond what may wait, of one address and of all, nothing is hashed", async () => {
  const { run } = setup();
  void run("loud", "first");
  for (let index = 0; index < HASHES_WAITING_PER_ADDRESS_MAX; index += 1) void run("loud", "next");
  expect(await run("loud", "refused")).toBeUndefined();
  for (let index = HASHES_WAITING_PER_ADDRESS_MAX; index < HASHES_WAITING_MAX; index += 1) void run(`${index}`, "next");
  expect(await run("other", "refused")).toBeUndefined();
});

test("a network of IPv6 is one address: many of its addresses wait in no more places than one, and have one turn among others'", async () => {
  const { run, begun } = setup();
  for (let index = 0; index <= HASHES_WAITING_PER_ADDRESS_MAX; index += 1) void run(`2001:db8::${index}`, "loud");
  expect(await run("2001:db8::ffff", "refused")).toBeUndefined();
  void run("2001:db8:0:1::1", "quiet");
  await vi.advanceTimersByTimeAsync(4 * (HASH_MS + HASH_PAUSE_MS));
  expect(begun.indexOf("quiet")).toBeLessThanOrEqual(2);
  expect(begun).toContain("quiet");
});

test("a hash that fails gives its turn on, and whoever comes to idle turns waits for nobody", async () => {
  const turns = new HashTurns(PLATFORM);
  const failing = turns.run("", () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  const next = turns.run("", () => Promise.resolve(1));
  await vi.advanceTimersByTimeAsync(HASH_PAUSE_MS);
  expect(await next).toEqual({ result: 1 });
  await vi.advanceTimersByTimeAsync(HASH_PAUSE_MS);
  let begun = false;
  void turns.run("", () => {
    begun = true;
    return Promise.resolve();
  });
  expect(begun).toBe(true);
});

test("whose connection is gone while it waits, or hashes, holds up nobody: its timers and promises went with it", async () => {
  const turns = new HashTurns(PLATFORM);
  const hash = () => new Promise<string>((resolve) => setTimeout(() => resolve("hashed"), HASH_MS));
  void turns.run("gone while it hashes", hash);
  void turns.run("gone while it waits", hash);
  vi.clearAllTimers();
  const next = turns.run("still there", hash);
  await vi.advanceTimersByTimeAsync(5 * HASH_LEASE_MS);
  expect(await next).toEqual({ result: "hashed" });
});

test("who turns out to need no hash costs nobody a pause", async () => {
  const turns = new HashTurns(PLATFORM);
  expect(await turns.run("", () => undefined)).toEqual({ result: undefined });
  let begun = false;
  void turns.run("", async () => {
    begun = true;
  });
  expect(begun).toBe(true);
});

test("a cheap hash has a short pause: a fleet with random passwords comes back in no time", async () => {
  const turns = new HashTurns(PLATFORM);
  const done: number[] = [];
  for (let index = 0; index < 100; index += 1) void turns.run(`address ${index}`, async () => done.push(index), 0.01);
  await vi.advanceTimersByTimeAsync(500);
  expect(done).toHaveLength(100);
});
