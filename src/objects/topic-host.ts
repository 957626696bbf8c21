/**
 * What a Topic object does around the routing core: takes batches from Session objects, sends on what is in them, and answers a batch when all
 * that it promised is done.
 */

import type { FaultPort } from "../fault.ts";
import { Ledger } from "../ledger.ts";
import {
  type Batch,
  type BatchRecord,
  clientOf,
  decodeBatch,
  RECORD_ASK,
  RECORD_BARRIER,
  RECORD_CAUGHT_UP,
  RECORD_PAGE,
  RECORD_PUBLISH,
  RECORD_REDISTRIBUTE,
  RECORD_SHARE,
  RECORD_SUBSCRIBE,
  RECORD_UNSUBSCRIBE,
  RECORD_WATCH,
  type RetainedAsk,
} from "../mqtt/batch.ts";
import { encodeExchangeAnswer, NOT_WRITTEN, NOTHING_RETAINED } from "../mqtt/exchange-answer.ts";
import type { Message } from "../mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, NO_MATCHING_SUBSCRIBERS, QUOTA_EXCEEDED, SUCCESS } from "../mqtt/reason-code.ts";
import { type Published, RoutingCore } from "../routing/core.ts";
import type { Addressed, Delivered, DeliveryPort, RoutingStore } from "../routing/ports.ts";
import type { Runtime } from "../runtime.ts";
import type { PortableMessage } from "../session/portable.ts";
import type { Settings } from "../settings.ts";
import type { SqliteSampleStore } from "../storage/sqlite-sample-store.ts";
import { filterOfPresence, isOfPresence } from "../topic/presence.ts";
import { BYTES_WORK, DELIVERY_WORK, FRAME_BYTES, MATCH_WORK, SHARED_WORK, type Slices } from "../work-limits.ts";
import { Adoption, Misplaced, type TopicPeer } from "./adoption.ts";
import { BatchHandling } from "./batch-handling.ts";
import { Bill } from "./bill.ts";
import { type HoldRule, holdRules } from "./caller.ts";
import type { RetainedMessages, TakenRetained } from "./calls.ts";
import { DeliveryOutcomes } from "./delivery-outcomes.ts";
import { EventTelling } from "./event-telling.ts";
import { Exchange } from "./exchange.ts";
import { Exchanges } from "./exchanges.ts";
import { faultsOf } from "./faults.ts";
import { FirstNames } from "./first-names.ts";
import { HeavyPublishers } from "./heavy-publishers.ts";
import { HeldDeliveries } from "./held-deliveries.ts";
import { LOCAL_ROOM } from "./local-room.ts";
import { log } from "./log.ts";
import type { Figures, Meter } from "./meter.ts";
import { eventsShard, namespaceOf, objectsOf, shapeNumber, topicNumber, topicObjects, topicShard } from "./names.ts";
import { PresenceTelling } from "./presence-telling.ts";
import { RetainedReader } from "./retained-reader.ts";
import { keepRetained, retainedView } from "./retained-view.ts";
import { type SessionObjects, SessionQueues } from "./session-queues.ts";
import { ALONE, type Cause, Delivery, recordOf } from "./topic-delivery.ts";
import { Turns } from "./turns.ts";
import { recordWork } from "./work.ts";

export interface TopicHostOptions {
  readonly settings: Settings;
  readonly name: string;
  readonly store: RoutingStore;
  readonly sessions: SessionObjects;
  /** The other Topic objects. */
  readonly topics: (name: string) => TopicPeer;
  readonly meter: Meter;
  /** Where what is billed is kept. */
  readonly samples?: SqliteSampleStore | undefined;
  readonly runtime: Runtime;
  /** Other than usual ones. */
  readonly slices?: Slices;
  readonly hold?: HoldRule | undefined;
}

/** A record of a batch, at its turn. */
interface Handled {
  readonly sender: string;
  readonly record: BatchRecord;
  /** Its number in the batch. */
  readonly index: number;
  readonly exchange: Exchange;
  /** An earlier life of this object may have handled it. */
  readonly again: boolean;
  /** It had to wait, and the answer does not wait for it: this takes its outcome where somebody is told of it. */
  readonly late?: { readonly settled: Published | undefined };
}

export class TopicHost implements DeliveryPort {
  readonly adoption: Adoption;
  readonly bill: Bill | undefined;
  readonly #routing: RoutingCore;
  readonly #meter: Meter;
  readonly #faults: FaultPort;
  readonly #runtime: Runtime;
  readonly ledger: Ledger;
  readonly #reader: RetainedReader;
  readonly #exchanges: Exchanges;
  readonly #events: EventTelling;
  /** Undefined where nobody may ask who is there. */
  readonly #presence: PresenceTelling | undefined;
  readonly #turns: Turns;
  readonly #queues: SessionQueues;
  readonly #held: HeldDeliveries;
  readonly #heavy: HeavyPublishers;
  /** Names this life. */
  readonly #life: string;
  /** Something of the record at hand goes to a Session object that is slow. */
  #slow = false;
  /** The record at hand. */
  #cause: Cause | undefined;
  /** Of this life, for figures. */
  #messages = 0;
  #deliveries = 0;
  /** What it has cost to send messages on, as packets. */
  #work = 0;

