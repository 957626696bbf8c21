/** The one alarm of an object: set earlier and never later, no farther ahead than the platform takes it, and again where it could not be set. */

import { expect, test } from "vitest";
import { ALARM_MS_MAX, ALARM_RETRY_MS } from "../../src/limits.ts";
import { AlarmClock } from "../../src/objects/alarm-clock.ts";
import { PLATFORM } from "../../src/runtime.ts";

const NOW = 1_800_000_000_000;

/** The platform's, which takes no time after 2189. @param fails how often at first it can't be set */
function begin(found: number | null = null, fails = 0) {
  const set: number[] = [];
  const timers: { readonly ms: number; readonly run: () => void }[] = [];
  const faults: unknown[] = [];
  const meter = { rowsWritten: 0 };
  let left = fails;
  let wakeAt = Number.POSITIVE_INFINITY;
  const storage = {
    getAlarm: async () => found,
    setAlarm: async (at: number) => {
      left -= 1;
      if (left >= 0) throw new Error("storage takes nothing");
      if (at >= Date.UTC(2190)) throw new Error("This API doesn't support dates after 2189.");
      set.push(at);
    },
  };
  const after = (ms: number, run: () => void) => {
    timers.push({ ms, run });
    return { cancel: () => {} };
  };
  const runtime = { ...PLATFORM, now: () => NOW, after };
  const clock = new AlarmClock({ storage, runtime, meter, wakeAt: () => wakeAt, failed: (error) => faults.push(error) });
  const keep = (at: number): Promise<void> => {
    wakeAt = at;
    return clock.keep();
  };
  return { set, clock, keep, meter, timers, faults };
}

test("is set earlier, never later", async () => {
  const { set, keep } = begin(NOW + 500);
  for (const at of [NOW + 900, NOW + 400, NOW + 450, NOW - 10, Number.POSITIVE_INFINITY]) await keep(at);
  expect(set).toEqual([NOW + 400, NOW + 1]);
});

test("what is far away is looked at once a year", async () => {
  const { set, clock, keep, meter } = begin();
  const far = 99_999_999_999_000;
  await keep(far);
  await keep(far);
  expect([meter.rowsWritten, clock.isSet]).toEqual([1, true]);
  await keep(NOW + 60_000);
  clock.fired();
  expect(clock.isSet).toBe(false);
  await keep(far);
  expect([set, meter.rowsWritten]).toEqual([[NOW + ALARM_MS_MAX, NOW + 60_000, NOW + ALARM_MS_MAX], 3]);
});

test("where it can't be set the object stays awake and tries again, until it is", async () => {
  const { set, clock, keep, timers, faults } = begin(null, 2);
  await keep(NOW + 1_000);
  for (const tries of [1, 2]) {
    await expect.poll(() => timers.length).toBe(tries);
    expect([set, clock.isSet, faults.length]).toEqual([[], false, tries]);
    timers.at(-1)!.run();
  }
  await expect.poll(() => set).toEqual([NOW + 1_000]);
  expect([timers.map(({ ms }) => ms), clock.isSet]).toEqual([[ALARM_RETRY_MS, ALARM_RETRY_MS], true]);
});
