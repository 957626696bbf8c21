/** Listeners by name of event. What a listener throws is not the client's trouble: it becomes an unhandled rejection. */

import type { ClientEvents } from "./options.ts";

export class Emitter {
  readonly #listeners: { [Name in keyof ClientEvents]?: Set<ClientEvents[Name]> } = {};

  /** @returns what takes the listener away */
  on<Name extends keyof ClientEvents>(name: Name, listener: ClientEvents[Name]): () => void {
    this.#listeners[name] ??= new Set() as never;
    const listeners: Set<ClientEvents[Name]> = this.#listeners[name]!;
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** @returns whether anybody listens */
  emit<Name extends keyof ClientEvents>(name: Name, ...values: Parameters<ClientEvents[Name]>): boolean {
    const listeners = [...(this.#listeners[name] ?? [])] as ((...all: Parameters<ClientEvents[Name]>) => void)[];
    for (const listener of listeners) {
      try {
        listener(...values);
      } catch (error) {
        void Promise.reject(error);
      }
    }
    return listeners.length > 0;
  }
}
