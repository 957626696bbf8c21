/**
 * What a Session object does around its core: makes and restores it, and brings it what comes from sockets, Topic objects and the directory.
 * What leaves is the flusher's.
 */

import type { News } from "../directory/news.ts";
import { type FaultPort, guarded, problemOf } from "../fault.ts";
import { chooseSubprotocol, type Handover, switchingProtocols } from "../handshake/handover.ts";
import type { MessageToPublish } from "../hooks/contract.ts";
import { Ledger } from "../ledger.ts";
import type { Runtime } from "../runtime.ts";
import { SessionCore } from "../session/core.ts";
import { sessionFigures } from "../session/figures.ts";
import { SessionMachine } from "../session/machine.ts";
import type { SessionStore } from "../session/ports.ts";
import { lostAsleep, restore } from "../session/restore.ts";
import type { Settings } from "../settings.ts";
import type { SqliteSampleStore } from "../storage/sqlite-sample-store.ts";
import { PIECE_SIZES, type PieceSizes } from "../storage-limits.ts";
import { SLICES, type Slices } from "../work-limits.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { AlarmStorage } from "./alarm-clock.ts";
import { Arrivals, type SessionPeer } from "./arrivals.ts";
import { authOf } from "./auth-of.ts";
import { Bill } from "./bill.ts";
import type { SessionCalls } from "./calls.ts";
import { Client } from "./client.ts";
import type { ClientContext } from "./client-context.ts";
import { ConsumerRuns } from "./consumers.ts";
import { type DirectoryService, DirectoryWatch } from "./directory-watch.ts";
import { EqualTimers } from "./equal-timers.ts";
import { faultsOf } from "./faults.ts";
import { countClosing, Flusher } from "./flusher.ts";
import { IncomingBatches } from "./incoming-batches.ts";
import { LetGo } from "./let-go.ts";
import { LOCAL_ROOM } from "./local-room.ts";
import { log } from "./log.ts";
import type { Figures, Meter } from "./meter.ts";
import { Monitor } from "./monitor.ts";
import { namespaceOf, sessionObjectName, shapeNumber } from "./names.ts";
import { NO_CODE, ObjectHooks, type WorkersCode } from "./object-hooks.ts";
import { PortableCalls } from "./portable-calls.ts";
import { Reauthentications } from "./reauthentications.ts";
import type { Router } from "./router.ts";
import { ServiceCalls } from "./service-calls.ts";
import { ServicePublishing } from "./service-publishing.ts";
import { SOCKET_OPEN, type SocketWire } from "./socket-wire.ts";
import { SystemTopics } from "./system-topics.ts";
import { Traces } from "./traces.ts";
import { Turns } from "./turns.ts";

/** What a host uses of the object's state. */
export interface HostState {
  readonly storage: AlarmStorage;
  getWebSockets(): WebSocket[];
  /** Resets the object: its memory and what it wrote in this event are gone. */
  abort(reason: string): void;
  acceptWebSocket(socket: WebSocket): void;
}

export interface SessionHostOptions {
  readonly state: HostState;
  readonly store: SessionStore;
  readonly settings: Settings;
  readonly name: string;
  readonly meter: Meter;
  readonly runtime: Runtime;
  /** Other than usual ones. */
  readonly sizes?: PieceSizes;
  readonly slices?: Slices;
  /** Makes the way to the Topic objects; it may call back into the core from the first publish on. */
  readonly router: (machine: () => SessionMachine, ledger: Ledger) => Router;
  /** Of what it counts; undefined where that is not kept. */
  readonly samples?: SqliteSampleStore | undefined;
  /** Undefined where there is no directory. */
  readonly directory?: DirectoryService | undefined;
  /** The binding AUTH. */
  readonly authService?: unknown;
  /** What the Worker's code has defined, and the bindings that its hooks are given. */
  readonly code?: WorkersCode | undefined;
  /** The other Session objects. */
  readonly peers: (name: string) => SessionPeer & Pick<SessionCalls, "acknowledged" | "report">;
}

