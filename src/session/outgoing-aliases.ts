/**
 * The Topic Aliases that the broker gives on one connection: to topics that repeat, so that the second PUBLISH of a topic brings its
 * alias and the third needs no topic. Within the client's Topic Alias Maximum [MQTT5-3.3.2-11]; an alias once given stays with its
 * topic, because giving it to another costs the topic again.
 */

import { CountedMap, type Ledger } from "../ledger.ts";
import { OWN_ALIAS_CHARACTERS_MAX, OWN_ALIASES_MAX } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";

/** Topics seen once that are remembered for each alias that is still free. */
const CANDIDATES_FACTOR = 4;

export class OutgoingAliases {
  readonly #max: number;
  readonly #ledger: Ledger;
  readonly #aliases: CountedMap<string, number>;
  readonly #candidates: CountedMap<string, true>;
  /** Characters of the topics that have one. */
  #characters = 0;
  /** Characters of the candidates. */
  #candidateCharacters = 0;

  constructor(max: number, ledger: Ledger) {
    this.#max = Math.min(max, OWN_ALIASES_MAX);
    this.#ledger = ledger;
    this.#aliases = new CountedMap(ledger, "aliases", aliasBytes);
    this.#candidates = new CountedMap(ledger, "aliases", aliasBytes);
  }

  /** All topics that are remembered, known to the client or not. */
  *topics(): Generator<string> {
    yield* this.#aliases.keys();
    yield* this.#candidates.keys();
  }

  /** What they take, bytes. */
  get memoryBytes(): number {
    const characters = this.#characters + this.#candidateCharacters;
    return MEMORY.aliasBytes * (this.#aliases.size + this.#candidates.size) + MEMORY.characterBytes * characters;
  }

  clear(): void {
    this.#aliases.clear();
    this.#characters = 0;
    this.#clearCandidates();
  }

  #clearCandidates(): void {
    this.#candidates.clear();
    this.#candidateCharacters = 0;
  }

  get available(): boolean {
    return this.#max > 0;
  }

  /** @returns the alias to send with a topic: 0 = none; `known`: the client has it already, so the topic can be left out */
  choose(topic: string): { readonly alias: number; readonly known: boolean } {
    const alias = this.#aliases.get(topic);
    if (alias !== undefined) return { alias, known: true };
    if (this.#aliases.size >= this.#max) return NONE;
    // They save bytes on the wire, and nobody needs them: they go first.
    if (this.#ledger.isShortFor("subscriptions")) {
      this.#clearCandidates();
      return NONE;
    }
    // A client may allow 65,535 of them, and topics may be long.
    if (this.#characters + topic.length > OWN_ALIAS_CHARACTERS_MAX) return NONE;
    if (this.#candidates.has(topic)) return { alias: this.#aliases.size + 1, known: false };
    const isTooMuch = this.#candidateCharacters + topic.length > OWN_ALIAS_CHARACTERS_MAX;
    if (isTooMuch || this.#candidates.size >= Math.min(this.#max * CANDIDATES_FACTOR, OWN_ALIASES_MAX)) this.#clearCandidates();
    this.#candidates.set(topic, true);
    this.#candidateCharacters += topic.length;
    return NONE;
  }

  /** A PUBLISH with topic and alias was sent: a packet that was not must not count. */
  sent(topic: string, alias: number): void {
    this.#aliases.set(topic, alias);
    this.#characters += topic.length;
    if (this.#candidates.delete(topic)) this.#candidateCharacters -= topic.length;
    // None is left for the others.
    if (this.#aliases.size >= this.#max) this.#clearCandidates();
  }
}

const NONE = { alias: 0, known: false };

function aliasBytes(topic: string): number {
  return MEMORY.aliasBytes + MEMORY.characterBytes * topic.length;
}
