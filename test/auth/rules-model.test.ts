import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { nanosecondsOf } from "./rules-bench.ts";
import { checkCase, emptyTally } from "./rules-cases.ts";

test("rights agree with a model that asks for every topic, 5,000 random lists of rules", () => {
  const tally = emptyTally();
  const problems: string[] = [];
  for (let seed = 1; seed <= 5000; seed++) {
    const problem = checkCase(seed, tally);
    if (problem !== undefined) problems.push(problem);
  }
  expect(problems.slice(0, 3)).toEqual([]);
  for (const { asked, allowed } of Object.values(tally)) expect(allowed / asked).toBeGreaterThan(0.1);
  for (const { asked, allowed } of Object.values(tally)) expect(allowed / asked).toBeLessThan(0.9);
});

test("the model finds mistakes in what decides", async () => {
  // Exits with an error when it does not find one.
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(ROOT, "scripts/test/rights.ts"),
    "--only",
    "mutations",
    "--every",
    "6",
  ]);
  expect(stdout.match(/: seed \d+$/gm)?.length).toBeGreaterThan(2);
});

test("a publish is judged by ten rules in 0.3 µs, and in 1.5 whatever else the machine does", () => {
  const rules = Array.from({ length: 10 }, (_, index) => ({
    permission: "allow",
    action: "publish",
    topic: `site/${index}/${"${clientid}"}/+`,
  }));
  expect(nanosecondsOf(rules, "site/9/dev-12/state")).toBeLessThan(1500);
});