  constructor({ settings, name, store, sessions, topics, meter, samples, runtime, slices, hold }: TopicHostOptions) {
    const shard = topicNumber(settings, name);
    const shape = shapeNumber(settings);
    this.ledger = new Ledger(settings.limits.objectBytesMax);
    this.#runtime = runtime;
    this.#meter = meter;
    this.#faults = faultsOf(name);
    this.bill = samples && new Bill({ meter, store: samples, runtime });
    this.#queues = new SessionQueues({
      ...{ name, shape, sessions, runtime, faults: this.#faults, ledger: this.ledger },
      hold: hold ?? holdRules(settings.sessionShards, topicObjects(settings, namespaceOf(name)).length).toSessions,
      events: () => this.#events.said,
      answered: (...answered) => outcomes.take(...answered),
    });
    const held = new HeldDeliveries(runtime, this.#faults);
    this.#held = held;
    const because = (cause: Cause | undefined, send: () => void): void => {
      this.#cause = cause;
      send();
      this.#cause = undefined;
    };
    const outcomes = new DeliveryOutcomes({ routing: () => this.#routing, held, runtime, faults: this.#faults, because });
    this.#turns = new Turns(runtime, () => false, slices);
    this.#heavy = new HeavyPublishers(this.#turns, () => this.#routing, runtime, this.ledger);
    this.#life = runtime.incarnation();
    this.#routing = new RoutingCore({
      origin: `${name}@${this.#life}`,
      limits: settings.limits,
      sharedStrategy: settings.choices.sharedStrategy,
      userShare: settings.userShare,
      store,
      ledger: this.ledger,
      delivery: this,
      room: LOCAL_ROOM,
      owns: (topic) => topicShard(settings, topic) === shard,
      unwanted: (sessionObject, filter) => this.#presence?.unwanted(sessionObject, filter),
      damaged: (problem) => log("stored data skipped", { object: name, problem }),
      now: runtime.now(),
    });
    this.#reader = new RetainedReader(
      runtime,
      () => this.#routing,
      this.#faults,
      () => {},
    );
    this.#events = new EventTelling({
      wanted: this.#routing.wanted,
      everybody: shard === eventsShard(settings) ? objectsOf(settings, namespaceOf(name)).sessions : [],
      isOneOfMany: settings.sessionShards === 0,
      runtime,
      send: (sessionObject, done) => this.#send(sessionObject, new Delivery({ kind: RECORD_BARRIER, sessionObject }, { ...ALONE, done })),
    });
    const watch = (sessionObject: string, filter: string, done: Delivered): void =>
      this.#send(sessionObject, new Delivery({ kind: RECORD_WATCH, filter }, { ...ALONE, done }));
    const publish = (message: Message): void => this.#routing.publish(message, runtime.now(), undefined);
    const telling = { routing: () => this.#routing, runtime, faults: this.#faults, publish, watch, told: () => {} };
    this.#presence = settings.choices.presence ? new PresenceTelling(telling) : undefined;
    this.#exchanges = new Exchanges({
      shape,
      life: this.#life,
      runtime,
      handle: (batch) => this.#handle(batch),
      handled: () => this.adoption.handled(),
    });
    this.adoption = new Adoption({ settings, name, store, routing: this.#routing, peers: topics });
  }

  /** A batch from a Session object; answered when every message in it is safe with all who want it, as far as that is known soon. */
  async exchange(bytes: Uint8Array): Promise<Uint8Array> {
    this.bill?.counted();
    const adopted = this.adoption.ready();
    try {
      if (adopted !== undefined) await adopted;
    } catch (error) {
      if (error instanceof Misplaced) return this.#refuse(bytes);
      throw error;
    }
    return this.#exchanges.take(bytes);
  }

  /** Nobody is to wait for what no repeat will bring. */
  #refuse(bytes: Uint8Array): Uint8Array {
    const codes = new Uint8Array(decodeBatch(bytes).records.length).fill(IMPLEMENTATION_SPECIFIC_ERROR);
    return encodeExchangeAnswer({ life: this.#life, codes, counts: [], late: [] });
  }

  #handle({ sender, records, again, receipts, events }: Batch): Exchange {
    // Also one that only asks for a page: its sender is another object, and has more to say than that.
    this.#reader.othersSpeak();
    const exchange = new Exchange(records.length, receipts);
    const unread = new Set<number>();
    const handling = new BatchHandling(records, {
      turns: this.#turns,
      handle: (record, index) => this.#take({ sender, record, index, exchange, again }, unread),
      paused: () => this.#reader.serve(),
      handled: () => {
        // Nobody waits for those whose turn comes later.
        for (const index of unread) exchange.leave(index);
        this.#events.heard(sender, events);
        exchange.begun();
      },
    });
    handling.begin();
    return exchange;
  }

  /** @returns what it has cost beside the record itself, as packets */
  #take(handled: Handled, unread: Set<number>): number {
    const { record } = handled;
    if (record.kind !== RECORD_PUBLISH) return this.#handleOne(handled, unread);
    const { matches } = this.#routing;
    const mustWait = this.#heavy.mustWait(record.message);
    const looked = MATCH_WORK * (this.#routing.matches - matches);
    if (!mustWait) return looked + this.#handleOne(handled, unread);
    this.#handleLater(handled, record.message, unread);
    return looked;
  }

  /** Its publisher has so much on the way that it waits for its turn. */
  #handleLater({ exchange, index, ...of }: Handled, message: Message, unread: Set<number>): void {
    // It may wait for longer than the batch that it came with.
    message.keep();
    const settled = message.qos > 0 ? exchange.expect(index) : undefined;
    exchange.leave(index);
    const due: Handled = { exchange, index, ...of, late: { settled } };
    const handle = (): number => recordWork(due.record) + this.#handleOne(due, unread);
    const { topic, size } = message;
    if (!this.#heavy.wait(message.publisher, { topic, bytes: size + FRAME_BYTES, handle })) settled?.(IMPLEMENTATION_SPECIFIC_ERROR);
  }

  /** @returns what it has cost beside the record itself, as packets */
  #handleOne(handled: Handled, unread: Set<number>): number {
    const { sender, record, index, exchange } = handled;
    const before = this.#work;
    this.#slow = false;
    this.#cause = { exchange, index };
    try {
      if (this.adoption.refusal !== undefined) exchange.fail(index, IMPLEMENTATION_SPECIFIC_ERROR);
      else if (record.kind === RECORD_ASK) this.#ask(sender, record, index, exchange, unread);
      else this.#handleRecord(handled, this.#runtime.now());
    } catch (error) {
      this.#faults.caught(error, `handling a record of ${sender}`, clientOf(record));
      exchange.fail(index, IMPLEMENTATION_SPECIFIC_ERROR);
    }
    this.#cause = undefined;
    if (this.#slow) exchange.leave(index);
    return this.#work - before;
  }

  #handleRecord({ sender, record, index, exchange, again, late }: Handled, now: number): void {
    if (record.kind === RECORD_PUBLISH) {
      const { owner } = record;
      const { matches } = this.#routing;
      const message = this.#heavy.named(record.message, again, late !== undefined);
      this.#messages += 1;
      if (this.#presence?.isReport(message)) exchange.fail(index, this.#presence.report(sender, message));
      else {
        const settled = late === undefined && message.qos > 0 ? exchange.expect(index) : late?.settled;
        this.#routing.publish(message, now, settled, { owner, again });
      }
      this.#work += MATCH_WORK * (this.#routing.matches - matches);
    } else if (record.kind === RECORD_SUBSCRIBE) {
      const { filter, qos, version, lasting } = record;
      if (!this.#routing.hasRoute(filter, sender) && !this.ledger.takes("subscriptions")) {
        exchange.fail(index, QUOTA_EXCEEDED);
        return;
      }
      const isNew = !this.#routing.isWanted(filter);
      this.#routing.subscribe({ sessionObject: sender, filter, qos, version, lasting });
      this.#presence?.wanted(sender, filter, isNew);
      if (this.#events.isBehind(filter)) this.#events.tellAll(exchange.expect(index));
    } else if (record.kind === RECORD_UNSUBSCRIBE) {
      this.#routing.unsubscribe(sender, record.filter, record.version);
    } else if (record.kind === RECORD_SHARE) {
      if (this.#routing.share({ ...record, sessionObject: sender })) exchange.fail(index, NOT_WRITTEN);
      if (this.#events.isBehind(record.filter)) this.#events.tellAll(exchange.expect(index));
    } else if (record.kind === RECORD_BARRIER) {
      this.#barrier(record.sessionObject, exchange.expect(index));
    } else if (record.kind === RECORD_REDISTRIBUTE) {
      const redistribution = { filter: record.filter, attempt: undefined, otherwise: NO_MATCHING_SUBSCRIBERS, now };
      this.#routing.redistribute(record.message, redistribution, exchange.expect(index));
    } else if (record.kind === RECORD_CAUGHT_UP) {
      this.#held.caughtUp(sender, record.batch, record.record, !this.#queues.isIdle(sender));
    }
  }

  /** @param unread takes the number of the record until its page is read */
  #ask(sender: string, ask: RetainedAsk, index: number, exchange: Exchange, unread: Set<number>): void {
    const done = exchange.expect(index);
    const { clientId, filter, id, from } = ask;
    if (this.#presence !== undefined && isOfPresence(filter)) {
      unread.add(index);
      this.#presence.whenKnown(filterOfPresence(filter), (state) => {
        unread.delete(index);
        const messages = state === undefined ? [] : [state];
        this.#send(sender, new Delivery({ kind: RECORD_PAGE, clientId, id, from, next: undefined, messages }, { ...ALONE, done }));
      });
      return;
    }
    // Most are told so at once and wait for nobody's turn: a thousand of them are answered with their batch, and not each with a call of its own.
    if (from === "" && this.#routing.retainsNone(filter)) {
      done(NOTHING_RETAINED);
      return;
    }
    unread.add(index);
    this.#reader.ask({
      ask,
      take: (page) => {
        unread.delete(index);
        // For most new subscriptions: no order has to be kept with live messages, and no call is made.
        if (page.messages.length === 0 && page.next === undefined) {
          done(NOTHING_RETAINED);
          return;
        }
        this.#send(sender, new Delivery({ kind: RECORD_PAGE, ...page }, { ...ALONE, done }));
      },
      failed: () => done(IMPLEMENTATION_SPECIFIC_ERROR),
    });
  }

  /** Retained messages as other Workers are told of them, once this object has all of its topics. */
  async retainedFrom(filter: string | undefined, from: string): Promise<RetainedMessages> {
    const adopted = this.adoption.ready();
    if (adopted !== undefined) await adopted;
    return retainedView(this.#routing, filter, from, this.#runtime.now());
  }

  /** The Session objects that want a filter, in the order of their names, behind this one; at most so many. */
  async sessionsWanting(filter: string, after: string, most: number): Promise<readonly string[]> {
    const adopted = this.adoption.ready();
    if (adopted !== undefined) await adopted;
    const first = new FirstNames(most);
    for (const name of this.#routing.wanting(filter)) if (name > after) first.add(name);
    return first.sorted();
  }

  /** The same way in. */
  async keepRetained(messages: readonly PortableMessage[], replaces: boolean): Promise<TakenRetained[]> {
    const adopted = this.adoption.ready();
    if (adopted !== undefined) await adopted;
    if (this.adoption.refusal !== undefined) throw new Error(this.adoption.refusal);
    return keepRetained(this.#routing, messages, replaces, this.#runtime.now());
  }

  figures(): Figures {
    this.#meter.calls += 1;
    const retainedMessages = this.#routing.countRetained();
    const outbox = { calls: this.#queues.calls, bytes: this.#queues.bytes };
    const routed = { messages: this.#messages, deliveries: this.#deliveries, routes: this.#routing.routeCount };
    return { usage: this.#meter.usage(), memory: this.ledger.figures(), session: undefined, retainedMessages, outbox, routed };
  }

  /** What memory holds by a count of it all, bytes: what the ledger says. */
  count(): { readonly routes: number; readonly outboxes: number } {
    return { routes: this.#routing.countRoutes(), outboxes: this.#queues.heldBytes + this.#heavy.bytes };
  }

  deliver(sessionObject: string, message: Message, addressed: Addressed, done: Delivered | undefined): void {
    const { attempt, shares } = addressed;
    let work = shares.length === 0 ? DELIVERY_WORK : SHARED_WORK * shares.length;
    for (const { filter } of shares) work += filter.length / BYTES_WORK;
    this.#work += work;
    this.#deliveries += 1;
    const settled = shares.length === 0 ? done : this.#heavy.sent(message.publisher, work, done);
    try {
      this.#send(sessionObject, new Delivery(recordOf(message, addressed), { message, attempt, done: settled, cause: this.#cause }));
    } catch (error) {
      // The other Session objects still get it.
      this.#faults.caught(error, `sending to ${sessionObject}`, message.publisher);
      settled?.(IMPLEMENTATION_SPECIFIC_ERROR);
    }
  }

  /** Done once the Session object has all that is now on its way there. */
  #barrier(sessionObject: string, done: Delivered): void {
    if (this.#queues.isIdle(sessionObject)) done(SUCCESS);
    else this.#send(sessionObject, new Delivery({ kind: RECORD_BARRIER, sessionObject }, { ...ALONE, done }));
  }

  #send(sessionObject: string, delivery: Delivery): void {
    if (this.#queues.send(sessionObject, delivery)) this.#slow = true;
  }
}
