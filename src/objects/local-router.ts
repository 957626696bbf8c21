/**
 * Both roles of a namespace in one object: no calls, no encoding. The routing core is the same; its Session object is the one it lives
 * in, so its routes need no rows: they are that object's own interests, told again after a start.
 */

import { type FaultPort, guarded } from "../fault.ts";
import type { Ledger } from "../ledger.ts";
import type { RetainedAsk } from "../mqtt/batch.ts";
import type { Message } from "../mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, QUOTA_EXCEEDED, SUCCESS } from "../mqtt/reason-code.ts";
import { RoutingCore } from "../routing/core.ts";
import type { Holding, Kept, RetainedRow, RoutingStore } from "../routing/ports.ts";
import type { Runtime } from "../runtime.ts";
import type { SessionCore } from "../session/core.ts";
import type { SessionMachine } from "../session/machine.ts";
import type { PortableMessage } from "../session/portable.ts";
import type { Ticket, Wanted } from "../session/ports.ts";
import type { Settings } from "../settings.ts";
import { filterOfPresence, isOfPresence } from "../topic/presence.ts";
import type { RetainedMessages, TakenRetained } from "./calls.ts";
import { faultsOf } from "./faults.ts";
import { LOCAL_ROOM } from "./local-room.ts";
import { log } from "./log.ts";
import { PresenceTelling } from "./presence-telling.ts";
import { RetainedReader } from "./retained-reader.ts";
import { keepRetained, retainedView } from "./retained-view.ts";
import type { Router } from "./router.ts";

const HERE = "";

export class LocalRouter implements Router {
  readonly #runtime: Runtime;
  readonly #routing: RoutingCore;
  readonly #store: RoutingStore;
  readonly #machine: () => SessionMachine;
  readonly #faults: FaultPort;
  readonly #reader: RetainedReader;
  /** Undefined where nobody may ask who is there. */
  readonly #presence: PresenceTelling | undefined;
  /** What is told of who is there, at the next `serve`: never in the midst of what the core does. */
  readonly #served: (() => void)[] = [];
  /** Milliseconds since the epoch, of the message at hand. */
  #now = 0;

