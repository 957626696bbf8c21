/**
 * A world for the real hosts and cores: a virtual clock, a scheduler that a seed drives, sockets, calls between objects, storage, and
 * the faults that the platform can produce. What an object writes and sends in one event is committed together or not at all, as the
 * platform's output gate does it.
 */

import type { Choices } from "../../src/choices.ts";
import type { Limits } from "../../src/limits.ts";
import { LocalRouter } from "../../src/objects/local-router.ts";
import { Meter } from "../../src/objects/meter.ts";
import { RemoteRouter } from "../../src/objects/remote-router.ts";
import type { Runtime, Timer } from "../../src/objects/runtime.ts";
import { SessionHost } from "../../src/objects/session-host.ts";
import { TopicHost } from "../../src/objects/topic-host.ts";
import type { RoutingStore } from "../../src/routing/ports.ts";
import type { SessionStore } from "../../src/session/ports.ts";
import type { Settings } from "../../src/settings.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { Random } from "./random.ts";

/** How often what goes wrong, as probabilities for each chance that it has. */
export interface Faults {
  /** An object loses memory and storage changes of the event at hand, and all its sockets. */
  readonly crash: number;
  /** A call never arrives. */
  readonly callLost: number;
  /** A call runs but its answer never arrives. */
  readonly answerLost: number;
  /** A call runs twice. */
  readonly callTwice: number;
  /** A socket's end is never told to the object. */
  readonly closeLost: number;
}

export const NO_FAULTS: Faults = { crash: 0, callLost: 0, answerLost: 0, callTwice: 0, closeLost: 0 };

export interface WorldOptions {
  readonly seed: number;
  readonly topology: "sharded" | "compact";
  /** Session objects, or 0 for one for each client. */
  readonly sessionShards: number;
  readonly limits: Limits;
  readonly choices: Choices;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void | Promise<void>;
  readonly cancelled: () => boolean;
}

export class World {
  readonly random: Random;
  readonly settings: Settings;
  now = 1_800_000_000_000;
  faults: Faults = NO_FAULTS;
  /** Clocks of objects are set forward and back in this run. */
  clocksJump = false;
  readonly trace: string[] = [];
  readonly #events: Event[] = [];
  #order = 0;
  readonly #objects = new Map<string, SimulatedObject>();

  constructor({ seed, topology, sessionShards, limits, choices }: WorldOptions) {
    this.random = new Random(seed);
    this.settings = {
      topology,
      sessionShards,
      topicShards: 2,
      namespaces: "*",
      allowAnonymous: true,
      users: "",
      choices,
      limits,
    };
  }

  note(line: string): void {
    this.trace.push(`${this.now - 1_800_000_000_000} ${line}`);
  }

  /** Runs something after a while of virtual time. */
  after(ms: number, run: () => void | Promise<void>, cancelled: () => boolean = () => false): void {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.#order++, run, cancelled };
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#events[middle]!;
      if (other.at < event.at || (other.at === event.at && other.order < event.order)) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
  }

  /** The time that something takes on its way. */
  delay(): number {
    return this.random.chance(0.05) ? this.random.below(2000) : this.random.below(20);
  }

  /** Runs the next event. @returns false when there is none before the time */
  async step(until: number): Promise<boolean> {
    for (;;) {
      const event = this.#events[0];
      if (event === undefined || event.at > until) return false;
      this.#events.shift();
      if (event.cancelled()) continue;
      this.now = Math.max(this.now, event.at);
      await event.run();
      await settled();
      return true;
    }
  }

  object(name: string): SimulatedObject {
    let object = this.#objects.get(name);
    if (object === undefined) {
      object = new SimulatedObject(this, name);
      this.#objects.set(name, object);
    }
    return object;
  }

  get objects(): readonly SimulatedObject[] {
    return [...this.#objects.values()];
  }
}

/** Waits until every promise that can settle without the world has. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What a host thinks is a WebSocket. */
export class SimulatedSocket {
  readonly object: SimulatedObject;
  readyState = 1;
  #attachment: Uint8Array | null = null;
  readonly #world: World;
  readonly #toClient: (bytes: Uint8Array) => void;
  readonly #closedToClient: (code: number) => void;
  #clientAt = 0;
  #objectAt = 0;

  constructor(world: World, object: SimulatedObject, toClient: (bytes: Uint8Array) => void, closedToClient: (code: number) => void) {
    this.#world = world;
    this.object = object;
    this.#toClient = toClient;
    this.#closedToClient = closedToClient;
  }

  // What the object does.
  serializeAttachment(value: Uint8Array | null): void {
    this.#attachment = value?.slice() ?? null;
  }

  deserializeAttachment(): Uint8Array | null {
    return this.#attachment;
  }

