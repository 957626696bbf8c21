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

test("a text that is no longer there is an error", async () => {
  const mutation = { name: "none", file: "src/limits.ts", find: "this is not there", replace: "", seeds: 1 };
  await expect(workbench.run(mutation)).rejects.toThrow('"none": the text to replace is 0 times in src/limits.ts');
});
