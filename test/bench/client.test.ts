/**
 * The benchmark of the client for a moment: each library does what it is measured with, so that it is there when it is needed. What the
 * figures are is not tested: that depends on the machine.
 */

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Running } from "../../bench/brokers.ts";
import { runClientScenario, SINK } from "../../bench/client/run.ts";
import { CLIENT_SCENARIOS } from "../../bench/client/scenarios.ts";

/** One of each kind and each QoS. */
const TITLES = [
  "publish, QoS 0, 100 on the way",
  "publish, QoS 2, 16 on the way",
  "receive, QoS 1, 100 on the way",
  "echo, QoS 1, one at a time",
];

let running: Running;

beforeAll(async () => {
  running = await SINK.start();
});
afterAll(() => running.stop());

test.each(TITLES)(
  "%s",
  async (title) => {
    const scenario = CLIENT_SCENARIOS.find((each) => each.title === title)!;
    const result = await runClientScenario(running, scenario, { rounds: 1, seconds: 0.05, warmUpSeconds: 0, version: 5 });
    for (const [library, samples] of Object.entries(result)) {
      const [sample] = samples;
      expect([library, sample!.count > 0, sample!.cpuMicroseconds > 0]).toEqual([library, true, true]);
      if (scenario.outstanding === 1) expect(sample!.p50).toBeGreaterThan(0);
    }
  },
  120_000,
);
