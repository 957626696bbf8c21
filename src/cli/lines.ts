/** The lines of a stream of text: what stands between line feeds, and nothing else, whatever else a text may have in it. */

import type { Readable } from "node:stream";

/** @param input UTF-8; a carriage return before a line feed belongs to it */
export async function* textLines(input: Readable): AsyncGenerator<string> {
  let begun: string[] = [];
  for await (const piece of input.setEncoding("utf8") as AsyncIterable<string>) {
    const [end, ...more] = piece.split("\n");
    begun.push(end!);
    for (const next of more) {
      yield whole(begun);
      begun = [next];
    }
  }
  const last = whole(begun);
  if (last !== "") yield last;
}

function whole(pieces: readonly string[]): string {
  const line = pieces.join("");
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
