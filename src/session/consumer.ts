/**
 * A consumer: code of the Worker that is given the messages of a filter, in batches. What this object knows of each: what waits for it, which
 * of that its handler has now, and how often that was given. No session: it has no client, no subscriptions and no Packet Identifiers, and of
 * a queue that is handled in its order one number tells how far it is. Data; `consume.ts` decides what comes in, `consumer-batch.ts` what goes out.
 */

import type { Ledger } from "../ledger.ts";
import { MEMORY } from "../memory-limits.ts";
import type { Message } from "../mqtt/message.ts";
import { FilterTree } from "../topic/filter-tree.ts";
import { Backlog } from "./backlog.ts";
import { messageBytes } from "./deliveries.ts";
import { Deque } from "./deque.ts";
import type { Slowed } from "./held-outcome.ts";

/** A consumer as the code of the Worker has it. */
export interface ConsumerPlan {
  /** Names it in rows: what waits is its own for as long as there is one of this name. */
  readonly name: string;
  readonly filter: string;
  /** How often each message is given to it at most. */
  readonly attemptsMax: number;
}

/** Why a consumer did not get, or did not handle, a message. */
export const CONSUMER_DROPS = ["attempts", "queue_full", "memory", "expired", "unread", "qos0"] as const;

export interface ConsumerCounters {
  /** Messages that its handler has handled. */
  handled: number;
  /** Batches that it has not. */
  failed: number;
  readonly dropped: Record<(typeof CONSUMER_DROPS)[number], number>;
}

/** A message of QoS 0, in memory alone. */
export interface Fleeting {
  readonly message: Message;
  /** The log record that came last before it. */
  readonly after: number;
}

/** What a handler has. */
export interface ConsumerBatch {
  readonly messages: readonly Message[];
  /** How many of them are in the log: the first of the backlog. */
  readonly durable: number;
  /** Bytes of those. */
  readonly bytes: number;
  /** The sequence of the last of those; 0 = there is none. */
  readonly last: number;
  /** That it is given counts already: its row says so before. */
  readonly counted: boolean;
}

/** A message that was given as often as it may. */
export interface GivenUp {
  readonly topic: string;
  readonly publisher: string;
  readonly attempts: number;
}

export class Consumer implements Slowed {
  readonly plan: ConsumerPlan;
  /** Names it in the log; 0 as long as nothing was stored for it. */
  number = 0;
  /** Those of the log that it has not handled, in order; of each a few bytes, as of what waits for a session (`backlog.ts`). */
  readonly backlog: Backlog;
  /** Those of QoS 0. */
  readonly fleeting = new Deque<Fleeting>();
  fleetingBytes = 0;
  /** Log records up to this one are handled. */
  handledThrough = 0;
  /** The log record that came last. */
  lastSequence = 0;
  /** How often those up to `triedThrough` that are left were given; of those that are given alone the first. */
  attempts = 0;
  triedThrough = 0;
  /** Not before this time it is given anything; milliseconds since the epoch. */
  retryAt = 0;
  /** Those up to this one were there at the start: whether they were given then is not known. */
  suspectThrough = 0;
  taken: ConsumerBatch | undefined;
  /** Something wakes the object for it. */
  watched = false;
  givenUp: GivenUp[] = [];
  holds: Slowed["holds"];
  stuck = false;
  acknowledgedAt = 0;
  readonly counters: ConsumerCounters = {
    handled: 0,
    failed: 0,
    dropped: { attempts: 0, queue_full: 0, memory: 0, expired: 0, unread: 0, qos0: 0 },
  };
  readonly #ledger: Ledger;

  constructor(plan: ConsumerPlan, ledger: Ledger) {
    this.plan = plan;
    this.#ledger = ledger;
    this.backlog = new Backlog(ledger);
  }

  /** How many wait to be given. */
  get waiting(): number {
    return this.backlog.count - (this.taken?.durable ?? 0) + this.fleeting.length;
  }

  get waitingBytes(): number {
    return this.backlog.bytes - (this.taken?.bytes ?? 0) + this.fleetingBytes;
  }

  pushFleeting(message: Message): void {
    message.keep();
    this.fleeting.push({ message, after: this.lastSequence });
    this.#countFleeting(message, 1);
  }

  shiftFleeting(): Message {
    const { message } = this.fleeting.shift()!;
    this.#countFleeting(message, -1);
    return message;
  }

  #countFleeting(message: Message, by: 1 | -1): void {
    this.fleetingBytes += by * message.size;
    this.#ledger.add("messages", by * (MEMORY.deliveryBytes + messageBytes(message)));
  }
}

/** All of one object. */
export class Consumers {
  readonly all: readonly Consumer[];
  readonly filters = new FilterTree<Consumer>();
  /** Those whose rows are to be written. */
  readonly changed = new Set<Consumer>();
  /** Those that the message at hand is for. */
  readonly found: Consumer[] = [];
  readonly visit = (consumer: Consumer): void => {
    this.found.push(consumer);
  };

  constructor(plans: readonly ConsumerPlan[], ledger: Ledger) {
    this.all = plans.map((plan) => new Consumer(plan, ledger));
    for (const consumer of this.all) this.filters.add(consumer.plan.filter, consumer.plan.name, consumer);
  }

  named(name: string): Consumer | undefined {
    return this.all.find(({ plan }) => plan.name === name);
  }
}
