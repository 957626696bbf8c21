/** The one alarm of an object: set earlier and never later, and no farther ahead than the platform takes it. */

import { expect, test } from "vitest";
import { ALARM_MS_MAX } from "../../src/limits.ts";
import { AlarmClock } from "../../src/objects/alarm-clock.ts";
import { PLATFORM } from "../../src/runtime.ts";

const NOW = 1_800_000_000_000;

/** The platform's, which takes no time after 2189. */
function begin(found: number | null = null) {
  const set: number[] = [];
  const storage = {
    getAlarm: async () => found,
    setAlarm: async (at: number) => {
      if (at >= Date.UTC(2190)) throw new Error("This API doesn't support dates after 2189.");
      set.push(at);
    },
  };
  return { set, clock: new AlarmClock(storage, { ...PLATFORM, now: () => NOW }) };
}

test("is set earlier, never later", async () => {
  const { set, clock } = begin(NOW + 500);
  for (const at of [NOW + 900, NOW + 400, NOW + 450, NOW - 10, Number.POSITIVE_INFINITY]) await clock.wakeAt(at);
  expect(set).toEqual([NOW + 400, NOW + 1]);
});

test("what is far away is looked at once a year", async () => {
  const { set, clock } = begin();
  const far = 99_999_999_999_000;
  expect(await clock.wakeAt(far)).toBe(true);
  expect(await clock.wakeAt(far)).toBe(false);
  expect(await clock.wakeAt(NOW + 60_000)).toBe(true);
  clock.fired();
  expect(await clock.wakeAt(far)).toBe(true);
  expect(set).toEqual([NOW + ALARM_MS_MAX, NOW + 60_000, NOW + ALARM_MS_MAX]);
});
