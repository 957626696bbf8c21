/** A program of an attack, started beside this one: it takes lines and answers by lines of JSON. */

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export class Program {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #complaint = "";

  constructor(file: string, options: unknown) {
    this.#name = file;
    this.#child = spawn(process.execPath, [join(import.meta.dirname, file), JSON.stringify(options)], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdin!.on("error", () => {});
    this.#child.stderr!.on("data", (data: Buffer) => {
      this.#complaint += data.toString();
    });
    this.#lines = createInterface(this.#child.stdout!)[Symbol.asyncIterator]();
  }

  tell(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** @throws when it ended, or says nothing for too long */
  async answer<T>(limitMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.#name} said nothing for ${limitMs / 1000} s`)), limitMs);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), late]);
      if (done) throw new Error(`${this.#name} ended: ${this.#complaint.trim()}`);
      return JSON.parse(value) as T;
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}
