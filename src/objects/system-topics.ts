/**
 * `$SYS/broker/...`: figures of the broker as retained messages, where SYS_SECONDS says how often. An object in which something has changed tells
 * the first Session object of its namespace, in the compact topology itself, which publishes what has changed in the sum. Nobody is asked, so
 * that nobody is woken who has nothing to say; who has stays awake until it is said.
 */

import { type FaultPort, problemOf } from "../fault.ts";
import { publishOf } from "../hooks/message-draft.ts";
import { messageOfPublish } from "../mqtt/message.ts";
import type { Runtime, Timer } from "../runtime.ts";
import { handOn } from "../session/consume.ts";
import type { SessionCore } from "../session/core.ts";
import { droppedTotal } from "../session/counters.ts";
import type { Gauges, Reported } from "../session/system-totals.ts";
import type { Settings } from "../settings.ts";
import { SYS_FIRST_MS } from "../share-limits.ts";
import type { SessionCalls } from "./calls.ts";
import { log } from "./log.ts";
import { namespaceOf, objectsOf } from "./names.ts";
import type { Router } from "./router.ts";

const NO_GAUGES: Gauges = { connections: 0, sessions: 0, subscriptions: 0 };

export interface SystemTopicsOptions {
  readonly core: SessionCore;
  readonly settings: Settings;
  /** Of the object. */
  readonly name: string;
  readonly router: Router;
  readonly peers: (name: string) => Pick<SessionCalls, "report">;
  readonly runtime: Runtime;
  readonly faults: FaultPort;
  readonly flushSoon: () => void;
}

export class SystemTopics {
  readonly #options: SystemTopicsOptions;
  /** The Session objects; none where they can't all be named. */
  readonly #objects: readonly string[];
  readonly #everyMs: number;
  /** What was told last, or stood at the start of this life. */
  #known: Reported;
  /** What is taken for told may be so no more, or have never arrived. */
  #isDue: boolean;
  #reporting: Timer | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #publishing: Timer | undefined;

  constructor(options: SystemTopicsOptions) {
    this.#options = options;
    const { settings, name, core, runtime } = options;
    this.#objects = objectsOf(settings, namespaceOf(name)).sessions;
    this.#everyMs = settings.system.seconds * 1000;
    this.#known = this.#now();
    this.#isDue = this.#hasLost();
    // It is off by now.
    if (this.#everyMs === 0 && core.system.number !== 0) runtime.after(0, () => this.#clear());
  }

  #now(): Reported {
    const { core, router } = this.#options;
    const { connections, sessions, subscriptions, counters } = core;
    // Who listens to it must not be what it has to tell of.
    const sent = counters.messagesDelivered - counters.systemDelivered;
    return {
      gauges: { connections: connections.size, sessions: sessions.size, subscriptions: subscriptions.size },
      counts: { received: counters.messagesReceived, sent, dropped: droppedTotal(counters) },
      // Before this life has counted them it has nothing to say of them.
      retained: router.retainedMessages ?? core.system.retained,
    };
  }

  /**
   * Whether less has come back with its memory than it had told. The object that sums up has what it told itself in that row; another one has
   * but one of its own that says whether it told connections, for each loss of one that it hears of is told by `lostAsleep`.
   */
  #hasLost(): boolean {
    const { core, name } = this.#options;
    const { gauges } = this.#known;
    const told = core.system.gaugesOf(name) ?? NO_GAUGES;
    return this.#objects[0] === name ? !isSameGauges(told, gauges) : told.connections > 0 && gauges.connections === 0;
  }

  /** A connection that it had told is gone, and was before this life began. */
  lostAsleep(): void {
    this.#isDue = true;
  }

  /** Something may have changed. */
  look(): void {
    if (this.#everyMs === 0 || this.#objects.length === 0 || this.#reporting !== undefined) return;
    const { runtime } = this.#options;
    if (!this.#isDue && isSame(this.#now(), this.#known)) return;
    const first = Math.min(this.#everyMs, SYS_FIRST_MS);
    const waitMs = Math.max(first, this.#reportedAt + this.#everyMs - runtime.now());
    this.#reporting = runtime.after(Math.min(waitMs, this.#everyMs), () => {
      this.#reporting = undefined;
      this.#report();
    });
  }

  #report(): void {
    const { name, peers, runtime } = this.#options;
    const now = this.#now();
    const before = this.#known;
    const { counts } = before;
    const since = {
      received: now.counts.received - counts.received,
      sent: now.counts.sent - counts.sent,
      dropped: now.counts.dropped - counts.dropped,
    };
    this.#known = now;
    this.#isDue = false;
    this.#reportedAt = runtime.now();
    const reported = { ...now, counts: since };
    const [first] = this.#objects as [string];
    if (first === name) {
      this.take(name, reported);
      return;
    }
    // Between the call and the row it may be reset: then it tells once too often rather than never.
    if (now.gauges.connections > 0) this.#remember(now.gauges);
    peers(first)
      .report(name, reported)
      .then(() => {
        if (this.#known === now) this.#remember(now.gauges);
      })
      .catch((error) => {
        log("figures could not be told and are told with the next", { object: name, of: first, problem: problemOf(error) });
        this.#isDue = true;
        if (this.#known === now) this.#known = before;
      });
  }

  /** Writes down whether it has told connections, when that has changed. */
  #remember(gauges: Gauges): void {
    const { core, name } = this.#options;
    const told = core.system.gaugesOf(name) ?? NO_GAUGES;
    if (told.connections > 0 === gauges.connections > 0) return;
    core.system.keep(name, gauges);
    this.#write();
  }

  /** An object tells of itself. */
  take(object: string, reported: Reported): void {
    if (this.#everyMs === 0) return;
    const { core, runtime } = this.#options;
    const now = runtime.now();
    core.system.take(object, reported, this.#objects, now);
    const waitMs = Math.min(this.#everyMs, Math.max(0, core.system.toldAt + this.#everyMs - now));
    this.#publishing ??= runtime.after(waitMs, () => {
      this.#publishing = undefined;
      this.#publish(core.system.tell(runtime.now()));
      this.#write();
    });
  }

  #write(): void {
    const { core } = this.#options;
    if (core.system.number === 0) core.system.number = core.numbers.next();
    core.store.putSession(core.system.row());
  }

  #publish(texts: ReadonlyMap<string, string>): void {
    const { core, runtime, settings, faults, flushSoon } = this.#options;
    core.now = runtime.now();
    for (const [topic, payload] of texts) {
      const publish = publishOf({ topic, payload, retain: true }, settings.limits);
      if (typeof publish === "string") faults.caught(new Error(publish), `publishing ${topic}`, undefined);
      else handOn(core, messageOfPublish(publish, topic, core.ownOrigin(), core.now), undefined, undefined);
    }
    flushSoon();
  }

  /** Nothing is told any more: nothing stays that would be taken for what is so now. */
  #clear(): void {
    const { core } = this.#options;
    this.#publish(new Map(core.system.topics.map((topic) => [topic, ""])));
    core.store.deleteSession(core.system.number);
    core.system.number = 0;
  }
}

function isSameGauges(a: Gauges, b: Gauges): boolean {
  return a.connections === b.connections && a.sessions === b.sessions && a.subscriptions === b.subscriptions;
}

function isSame(a: Reported, b: Reported): boolean {
  return (
    isSameGauges(a.gauges, b.gauges) &&
    a.counts.received === b.counts.received &&
    a.counts.sent === b.counts.sent &&
    a.counts.dropped === b.counts.dropped &&
    a.retained === b.retained
  );
}
