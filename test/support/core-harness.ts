/**
 * A whole broker without a platform: Session cores and routing cores over stores in memory, joined directly or through outboxes and
 * batches whose calls are made one step at a time. Deterministic: `now` moves only when told, and whoever wants chance brings a seed.
 * It repeats what the hosts in `src/objects` do around the cores (rows before bytes, recognising repeats, answering batches when all is
 * safe) and keeps the platform's limits; it must not decide anything that the cores decide.
 *
 * `World.settle` runs everything until nothing moves. With `auto: false` nothing moves by itself: tests and simulators move links
 * (`link.steps()`), crash objects between any two steps, and call `settle` in the end.
 */

import { type Choices, DEFAULT_CHOICES } from "../../src/choices.ts";
import type { FaultPort } from "../../src/fault.ts";
import { Ledger } from "../../src/ledger.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/limits.ts";
import {
  type BatchRecord,
  BatchWriter,
  decodeBatch,
  RECORD_ASK,
  RECORD_LIVE,
  RECORD_PAGE,
  RECORD_PUBLISH,
  RECORD_REDISTRIBUTE,
  RECORD_SHARE,
  RECORD_SHARED,
  RECORD_SUBSCRIBE,
  RECORD_UNSUBSCRIBE,
} from "../../src/mqtt/batch.ts";
import { decodeDeliveryAnswer, encodeDeliveryAnswer, type Unwanted } from "../../src/mqtt/delivery-answer.ts";
import { JointOutcome } from "../../src/mqtt/joint-outcome.ts";
import type { Message } from "../../src/mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, NO_MATCHING_SUBSCRIBERS, QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { IF_GIVEN } from "../../src/mqtt/share-target.ts";
import { RoutingCore } from "../../src/routing/core.ts";
import { Fence } from "../../src/routing/fence.ts";
import type { Addressed, DeliveryPort } from "../../src/routing/ports.ts";
import type { ShareChange } from "../../src/routing/shares.ts";
import { firstAttempt, nextAttempt } from "../../src/routing/shares.ts";
import type { ConsumerPlan } from "../../src/session/consumer.ts";
import { SessionCore } from "../../src/session/core.ts";
import { flush } from "../../src/session/flush.ts";
import { SessionMachine } from "../../src/session/machine.ts";
import type { Authorizer, ReauthenticationPort, RouterPort, Ticket } from "../../src/session/ports.ts";
import { restore } from "../../src/session/restore.ts";
import type { Connection } from "../../src/session/session.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { createRowMeter, type RowMeter } from "../../src/storage/row-meter.ts";
import { hasWildcard, topicFilterOf } from "../../src/topic/filter.ts";
import { SLICES, type Slices } from "../../src/work-limits.ts";
import { type ConnectOptions, type FakeWire, TestClient } from "./core-client.ts";
import { DeliveryItem, joined, Link, type LinkStep, RouterItem, recordOf } from "./core-link.ts";
import { NO_FAULTS } from "./faults.ts";
import { ALL_RIGHTS } from "./rights.ts";

export { FakeWire, TestClient, utf8 } from "./core-client.ts";

