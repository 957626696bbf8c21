/** The way from a Session object to the Topic objects of its namespace in the sharded topology: one outbox for each of them. */

import type { Ledger } from "../ledger.ts";
import { RECORD_ASK, RECORD_BARRIER, RECORD_CAUGHT_UP, RECORD_PUBLISH, RECORD_REDISTRIBUTE, type RetainedAsk } from "../mqtt/batch.ts";
import { JointOutcome } from "../mqtt/joint-outcome.ts";
import type { Message } from "../mqtt/message.ts";
import type { Runtime } from "../runtime.ts";
import type { Ticket, Wanted } from "../session/ports.ts";
import type { Settings } from "../settings.ts";
import { topicFilterOf } from "../topic/filter.ts";
import { hash } from "../topic/hash.ts";
import { CROWDED_REQUESTS } from "../work-limits.ts";
import { type Callee, Caller, type HeldTarget, type HoldRule, holdRules } from "./caller.ts";
import { faultsOf } from "./faults.ts";
import { createCallMeter, type OutboxFigures } from "./meter.ts";
import { namespaceOf, shapeNumber, topicNumbers, topicObjects, topicShard } from "./names.ts";
import { Request } from "./request.ts";
import type { Router } from "./router.ts";
import { TopicQueue } from "./topic-queue.ts";

/** Gives a Topic object by its name, a new stub for every call: one whose object was reset stays broken. */
export type TopicObjects = (name: string) => { exchange(batch: Uint8Array): Promise<Uint8Array>; hold(): Promise<HeldTarget> };

/** A ticket for each of several, of which the worst settles the one. */
function jointly(ticket: Ticket, count: number): Ticket {
  return new JointOutcome((reasonCode) => ticket.settled(reasonCode), count);
}

export class RemoteRouter implements Router {
  readonly #settings: Settings;
  /** Of the Topic objects, by their numbers. */
  readonly #names: readonly string[];
  readonly #queues: TopicQueue[] = [];
  readonly #calls = createCallMeter();
  /** Says which objects `#queues` leads to. */
  readonly #shape: string;
  #told = 0;

  /**
   * @param name of the Session object
   * @param ledger of the object
   * @param settled called after answers: tickets may have left something to flush
   * @param hold other than the usual one
   */
  constructor(
    settings: Settings,
    name: string,
    topics: TopicObjects,
    runtime: Runtime,
    ledger: Ledger,
    settled: () => void,
    hold?: HoldRule,
  ) {
    this.#settings = settings;
    const namespace = namespaceOf(name);
    const shape = shapeNumber(settings);
    const faults = faultsOf(name);
    const { topicShards, topicsWithObject } = settings;
    this.#shape = topicsWithObject.length === 0 ? `${topicShards}` : `${topicShards}-${hash(topicsWithObject.join("+")).toString(36)}`;
    const callee = (topicObject: string): Callee => ({
      take: (batch) => topics(topicObject).exchange(batch),
      hold: () => topics(topicObject).hold(),
    });
    this.#names = topicObjects(settings, namespace);
    const caller = new Caller(runtime, callee, hold ?? holdRules(settings.sessionShards, this.#names.length).toTopics);
    for (const topicObject of this.#names) {
      const exchange = (batch: Uint8Array): Promise<Uint8Array> => caller.call(topicObject, batch);
      const events = (): number => this.#told;
      this.#queues.push(new TopicQueue({ name, shape, runtime, exchange, events, settled, meter: this.#calls, faults, ledger }));
    }
  }

  publish(message: Message, ticket: Ticket | undefined, owner: number | undefined): void {
    const record = owner === undefined ? ({ kind: RECORD_PUBLISH, message } as const) : ({ kind: RECORD_PUBLISH, message, owner } as const);
    this.#add(topicShard(this.#settings, message.topic), new Request(record, ticket));
  }

  subscribe(wanted: Wanted, ticket: Ticket): void {
    const shards = this.#shardsOf(wanted.filter);
    const joint = shards.length === 1 ? ticket : jointly(ticket, shards.length);
    for (const shard of shards) this.#queues[shard]!.subscribe(wanted, joint);
  }

  tells(events: number): void {
    this.#told = events;
  }

  places(filter: string): readonly string[] {
    return this.#shardsOf(filter).map((shard) => `${shard}/${this.#shape}`);
  }

  ask(place: string, ask: RetainedAsk, ticket: Ticket): void {
    this.#add(Number.parseInt(place, 10), new Request({ kind: RECORD_ASK, ...ask }, ticket));
  }

  unsubscribe(filter: string, version: number): void {
    for (const shard of this.#shardsOf(filter)) this.#queues[shard]!.unsubscribe(filter, version);
  }

  share(filter: string, members: number, online: number, version: number, ticket: Ticket | undefined): void {
    const shards = this.#shardsOf(topicFilterOf(filter));
    const joint = ticket === undefined || shards.length === 1 ? ticket : jointly(ticket, shards.length);
    for (const shard of shards) this.#queues[shard]!.share({ filter, members, online, version }, joint);
  }

  redistribute(message: Message, filter: string, ticket: Ticket | undefined, isLeft: boolean): boolean {
    const queue = this.#queues[topicShard(this.#settings, message.topic)]!;
    return queue.offer(new Request({ kind: RECORD_REDISTRIBUTE, message, filter }, ticket), isLeft);
  }

  barrier(sessionObject: string, ticket: Ticket): void {
    const joint = jointly(ticket, this.#queues.length);
    for (const shard of this.#queues.keys()) this.#add(shard, new Request({ kind: RECORD_BARRIER, sessionObject }, joint));
  }

  caughtUp(topicObject: string, batch: number, record: number): void {
    const queue = this.#queues[this.#names.indexOf(topicObject)];
    queue?.add(new Request({ kind: RECORD_CAUGHT_UP, batch, record }, undefined));
  }

  get isCrowded(): boolean {
    return this.#queues.some(({ waiting }) => waiting > CROWDED_REQUESTS);
  }

  /** What is in memory of what is on its way. */
  get heldBytes(): number {
    return this.#queues.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }

  /** They are kept by the Topic objects. */
  countRoutes(): number {
    return 0;
  }

  serve(): void {}

  flush(): void {
    for (const queue of this.#queues) queue.flush();
  }

  readonly gathers = true;

  get outbox(): OutboxFigures {
    return { calls: this.#calls, bytes: this.#queues.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** Retained messages are with the Topic objects. */
  readonly retainedMessages = undefined;

  countRetained(): undefined {}

  /** They tell. */
  readonly wantedEvents = undefined;

  #shardsOf(filter: string): number[] {
    return topicNumbers(this.#settings, filter);
  }

  #add(shard: number, request: Request): void {
    this.#queues[shard]!.add(request);
  }
}
