/** The Topic Aliases of one connection: those that the client gives to its topics, and those that the server gave. */

import { TOPIC_ALIAS_MAXIMUM } from "./limits.ts";

/** Topics that were published to once, for each alias that there is: only a second time earns one. */
const CANDIDATES_FACTOR = 4;

export class OutgoingAliases {
  readonly #max: number;
  readonly #aliases = new Map<string, number>();
  readonly #candidates = new Set<string>();

  /** @param max the server's Topic Alias Maximum [MQTT5-3.3.2-9] */
  constructor(max: number) {
    this.#max = Math.min(max, TOPIC_ALIAS_MAXIMUM);
  }

  /** @returns the alias to send, 0 for none; with `isKnown` the topic is left out */
  choose(topic: string): { readonly alias: number; readonly isKnown: boolean } {
    const known = this.#aliases.get(topic);
    if (known !== undefined) return { alias: known, isKnown: true };
    if (this.#aliases.size >= this.#max) return NONE;
    if (this.#candidates.has(topic)) return { alias: this.#aliases.size + 1, isKnown: false };
    if (this.#candidates.size >= this.#max * CANDIDATES_FACTOR) this.#candidates.clear();
    this.#candidates.add(topic);
    return NONE;
  }

  /** The server has got a topic with its alias. */
  sent(topic: string, alias: number): void {
    this.#aliases.set(topic, alias);
    this.#candidates.delete(topic);
  }
}

const NONE = { alias: 0, isKnown: false };

export class IncomingAliases {
  readonly #max: number;
  readonly #topics: string[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns the topic of a PUBLISH; undefined when the alias is none */
  resolve(topic: string, alias: number | undefined): string | undefined {
    if (alias === undefined) return topic;
    if (alias > this.#max) return undefined;
    if (topic === "") return this.#topics[alias];
    this.#topics[alias] = topic;
    return topic;
  }
}