  send(bytes: Uint8Array): void {
    if (this.readyState !== 1) throw new Error("the socket is closed");
    const copy = bytes.slice();
    this.object.output(() => this.#later("client", () => this.#toClient(copy)));
  }

  close(code: number): void {
    if (this.readyState !== 1) return;
    this.readyState = 2;
    this.object.output(() => {
      this.#later("client", () => this.#closedToClient(code));
      this.#later("object", () => this.object.lost(this));
    });
  }

  // What the client does.
  receive(bytes: Uint8Array): void {
    const copy = bytes.slice().buffer;
    this.#later("object", () => this.object.receive(this, copy));
  }

  clientGone(): void {
    const silent = this.#world.random.chance(this.#world.faults.closeLost);
    if (!silent) this.#later("object", () => this.object.lost(this));
  }

  /** The object is gone: the client hears of it. */
  cut(): void {
    this.readyState = 3;
    this.#later("client", () => this.#closedToClient(1006));
  }

  /** Each direction is first in, first out. */
  #later(direction: "client" | "object", run: () => void | Promise<void>): void {
    const last = direction === "client" ? this.#clientAt : this.#objectAt;
    const at = Math.max(last, this.#world.now + this.#world.delay());
    if (direction === "client") this.#clientAt = at;
    else this.#objectAt = at;
    this.#world.after(at - this.#world.now, run);
  }
}

export class SimulatedObject {
  readonly name: string;
  readonly meter = new Meter();
  readonly #world: World;
  /** How far the clock of the machine is ahead of the world's, milliseconds. */
  clockAheadMs = 0;
  sessionStore: SessionStore;
  routingStore: RoutingStore;
  #host: SessionHost | TopicHost | undefined;
  /** Which life this is: what belongs to an earlier one is void. */
  #life = 0;
  #sockets: SimulatedSocket[] = [];
  #alarmAt: number | undefined;
  #outputs: (() => void)[] = [];
  #timers = 0;
  #calls = 0;
  /** Rejections of calls that are being answered. */
  readonly #answering = new Set<() => void>();

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.sessionStore = new MemorySessionStore(this.meter);
    this.routingStore = new MemoryRoutingStore(this.meter);
  }

  get isTopic(): boolean {
    return this.name.includes("/topic/");
  }

  /** Something that leaves the object once what it wrote is safe. */
  output(leave: () => void): void {
    this.#outputs.push(leave);
  }

  /** Runs one event of the object: all that it writes and sends takes effect together, or, in a crash, not at all. */
  async #event(run: () => void): Promise<void> {
    const crash = this.#world.random.chance(this.#world.faults.crash);
    const before = crash ? this.#copyStores() : undefined;
    this.#outputs = [];
    this.#host ??= this.#wake();
    run();
    await settled();
    const outputs = this.#outputs;
    this.#outputs = [];
    if (before === undefined) {
      for (const leave of outputs) leave();
      return;
    }
    this.#world.note(`${this.name} crashes before its commit`);
    [this.sessionStore, this.routingStore] = before;
    this.reset();
  }

