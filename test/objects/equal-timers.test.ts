/** Timers of one length that share one of the platform's. */

import { describe, expect, it } from "vitest";
import { EqualTimers } from "../../src/objects/equal-timers.ts";
import type { Runtime } from "../../src/runtime.ts";

const MS = 10_000;

/** Time that goes on when told; it knows how many timers of the platform were set, and how many run. */
class Clock {
  now = 1_800_000_000_000;
  set = 0;
  /** By what is left of their time. */
  readonly running = new Map<() => void, number>();
  readonly faults: string[] = [];
  readonly runtime: Runtime = {
    now: () => this.now,
    after: (ms, run) => {
      this.set += 1;
      this.running.set(run, ms);
      return { cancel: () => void this.running.delete(run) };
    },
    incarnation: () => "1",
  };
  readonly timers = new EqualTimers(this.runtime, { caught: (error) => void this.faults.push(String(error)) }, MS);

  pass(ms: number): void {
    this.now += ms;
    for (const [run, left] of [...this.running]) {
      this.running.set(run, left - ms);
      if (left > ms) continue;
      this.running.delete(run);
      run();
    }
  }
}

describe("timers of one length", () => {
  it("run when their time is over, each at its own, with one of the platform's at a time", () => {
    const clock = new Clock();
    const ran: string[] = [];
    clock.timers.set(() => ran.push("first"));
    clock.pass(4000);
    clock.timers.set(() => ran.push("second"));
    expect(clock.running.size).toBe(1);
    clock.pass(5999);
    expect(ran).toEqual([]);
    clock.pass(1);
    expect([ran, clock.running.size]).toEqual([["first"], 1]);
    clock.pass(3999);
    expect(ran).toEqual(["first"]);
    clock.pass(1);
    expect([ran, clock.running.size, clock.set]).toEqual([["first", "second"], 0, 2]);
  });

  it("that are cancelled do not run, and keep nothing awake when none is left", () => {
    const clock = new Clock();
    const ran: string[] = [];
    const timers = ["first", "second", "third"].map((name) => clock.timers.set(() => ran.push(name)));
    timers[0]!.cancel();
    timers[0]!.cancel();
    timers[2]!.cancel();
    expect([clock.running.size, clock.set]).toEqual([1, 1]);
    clock.pass(MS);
    expect(ran).toEqual(["second"]);
    clock.timers.set(() => ran.push("fourth")).cancel();
    expect(clock.running.size).toBe(0);
  });

  it("that are set or cancelled by one that runs are heard", () => {
    const clock = new Clock();
    const ran: string[] = [];
    clock.timers.set(() => {
      ran.push("first");
      second.cancel();
      clock.timers.set(() => ran.push("third"));
    });
    const second = clock.timers.set(() => ran.push("second"));
    clock.pass(MS);
    expect(ran).toEqual(["first"]);
    clock.pass(MS);
    expect([ran, clock.running.size]).toEqual([["first", "third"], 0]);
  });

  it("run though one before them fails", () => {
    const clock = new Clock();
    const ran: string[] = [];
    clock.timers.set(() => {
      throw new Error("no");
    });
    clock.timers.set(() => ran.push("second"));
    clock.pass(MS);
    expect([ran, clock.faults]).toEqual([["second"], ["Error: no"]]);
  });

  it("run in time though the clock is set back meanwhile", () => {
    const clock = new Clock();
    const ran: string[] = [];
    clock.timers.set(() => ran.push("first"));
    clock.now -= 3_600_000;
    clock.pass(MS);
    clock.pass(MS);
    expect(ran).toEqual(["first"]);
  });
});
