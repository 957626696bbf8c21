/** Listeners by name of event. What a listener throws is not the client's trouble: it becomes an unhandled rejection. */

import type { ClientEvents } from "./options.ts";

type Listeners = { [Name in keyof ClientEvents]: Set<ClientEvents[Name]> };

export class Emitter {
  readonly #listeners: Listeners = {
    connected: new Set(),
    disconnected: new Set(),
    reconnecting: new Set(),
    closed: new Set(),
    failed: new Set(),
    unclaimed: new Set(),
  };

  /** @returns what takes the listener away */
  on<Name extends keyof ClientEvents>(name: Name, listener: ClientEvents[Name]): () => void {
    const listeners: Set<ClientEvents[Name]> = this.#listeners[name];
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** @returns whether anybody listens */
  emit<Name extends keyof ClientEvents>(name: Name, ...values: Parameters<ClientEvents[Name]>): boolean {
    const listeners = [...this.#listeners[name]] as ((...all: Parameters<ClientEvents[Name]>) => void)[];
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
