/**
 * What the gateway tells its operator. A line says what happened and where the client is; nothing of what a client sends is in it but its
 * Client Identifier, and nothing of the broker's URL but its host. What goes wrong again and again is told once in a while.
 */

import type { Clock } from "../client/platform.ts";
import { REPEATED_MS } from "./limits.ts";

export type Fields = Readonly<Record<string, string | number | undefined>>;

export interface Line {
  /** `problem`: somebody should look; `connection`: of one client, for who wants to see them all; `notice`: of the gateway itself. */
  readonly kind: "problem" | "connection" | "notice";
  readonly message: string;
  readonly fields: Fields;
}

/** A line as people read it. */
export function textOf({ message, fields }: Line): string {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  return [message, ...said.map(([name, value]) => `${name}=${wordOf(value!)}`)].join(" ");
}

/** In quotes where it would not be one word: what clients choose can't make up lines. */
function wordOf(value: string | number): string {
  return /^[\w.:@/+-]+$/.test(String(value)) ? String(value) : JSON.stringify(value);
}

export class Journal {
  readonly #write: (line: Line) => void;
  readonly #clock: Clock;
  /** Of problems that were told a short time ago: how often they were there since, and what keeps the time. */
  readonly #told = new Map<string, { times: number; readonly cancel: () => void }>();

  constructor(write: (line: Line) => void, clock: Clock) {
    this.#write = write;
    this.#clock = clock;
  }

  notice(message: string, fields: Fields = {}): void {
    this.#write({ kind: "notice", message, fields });
  }

  connection(message: string, fields: Fields): void {
    this.#write({ kind: "connection", message, fields });
  }

  /** @param message one of few: by it a problem is known again */
  problem(message: string, fields: Fields = {}): void {
    const told = this.#told.get(message);
    if (told !== undefined) {
      told.times += 1;
      return;
    }
    this.#write({ kind: "problem", message, fields });
    this.#told.set(message, { times: 0, cancel: this.#clock.after(REPEATED_MS, () => this.#again(message)) });
  }

  #again(message: string): void {
    const { times } = this.#told.get(message)!;
    this.#told.delete(message);
    if (times > 0) this.#write({ kind: "problem", message, fields: { again: times } });
  }

  /** Nothing is told any more of what was there before. */
  close(): void {
    for (const { cancel } of this.#told.values()) cancel();
    this.#told.clear();
  }
}
