/**
 * The simulation finds mistakes: each of these in the source makes it fail within so many seeds. These are a few of them; `npm run
 * simulate:mutations` tries them all, and every stored, moved and sent field.
 */

import { afterAll, beforeAll, expect, test } from "vitest";
import { FIELD_MUTATIONS } from "./forms.ts";
import { MUTATIONS, Workbench } from "./mutations.ts";

let workbench: Workbench;
beforeAll(async () => {
  workbench = await Workbench.open();
});
afterAll(() => workbench.close());

/** Some that are found soon; the last four are such as nothing noticed once. */
const NAMES: readonly string[] = [
  "reorder a batch",
  "send PUBREL before PUBREC is on record",
  "use Packet Identifiers again that are in use",
  "never end a session",
  "session row: forget identity.userName",
  "delivery in the log: forget identifiers",
  "subscription that moves: forget identifier",
  "part of a session that moves: forget will",
];

const SAMPLE = [...MUTATIONS, ...FIELD_MUTATIONS].filter(({ name }) => NAMES.includes(name));

test("all of them are in the lists", () => {
  expect(SAMPLE.map(({ name }) => name).sort()).toEqual([...NAMES].sort());
});

test.for(SAMPLE)("$name: found within $seeds seeds", { timeout: 120_000 }, async (mutation) => {
  expect(await workbench.run(mutation)).toBeDefined();
});

test("a run that fails is shortened to a few steps, which break the same promise", { timeout: 180_000 }, async () => {
  const mutation = MUTATIONS.find(({ name }) => name === "lose what was sent before a resume")!;
  // A seed in which this promise breaks first.
  const found = await workbench.run(mutation, { shorten: true, from: 17 });
  const steps = found!.output.match(/^ +\d+\.\d{3} s {2}.*$/gm)!;
  expect(found!.problem).toMatch(/ never got /);
  expect(found!.output).toMatch(/shortened to \d+ of \d{3}, which break:\n.* never got /);
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
