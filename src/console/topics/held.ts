/** What came since the view of topics stands still: of each topic the last message and how many, as bounded as the tree itself. */
import { BYTES_MAX, bytesOf, type Came, fitted, LEVELS_MAX, TOPIC_CHARACTERS_MAX } from "./value.ts";

export class Held {
  /** All of them. */
  messages = 0;
  /** Those of topics for which there was no room. */
  leftOut = 0;
  readonly #last = new Map<string, { readonly came: Came; readonly messages: number }>();
  #bytes = 0;
  #characters = 0;

  put(came: Came, messages: number): void {
    const { topic } = came;
    const known = this.#last.get(topic);
    this.messages += messages;
    if (known === undefined && !this.#hasRoom(topic)) {
      this.leftOut += messages;
      return;
    }
    if (known === undefined) this.#characters += topic.length;
    this.#bytes -= bytesOf(known?.came);
    const kept = fitted(came, BYTES_MAX - this.#bytes);
    this.#bytes += bytesOf(kept);
    this.#last.set(topic, { came: kept, messages: messages + (known?.messages ?? 0) });
  }

  all(): Iterable<{ readonly came: Came; readonly messages: number }> {
    return this.#last.values();
  }

  #hasRoom(topic: string): boolean {
    return this.#last.size < LEVELS_MAX && this.#characters + topic.length <= TOPIC_CHARACTERS_MAX;
  }
}
