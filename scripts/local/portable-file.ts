/**
 * The file that `export` writes and `import` reads: a JSON object a line. The first says what it is, the last how many of each kind there are, so
 * that one that was cut off is found out before anything is brought anywhere.
 */
import { createReadStream } from "node:fs";
import { textLines } from "../../src/cli/lines.ts";
import { Problem } from "../../src/cli/problem.ts";

/** In the order in which they are brought: who a session belongs to is there before it, and so is what it may be owed. */
export const KINDS = ["user", "ban", "retained", "session"] as const;

export type Kind = (typeof KINDS)[number];

export type Counts = Record<Kind, number>;

export const FORMAT = "durable-mqtt export";
export const FORMAT_VERSION = 1;

export function noCounts(): Counts {
  return { user: 0, ban: 0, retained: 0, session: 0 };
}

/** What people call them. */
export const NAMES: Readonly<Record<Kind, string>> = { user: "users", ban: "bans", retained: "retained messages", session: "sessions" };

export interface Line {
  readonly kind: string;
  /** As it stands in the file. */
  readonly text: string;
  readonly number: number;
  readonly value: Readonly<Record<string, unknown>>;
}

/** The lines of a file. @throws Problem for a file that can't be read, and for a line that is none */
export async function* linesOf(file: string): AsyncGenerator<Line> {
  let number = 0;
  try {
    for await (const text of textLines(createReadStream(file))) {
      number += 1;
      if (text.trim() !== "") yield lineOf(text, number, file);
    }
  } catch (error) {
    throw error instanceof Problem ? error : new Problem(`${file} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function lineOf(text: string, number: number, file: string): Line {
  try {
    const value = JSON.parse(text) as Line["value"];
    if (typeof value.kind === "string") return { kind: value.kind, text, number, value };
  } catch {
    // Said below.
  }
  throw new Problem(`${file}, line ${number}: expected a JSON object with a kind.`);
}

/** Reads a whole file. @returns how many of each kind it has @throws Problem when it is none, or not whole */
export async function checkFile(file: string): Promise<Counts> {
  const counts = noCounts();
  let last: Line | undefined;
  for await (const line of linesOf(file)) {
    if (line.number === 1) expectHeader(line, file);
    else if (last?.kind === "end") throw new Problem(`${file}, line ${line.number}: expected nothing behind the end.`);
    else if (line.kind !== "end" && !(line.kind in counts))
      throw new Problem(`${file}, line ${line.number}: expected ${KINDS.join(", ")}, not ${JSON.stringify(line.kind)}.`);
    else if (line.kind !== "end") counts[line.kind as Kind] += 1;
    last = line;
  }
  if (last?.kind !== "end") throw new Problem(`${file} is not whole: expected a last line that says how much there is.`);
  for (const kind of KINDS)
    if (last.value[kind] !== counts[kind])
      throw new Problem(
        `${file} is not whole: it has ${counts[kind]} ${NAMES[kind]}, and says that there are ${String(last.value[kind])}.`,
      );
  return counts;
}

function expectHeader({ kind, value }: Line, file: string): void {
  if (kind !== FORMAT) throw new Problem(`${file} is no export: expected a first line of the kind ${JSON.stringify(FORMAT)}.`);
  if (value.version !== FORMAT_VERSION)
    throw new Problem(`${file} is an export of version ${String(value.version)}; this command reads ${FORMAT_VERSION}.`);
}
