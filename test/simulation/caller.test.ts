/** Calls that are billed one by one, and those on a target that is held: when it is, for how long, and what happens when it is lost. */

import { describe, expect, test } from "vitest";
import { HOLD } from "../../src/limits.ts";
import { Caller } from "../../src/objects/caller.ts";
import { stillRuntime } from "./still-runtime.ts";

const BATCH = new Uint8Array(1);

/** Objects that answer, and what was asked of them, in order. */
function world() {
  const runtime = stillRuntime();
  const asked: string[] = [];
  const how = {
    take: async (): Promise<Uint8Array> => BATCH,
    through: async (): Promise<Uint8Array> => BATCH,
    hold: async (): Promise<void> => {},
  };
  const caller = new Caller(runtime, (name) => ({
    take: () => {
      asked.push(`${name} call`);
      return how.take();
    },
    hold: async () => {
      asked.push(`${name} hold`);
      await how.hold();
      return {
        take: () => {
          asked.push(`${name} held`);
          return how.through();
        },
        [Symbol.dispose]: () => void asked.push(`${name} gone`),
      };
    },
  }));
  const calls = async (name: string, count: number): Promise<void> => {
    for (let call = 0; call < count; call += 1) await caller.call(name, BATCH);
  };
  const said = (): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const each of asked.splice(0)) counts[each] = (counts[each] ?? 0) + 1;
    return counts;
  };
  return { runtime, how, caller, calls, said };
}

describe("calls of one object to another", () => {
  test("are single ones while they cost less than holding would", async () => {
    const { runtime, calls, said } = world();
    for (let second = 0; second < 5; second += 1) {
      await calls("a", HOLD.calls - 1);
      runtime.after(HOLD.ms, () => {});
      runtime.run();
    }
    expect(said()).toEqual({ "a call": 5 * (HOLD.calls - 1) });
  });

  test("go through a target once they have cost as much, and it is let go after a moment with fewer", async () => {
    const { runtime, calls, said } = world();
    await calls("a", HOLD.calls);
    expect(said()).toEqual({ "a call": HOLD.calls, "a hold": 1 });
    await calls("a", 1000);
    expect(said()).toEqual({ "a held": 1000 });
    runtime.run();
    await calls("a", HOLD.callsAwake);
    expect(said()).toEqual({ "a held": HOLD.callsAwake });
    runtime.run();
    await calls("a", HOLD.callsAwake - 1);
    said();
    runtime.run();
    expect(said()).toEqual({ "a gone": 1 });
    await calls("a", 1);
    expect(said()).toEqual({ "a call": 1 });
  });

  test("nothing is left of it that keeps the object awake", async () => {
    const { runtime, calls, said } = world();
    await calls("a", HOLD.calls + 1);
    runtime.run();
    runtime.run();
    said();
    runtime.run();
    expect(said()).toEqual({});
  });

  test("one on a target that is lost has failed, and the next ones are single", async () => {
    const { how, caller, calls, said } = world();
    await calls("a", HOLD.calls);
    how.through = () => Promise.reject(new Error("lost"));
    said();
    await expect(caller.call("a", BATCH)).rejects.toThrow("lost");
    await calls("a", 2);
    expect(said()).toEqual({ "a held": 1, "a gone": 1, "a call": 2 });
  });

  test("are single ones where no target is given, as by an earlier build, and it is asked for again as rarely as it would pay", async () => {
    const { how, calls, said } = world();
    how.hold = () => Promise.reject(new Error('The RPC receiver does not implement the method "hold".'));
    for (let time = 0; time < 3; time += 1) {
      await calls("a", HOLD.calls);
      await new Promise(setImmediate);
    }
    expect(said()).toEqual({ "a call": 3 * HOLD.calls, "a hold": 3 });
  });

  test("a target is not let go under a call that takes long", async () => {
    const { runtime, how, caller, calls, said } = world();
    await calls("a", HOLD.calls);
    let answer!: (bytes: Uint8Array) => void;
    how.through = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const call = caller.call("a", BATCH);
    said();
    for (let second = 0; second < 3; second += 1) runtime.run();
    expect(said()).toEqual({});
    answer(BATCH);
    await expect(call).resolves.toBe(BATCH);
    runtime.run();
    expect(said()).toEqual({ "a gone": 1 });
  });

  test("another one is held from fewer calls on: this object is awake anyway", async () => {
    const { calls, said } = world();
    await calls("a", HOLD.calls);
    await calls("b", HOLD.callsAwake);
    expect(said()).toEqual({ "a call": HOLD.calls, "a hold": 1, "b call": HOLD.callsAwake, "b hold": 1 });
  });

  test("objects that are called now and then are forgotten, however many there are", async () => {
    const { runtime, calls, said } = world();
    for (let second = 0; second < 4; second += 1) {
      for (let object = 0; object < 200; object += 1) await calls(`${second} ${object}`, HOLD.calls - 1);
      runtime.after(HOLD.ms, () => {});
      runtime.run();
    }
    expect(Object.keys(said()).filter((each) => each.endsWith("hold"))).toEqual([]);
  });
});