  /**
   * @param store of the routing role, of which only the retained messages are used
   * @param ledger of the object
   * @param served called when something was delivered in a tick of its own
   */
  constructor(
    settings: Settings,
    name: string,
    store: RoutingStore,
    runtime: Runtime,
    ledger: Ledger,
    machine: () => SessionMachine,
    served: () => void,
  ) {
    this.#runtime = runtime;
    this.#machine = machine;
    const faults = faultsOf(name);
    this.#faults = faults;
    this.#reader = new RetainedReader(runtime, () => this.#routing, faults, served);
    this.#store = new RetainedOnly(store);
    this.#routing = new RoutingCore({
      origin: `${name}@${runtime.incarnation()}`,
      limits: settings.limits,
      sharedStrategy: settings.choices.sharedStrategy,
      userShare: settings.userShare,
      store: this.#store,
      ledger,
      delivery: {
        deliver: (_sessionObject, message, { live, shares }, done) => {
          const now = this.#now;
          let isFull = false;
          try {
            isFull = live && machine().deliver(message, now) === "full";
            for (const target of shares) isFull = machine().deliverShared(message, target, now, shares.length) === "full" || isFull;
          } catch (error) {
            // Of a fault that is not his the publisher hears that not everyone has the message, and nothing else.
            faults.caught(error, "delivering a message", message.publisher);
            isFull = true;
          }
          const outcome = isFull ? QUOTA_EXCEEDED : SUCCESS;
          if (machine().isSlow) machine().whenCaughtUp(() => done?.(outcome));
          else done?.(outcome);
        },
      },
      room: LOCAL_ROOM,
      owns: () => true,
      unwanted: (sessionObject, filter) => this.#presence?.unwanted(sessionObject, filter),
      damaged: (problem) => log("stored data skipped", { object: name, problem }),
      now: runtime.now(),
    });
    const watch = (_sessionObject: string, filter: string, done: (reasonCode: number) => void): void => {
      machine().watchPresence(filter, runtime.now());
      done(SUCCESS);
    };
    const publish = (message: Message): void => {
      this.#served.push(() => {
        this.#now = runtime.now();
        this.#routing.publish(message, this.#now, undefined);
      });
    };
    const telling = { routing: () => this.#routing, runtime, faults, publish, watch, told: served };
    this.#presence = settings.choices.presence ? new PresenceTelling(telling) : undefined;
  }

  /** After a start: what the sessions that were restored want. */
  restore(core: SessionCore): void {
    for (const [filter, { qos, version }] of core.interests)
      this.#routing.subscribe({ sessionObject: HERE, filter, qos, version, lasting: true });
    for (const { filter, members, online } of core.shares.values())
      this.share(filter, members.size, online, core.numbers.next(), undefined);
  }

  publish(message: Message, ticket: Ticket | undefined, owner: number | undefined): void {
    this.#reader.othersSpeak();
    this.#now = this.#runtime.now();
    if (this.#presence?.isReport(message)) ticket?.settled(this.#presence.report(HERE, message));
    else this.#routing.publish(message, this.#now, ticket && ((reasonCode) => ticket.settled(reasonCode)), { owner });
  }

  subscribe({ filter, qos, version }: Wanted, ticket: Ticket): void {
    const isNew = !this.#routing.isWanted(filter);
    this.#routing.subscribe({ sessionObject: HERE, filter, qos, version, lasting: true });
    this.#presence?.wanted(HERE, filter, isNew);
    ticket.settled(0);
  }

  get wantedEvents(): number {
    return this.#routing.wanted.events;
  }

  /** Nobody elsewhere asks. */
  tells(): void {}

  places(): readonly string[] {
    return [HERE];
  }

  ask(_place: string, ask: RetainedAsk, ticket: Ticket): void {
    const { clientId, filter, id, from } = ask;
    if (this.#presence !== undefined && isOfPresence(filter)) {
      this.#presence.whenKnown(filterOfPresence(filter), (state) => {
        this.#served.push(() => {
          const messages = state === undefined ? [] : [state];
          this.#machine().takePage({ clientId, id, from, next: undefined, messages }, this.#runtime.now());
          ticket.settled(SUCCESS);
        });
      });
      return;
    }
    this.#reader.ask({
      ask,
      take: (page) => {
        this.#machine().takePage(page, this.#runtime.now());
        ticket.settled(SUCCESS);
      },
      failed: () => ticket.settled(IMPLEMENTATION_SPECIFIC_ERROR),
    });
  }

  /** As of a Topic object. */
  retainedFrom(filter: string | undefined, from: string): RetainedMessages {
    return retainedView(this.#routing, filter, from, this.#runtime.now());
  }

  keepRetained(messages: readonly PortableMessage[], replaces: boolean): TakenRetained[] {
    return keepRetained(this.#routing, messages, replaces, this.#runtime.now());
  }

  unsubscribe(filter: string, version: number): void {
    this.#routing.unsubscribe(HERE, filter, version);
  }

  share(filter: string, members: number, online: number, version: number, ticket: Ticket | undefined): void {
    this.#routing.share({ sessionObject: HERE, filter, members, online, version });
    ticket?.settled(0);
  }

  /** With all members in this object there is none elsewhere. */
  redistribute(): boolean {
    return false;
  }

  /** Nobody elsewhere waits. */
  caughtUp(): void {}

  /** Nothing is ever on its way. */
  barrier(_sessionObject: string, ticket: Ticket): void {
    ticket.settled(0);
  }

  serve(): void {
    for (const tell of this.#served.splice(0)) guarded(this.#faults, "telling who is there", undefined, tell);
    this.#reader.serve();
  }

  flush(): void {}

  readonly gathers = false;

  readonly heldBytes = 0;

  readonly isCrowded = false;

  countRoutes(): number {
    return this.#routing.countRoutes();
  }

  /** It calls nobody. */
  readonly outbox = undefined;

  get retainedMessages(): number | undefined {
    return this.#routing.retainedMessages;
  }

  countRetained(): number | undefined {
    return this.#routing.countRetained();
  }
}

/** A RoutingStore that keeps retained messages but no routes. */
class RetainedOnly implements RoutingStore {
  readonly #store: RoutingStore;

  constructor(store: RoutingStore) {
    this.#store = store;
  }

  routes(): [] {
    return [];
  }
  putRoute(): void {}
  deleteRoute(): void {}
  lineage(): undefined {}
  putLineage(): void {}
  retained(topic: string): RetainedRow | undefined {
    return this.#store.retained(topic);
  }
  kept(topic: string): Kept | undefined {
    return this.#store.kept(topic);
  }
  holding(): Holding {
    return this.#store.holding();
  }
  holdingOf(owner: number): Holding {
    return this.#store.holdingOf(owner);
  }
  knownRetainedCount(): number | undefined {
    return this.#store.knownRetainedCount();
  }
  fewRetainedCount(): number | undefined {
    return this.#store.fewRetainedCount();
  }
  putRetained(row: RetainedRow): void {
    this.#store.putRetained(row);
  }
  deleteRetained(topic: string): boolean {
    return this.#store.deleteRetained(topic);
  }
  deleteExpiredRetained(now: number, max: number): number {
    return this.#store.deleteExpiredRetained(now, max);
  }
  seek(from: string): string | undefined {
    return this.#store.seek(from);
  }
  range(from: string, to: string | undefined): Iterable<string> {
    return this.#store.range!(from, to);
  }
}
