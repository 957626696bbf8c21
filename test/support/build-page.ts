/**
 * Before all tests, once: the page, which broker and wrangler serve. Built here so that parallel test files find it built; Workers that one of them has
 * bundled are there for the others, too.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { BUNDLES_VARIABLE, buildPage } from "../../scripts/build/bundle.ts";

export default async function setup({ vitest }: TestProject): Promise<(() => void) | undefined> {
  await buildPage();
  // Whoever watches changes sources.
  if (vitest.config.watch || process.env[BUNDLES_VARIABLE] !== undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-bundles-"));
  process.env[BUNDLES_VARIABLE] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
