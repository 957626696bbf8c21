import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";

const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };

it("every npm script installs what is missing first: on a fresh clone the machine's own Node, which may be older, would run it", () => {
  const names = Object.keys(scripts).filter((name) => !(name.startsWith("pre") && name.slice(3) in scripts));
  expect(names.length).toBeGreaterThan(10);
  // That one is run by npm itself, without one before it: so it runs one of the others.
  const others = names.filter((name) => name !== "prepack");
  expect(scripts.prepack).toMatch(/^npm run --silent build:package$/);
  expect(others.filter((name) => scripts[`pre${name}`] !== "node scripts/build/install.mjs")).toEqual([]);
});

it("git ignores what may hold secrets, and the types that wrangler writes", () => {
  const ignored = readFileSync(join(ROOT, ".gitignore"), "utf8").split("\n");
  expect(ignored).toEqual(
    expect.arrayContaining([".dev.vars*", "!.dev.vars.example", ".env*", "secrets*.json", "worker-configuration.d.ts"]),
  );
});