/** A reproducible source of chance (mulberry32): the same seed, the same numbers from 0 to below 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A Session object: what a host keeps around a session core. */
export class SessionNode {
  readonly name: string;
  readonly meter: RowMeter = createRowMeter();
  readonly store = new MemorySessionStore(this.meter);
  readonly wires = new Set<FakeWire>();
  readonly world: World;
  core!: SessionCore;
  machine!: SessionMachine;
  links: Link<RouterItem>[] = [];
  /** The connection of each wire, as far as CONNECT was accepted. */
  readonly connections = new Map<FakeWire, Connection>();
  /** What the last start could not read. */
  problems: readonly string[] = [];
  endedConsumers: readonly { readonly name: string; readonly messages: number }[] = [];
  #incarnation = 0;
  #epoch = 0;
  #fence = new Fence();
  /** Pages that were asked for, until the next flush. */
  #pages: (() => void)[] = [];

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.#start([]);
  }

  #start(wires: readonly FakeWire[]): void {
    const { world } = this;
    // However quick, a restart takes time, and numbers that begin with the clock rely on it.
    if (this.#incarnation > 0) world.now += 1;
    this.#incarnation += 1;
    this.#epoch = world.now;
    this.#fence = new Fence();
    this.links = world.topics.map((topic) => this.#link(topic));
    this.core = new SessionCore({
      faults: world.faults,
      origin: `${this.name}@${this.#incarnation}`,
      limits: world.limits,
      choices: world.choices,
      userShare: world.userShare,
      reauthentication: world.reauthentication,
      store: this.store,
      router: world.wiring === "direct" ? this.#directRouter() : this.#batchedRouter(),
      authorizer: world.authorizer,
      consumers: world.consumers,
      slices: world.slices,
      now: world.now,
    });
    this.machine = new SessionMachine(this.core);
    const attached = wires.filter(({ attachment, closed }) => attachment !== undefined && closed === undefined);
    const { connections, problems, endedConsumers } = restore(
      this.core,
      attached.map((wire) => ({ wire, attachment: wire.attachment! })),
      world.now,
    );
    this.problems = problems;
    this.endedConsumers = endedConsumers;
    this.connections.clear();
    for (const [index, wire] of attached.entries()) {
      const connection = connections[index];
      if (connection === undefined) wire.close(1012, "the broker restarted; connect again");
      else this.connections.set(wire, connection);
    }
    if (world.wiring === "direct") {
      for (const [filter, { qos, version }] of this.core.interests) {
        for (const topic of world.topicsOf(filter)) topic.core.subscribe({ sessionObject: this.name, filter, qos, version, lasting: true });
      }
      for (const { filter, members, online } of this.core.shares.values()) {
        this.core.router.share(filter, members.size, online, this.core.numbers.next(), undefined);
      }
    }
  }

  /** The object loses its memory and its sockets: a crash, a deploy. */
  crash(): void {
    for (const wire of this.wires) wire.crash();
    this.wires.clear();
    this.#forgotten();
    this.#start([]);
    if (this.world.auto) this.world.settle();
  }

  /** The object loses its memory; its sockets and their attachments outlive it. */
  hibernate(): void {
    for (const wire of this.wires) wire.hibernate();
    this.#forgotten();
    this.#start([...this.wires]);
    if (this.world.auto) this.world.settle();
  }

  /** Calls that others had made to the object fail. */
  #forgotten(): void {
    for (const topic of this.world.topics) topic.links.get(this.name)?.fail();
  }

  #directRouter(): RouterPort {
    const { world, name } = this;
    return {
      publish: (message, ticket) => {
        world.topicOf(message.topic).core.publish(message, world.now, ticket && ((reasonCode) => ticket.settled(reasonCode)));
      },
      subscribe: ({ filter, qos, version }, ticket) => {
        const topics = world.topicsOf(filter);
        for (const topic of topics) topic.core.subscribe({ sessionObject: name, filter, qos, version, lasting: true });
        ticket.settled(0);
      },
      wantedEvents: undefined,
      tells: () => {},
      places: (filter) => world.topicsOf(filter).map((topic) => topic.name),
      ask: (place, { clientId, filter, id, from }, ticket) => {
        const slice = world.topicNamed(place).core.retainedSlice(filter, from, world.now);
        this.#pages.push(() => {
          this.machine.takePage({ clientId, id, from, ...slice }, world.now);
          ticket.settled(0);
        });
      },
      unsubscribe: (filter, version) => {
        for (const topic of world.topicsOf(filter)) topic.core.unsubscribe(name, filter, version);
      },
      share: (filter, members, online, version, ticket) => {
        for (const topic of world.topicsOf(filter)) tellShare(topic.core, { sessionObject: name, filter, members, online, version });
        ticket?.settled(0);
      },
      redistribute: (message, filter, ticket) => {
        const redistribution = { filter, attempt: undefined, otherwise: NO_MATCHING_SUBSCRIBERS, now: world.now };
        world.topicOf(message.topic).core.redistribute(message, redistribution, ticket && ((code) => ticket.settled(code)));
        return true;
      },
    };
  }

  #batchedRouter(): RouterPort {
    const { world } = this;
    const add = (topic: TopicNode, record: BatchRecord, ticket: Ticket | undefined): void => {
      if (!this.linkTo(topic).outbox.add(new RouterItem(record, ticket))) ticket?.settled(IMPLEMENTATION_SPECIFIC_ERROR);
    };
    return {
      publish: (message, ticket) => add(world.topicOf(message.topic), { kind: RECORD_PUBLISH, message }, ticket),
      subscribe: (wanted, ticket) => {
        const topics = world.topicsOf(wanted.filter);
        const joint = joined(ticket, topics.length);
        for (const topic of topics) add(topic, { kind: RECORD_SUBSCRIBE, ...wanted }, joint);
      },
      wantedEvents: undefined,
      tells: () => {},
      places: (filter) => world.topicsOf(filter).map((topic) => topic.name),
      ask: (place, ask, ticket) => add(world.topicNamed(place), { kind: RECORD_ASK, ...ask }, ticket),
      unsubscribe: (filter, version) => {
        for (const topic of world.topicsOf(filter)) add(topic, { kind: RECORD_UNSUBSCRIBE, filter, version }, undefined);
      },
      share: (filter, members, online, version, ticket) => {
        const topics = world.topicsOf(filter);
        const joint = ticket && joined(ticket, topics.length);
        for (const topic of topics) add(topic, { kind: RECORD_SHARE, filter, members, online, version }, joint);
      },
      redistribute: (message, filter, ticket, isLeft) =>
        this.linkTo(world.topicOf(message.topic)).outbox.add(
          new RouterItem({ kind: RECORD_REDISTRIBUTE, message, filter }, ticket),
          isLeft,
        ),
    };
  }

  linkTo(topic: TopicNode): Link<RouterItem> {
    return this.links[this.world.topics.indexOf(topic)]!;
  }

  #link(topic: TopicNode): Link<RouterItem> {
    const writer = new BatchWriter(this.name, this.#epoch, 1, 0);
    return new Link<RouterItem>(
      this.world,
      `${this.name} -> ${topic.name}`,
      (items) => {
        writer.begin();
        for (const { record } of items) writer.add(record);
        return writer.finish();
      },
      (batch, answer) => topic.exchange(batch, answer),
      (items, answer) => {
        for (const [index, { ticket }] of items.entries()) ticket?.settled(answer[index] ?? IMPLEMENTATION_SPECIFIC_ERROR);
      },
    );
  }

  /** A batch from a Topic object; answered when all of it is in rows or on its way to its connections. */
  deliver(batch: Uint8Array): Uint8Array {
    const { core, machine } = this;
    const { now } = this.world;
    const { sender, epoch, records } = decodeBatch(batch);
    if (!this.#fence.admits(sender, epoch, now)) throw new Error("a call of its sender's earlier life");
    const unwanted: Unwanted[] = [];
    for (const [index, record] of records.entries()) {
      if (record.kind === RECORD_PAGE) {
        machine.takePage(record, now);
        continue;
      }
      if (record.kind !== RECORD_LIVE && record.kind !== RECORD_SHARED) continue;
      const { message } = record;
      const known = core.repeats.isRepeat(message, sender, now);
      if (known && record.kind !== RECORD_SHARED) continue;
      const live = record.kind === RECORD_LIVE || (record.live && !known);
      if (live && machine.deliver(message, now) === "unwanted") unwanted.push({ record: index, share: undefined, full: false });
      if (record.kind === RECORD_LIVE) continue;
      for (const target of record.shares) {
        const { filter } = target;
        if (core.repeats.wasShared(message, filter, known)) continue;
        if (target.demand === IF_GIVEN) {
          unwanted.push({ record: index, share: filter, full: true });
          continue;
        }
        const outcome = core.repeats.wasDeclined(message, target, known) ? "full" : machine.deliverShared(message, target, now);
        if (outcome === "taken") core.repeats.shared(message, filter);
        else unwanted.push({ record: index, share: filter, full: outcome === "full" });
        if (outcome === "full") core.repeats.declined(message, filter, target.demand);
      }
      // That publishers wait for slow clients is the hosts'.
      if (machine.isSlow) machine.whenCaughtUp(() => {});
    }
    this.flush();
    return encodeDeliveryAnswer({ version: core.numbers.next(), unwanted, slow: [], counts: [] });
  }

  /** Rows, then bytes. */
  flush(): void {
    this.flushRows();
    for (const wire of this.wires) {
      wire.flush();
      if (wire.closed !== undefined) this.wires.delete(wire);
    }
  }

  flushRows(): void {
    for (let page = this.#pages.shift(); page !== undefined; page = this.#pages.shift()) page();
    while (this.machine.proceed(this.world.now, this.core.slices.share));
    flush(this.core);
  }
}

/** What has to be told again stands for long enough here. */
function tellShare(core: RoutingCore, change: ShareChange): void {
  if (core.share(change)) core.share(change);
}

/** A Topic object: what a host keeps around a routing core. */
export class TopicNode implements DeliveryPort {
  readonly name: string;
  readonly meter: RowMeter = createRowMeter();
  readonly store = new MemoryRoutingStore(this.meter);
  readonly world: World;
  core!: RoutingCore;
  links = new Map<string, Link<DeliveryItem>>();
  #incarnation = 0;
  #epoch = 0;
  #fence = new Fence();

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.#start();
  }

  #start(): void {
    if (this.#incarnation > 0) this.world.now += 1;
    this.#incarnation += 1;
    this.#epoch = this.world.now;
    this.#fence = new Fence();
    this.links = new Map();
    this.core = new RoutingCore({
      ledger: new Ledger(1 << 30),
      damaged: () => {},
      origin: `${this.name}@${this.#incarnation}`,
      limits: this.world.limits,
      sharedStrategy: this.world.choices.sharedStrategy,
      store: this.store,
      delivery: this,
      owns: () => true,
      now: this.world.now,
    });
  }

  /** The object loses its memory; calls to it fail. */
  crash(): void {
    for (const session of this.world.sessions) session.linkTo(this).fail();
    this.#start();
    if (this.world.auto) this.world.settle();
  }

  exchange(batch: Uint8Array, answer: (bytes: Uint8Array) => void): void {
    const { now } = this.world;
    const { core } = this;
    const { sender, epoch, records, again } = decodeBatch(batch);
    if (!this.#fence.admits(sender, epoch, now)) throw new Error("a call of its sender's earlier life");
    const codes = new Uint8Array(records.length);
    let waiting = 1;
    const settled = (index: number, reasonCode: number): void => {
      if (index >= 0) codes[index] = reasonCode;
      waiting -= 1;
      if (waiting === 0) answer(codes);
    };
    for (const [index, record] of records.entries()) {
      if (record.kind === RECORD_PUBLISH) {
        const { message } = record;
        if (message.qos > 0) waiting += 1;
        core.publish(message, now, message.qos > 0 ? (reasonCode) => settled(index, reasonCode) : undefined, { again });
      } else if (record.kind === RECORD_SUBSCRIBE) {
        const { filter, qos, version } = record;
        // Its row is there at once; that some get theirs later is the hosts'.
        core.subscribe({ sessionObject: sender, filter, qos, version, lasting: true });
      } else if (record.kind === RECORD_ASK) {
        const { clientId, filter, id, from } = record;
        waiting += 1;
        const page = { kind: RECORD_PAGE, clientId, id, from, ...core.retainedSlice(filter, from, now) } as const;
        this.linkTo(sender).outbox.add(new DeliveryItem(page, undefined, (reasonCode) => settled(index, reasonCode)));
      } else if (record.kind === RECORD_UNSUBSCRIBE) core.unsubscribe(sender, record.filter, record.version);
      else if (record.kind === RECORD_SHARE) tellShare(core, { ...record, sessionObject: sender });
      else if (record.kind === RECORD_REDISTRIBUTE) {
        waiting += 1;
        const redistribution = { filter: record.filter, attempt: undefined, otherwise: NO_MATCHING_SUBSCRIBERS, now };
        core.redistribute(record.message, redistribution, (reasonCode) => settled(index, reasonCode));
      }
    }
    settled(-1, 0);
  }

  deliver(sessionObject: string, message: Message, addressed: Addressed, done: ((reasonCode: number) => void) | undefined): void {
    const item = new DeliveryItem(recordOf(message, addressed), message, done, addressed.attempt);
    if (this.world.wiring === "direct") this.#deliverDirectly(sessionObject, item, message, addressed);
    else if (!this.linkTo(sessionObject).outbox.add(item)) done?.(0x83);
  }

  #deliverDirectly(sessionObject: string, item: DeliveryItem, message: Message, { live, shares }: Addressed): void {
    const { core, machine } = this.world.sessionNamed(sessionObject);
    const { now } = this.world;
    const unwanted: Unwanted[] = [];
    if (live && machine.deliver(message, now) === "unwanted") unwanted.push({ record: 0, share: undefined, full: false });
    for (const target of shares) {
      const outcome = machine.deliverShared(message, target, now);
      if (outcome !== "taken") unwanted.push({ record: 0, share: target.filter, full: outcome === "full" });
    }
    const answered = (): void =>
      this.#answered(sessionObject, [item], encodeDeliveryAnswer({ version: core.numbers.next(), unwanted, slow: [], counts: [] }));
    if (machine.isSlow) machine.whenCaughtUp(answered);
    else answered();
  }

  linkTo(sessionObject: string): Link<DeliveryItem> {
    let link = this.links.get(sessionObject);
    if (link === undefined) {
      const writer = new BatchWriter(this.name, this.#epoch, 1, 0);
      link = new Link<DeliveryItem>(
        this.world,
        `${this.name} -> ${sessionObject}`,
        (items) => {
          writer.begin();
          for (const { record } of items) writer.add(record);
          return writer.finish();
        },
        (batch, answer) => answer(this.world.sessionNamed(sessionObject).deliver(batch)),
        (items, answer) => this.#answered(sessionObject, items, answer),
      );
      this.links.set(sessionObject, link);
    }
    return link;
  }

  #answered(sessionObject: string, items: readonly DeliveryItem[], answer: Uint8Array): void {
    const { version, unwanted } = decodeDeliveryAnswer(answer);
    const again = new Map<DeliveryItem, Refused[]>();
    for (const { record, share, full } of unwanted) {
      const item = items[record]!;
      if (share === undefined) this.core.nobodyWants(sessionObject, item.message!.topic, version);
      else {
        if (!full) this.core.noMember(sessionObject, share, version);
        again.set(item, [...(again.get(item) ?? []), { share, full }]);
      }
    }
    for (const item of items) {
      const shares = again.get(item);
      if (shares === undefined) item.done?.(0);
      else this.#redistribute(item, shares, sessionObject);
    }
  }

  #redistribute({ message, done, record, attempt }: DeliveryItem, shares: readonly Refused[], sessionObject: string): void {
    const joint = new JointOutcome((reasonCode) => done?.(reasonCode), shares.length);
    const { now } = this.world;
    for (const { share, full } of shares) {
      const demand = record.kind === RECORD_SHARED ? record.shares.find(({ filter }) => filter === share)!.demand : 0;
      const next = nextAttempt(attempt ?? firstAttempt(demand), sessionObject, full);
      if (full) this.core.declined(sessionObject, share, next.demand, now);
      this.core.redistribute(message!, { filter: share, attempt: next, otherwise: full ? QUOTA_EXCEEDED : 0, now }, joint.settled);
    }
  }
}

