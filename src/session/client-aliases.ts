/**
 * The Topic Aliases that a client has given on one connection; they are gone with it [MQTT5-3.3.2-7]. A client gives them before anybody
 * looks at its rights, and each may stand for a topic of 65,535 bytes: so their bytes have a bound of their own. A few stand in the
 * socket's attachment, many in rows of their own, each written when it is given and not with whatever else changes.
 */

import { CountedMap, type Ledger } from "../ledger.ts";
import { ALIASES_ATTACHED_BYTES_MAX, TOPIC_ALIAS_BYTES_MAX } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";

export class ClientAliases {
  /** Names the connection in rows; 0 while its aliases stand in its attachment. */
  number = 0;
  readonly #topics: CountedMap<number, string>;
  #bytes = 0;
  #characters = 0;
  /** Those whose rows are to be written; undefined while there is none. */
  #changed: Set<number> | undefined;

  constructor(ledger: Ledger) {
    this.#topics = new CountedMap(ledger, "aliases", aliasBytes);
  }

  /** What they take, bytes. */
  get memoryBytes(): number {
    return MEMORY.aliasBytes * this.#topics.size + MEMORY.characterBytes * this.#characters;
  }

  get size(): number {
    return this.#topics.size;
  }

  has(alias: number): boolean {
    return this.#topics.has(alias);
  }

  get(alias: number): string | undefined {
    return this.#topics.get(alias);
  }

  /** @returns false when all of them together would have too many bytes: then nothing has changed */
  set(alias: number, topic: string): boolean {
    const known = this.#topics.get(alias);
    if (known === topic) return true;
    const bytes = this.#bytes + utf8Length(topic) - (known === undefined ? 0 : utf8Length(known));
    if (bytes > TOPIC_ALIAS_BYTES_MAX) return false;
    this.#bytes = bytes;
    this.#characters += topic.length - (known?.length ?? 0);
    this.#topics.set(alias, topic);
    this.#changed ??= new Set();
    this.#changed.add(alias);
    return true;
  }

  values(): IterableIterator<string> {
    return this.#topics.values();
  }

  /** The connection is over. */
  clear(): void {
    this.#topics.clear();
    this.#changed = undefined;
    this.#bytes = 0;
    this.#characters = 0;
  }

  [Symbol.iterator](): IterableIterator<[alias: number, topic: string]> {
    return this.#topics[Symbol.iterator]();
  }

  /** They have no room in an attachment. */
  get outgrown(): boolean {
    return this.#bytes > ALIASES_ATTACHED_BYTES_MAX;
  }

  /** Takes out those whose rows are to be written. */
  takeChanged(): readonly (readonly [alias: number, topic: string])[] {
    const changed = [...(this.#changed ?? [])].map((alias) => [alias, this.#topics.get(alias)!] as const);
    this.#changed = undefined;
    return changed;
  }
}

function aliasBytes(_alias: number, topic: string): number {
  return MEMORY.aliasBytes + MEMORY.characterBytes * topic.length;
}
