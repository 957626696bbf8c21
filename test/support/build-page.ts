/**
 * Before all tests, once: the page, which broker and wrangler serve. Built here so that parallel test files find it built; Workers that one of them has
 * bundled are there for the others, too.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { BUNDLES_VARIABLE, ROOT } from "../../scripts/build/bundle.ts";

export default function setup({ vitest }: TestProject): (() => void) | undefined {
  // By a process of its own, as it is built elsewhere: a part of Vite goes into the page as it is loaded, and the test runner loads it changed.
  execFileSync(process.execPath, [join(ROOT, "scripts/build/build-page.ts")], { stdio: "inherit" });
  // Whoever watches changes sources.
  if (vitest.config.watch || process.env[BUNDLES_VARIABLE] !== undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-bundles-"));
  process.env[BUNDLES_VARIABLE] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
