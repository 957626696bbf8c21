/** Which events (`topic/events.ts`) somebody wants, by the routes that a Topic object has. */

import { EVENT_KINDS, eventsOf } from "../topic/events.ts";

export class WantedEvents {
  /** The kinds that somebody wants. */
  events = 0;
  /** Those of them that every Session object has been told of since somebody began to want them. */
  told = 0;
  /** How many routes bring each kind. */
  readonly #routes = new Map<number, number>();

  /** A Session object wants a filter that it did not want before. */
  added(filter: string): void {
    this.#count(filter, 1);
  }

  /** It wants it no more. */
  removed(filter: string): void {
    this.#count(filter, -1);
  }

  #count(filter: string, change: number): void {
    const events = eventsOf(filter);
    if (events === 0) return;
    for (const kind of EVENT_KINDS) {
      if ((events & kind) === 0) continue;
      const routes = (this.#routes.get(kind) ?? 0) + change;
      this.#routes.set(kind, routes);
      this.events = routes > 0 ? this.events | kind : this.events & ~kind;
    }
    this.told &= this.events;
  }
}
