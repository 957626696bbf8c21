import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { nanosecondsOf, nanosecondsOfMatching } from "./rules-bench.ts";
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

test("ten rules for each client cost less than ten filters that are taken apart for each message", () => {
  const filters = Array.from({ length: 10 }, (_, index) => `site/${index}/+/+`);
  const rules = filters.map((topic) => ({ permission: "allow", action: "publish", topic: topic.replace("/+/", "/${clientid}/") }));
  // Best of several, in turn: what else the machine does is the same for both.
  expect(nanosecondsOf(rules, "site/9/dev-12/state")).toBeLessThan(nanosecondsOfMatching(filters, "site/9/dev-12/state"));
});
