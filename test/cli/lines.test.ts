/** Lines of a stream of text. */

import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { textLines } from "../../src/cli/lines.ts";

async function read(pieces: readonly Uint8Array[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of textLines(Readable.from(pieces, { objectMode: false }))) lines.push(line);
  return lines;
}

/** @param at where the bytes are cut */
function cut(text: string, at: readonly number[]): Uint8Array[] {
  const bytes = Buffer.from(text);
  const places = [0, ...at.map((each) => each % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((end, index) => bytes.subarray(places[index]!, end));
}

test("are what stands between line feeds, and nothing else ends one", async () => {
  const lines = ["a\u2028b", "", "c\u2029\u0085\vd", "e\rf", "\u{1f680}"];
  expect(await read([Buffer.from(lines.join("\n"))])).toEqual(lines);
  expect(await read([Buffer.from("a\r\nb\r\n")])).toEqual(["a", "b"]);
  expect(await read([])).toEqual([]);
});

test("are the same wherever the bytes are cut", async () => {
  const line = fc.string({ unit: fc.constantFrom("a", "\u2028", "\u{1f680}", "\r", "ü") }).map((text) => `${text}.`);
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, at) => {
      expect(await read(cut(lines.join("\n"), at))).toEqual(lines);
    }),
  );
});
