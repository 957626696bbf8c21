/** The documents that the package has, as npm would pack it: who reads them there can follow every link. */

import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { tool } from "../package/support.ts";

/** Links of a text to files, without what stands behind #. */
function linksOf(text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!.split("#")[0]!);
  return links.filter((link) => link !== "" && !/^https?:/.test(link));
}

/** @param files of the package @returns the links of one of its documents that lead nowhere there */
function brokenIn(document: string, text: string, files: readonly string[]): string[] {
  return linksOf(text).filter((link) => {
    const target = posix.join(posix.dirname(document), link);
    return !files.some((file) => file === target || file.startsWith(`${target}/`));
  });
}

test("every link of a document in the package leads to a file in the package", async () => {
  // Without the build, which makes no document.
  const [packed] = JSON.parse(await tool("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], ROOT)) as {
    files: { path: string }[];
  }[];
  const files = packed!.files.map(({ path }) => path);
  const documents = files.filter((file) => file.endsWith(".md"));
  expect(documents).toEqual(expect.arrayContaining(["README.md", "CHANGELOG.md", "docs/embed.md", "docs/guarantees.md"]));
  const broken = documents.flatMap((document) =>
    brokenIn(document, readFileSync(join(ROOT, document), "utf8"), files).map((link) => `${document}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test("and a broken one would be found", () => {
  const text = "[a](../src/a.ts), [b](b.md#c), [docs](.), ![p](p.png) and [out](https://example.org/x)";
  expect(brokenIn("docs/a.md", text, ["docs/a.md", "docs/b.md"])).toEqual(["../src/a.ts", "p.png"]);
});
