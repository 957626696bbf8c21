/**
 * Which inboxes want a message: the Topic Filters of all subscriptions. Filters that match are found once for a topic and remembered. Where
 * several match, Subscription Identifiers tell for which of them the server has sent this copy.
 */

import type { Inbox } from "./inbox.ts";
import { TOPICS_REMEMBERED } from "./limits.ts";
import { patternOf } from "./topic.ts";

interface Entry {
  readonly pattern: RegExp;
  /** That of the last SUBSCRIBE of this filter: it replaced the one before. */
  identifier: number;
  readonly owners: Set<Inbox>;
}

export class Filters {
  readonly #entries = new Map<string, Entry>();
  readonly #known = new Map<string, readonly Entry[]>();

  add(filter: string, topicFilter: string, identifier: number, inbox: Inbox): void {
    const entry = this.#entries.get(filter);
    if (entry === undefined) {
      this.#entries.set(filter, { pattern: patternOf(topicFilter), identifier, owners: new Set([inbox]) });
      this.#known.clear();
    } else {
      entry.identifier = identifier;
      entry.owners.add(inbox);
    }
  }

  /** @returns whether nobody has this filter any more */
  remove(filter: string, inbox: Inbox): boolean {
    const entry = this.#entries.get(filter);
    if (entry === undefined || !entry.owners.delete(inbox) || entry.owners.size > 0) return false;
    this.#entries.delete(filter);
    this.#known.clear();
    return true;
  }

  inboxesOf(topic: string, identifiers: readonly number[] = []): ReadonlySet<Inbox> {
    const matching = this.#matching(topic);
    if (matching.length === 1) return matching[0]!.owners;
    const meant = matching.filter(({ identifier }) => identifiers.includes(identifier));
    // One that is not known here is of a SUBSCRIBE which was made anew, or of the last but one where the last was refused: of any of them.
    return new Set((meant.length < identifiers.length || !meant.length ? matching : meant).flatMap(({ owners }) => [...owners]));
  }

  #matching(topic: string): readonly Entry[] {
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    const found = [...this.#entries.values()].filter(({ pattern }) => pattern.test(topic));
    if (this.#known.size >= TOPICS_REMEMBERED) this.#known.clear();
    this.#known.set(topic, found);
    return found;
  }
}