  #copyStores(): [SessionStore, RoutingStore] {
    const sessions = new MemorySessionStore(new Meter());
    for (const row of this.sessionStore.sessions()) sessions.putSession(row);
    for (const row of this.sessionStore.subscriptions()) sessions.putSubscription(row);
    for (const row of this.sessionStore.wills()) sessions.putWill(row);
    for (const row of this.sessionStore.chunks()) sessions.putChunk(row);
    const routing = new MemoryRoutingStore(new Meter());
    for (const row of this.routingStore.routes()) routing.putRoute(row);
    for (const topic of this.routingStore.range!("", undefined)) routing.putRetained(this.routingStore.retained(topic)!);
    return [sessions, routing];
  }

  #wake(): SessionHost | TopicHost {
    const world = this.#world;
    const life = ++this.#life;
    const alive = (): boolean => this.#life === life;
    const runtime: Runtime = {
      now: () => world.now + this.clockAheadMs,
      after: (ms, run): Timer => {
        let waiting = true;
        this.#timers += 1;
        const end = (): void => {
          if (waiting && alive()) this.#timers -= 1;
          waiting = false;
        };
        world.after(
          ms,
          () =>
            this.#event(() => {
              end();
              run();
            }),
          () => !waiting || !alive(),
        );
        return { cancel: end };
      },
      incarnation: () => `${this.name}-${life}`,
    };
    const { settings } = world;
    if (this.isTopic) {
      const sessions = (name: string) => ({ deliver: (batch: Uint8Array) => this.#call(name, batch, alive) });
      return new TopicHost({ settings, name: this.name, store: this.routingStore, sessions, meter: this.meter, runtime });
    }
    let local: LocalRouter | undefined;
    const host: SessionHost = new SessionHost({
      state: {
        storage: {
          getAlarm: async () => this.#alarmAt ?? null,
          setAlarm: async (at) => this.#setAlarm(at),
        },
        getWebSockets: () => this.#sockets as unknown as WebSocket[],
        abort: (reason) => world.note(`${this.name} aborts: ${reason}`),
        acceptWebSocket: (socket) => void this.#sockets.push(socket as unknown as SimulatedSocket),
      },
      store: this.sessionStore,
      settings,
      name: this.name,
      meter: this.meter,
      runtime,
      router: (core) => {
        if (settings.topology === "sharded") {
          const topics = (name: string) => ({ exchange: (batch: Uint8Array) => this.#call(name, batch, alive) });
          return new RemoteRouter(settings, this.name, topics, runtime, () => host.flush());
        }
        local = new LocalRouter(settings, this.name, this.routingStore, runtime, core);
        return local;
      },
    });
    local?.restore(host.core);
    return host;
  }

  #setAlarm(at: number): void {
    this.#alarmAt = at;
    this.#world.after(
      at - this.clockAheadMs - this.#world.now + this.#world.delay(),
      () => {
        this.#alarmAt = undefined;
        return this.#event(() => void (this.#host as SessionHost).alarm());
      },
      () => this.#alarmAt !== at,
    );
  }

  /** A call to another object, with all that can happen to it. */
  #call(name: string, batch: Uint8Array, alive: () => boolean): Promise<Uint8Array> {
    const world = this.#world;
    const { random, faults } = world;
    this.#calls += 1;
    return new Promise((resolve, reject) => {
      let over = false;
      const end = (how: () => void): void => {
        if (over) return;
        over = true;
        world.after(world.delay(), () =>
          alive()
            ? this.#event(() => {
                this.#calls -= 1;
                how();
              })
            : undefined,
        );
      };
      const fail = (): void => end(() => reject(new Error("the call failed")));
      this.output(() => {
        if (random.chance(faults.callLost)) {
          fail();
          return;
        }
        const answerLost = random.chance(faults.answerLost);
        const runs = random.chance(faults.callTwice) ? 2 : 1;
        for (let run = 0; run < runs; run += 1) {
          // A second run of a call that was answered long ago is nothing that any transport does.
          world.after(world.delay(), () =>
            over
              ? undefined
              : world.object(name).answer(batch.slice(), (answer) => (answerLost ? fail() : end(() => resolve(answer))), fail),
          );
        }
      });
    });
  }

  /** A call from another object. */
  async answer(batch: Uint8Array, answered: (answer: Uint8Array) => void, failed: () => void): Promise<void> {
    this.#answering.add(failed);
    await this.#event(() => {
      const life = this.#life;
      const done = (tell: () => void): void => {
        if (this.#life !== life) return;
        this.output(() => {
          this.#answering.delete(failed);
          tell();
        });
      };
      const host = this.#host!;
      const running = host instanceof TopicHost ? host.exchange(batch) : host.deliver(batch);
      running.then(
        (answer) => done(() => answered(answer)),
        () => done(failed),
      );
    });
  }

  accept(socket: SimulatedSocket): Promise<void> {
    return this.#event(() => (this.#host as SessionHost).adopt(socket as unknown as WebSocket, { relayed: false }));
  }

  async receive(socket: SimulatedSocket, data: ArrayBuffer): Promise<void> {
    if (socket.readyState !== 1) return;
    await this.#event(() => (this.#host as SessionHost).receive(socket as unknown as WebSocket, data));
  }

  async lost(socket: SimulatedSocket): Promise<void> {
    if (!this.#sockets.includes(socket)) return;
    this.#sockets = this.#sockets.filter((other) => other !== socket);
    socket.readyState = 3;
    await this.#event(() => (this.#host as SessionHost).lost(socket as unknown as WebSocket));
  }

  /** Whether the platform might hibernate the object. */
  get idle(): boolean {
    return this.#host !== undefined && this.#timers === 0 && this.#calls === 0 && this.#answering.size === 0;
  }

  /** Memory is gone; sockets and their attachments stay. */
  hibernate(): void {
    this.#forget();
  }

  /** Memory and sockets are gone; nobody tells the object. */
  reset(): void {
    this.#forget();
    const sockets = this.#sockets;
    this.#sockets = [];
    for (const socket of sockets) socket.cut();
    const answering = [...this.#answering];
    this.#answering.clear();
    for (const failed of answering) failed();
  }

  #forget(): void {
    this.#host = undefined;
    this.#life += 1;
    this.#timers = 0;
    this.#calls = 0;
    this.#outputs = [];
  }

  /** The object as it is now, for the check at rest: a Topic object has no Session host. */
  get sessionHost(): SessionHost | undefined {
    return this.#host instanceof SessionHost ? this.#host : undefined;
  }

  /** What is stored, for the check at rest. */
  stored(): { sessions: number; chunks: number; wills: number; routes: number } {
    return {
      sessions: this.sessionStore.sessions().length,
      chunks: this.sessionStore.chunks().length,
      wills: this.sessionStore.wills().length,
      routes: this.routingStore.routes().length,
    };
  }
}
