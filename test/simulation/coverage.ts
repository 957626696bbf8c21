/** Which lines of the source simulated runs reach, by V8's own counts of this process. */

import { readFile } from "node:fs/promises";
import { type Profiler, Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";

export interface FileCoverage {
  /** Below `src`. */
  readonly file: string;
  readonly lines: number;
  /** First and last of lines that follow each other and were never reached. */
  readonly missed: readonly (readonly [first: number, last: number])[];
}

export class Coverage {
  readonly #session = new Session();

  /** To be begun before the files are loaded. */
  async begin(): Promise<void> {
    this.#session.connect();
    await this.#session.post("Profiler.enable");
    await this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** @param folders below `src` */
  async end(folders: readonly string[]): Promise<FileCoverage[]> {
    const { result } = await this.#session.post("Profiler.takePreciseCoverage");
    this.#session.disconnect();
    const found: FileCoverage[] = [];
    for (const { url, functions } of result) {
      const [, file] = /\/src\/(.*\.ts)$/.exec(url) ?? [];
      if (file === undefined || !folders.some((folder) => file.startsWith(`${folder}/`))) continue;
      found.push({ file, ...missedLines(await readFile(fileURLToPath(url), "utf8"), functions) });
    }
    return found.sort((a, b) => (a.file < b.file ? -1 : 1));
  }
}

/** Types are blanked out where they stood, so that places in what ran are places in the file. */
function missedLines(text: string, functions: readonly Profiler.FunctionCoverage[]): Omit<FileCoverage, "file"> {
  const missed = new Uint8Array(text.length);
  // Outer ranges come before inner ones, of functions as of blocks.
  const ranges = functions.flatMap((each) => each.ranges).sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of ranges) missed.fill(count === 0 ? 1 : 0, startOffset, endOffset);
  const numbers: number[] = [];
  let lines = 0;
  let offset = 0;
  for (const [index, line] of text.split("\n").entries()) {
    const start = offset + line.search(/\S|$/);
    const isCode = /[\w]/.test(line) && !/^\s*(\/\/|\/?\*)/.test(line);
    if (isCode) lines += 1;
    if (isCode && missed[start] === 1) numbers.push(index + 1);
    offset += line.length + 1;
  }
  return { lines, missed: runsOf(numbers) };
}

function runsOf(numbers: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

/** A line for each file that was not reached as a whole, and one for all. */
export function coverageText(files: readonly FileCoverage[]): string {
  const count = ({ missed }: FileCoverage): number => missed.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const all = files.reduce((sum, { lines }) => sum + lines, 0);
  const unreached = files.reduce((sum, each) => sum + count(each), 0);
  const texts = files
    .filter(({ missed }) => missed.length > 0)
    .map(
      (each) => `src/${each.file}: ${each.missed.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(", ")}`,
    );
  return [...texts, `${all - unreached} of ${all} lines reached (${((100 * (all - unreached)) / all).toFixed(1)} %)`].join("\n");
}
