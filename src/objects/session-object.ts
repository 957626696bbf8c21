/**
 * The Session object: owns client IDs, their sessions, connections and deadlines. In the compact topology it also plays the Topic
 * object of its namespace. Thin: wakes, calls its host, and nothing else. Every public method can be called from other objects.
 */

import type { News } from "../directory/news.ts";
import { ConnectRate } from "../handshake/connect-rate.ts";
import { decodeHandover, HANDOVER_HEADER } from "../handshake/handover.ts";
import type { MessageToPublish } from "../hooks/contract.ts";
import type { Ledger } from "../ledger.ts";
import { PLATFORM } from "../runtime.ts";
import type { MoveReason, MovingPart, Offer } from "../session/move.ts";
import type { PortableMessage, PortableSession } from "../session/portable.ts";
import type { Claimant } from "../session/ports.ts";
import type { Reported } from "../session/system-totals.ts";
import { SqliteAnswerStore } from "../storage/sqlite-answer-store.ts";
import { SqliteRoutingStore } from "../storage/sqlite-routing-store.ts";
import { SqliteSampleStore } from "../storage/sqlite-sample-store.ts";
import { SqliteSessionStore } from "../storage/sqlite-session-store.ts";
import { Answers } from "./answers.ts";
import type { Acknowledged, HeldCalls, PortablePage, RetainedMessages, SessionCalls, TakenRetained, TakenSession } from "./calls.ts";
import type { Definition } from "./definition.ts";
import { directoryOf } from "./directory-of.ts";
import { type BrokerEnv, stubs } from "./env.ts";
import { guardedStore } from "./guarded-store.ts";
import { HeldBatches } from "./held-batches.ts";
import { LocalRouter } from "./local-router.ts";
import { opened } from "./log.ts";
import { type Figures, Meter, type Usage } from "./meter.ts";
import { tellIfOther, wakingOthers } from "./other-topology.ts";
import { recover } from "./recovery.ts";
import { RemoteRouter, type TopicObjects } from "./remote-router.ts";
import { ServedObject } from "./served-object.ts";
import { SessionHost } from "./session-host.ts";
import { TRACE_HEADER } from "./traces.ts";

export class SessionObject extends ServedObject implements SessionCalls {
  protected override readonly host: SessionHost;
  protected override readonly meter = new Meter();
  protected override readonly answers: Answers;
  readonly #connectRate: ConnectRate;
  /** Where the namespace is one object. */
  readonly #local: LocalRouter | undefined;

  constructor(ctx: DurableObjectState, env: BrokerEnv, definition: Definition) {
    super(ctx, env);
    const settings = definition.requireSettings(env);
    this.#connectRate = new ConnectRate(settings.rates.addressConnects);
    const name = ctx.id.name!;
    const meter = this.meter;
    const begins = wakingOthers(name, settings, env, ctx);
    const peers = stubs(env.SESSIONS);
    const directory = directoryOf(env, settings, PLATFORM);
    const stored = <Store extends object>(make: () => Store): Store => guardedStore(opened(name, make), name, ctx);
    const isOneClients = settings.topology !== "compact" && settings.sessionShards === 0;
    const store = stored(() => new SqliteSessionStore(ctx.storage.sql, meter, begins));
    const samples = settings.monitor && !isOneClients ? stored(() => new SqliteSampleStore(ctx.storage.sql, meter)) : undefined;
    const code = { hooks: definition.hooks, consumers: definition.consumers, env };
    if (settings.topology === "compact") {
      let local: LocalRouter | undefined;
      this.host = new SessionHost({
        state: ctx,
        store,
        samples,
        settings,
        name,
        meter,
        runtime: PLATFORM,
        directory,
        authService: env.AUTH,
        code,
        peers,
        router: (machine, ledger) => {
          const routing = stored(() => new SqliteRoutingStore(ctx.storage.sql, meter, begins));
          local = new LocalRouter(settings, name, routing, PLATFORM, ledger, machine, () => this.host.flush());
          return local;
        },
      });
      this.#local = local;
      local!.restore(this.host.core);
    } else {
      const topics: TopicObjects = stubs(env.TOPICS);
      const router = (_machine: unknown, ledger: Ledger): RemoteRouter =>
        new RemoteRouter(settings, name, topics, PLATFORM, ledger, () => this.host.flush());
      const authService = env.AUTH;
      const host = { state: ctx, store, samples, settings, name, meter, runtime: PLATFORM, directory, authService, code, router, peers };
      this.host = new SessionHost(host);
    }
    this.answers = new Answers({
      name,
      store: () => stored(() => new SqliteAnswerStore(ctx.storage.sql, meter)),
      runtime: PLATFORM,
    });
    tellIfOther(name, settings, () => {
      const retained = opened(name, () => new SqliteRoutingStore(ctx.storage.sql, meter)).holding().count;
      return { sessions: this.host.core.sessions.size, retained };
    });
  }