interface Refused {
  readonly share: string;
  readonly full: boolean;
}

export interface WorldOptions {
  /** `direct`: the cores call each other. `batched`: through outboxes and bytes, as between objects. */
  readonly wiring?: "direct" | "batched";
  readonly sessionObjects?: number;
  readonly topicObjects?: number;
  readonly limits?: Partial<Limits>;
  readonly choices?: Partial<Choices>;
  /** The part of a Session object that one user may take; default 1: all. */
  readonly userShare?: number;
  readonly authorizer?: Authorizer;
  readonly slices?: Slices;
  /** Of every Session object; whoever changes them does it for later starts. */
  readonly consumers?: readonly ConsumerPlan[];
  readonly reauthentication?: ReauthenticationPort;
  /** Is told of faults; without it they break the test. */
  readonly faults?: FaultPort;
  /** Whether whatever a client does runs until nothing moves; default true. */
  readonly auto?: boolean;
}

export class World {
  /** Milliseconds since the epoch. */
  now = 1_800_000_000_000;
  readonly wiring: "direct" | "batched";
  readonly limits: Limits;
  readonly choices: Choices;
  readonly userShare: number;
  readonly authorizer: Authorizer;
  readonly slices: Slices;
  consumers: readonly ConsumerPlan[];
  readonly reauthentication: ReauthenticationPort;
  readonly faults: FaultPort;
  readonly auto: boolean;
  readonly topics: readonly TopicNode[];
  readonly sessions: readonly SessionNode[];