export class SessionHost {
  readonly core: SessionCore;
  readonly machine: SessionMachine;
  readonly arrivals: Arrivals;
  /** Sessions for another broker, and from there. */
  readonly portable: PortableCalls;
  readonly ledger: Ledger;
  /** What other Workers ask of this object. */
  readonly service: ServiceCalls;
  /** What they publish. */
  readonly publishing: ServicePublishing;
  /** What they wait for. */
  readonly acknowledgements: Acknowledgements;
  /** What it has counted in each minute; undefined where nobody wants to know. */
  readonly monitor: Monitor | undefined;
  readonly bill: Bill | undefined;
  /** Who watches its clients. */
  readonly traces: Traces;
  /** What this object and others tell of themselves. */
  readonly system: SystemTopics;
  readonly #state: HostState;
  readonly #runtime: Runtime;
  readonly #faults: FaultPort;
  readonly #name: string;
  readonly #meter: Meter;
  readonly #router: Router;
  readonly #flusher: Flusher;
  readonly #clients = new Map<WebSocket, Client>();
  readonly #letGo: LetGo;
  readonly #hooks: ObjectHooks;
  readonly #context: ClientContext;
  readonly #directory: DirectoryWatch | undefined;
  readonly #consumers: ConsumerRuns | undefined;
  readonly #incoming: IncomingBatches;