  /** Takes a socket from the Worker: of a client, or to tell it of the packets of one. */
  override fetch(request: Request): Response {
    const watched = request.headers.get(TRACE_HEADER);
    if (watched !== null) return this.host.traces.accept(decodeURIComponent(watched));
    const handover = decodeHandover(request.headers.get(HANDOVER_HEADER)!);
    const isKnown = handover.relayed || handover.admission !== undefined;
    const refused = isKnown ? undefined : this.#connectRate.refusal(handover.caller?.address ?? "", PLATFORM.now());
    return refused ?? this.host.accept(request, handover);
  }

  override webSocketMessage(socket: WebSocket, data: ArrayBuffer | string): void {
    this.host.receive(socket, data);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.host.lost(socket);
    // The runtime does not answer a Close frame for an object. Some codes, as 1005 for none, must not be sent.
    const mayBeSent = code === 1000 || (code >= 3000 && code < 5000);
    socket.close(mayBeSent ? code : 1000);
  }

  override webSocketError(socket: WebSocket): void {
    this.host.lost(socket);
  }

  override alarm(): Promise<void> {
    return this.host.alarm();
  }

  /** A batch of messages from a Topic object (`mqtt/batch.ts`). @returns its answer, once everything in it is safe */
  deliver(batch: Uint8Array): Promise<Uint8Array> {
    this.meter.calls += 1;
    return this.host.deliver(batch);
  }

  /** Takes more of them as this call's own (`caller.ts`). */
  hold(): HeldCalls {
    this.meter.calls += 1;
    return new HeldBatches((batch) => this.host.deliver(batch));
  }

  /** The Session object that owns a client now asks for its session, which may be here (`session/move.ts`). */
  offerSession(asker: string, clientId: string, reason: MoveReason, by: Claimant | undefined): Promise<Offer> {
    this.meter.calls += 1;
    return this.host.arrivals.offer(asker, clientId, reason, by);
  }

  /** A part of the session, which stays here until it is let go. */
  exportSession(asker: string, clientId: string, from: number, last: boolean): Promise<MovingPart | undefined> {
    this.meter.calls += 1;
    return this.host.arrivals.export(asker, clientId, from, last);
  }

  /** The session is with who asked for it. */
  letGo(asker: string, clientId: string): Promise<void> {
    this.meter.calls += 1;
    return this.host.arrivals.letGo(asker, clientId);
  }

  /** The directory of the namespace tells of changes. @returns whether there is any session here */
  learn(news: News): Promise<boolean> {
    return this.host.learn(news);
  }

  /** A message of the Worker's own code. @returns once all who are to keep it have it in rows @throws Error with a sentence for what is none */
  publish(message: MessageToPublish): Promise<void> {
    this.meter.calls += 1;
    return this.host.publish(message);
  }

  /** Another Session object tells what there was of acknowledgements of messages that entered here. */
  async acknowledged(object: string, all: readonly Acknowledged[]): Promise<void> {
    this.meter.calls += 1;
    this.host.acknowledgements.take(object, all);
  }

  /** Another Session object tells of itself: this is the one that sums it up. */
  async report(object: string, reported: Reported): Promise<void> {
    this.meter.calls += 1;
    this.host.system.take(object, reported);
  }

  /** Its sessions for another broker, behind this Client Identifier: some, each as a whole. */
  sessionsAfter(clientId: string): Promise<PortablePage> {
    this.meter.calls += 1;
    return this.host.portable.after(clientId);
  }

  /** A session of another broker is to be here from now on. @returns once it is in rows, or why it is not */
  takeSession(told: PortableSession, replaces: boolean): Promise<TakenSession> {
    this.meter.calls += 1;
    return this.host.portable.take(told, replaces);
  }

  /** Of the one object of a namespace: as of a Topic object. */
  retainedFrom(filter: string | undefined, from: string): RetainedMessages {
    this.meter.calls += 1;
    if (this.#local === undefined) throw new Error("retained messages are with the Topic objects");
    return this.#local.retainedFrom(filter, from);
  }

  /** Of the one object of a namespace: as of a Topic object. */
  keepRetained(messages: readonly PortableMessage[], replaces: boolean): TakenRetained[] {
    this.meter.calls += 1;
    if (this.#local === undefined) throw new Error("retained messages are with the Topic objects");
    return this.#local.keepRetained(messages, replaces);
  }

  /** Puts its database back to an earlier moment (`recovery.ts`). @returns a bookmark to undo that */
  recover(to: number | string): Promise<string> {
    return recover(this.ctx.id.name!, this.ctx, PLATFORM, to);
  }

  /** What `/metrics` tells of this object. */
  figures(): Figures {
    return this.host.figures();
  }

  /** What this object did that is billed, since it woke. */
  usage(): Usage {
    return this.meter.usage();
  }
}
