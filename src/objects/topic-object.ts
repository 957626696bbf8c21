/**
 * The Topic object: owns topics, who wants them and their retained messages, and fans messages out to Session objects. Thin; what it
 * decides is in the routing core.
 */

import { DurableObject } from "cloudflare:workers";
import type { RetainedRow, RouteRow } from "../routing/ports.ts";
import { PLATFORM } from "../runtime.ts";
import type { PortableMessage } from "../session/portable.ts";
import { SqliteRoutingStore } from "../storage/sqlite-routing-store.ts";
import { type Billed, SqliteSampleStore } from "../storage/sqlite-sample-store.ts";
import type { Adopter } from "./adoption.ts";
import type { HeldCalls, RetainedMessages, TakenRetained, TopicCalls } from "./calls.ts";
import type { Definition } from "./definition.ts";
import { type BrokerEnv, stubs } from "./env.ts";
import { guardedStore } from "./guarded-store.ts";
import { HeldBatches } from "./held-batches.ts";
import { opened } from "./log.ts";
import { type Figures, Meter, type Usage } from "./meter.ts";
import { tellIfOther, wakingOthers } from "./other-topology.ts";
import { recover } from "./recovery.ts";
import { TopicHost } from "./topic-host.ts";

export class TopicObject extends DurableObject<BrokerEnv> implements TopicCalls {
  readonly #host: TopicHost;
  readonly #meter = new Meter();

  constructor(ctx: DurableObjectState, env: BrokerEnv, definition: Definition) {
    super(ctx, env);
    const name = ctx.id.name!;
    const settings = definition.requireSettings(env);
    const store = opened(name, () => new SqliteRoutingStore(ctx.storage.sql, this.#meter, wakingOthers(name, settings, env, ctx)));
    const samples = settings.monitor
      ? guardedStore(
          opened(name, () => new SqliteSampleStore(ctx.storage.sql, this.#meter)),
          name,
          ctx,
        )
      : undefined;
    this.#host = new TopicHost({
      settings,
      name,
      store: guardedStore(store, name, ctx),
      topics: stubs(env.TOPICS),
      sessions: stubs(env.SESSIONS),
      meter: this.#meter,
      samples,
      runtime: PLATFORM,
    });
    tellIfOther(name, settings, () => ({ sessions: 0, retained: store.holding().count }));
  }

  /** A batch of publishes and interests from a Session object (`mqtt/batch.ts`). @returns one Reason Code for each record */
  exchange(batch: Uint8Array): Promise<Uint8Array> {
    this.#meter.calls += 1;
    return this.#host.exchange(batch);
  }

  /** Takes more of them as this call's own (`caller.ts`). */
  hold(): HeldCalls {
    this.#meter.calls += 1;
    return new HeldBatches((batch) => this.#host.exchange(batch));
  }

  /** Another Topic object asks for routes: there were other Topic objects before. */
  giveRoutes(adopter: Adopter): RouteRow[] | string {
    this.#meter.calls += 1;
    return this.#host.adoption.giveRoutes(adopter);
  }

  /** Another Topic object asks for retained messages that it owns now. */
  giveRetained(adopter: Adopter, from: string, stored: readonly string[]): RetainedRow[] {
    this.#meter.calls += 1;
    return this.#host.adoption.giveRetained(adopter, from, stored);
  }

  /** Retained messages whose topics match, from this topic on: as many as are found at a bounded cost, which may be none. */
  retainedFrom(filter: string | undefined, from: string): Promise<RetainedMessages> {
    this.#meter.calls += 1;
    return this.#host.retainedFrom(filter, from);
  }

  /** The names of Session objects that want this very filter, behind this one; at most so many. */
  sessionsWanting(filter: string, object: string, most: number): Promise<readonly string[]> {
    this.#meter.calls += 1;
    return this.#host.sessionsWanting(filter, object, most);
  }

  /** Keeps what another broker has retained. @param replaces also where there is something */
  keepRetained(messages: readonly PortableMessage[], replaces: boolean): Promise<TakenRetained[]> {
    this.#meter.calls += 1;
    return this.#host.keepRetained(messages, replaces);
  }

  /** Puts its database back to an earlier moment (`recovery.ts`). @returns a bookmark to undo that */
  recover(to: number | string): Promise<string> {
    return recover(this.ctx.id.name!, this.ctx, PLATFORM, to);
  }

  /** What is billed of it, in each of the last months; nothing where that is not kept. */
  billed(): readonly Billed[] {
    this.#meter.calls += 1;
    return this.#host.bill?.months() ?? [];
  }

  /** What `/metrics` tells of this object. */
  figures(): Figures {
    return this.#host.figures();
  }

  /** What this object did that is billed, since it woke. */
  usage(): Usage {
    return this.#meter.usage();
  }
}
