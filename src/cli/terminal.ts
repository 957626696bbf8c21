/**
 * What people see: colours on a terminal only, and how far something is that takes longer than a second. All of it goes to the standard error;
 * the standard output has results alone, so that a program may read it.
 */

import type { WriteStream } from "node:tty";
import { systemClock } from "../client/platform.ts";

type Output = Pick<WriteStream, "write" | "isTTY">;

const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

export type Style = keyof typeof STYLES;

/** As https://no-color.org/ and Node have it: FORCE_COLOR before NO_COLOR before what the stream is. */
export function hasColours(output: Pick<Output, "isTTY">, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0";
  return output.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
}

/** @returns the text, coloured where the output shows colours */
export function paint(style: Style, text: string, output: Pick<Output, "isTTY"> = process.stdout): string {
  const [begin, end] = STYLES[style];
  return hasColours(output) ? `\u001b[${begin}m${text}\u001b[${end}m` : text;
}

/** Nothing is said of what is over by then, ms. */
export const QUIET_MS = 1000;

/** A terminal shows each state, but no more often than this; a log gets a line at longer intervals, ms. */
const TERMINAL_MS = 100;
const LOG_MS = 10_000;

/** Tells how far something is. */
export class Progress {
  readonly #output: Output;
  readonly #now: () => number;
  readonly #began: number;
  #saidAt = Number.NEGATIVE_INFINITY;
  #hasLine = false;

  constructor(output: Output = process.stderr, now: () => number = systemClock.now) {
    this.#output = output;
    this.#now = now;
    this.#began = now();
  }

  /** @param state as in `1,000 of 5,000 users` */
  tell(state: string): void {
    const now = this.#now();
    const isTerminal = this.#output.isTTY === true;
    if (now - this.#began < QUIET_MS || now - this.#saidAt < (isTerminal ? TERMINAL_MS : LOG_MS)) return;
    this.#saidAt = now;
    this.#hasLine ||= isTerminal;
    this.#output.write(isTerminal ? `\r\u001b[K${paint("dim", `${state} ...`, this.#output)}` : `${state} ...\n`);
  }

  /** It is over: the line on the terminal goes. */
  end(): void {
    if (this.#hasLine) this.#output.write("\r\u001b[K");
    this.#hasLine = false;
  }
}
