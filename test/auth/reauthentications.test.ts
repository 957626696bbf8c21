/** What an object does around the exchange of a live connection: its time, its failures, its end. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Reauthentications, type ReauthenticationsOptions } from "../../src/objects/reauthentications.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { type AuthenticationStep, NOBODY } from "../../src/session/ports.ts";

const SUCCESS: AuthenticationStep = { kind: "success", identity: { ...NOBODY, userName: "ada" }, data: undefined };
const CONTINUE: AuthenticationStep = { kind: "continue", data: new Uint8Array(1) };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A re-authentication by a method whose next answer is `step`. */
function begin(step: () => Promise<AuthenticationStep>, judge: ReauthenticationsOptions["judge"] = (_, admission) => admission) {
  const answers: AuthenticationStep[] = [];
  let flushes = 0;
  const enhanced = { methods: ["X"], begin: (method: string) => (method === "X" ? { step } : undefined) };
  const port = new Reauthentications({
    enhanced,
    namespace: "default",
    secondsMax: 10,
    runtime: PLATFORM,
    judge,
    answered: () => {
      flushes += 1;
    },
  });
  const listener = { answered: (answer: AuthenticationStep) => void answers.push(answer) };
  const { step: say, cancel } = port.begin("X", "c", "", listener)!;
  return { port, answers, listener, say: () => say(new Uint8Array(0)), cancel, flushes: () => flushes };
}

test("answers reach the listener, each with a flush; after the last one there is no timer", async () => {
  const answers = [CONTINUE, SUCCESS];
  const exchange = begin(async () => answers.shift()!);
  exchange.say();
  await vi.advanceTimersByTimeAsync(1);
  expect([exchange.answers, exchange.flushes(), vi.getTimerCount()]).toEqual([[CONTINUE], 1, 1]);
  exchange.say();
  await vi.advanceTimersByTimeAsync(1);
  expect([exchange.answers, exchange.flushes(), vi.getTimerCount()]).toEqual([[CONTINUE, SUCCESS], 2, 0]);
});

test("who has authenticated anew is who the directory says by then: others rights, or nobody", async () => {
  const [others, none] = [
    { ...NOBODY, userName: "ada", grants: "others" },
    { reasonCode: 0x86, message: "removed" },
  ];
  const asked: unknown[] = [];
  for (const judged of [others, none]) {
    const exchange = begin(
      async () => SUCCESS,
      (clientId, { userName }) => {
        asked.push([clientId, userName]);
        return judged;
      },
    );
    exchange.say();
    await vi.advanceTimersByTimeAsync(1);
    expect(exchange.answers).toEqual([judged === others ? { ...SUCCESS, identity: others } : none]);
  }
  expect(asked).toEqual(Array(2).fill(["c", "ada"]));
});

test("an unknown method has no exchange", () => {
  const { port, listener } = begin(async () => SUCCESS);
  expect(port.begin("Y", "c", "", listener)).toBeUndefined();
});

test("a method that fails is an authentication service that is not available", async () => {
  const exchange = begin(() => Promise.reject(new Error("secret detail")));
  exchange.say();
  await vi.advanceTimersByTimeAsync(1);
  expect(exchange.answers).toEqual([{ reasonCode: 0x89, message: "the authentication service is not available; try again" }]);
  expect(vi.getTimerCount()).toBe(0);
});

test("an exchange that is not finished in time is refused once, whatever comes later", async () => {
  let answer: (step: AuthenticationStep) => void = () => {};
  const exchange = begin(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  exchange.say();
  await vi.advanceTimersByTimeAsync(9999);
  expect(exchange.answers).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  answer(SUCCESS);
  await vi.advanceTimersByTimeAsync(1);
  expect(exchange.answers).toEqual([{ reasonCode: 0x87, message: "the authentication was not finished within 10 s" }]);
});

test("when its connection is gone nothing is answered and no timer remains", async () => {
  const exchange = begin(async () => SUCCESS);
  exchange.say();
  exchange.cancel();
  await vi.advanceTimersByTimeAsync(20_000);
  expect([exchange.answers, vi.getTimerCount()]).toEqual([[], 0]);
});
