/** What a browser loads before the console can be used. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { PAGE_FOLDER } from "../../scripts/build/bundle.ts";

const KIB = 1024;

function compressed(file: string): number {
  return gzipSync(readFileSync(join(PAGE_FOLDER, file)), { level: 9 }).length;
}

test("the first load is below 90 KiB, and what a view needs comes when it is opened", () => {
  const html = readFileSync(join(PAGE_FOLDER, "index.html"), "utf8");
  const first = ["index.html", ...[...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, file]) => file!)];
  for (const kind of [".js", ".css"]) expect(first.some((file) => file.startsWith("assets/index-") && file.endsWith(kind))).toBe(true);
  expect(first.reduce((sum, file) => sum + compressed(file), 0)).toBeLessThan(90 * KIB);
  const later = readdirSync(join(PAGE_FOLDER, "assets")).filter((file) => !first.includes(`assets/${file}`));
  for (const view of ["clients-view", "overview-view", "access-view", "uPlot", "cborg"])
    expect(later.some((file) => file.startsWith(view))).toBe(true);
});