  constructor(options: SessionHostOptions) {
    const { state, settings, name, meter, runtime, slices = SLICES } = options;
    this.#state = state;
    this.#runtime = runtime;
    this.#name = name;
    this.#faults = faultsOf(name);
    this.#meter = meter;
    const namespace = namespaceOf(name);
    const { directory } = options;
    const code = options.code ?? NO_CODE;
    const auth = authOf(settings, runtime, { directory, service: options.authService, hooks: code.hooks });
    const isOneClients = settings.topology !== "compact" && settings.sessionShards === 0;
    this.#directory = directory && new DirectoryWatch({ service: directory, namespace, object: name, isOneClients, runtime });
    this.ledger = new Ledger(settings.limits.objectBytesMax);
    this.#router = options.router(() => this.machine, this.ledger);
    this.#letGo = new LetGo(runtime);
    const turns = new Turns(runtime, () => this.#router.isCrowded, slices);
    // However much is on its way out, what came in and what is due goes on.
    const ownTurns = new Turns(runtime, () => false, slices);
    const now = runtime.now();
    const flushSoon = (): void => this.#flusher.flushSoon();
    const written = (): Promise<void> => this.#flusher.written();
    const { limits } = settings;
    const hooks = new ObjectHooks({ code, namespace, name, limits, runtime, core: () => this.core, flushSoon, written });
    const { authorizer, asking } = hooks.rightsOf(auth);
    this.#hooks = hooks;
    const { consumers } = code;
    const { context } = hooks;
    this.core = new SessionCore({
      origin: `${name}@${runtime.incarnation()}`,
      limits: settings.limits,
      ledger: this.ledger,
      choices: settings.choices,
      rates: settings.rates,
      userShare: auth.hasSeveralUsers ? settings.userShare : 1,
      store: options.store,
      router: this.#router,
      room: LOCAL_ROOM,
      sizes: options.sizes ?? PIECE_SIZES,
      slices,
      consumers,
      isOneClients,
      authorizer,
      clients: hooks.clients,
      wills: hooks.wills,
      reauthentication: new Reauthentications({
        enhanced: auth.enhanced,
        namespace,
        secondsMax: settings.limits.packetSecondsMax,
        runtime,
        judge: (clientId, admission) => this.#directory?.judge({ clientId, userName: undefined }, admission) ?? admission,
        answered: flushSoon,
      }),
      faults: {
        caught: (error, doing, client) => {
          this.#faults.caught(error, doing, client);
          // Whoever it happened to is disconnected then.
          flushSoon();
        },
      },
      now,
    });
    this.machine = new SessionMachine(this.core);
    this.#flusher = new Flusher({
      core: this.core,
      machine: this.machine,
      router: this.#router,
      turns,
      ownTurns,
      clients: this.#clients,
      state,
      name,
      meter,
      faults: this.#faults,
      runtime,
      flushed: () => {
        this.#consumers?.serve();
        this.acknowledgements.serve();
        this.monitor?.counted();
        this.bill?.counted();
        this.system.look();
      },
    });
    const { peers, samples } = options;
    this.monitor = samples && new Monitor({ core: this.core, store: samples, runtime });
    this.bill = samples && new Bill({ meter, store: samples, runtime });
    const acknowledgements = new Acknowledgements({ name, receipts: () => this.core.receipts, peers, runtime });
    this.acknowledgements = acknowledgements;
    this.#incoming = new IncomingBatches({
      core: this.core,
      machine: this.machine,
      router: this.#router,
      shape: shapeNumber(settings),
      turns: ownTurns,
      runtime,
      faults: this.#faults,
      written,
      flushSoon,
    });
    this.service = new ServiceCalls({ core: this.core, machine: this.machine, runtime, flushSoon, written });
    const { onPublish } = hooks;
    this.publishing = new ServicePublishing({
      ...{ core: () => this.core, machine: () => this.machine, onPublish, limits, name, acknowledgements, runtime, flushSoon, written },
    });
    if (consumers.length > 0) {
      const { machine } = this;
      this.#consumers = new ConsumerRuns({
        ...{ core: this.core, machine, consumers, context, name, runtime, faults: this.#faults, written, flushSoon },
      });
    }
    this.arrivals = new Arrivals({
      core: this.core,
      settings,
      name,
      router: this.#router,
      peers,
      written,
    });
    this.traces = new Traces({ core: () => this.core, runtime, acceptWebSocket: (socket) => state.acceptWebSocket(socket) });
    const owns = (clientId: string): boolean => sessionObjectName(settings, namespace, clientId) === name;
    this.portable = new PortableCalls({ core: this.core, arrivals: this.arrivals, runtime, written, owns });
    this.#context = {
      core: this.core,
      machine: this.machine,
      limits: settings.limits,
      namespace,
      authenticators: auth,
      asking,
      onPublish: hooks.onPublish,
      directory: this.#directory,
      hookContext: hooks.context,
      runtime,
      unfinished: new EqualTimers(runtime, this.#faults, settings.limits.packetSecondsMax * 1000),
      flushSoon,
      arrivals: this.arrivals,
      owns,
      turns,
      traces: this.traces,
      entered: () => this.#sayWhoIsHere(),
      gone: (wire) => {
        wire.gone();
        this.#clients.delete(wire.socket);
      },
    };
    this.#restore(now);
    this.system = new SystemTopics({
      ...{ core: this.core, settings, name, router: this.#router, peers, runtime, faults: this.#faults, flushSoon },
    });
  }

  #restore(now: number): void {
    const all = this.#state.getWebSockets();
    for (const socket of all) countClosing(this.core, socket);
    const sockets = all.filter(({ readyState }) => readyState === SOCKET_OPEN);
    const wires = sockets.map((socket) => this.#flusher.wire(socket));
    const attached = wires.flatMap((wire) => {
      const attachment = wire.socket.deserializeAttachment();
      return attachment instanceof Uint8Array ? [{ wire, attachment }] : [];
    });
    const { connections, problems, swept, endedConsumers } = restore(this.core, attached, now);
    const known = new Set<SocketWire>();
    for (const [index, { wire }] of attached.entries()) {
      const connection = connections[index];
      if (connection === undefined) continue;
      known.add(wire);
      this.#clients.set(wire.socket, new Client(this.#context, wire, { relayed: connection.facts.relayed }, connection));
    }
    // A socket whose CONNECT was not handled, or whose attachment can't be read, has nothing to come back to.
    for (const wire of wires)
      if (!known.has(wire) && !this.traces.restore(wire.socket)) wire.close(1012, "the broker restarted; connect again");
    for (const problem of problems) log("stored data skipped", { object: this.#name, problem });
    if (swept > 0) log("rows that belonged to no session were deleted", { object: this.#name, rows: swept });
    for (const { name, messages } of endedConsumers)
      log("a consumer is gone from the code", { object: this.#name, consumer: name, messages });
    this.#flusher.flushSoon();
  }

  /** Takes a socket from the Worker. */
  accept(request: Request, handover: Handover): Response {
    this.#meter.requests += 1;
    const { 0: outer, 1: inner } = new WebSocketPair();
    this.adopt(inner, handover);
    const subprotocol = chooseSubprotocol(request.headers);
    return switchingProtocols(outer, subprotocol.accepted ? subprotocol.name : undefined);
  }

  /** Serves a socket from now on. */
  adopt(socket: WebSocket, handover: Handover): void {
    this.#state.acceptWebSocket(socket);
    this.#clients.set(socket, new Client(this.#context, this.#flusher.wire(socket), handover, undefined));
  }

  receive(socket: WebSocket, data: ArrayBuffer | string): void {
    this.#meter.socketMessages += 1;
    const client = this.#clients.get(socket);
    this.#flusher.beginFrame();
    try {
      client?.receive(data);
    } catch (error) {
      client?.failed(error, "handling a packet");
    } finally {
      this.#flusher.endFrame();
    }
  }

  lost(socket: WebSocket): void {
    this.traces.lost(socket);
    const client = this.#clients.get(socket);
    if (this.core.closing.delete(socket) && client?.isSilent) this.#letGo.answered();
    if (client !== undefined) {
      guarded(this.#faults, "ending a connection", undefined, () => client.lost());
      return;
    }
    const attachment = socket.deserializeAttachment();
    if (attachment instanceof Uint8Array) {
      guarded(this.#faults, "ending a connection", undefined, () => lostAsleep(this.core, attachment, this.#runtime.now()));
      this.system.lostAsleep();
    }
    this.#flusher.flushSoon();
  }

  /** A batch from a Topic object. Answered when all of it is in rows or on its way to its connections. */
  deliver(bytes: Uint8Array): Promise<Uint8Array> {
    return this.#incoming.take(bytes);
  }

  /** A message of the Worker's own code (`object-hooks.ts`). */
  publish(message: MessageToPublish): Promise<void> {
    return this.#hooks.publish(message);
  }

  /** The directory tells of changes. @returns whether anybody is here, with a session or about to have one, once all that follows is in rows, and sent */
  async learn(news: News): Promise<boolean> {
    this.#meter.calls += 1;
    const directory = this.#directory;
    // Not yet in this object's settings: it will ask when it is.
    if (directory === undefined) return false;
    directory.learn(news);
    await this.#judge(directory, news);
    return this.core.sessions.size > 0 || [...this.#clients.values()].some((client) => client.isEntering);
  }

  /** The directory has been told of a client that was not let in: of whom it finds here it has to know instead. */
  #sayWhoIsHere(): void {
    const directory = this.#directory;
    if (directory === undefined || !directory.hasSaid) return;
    for (const { clientId, identity } of this.core.sessions.values()) {
      directory
        .sayAgain(clientId, identity)
        ?.then((news) => news && this.#judge(directory, news))
        .catch((error) => {
          log("the directory could not be told who is here", { object: this.#name, client: clientId, problem: problemOf(error) });
        });
    }
  }

  async #judge(directory: DirectoryWatch, news: News): Promise<void> {
    await new Promise<void>((judged) => {
      this.machine.revoke(directory.verdictOf(news), this.#runtime.now(), judged);
      this.#flusher.flush();
    });
    await this.#flusher.written();
  }

  figures(): Figures {
    this.#meter.calls += 1;
    const { outbox } = this.#router;
    const retainedMessages = this.#router.countRetained();
    const memory = this.ledger.figures();
    return { usage: this.#meter.usage(), memory, session: sessionFigures(this.core), retainedMessages, outbox, routed: undefined };
  }

  /** What memory holds beside the sessions, by a count of it all, bytes: what the ledger says. */
  count(): Readonly<Record<"routes" | "outboxes" | "unfinished", number>> {
    const counts = {
      routes: this.#router.countRoutes(),
      outboxes: this.#router.heldBytes,
      unfinished: this.publishing.askedBytes + this.core.receipts.bytes,
    };
    for (const { unfinishedBytes } of this.#clients.values()) counts.unfinished += unfinishedBytes;
    return counts;
  }

  alarm(): Promise<void> {
    this.#meter.alarms += 1;
    return this.#flusher.alarm();
  }

  /** Sends what was gathered, at once or some milliseconds later (`flusher.ts`). */
  flush(): void {
    this.#flusher.flush();
  }
}
