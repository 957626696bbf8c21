/** What tests of the client share: messages as they come, and events that are awaited. */

import type { Message } from "../../src/client/index.ts";
import { WAIT_MS } from "../support/mqtt-client.ts";

/** What a handler was given, in its order. */
export class Inbox {
  readonly all: Message[] = [];
  #taken = 0;
  #waiting: (() => void) | undefined;

  readonly put = (message: Message): void => {
    this.all.push(message);
    this.#waiting?.();
  };

  /** The next one. @throws when it does not come in time */
  async next(): Promise<Message> {
    if (this.#taken === this.all.length) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no message within ${WAIT_MS} ms, after ${this.all.length}`)), WAIT_MS);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#taken += 1;
    return this.all[this.#taken - 1]!;
  }

  async texts(count: number): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push((await this.next()).text());
    return texts;
  }
}
