/**
 * What an attack stands on: connections to the broker, rates that are kept, and a count of what it did. Everything is bounded: how much
 * waits, how many connections there are, and the time.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { sessionObjectName, topicShard } from "../../src/objects/names.ts";
import type { ConnectOptions } from "../../test/support/mqtt-client.ts";
import { Client } from "./client.ts";
import { PAIR, type Target } from "./options.ts";

/** Connections that one attack may have at once. */
const CONNECTIONS_MAX = 3000;

/** Things begun and not done, while the broker is slow; what comes beyond them is left out. */
const BEGUN_MAX = 500;

/** What was missed in so long is not made up for. */
const CATCH_UP_MS = 200;

const TICK_MS = 10;

/** Connections that are ended when the attack is over. */
const DROPS_PER_SECOND = 400;

/** Between two tries of a client that comes back. */
const RETURN_MS = 100;

export type Who = ConnectOptions & { readonly clientId: string };

/** A client that connects again when the broker has ended its connection. */
export interface Standing {
  /** undefined while it is not there. */
  readonly client: Client | undefined;
  /** Resolves when it is there for the first time. */
  readonly arrived: Promise<void>;
}

export class Field {
  readonly target: Target;
  /** Aborted when the attack is over. */
  readonly over: AbortSignal;
  /** How often the attack did what it does; each attack counts by itself. */
  count = 0;
  ended = 0;
  readonly #clients = new Set<Client>();

  constructor(target: Target, over: AbortSignal) {
    this.target = target;
    this.over = over;
  }

  /** A Client Identifier of the object that also has the pair: whoever shares an object with an attacker feels it first. */
  near(name: string): string {
    return search(name, (clientId) => sessionObjectName(this.target.objects, "default", clientId), PAIR.subscriber);
  }

  /** A Topic Name of the object that also has the pair's topic. */
  nearTopic(name: string): string {
    return search(name, (topic) => topicShard(this.target.objects, topic), PAIR.topic);
  }

  /** A socket on which nothing was sent. @returns undefined when there are enough, or it was refused */
  open(clientId: string): Promise<Client | undefined> {
    return this.#add(() => Client.open(this.target, clientId));
  }

  /** A client whose CONNECT was accepted; undefined when it was not. */
  connect(who: Who): Promise<Client | undefined> {
    return this.#add(() => Client.connect(this.target, who));
  }

  /** As `connect`, for what an attack can't do without. */
  async need(who: Who): Promise<Client> {
    const client = await this.connect(who);
    if (client === undefined) throw new Error(`the broker refused ${who.clientId}`);
    return client;
  }

  async #add(open: () => Promise<Client | undefined>): Promise<Client | undefined> {
    if (this.#clients.size >= CONNECTIONS_MAX) return undefined;
    const client = await open();
    if (client === undefined) {
      this.ended += 1;
      return undefined;
    }
    this.#clients.add(client);
    void client.closed.then(() => {
      if (this.#clients.delete(client)) this.ended += 1;
    });
    return client;
  }

  /** Ends a connection from this side. */
  drop(client: Client): void {
    this.#clients.delete(client);
    client.terminate();
  }

  /** Ends them all, one after the other: what it costs when many end in one moment is no part of an attack that has something else to show. */
  async dropAll(): Promise<void> {
    for (const client of this.#clients) {
      this.drop(client);
      await sleep(1000 / DROPS_PER_SECOND);
    }
  }

  /** @param greet what it does on each new connection */
  stand(who: Who, greet: (client: Client) => unknown = () => {}): Standing {
    let client: Client | undefined;
    const arrived = new Promise<void>((arrive) => {
      void (async () => {
        while (!this.over.aborted) {
          const next = await this.connect(who);
          if (next !== undefined) {
            client = next;
            greet(next);
            arrive();
            await next.closed;
            client = undefined;
          }
          await sleep(RETURN_MS);
        }
      })();
    });
    return {
      get client() {
        return client?.isOpen ? client : undefined;
      },
      arrived,
    };
  }

  /** Does something so often a second until the attack is over. @param each is told how often it was done before */
  async rate(perSecond: number, each: (index: number) => unknown): Promise<void> {
    let begun = 0;
    let index = 0;
    let due = 0;
    let at = performance.now();
    while (!this.over.aborted) {
      const now = performance.now();
      due = Math.min(due + ((now - at) / 1000) * perSecond, Math.max(1, (CATCH_UP_MS / 1000) * perSecond));
      at = now;
      for (; due >= 1; due -= 1) {
        if (begun >= BEGUN_MAX) continue;
        const done = each(index);
        index += 1;
        if (!(done instanceof Promise)) continue;
        begun += 1;
        void done.finally(() => {
          begun -= 1;
        });
      }
      await sleep(TICK_MS);
    }
  }
}

function search<T>(name: string, place: (name: string) => T, wanted: string): string {
  for (let i = 0; ; i += 1) if (place(`${name}-${i}`) === place(wanted)) return `${name}-${i}`;
}
