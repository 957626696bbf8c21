/** Calls that are billed one by one, and those on a target that is held: when it is, for how long, and what happens when it is lost. */

import { describe, expect, test, vi } from "vitest";
import { Caller, holdRule, holdRuleAlone } from "../../src/objects/caller.ts";
import { stillRuntime } from "./still-runtime.ts";

/** Of two kinds with as many objects. */
const HOLD = holdRule(4, 4);

const BATCH = new Uint8Array(1);

/** Objects that answer, and what was asked of them, in order. */
function world(rule = HOLD) {
  const runtime = stillRuntime();
  const asked: string[] = [];
  const how = {
    take: async (): Promise<Uint8Array> => BATCH,
    through: async (): Promise<Uint8Array> => BATCH,
    hold: async (): Promise<void> => {},
  };
  const caller = new Caller(
    runtime,
    (name) => ({
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
    }),
    rule,
  );
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
  /** As many to each of some. */
  const spread = async (calls: (name: string, count: number) => Promise<void>, count: number, names: readonly string[]): Promise<void> => {
    for (const name of names) await calls(name, count);
  };

  test("are single ones while they cost less than holding would", async () => {
    const { runtime, calls, said } = world();
    for (let moment = 0; moment < 5; moment += 1) {
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
    await calls("a", HOLD.callsHeld);
    expect(said()).toEqual({ "a held": HOLD.callsHeld });
    runtime.run();
    await calls("a", HOLD.callsHeld - 1);
    said();
    runtime.run();
    expect(said()).toEqual({ "a gone": 1 });
    await calls("a", 1);
    expect(said()).toEqual({ "a call": 1 });
  });

  test("to several objects count together, and those are held that are called often enough", async () => {
    const { runtime, calls, said } = world();
    const [names, others] = ["abcdefg".split(""), HOLD.calls - 7 * HOLD.callsOfWay];
    await calls("x", HOLD.callsOfWay - 1);
    await spread(calls, HOLD.callsOfWay, names);
    expect(Object.keys(said()).filter((each) => each.endsWith("hold"))).toEqual([]);
    await calls("y", others - (HOLD.callsOfWay - 1));
    said();
    await spread(calls, 1, names);
    expect(Object.keys(said()).filter((each) => each.endsWith("hold"))).toEqual(names.map((name) => `${name} hold`));
    await spread(calls, 1, names);
    expect(said()).toEqual(Object.fromEntries(names.map((name) => [`${name} held`, 1])));
    runtime.run();
    // Of those that are held the ones stay that are called.
    await spread(calls, Math.ceil(HOLD.callsHeld / 2), ["a", "b"]);
    await calls("c", HOLD.callsOfWayHeld - 1);
    said();
    runtime.run();
    expect(said()).toEqual(Object.fromEntries("cdefgy".split("").map((name) => [`${name} gone`, 1])));
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

  test("are single ones where no target is given, as by an earlier build, and it is asked for again once in a moment at most", async () => {
    const { runtime, how, calls, said } = world();
    how.hold = () => Promise.reject(new Error('The RPC receiver does not implement the method "hold".'));
    for (let moment = 0; moment < 3; moment += 1) {
      await calls("a", 3 * HOLD.calls);
      await new Promise(setImmediate);
      runtime.after(HOLD.ms, () => {});
      runtime.run();
    }
    expect(said()).toEqual({ "a call": 9 * HOLD.calls, "a hold": 3 });
  });

  test("a target that takes long to come is asked for once, and let go of when nobody needs it any more", async () => {
    const { runtime, how, calls, said } = world();
    let given!: () => void;
    how.hold = () =>
      new Promise((resolve) => {
        given = resolve;
      });
    for (let moment = 0; moment < 3; moment += 1) {
      await calls("a", HOLD.calls);
      runtime.after(HOLD.ms, () => {});
      runtime.run();
    }
    // It is not forgotten meanwhile.
    for (let object = 0; object < 300; object += 1) await calls(`${object}`, 1);
    given();
    await new Promise(setImmediate);
    const { "a call": single, "a hold": asked } = said();
    expect([single, asked]).toEqual([3 * HOLD.calls, 1]);
    await calls("a", 1);
    expect(said()).toEqual({ "a held": 1 });
    runtime.run();
    expect(said()).toEqual({ "a gone": 1 });
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

  test("another one is held as soon as it is called often enough: this object is awake anyway", async () => {
    const { calls, said } = world();
    await calls("a", HOLD.calls);
    await calls("b", HOLD.callsOfWay);
    expect(said()).toEqual({ "a call": HOLD.calls, "a hold": 1, "b call": HOLD.callsOfWay, "b hold": 1 });
  });

  test("those of single clients are held for their own calls alone", async () => {
    const { calls, said } = world(holdRuleAlone());
    const [{ calls: begins }, { callsOfWay }] = [HOLD, holdRuleAlone()];
    for (let client = 0; client < 10; client += 1) await calls(`${client}`, callsOfWay - 1);
    expect(begins).toBeLessThan(10 * (callsOfWay - 1));
    expect(Object.keys(said()).filter((each) => each.endsWith("hold"))).toEqual([]);
    await calls("0", 1);
    expect(said()).toEqual({ "0 call": 1, "0 hold": 1 });
  });

  test("cost more before they are held where each object pays for more of the others", () => {
    expect(holdRule(4, 4).calls).toBe(Math.ceil(2 * 21.4));
    expect(holdRule(20, 4).calls).toBe(Math.ceil(6 * 21.4));
    expect(holdRule(4, Number.POSITIVE_INFINITY).calls).toBe(22);
  });

  test("objects that are called now and then are forgotten, however many there are", async () => {
    const { runtime, calls, said } = world();
    for (let second = 0; second < 4; second += 1) {
      for (let object = 0; object < 200; object += 1) await calls(`${second} ${object}`, HOLD.callsOfWay - 1);
      runtime.after(HOLD.ms, () => {});
      runtime.run();
    }
    expect(Object.keys(said()).filter((each) => each.endsWith("hold"))).toEqual([]);
  });

  test("of very many in one moment it is looked once whom it need not know any more", async () => {
    const { runtime, calls } = world();
    const looks = vi.spyOn(Map.prototype, Symbol.iterator);
    try {
      for (let moment = 0; moment < 3; moment += 1) {
        for (let object = 0; object < 2000; object += 1) await calls(`${moment} ${object}`, 1);
        runtime.after(HOLD.ms, () => {});
        runtime.run();
      }
      expect(looks.mock.calls.length).toBeLessThanOrEqual(3);
    } finally {
      looks.mockRestore();
    }
  });
});