  constructor(options: WorldOptions = {}) {
    this.wiring = options.wiring ?? "direct";
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.choices = { ...DEFAULT_CHOICES, ...options.choices };
    this.userShare = options.userShare ?? 1;
    this.authorizer = options.authorizer ?? ALL_RIGHTS;
    this.slices = options.slices ?? SLICES;
    this.consumers = options.consumers ?? [];
    this.reauthentication = options.reauthentication ?? { begin: () => undefined };
    this.faults = options.faults ?? NO_FAULTS;
    this.auto = options.auto ?? true;
    const numbers = (count: number): number[] => [...Array(count).keys()];
    this.topics = numbers(options.topicObjects ?? 1).map((number) => new TopicNode(this, `topic-${number}`));
    this.sessions = numbers(options.sessionObjects ?? 1).map((number) => new SessionNode(this, `session-${number}`));
  }

  /** The owner of a topic: its last character chooses, so that tests can. */
  topicOf(topic: string): TopicNode {
    return this.topics[topic.charCodeAt(topic.length - 1) % this.topics.length]!;
  }

  /** The Topic objects that a filter, shared or not, concerns. */
  topicsOf(filter: string): readonly TopicNode[] {
    const topicFilter = topicFilterOf(filter);
    return hasWildcard(topicFilter) ? this.topics : [this.topicOf(topicFilter)];
  }

