/** The simulation finds mistakes: each of these in the source makes it fail within so many seeds. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { MUTATIONS, Workbench } from "./mutations.ts";

let workbench: Workbench;
beforeAll(async () => {
  workbench = await Workbench.open();
});
afterAll(() => workbench.close());

test.for(MUTATIONS)("$name: found within $seeds seeds", { timeout: 60_000 }, async (mutation) => {
  expect(await workbench.run(mutation)).toBeDefined();
});

test("a run that fails is shortened to a few steps, which break the same promise", { timeout: 60_000 }, async () => {
  const mutation = MUTATIONS.find(({ name }) => name === "lose what was sent before a resume")!;
  const found = await workbench.run(mutation, { shorten: true });
  const steps = found!.output.match(/^ +\d+\.\d{3} s {2}.*$/gm)!;
  expect(found!.output).toMatch(/shortened to \d+ of \d{3}, which break:[\s\S]*never acknowledged/);
  // Somebody is there, publishes to a subscription, and the connection ends and comes back.
  expect(steps.length).toBeLessThanOrEqual(12);
  for (const words of [/client-\d is there: .*kept/, /subscribes to/, /publishes \d+ to .* at QoS [12]/]) {
    expect(steps.some((step) => words.test(step))).toBe(true);
  }
});

test("a text that is no longer there is an error", async () => {
  const mutation = { name: "none", file: "src/limits.ts", find: "this is not there", replace: "", seeds: 1 };
  await expect(workbench.run(mutation)).rejects.toThrow('"none": the text to replace is 0 times in src/limits.ts');
});
