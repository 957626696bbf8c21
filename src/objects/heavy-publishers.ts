/**
 * Publishers of messages that are very much work, for each goes to very many shared subscriptions. Of such work a bounded amount is on its way at
 * once for each of them; what they send meanwhile of that sort waits for its turn, in order, so that it stands before nobody else's messages,
 * neither here nor on the way between two objects. In memory alone: what waits is not acknowledged, and is sent again to a later life.
 */

import type { Ledger } from "../ledger.ts";
import { ANSWER_MS_MAX, HEAVY_WAITING_BYTES_MAX } from "../limits.ts";
import { type Message, outOfTurn } from "../mqtt/message.ts";
import type { RoutingCore } from "../routing/core.ts";
import type { Delivered } from "../routing/ports.ts";
import type { Runtime, Timer } from "../runtime.ts";
import { Deque } from "../session/deque.ts";
import { SHARED_WORK } from "../work-limits.ts";
import type { Taker, Turns } from "./turns.ts";

/** A message that may have to wait. */
export interface Due {
  /** What it holds in memory. */
  readonly bytes: number;
  readonly topic: string;
  /** Its turn has come. Throws nothing. @returns what that has cost, as packets */
  handle(): number;
}

/** A message is heavy from this part of a turn on: others are not looked at. */
const HEAVY_PARTS = 32;

export class HeavyPublishers {
  readonly #turns: Turns;
  readonly #routing: () => RoutingCore;
  readonly #runtime: Runtime;
  readonly #ledger: Ledger;
  readonly #publishers = new Map<string, Publisher>();

  constructor(turns: Turns, routing: () => RoutingCore, runtime: Runtime, ledger: Ledger) {
    this.#turns = turns;
    this.#routing = routing;
    this.#runtime = runtime;
    this.#ledger = ledger;
  }

  /** @param shares shared subscriptions that one message goes to */
  #isHeavy(shares: number): boolean {
    return shares * SHARED_WORK * HEAVY_PARTS >= this.#turns.slices.share;
  }

  #isHeavyTopic(topic: string): boolean {
    return this.#isHeavy(this.#routing().sharesOf(topic));
  }

  mustWait({ publisher, topic }: Message): boolean {
    if (this.#publishers.size === 0) return false;
    const known = this.#publishers.get(publisher);
    // What is light waits only for those of its topic.
    return known?.isBusy === true && (known.waitsFor(topic) || this.#isHeavyTopic(topic));
  }

  /**
   * A message as it goes on. What waited comes behind others of the same origin, whose numbers are greater. Where its publisher may send it again
   * it says so, and keeps the name by which it is known then. Others have one of this object's. Of heavy ones that an earlier life may have handled
   * nobody knows whether they waited there: it is better to give them twice than not at all, but at QoS 0.
   * @param again an earlier life may have handled it
   */
  named(message: Message, again: boolean, waited: boolean): Message {
    const inDoubt = again && message.qos > 0 && (waited || this.#isHeavyTopic(message.topic));
    if (!inDoubt && (!waited || again)) return message;
    return message.settledBelow > 0 ? outOfTurn(message) : this.#routing().names.renamed(message);
  }

  /** Something of a publisher that is busy waits. @returns false when there is no room */
  wait(publisher: string, due: Due): boolean {
    return this.#publishers.get(publisher)!.wait(due);
  }

  /**
   * A delivery of the message at hand to shared subscriptions is on its way.
   * @param work that it costs, as packets
   * @returns what takes its outcome, once
   */
  sent(publisher: string, work: number, done: Delivered | undefined): Delivered | undefined {
    if (publisher === "" || !this.#isHeavy(this.#routing().sharesAtHand)) return done;
    const through = (this.#publishers.get(publisher) ?? this.#remember(publisher)).sent(work);
    return (reasonCode) => {
      through();
      done?.(reasonCode);
    };
  }

  #remember(publisher: string): Publisher {
    const forget = (): void => {
      // Another one may have its place.
      if (this.#publishers.get(publisher) === remembered) this.#publishers.delete(publisher);
    };
    const remembered = new Publisher({ turns: this.#turns, runtime: this.#runtime, ledger: this.#ledger, forget });
    this.#publishers.set(publisher, remembered);
    return remembered;
  }

  /** What waits, bytes. */
  get bytes(): number {
    let bytes = 0;
    for (const publisher of this.#publishers.values()) bytes += publisher.bytes;
    return bytes;
  }
}

interface PublisherOptions {
  readonly turns: Turns;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  /** Nothing of it waits or is on its way. */
  readonly forget: () => void;
}

class Publisher implements Taker {
  readonly #options: PublisherOptions;
  readonly #turns: Turns;
  readonly #waiting = new Deque<Due>();
  /** How many of them each topic has. */
  readonly #topics = new Map<string, number>();
  bytes = 0;
  /** Deliveries on their way, and what they cost together, as packets. */
  #open = 0;
  #openWork = 0;
  /** Those before this time that are still on their way are waited for no more: somebody is slow, and others want the next message. */
  #epoch = 0;
  #patience: Timer | undefined;
  /** It has asked for a turn. */
  #asked = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#turns = options.turns;
  }

  get #isFull(): boolean {
    return this.#openWork >= this.#turns.slices.share;
  }

  get isBusy(): boolean {
    return this.#waiting.length > 0 || this.#isFull;
  }

  wait(due: Due): boolean {
    if (this.bytes + due.bytes > HEAVY_WAITING_BYTES_MAX || !this.#options.ledger.takes("messages")) return false;
    this.#waiting.push(due);
    this.#count(due, 1);
    this.#beginPatience();
    return true;
  }

  waitsFor(topic: string): boolean {
    return this.#topics.has(topic);
  }

  #count({ topic, bytes }: Due, by: 1 | -1): void {
    const count = (this.#topics.get(topic) ?? 0) + by;
    if (count > 0) this.#topics.set(topic, count);
    else this.#topics.delete(topic);
    this.bytes += by * bytes;
    this.#options.ledger.add("outboxes", by * bytes);
  }

  sent(work: number): () => void {
    this.#open += 1;
    this.#openWork += work;
    const epoch = this.#epoch;
    return () => {
      if (epoch !== this.#epoch) return;
      this.#open -= 1;
      this.#openWork -= work;
      this.#goOn();
    };
  }

  #beginPatience(): void {
    this.#patience ??= this.#options.runtime.after(ANSWER_MS_MAX, () => this.#lostPatience());
  }

  #lostPatience(): void {
    this.#patience = undefined;
    this.#epoch += 1;
    this.#open = 0;
    this.#openWork = 0;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#waiting.length === 0) {
      if (this.#open === 0) this.#options.forget();
    } else if (!this.#asked && !this.#isFull) {
      this.#asked = true;
      this.#turns.wait(this);
    }
  }

  turn(work: number): number {
    this.#asked = false;
    this.#patience?.cancel();
    this.#patience = undefined;
    let done = 0;
    while (done < work && !this.#isFull && this.#waiting.length > 0) {
      const due = this.#waiting.shift()!;
      this.#count(due, -1);
      done += due.handle();
    }
    if (this.#waiting.length > 0) this.#beginPatience();
    this.#goOn();
    return done;
  }
}