  topicNamed(name: string): TopicNode {
    return this.topics.find((topic) => topic.name === name)!;
  }

  sessionNamed(name: string): SessionNode {
    return this.sessions.find((session) => session.name === name)!;
  }

  links(): Link[] {
    const links: { steps(): LinkStep[] }[] = [];
    for (const session of this.sessions) links.push(...session.links);
    for (const topic of this.topics) links.push(...topic.links.values());
    return links as Link[];
  }

  /** Runs everything that can run now, until nothing moves. */
  settle(): void {
    for (let moved = true; moved; ) {
      for (const session of this.sessions) session.flushRows();
      for (const session of this.sessions) session.flush();
      moved = false;
      for (const link of this.links()) {
        if (link.steps().length === 0) continue;
        link.step();
        moved = true;
      }
    }
  }

  /** Lets time pass; what falls due on the way is handled at its time, as far as links are concerned, and in the end for the rest. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const repeatAt = Math.min(...this.links().map((link) => link.repeatAt));
      if (repeatAt > end) break;
      this.now = Math.max(this.now, repeatAt);
      this.settle();
    }
    this.now = end;
    this.settle();
  }

  /** A client that connects; see `TestClient.connect`. */
  connect(clientId: string, options: ConnectOptions = {}): TestClient {
    return new TestClient(this, clientId, options);
  }
}
