/**
 * A Durable Object of the simulation: the real host of a Session or Topic object, and around it what the platform does. What it writes
 * and sends in one event is committed together or not at all, as the platform's output gate does it; an object that is idle loses its
 * memory after ten seconds, and any object may lose it at any time.
 */

import type { DirectoryStore } from "../../src/directory/ports.ts";
import type { Handover } from "../../src/handshake/handover.ts";
import { RETRY_MS_TOTAL } from "../../src/limits.ts";
import { type Packet, PUBLISH } from "../../src/mqtt/packet.ts";
import type { Violation } from "../../src/mqtt/violation.ts";
import type { TopicPeer } from "../../src/objects/adoption.ts";
import type { AlarmStorage } from "../../src/objects/alarm-clock.ts";
import type { SessionPeer } from "../../src/objects/arrivals.ts";
import type { HeldTarget } from "../../src/objects/caller.ts";
import type { SessionCalls } from "../../src/objects/calls.ts";
import { DirectoryHost } from "../../src/objects/directory-host.ts";
import { guardedStore, StoreRefused } from "../../src/objects/guarded-store.ts";
import { LocalRouter } from "../../src/objects/local-router.ts";
import { Meter } from "../../src/objects/meter.ts";
import { shapeHistory } from "../../src/objects/names.ts";
import { RemoteRouter, type TopicObjects } from "../../src/objects/remote-router.ts";
import { type HostState, SessionHost } from "../../src/objects/session-host.ts";
import type { SessionObjects } from "../../src/objects/session-queues.ts";
import { TopicHost } from "../../src/objects/topic-host.ts";
import type { RoutingStore } from "../../src/routing/ports.ts";
import type { Runtime, Timer } from "../../src/runtime.ts";
import type { MovingPart } from "../../src/session/move.ts";
import type { SessionStore } from "../../src/session/ports.ts";
import { miscounted, recountSessions } from "../support/recount.ts";
import { brokenBounds, brokenRows } from "./bounds.ts";
import { ofUnknownVersion, partOfBefore, partOfUnknown, storeOfBuild } from "./builds.ts";
import { simulatedConsumers } from "./consumer.ts";
import { DIRECTORY, directoryService } from "./directory.ts";
import { differences, losses, lostInMove, type Memory, remember } from "./memory.ts";
import { isOwnRow, MemoryRows, type Rows, refusing, SqliteRows } from "./rows.ts";
import type { SimulatedSocket } from "./socket.ts";
import { UNLUCKY, unluckyRouter, unluckyStore } from "./unlucky.ts";
import { settled, type World } from "./world.ts";

/** The platform takes the memory of an object that was idle for so long. */
const SLEEP_MS = 10_000;

/** An alarm that is late is so by at most this, milliseconds. */
const ALARM_LATE_MS_MAX = 120_000;
/** An alarm whose handler failed fires again. */
const ALARM_AGAIN_MS = 2_000;

/** A call is on its way for at most this: shorter than late calls of earlier lives are kept out. */
const CALL_MS_MAX = 8_000;

/** How far a clock is set. */
const CLOCK_JUMP_MS_MAX = 20_000;

/** For how long an object may be out of reach: shorter than callers give up, so that no promise ends. */
const OUTAGE_MS_MAX = 45_000;

/** More than any client has waiting in a run. */
const DELIVERIES_MAX = 1_000;

/** For how long its storage may be full: the same. */
const FULL_MS_MAX = 30_000;

type Host = SessionHost | TopicHost | DirectoryHost;

/** The code that clients see where the new life of an object hears that their sockets are gone. */
export const TOLD = 1012;

export class SimulatedObject {
  readonly name: string;
  readonly meter = new Meter();
  readonly #world: World;
  /** How far the clock of the machine is ahead of the world's, milliseconds. */
  clockAheadMs = 0;
  readonly #rows: Rows;
  #host: Host | undefined;
  /** Which life this is: what belongs to an earlier one is void. */
  #life = 0;
  #sockets: SimulatedSocket[] = [];
  #alarmAt: number | undefined;
  #outputs: (() => void)[] = [];
  #timers = 0;
  #calls = 0;
  #aborted = false;
  #refuses = false;
  /** Who holds a target of this object. */
  readonly #holders = new Set<{ isOver(): boolean }>();
  /** Rejections of calls that are being answered. */
  readonly #answering = new Set<() => void>();
  #lastEventAt = 0;
  #dozing = false;
  /** The last delivery of each session that was given away to this object, before what came late, by client and former owner. */
  readonly #taken = new Map<string, number>();
  #outageUntil = 0;
  /** Until then its storage takes nothing. */
  #fullUntil = 0;
  /** What it knew when it lost its memory, and whether all of that was promised. */
  #before: { readonly memory: Memory; readonly slept: boolean; readonly sockets: readonly SimulatedSocket[] } | undefined;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#rows = world.sqlite || this.isDirectory ? new SqliteRows(this.meter) : new MemoryRows(this.meter);
  }

  get isTopic(): boolean {
    return this.name.includes("/topic/");
  }

  get isDirectory(): boolean {
    return this.name === DIRECTORY;
  }

  get isAwake(): boolean {
    return this.#host !== undefined;
  }

  get sessionStore(): SessionStore {
    return this.#rows.sessions;
  }

  get routingStore(): RoutingStore {
    return this.#rows.routing;
  }

  get directoryStore(): DirectoryStore {
    return (this.#rows as SqliteRows).directory;
  }

  /** Something that leaves the object once what it wrote is safe. */
  output(leave: () => void): void {
    this.#outputs.push(leave);
  }

  /** Runs one event of the object: all that it writes and sends takes effect together, or, in a crash, not at all. */
  async #event(what: string, run: () => void): Promise<void> {
    const world = this.#world;
    const { chance, faults } = world;
    const crash = chance.happens("crash", this.name, faults.crash, () => `${this.name} crashes before it has stored ${what}`);
    const isFull = world.now < this.#fullUntil;
    this.#refuses =
      isFull || chance.happens("write refused", this.name, faults.writeRefused, () => `storage of ${this.name} refuses ${what}`);
    const memory = crash || this.#refuses ? this.#memory : undefined;
    if (crash || this.#refuses) this.#rows.begin();
    this.#outputs = [];
    try {
      this.#host ??= this.#wake();
      run();
    } catch (error) {
      this.#threw(what, error);
    }
    await settled();
    const outputs = this.#outputs;
    this.#outputs = [];
    this.#lastEventAt = world.now;
    if (crash || this.#aborted) {
      world.note(`${this.name} ${crash ? "crashes before its commit" : "was aborted"}`);
      this.#rows.rollback();
      this.#reset(memory, 1006);
      return;
    }
    this.#rows.commit();
    this.#refuses = false;
    for (const leave of outputs) leave();
    this.#check();
    this.#sleepSoon();
  }

  /** Of a storage that refused it was told to start again. */
  #threw(what: string, error: unknown): void {
    if (error instanceof StoreRefused) return;
    this.#world.problem(`${this.name} threw at ${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }

  /** What holds after every event. */
  #check(): void {
    const host = this.#host;
    if (host instanceof TopicHost)
      for (const problem of miscounted(host.ledger, host.count())) this.#world.problem(`${this.name}: ${problem}`);
    const core = this.sessionHost?.core;
    if (core === undefined) return;
    const counted = { ...recountSessions(core), ...this.sessionHost!.count() };
    for (const problem of miscounted(core.ledger, counted)) this.#world.problem(`${this.name}: ${problem}`);
    const { limits } = this.#world.settings;
    for (const problem of brokenBounds(core, limits)) this.#world.problem(`${this.name}: ${problem}`);
    if (this.idle) for (const problem of brokenRows(core, this.#rows)) this.#world.problem(`${this.name}: ${problem}`);
  }

  #wake(): Host {
    this.#rows.reopen();
    const life = ++this.#life;
    const alive = (): boolean => this.#life === life;
    const host = this.#newHost(this.#runtime(life), alive);
    const before = this.#before;
    this.#before = undefined;
    if (before === undefined || !(host instanceof SessionHost)) return host;
    const after = remember(host.core);
    const isSame = before.sockets.length === this.#sockets.length && before.sockets.every((socket) => this.#sockets.includes(socket));
    if (before.slept && !isSame) return host;
    const problems = before.slept ? differences(before.memory, after) : losses(before.memory, after, this.#now);
    // A will that a fault kept from being published is tried again in the next life.
    for (const problem of problems.filter((each) => !each.startsWith(UNLUCKY)))
      this.#world.problem(`${this.name} ${before.slept ? "slept" : "was reset"}: ${problem}`);
    return host;
  }

  get #now(): number {
    return this.#world.now + this.clockAheadMs;
  }

  #runtime(life: number): Runtime {
    const world = this.#world;
    const alive = (): boolean => this.#life === life;
    return {
      now: () => this.#now,
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
            this.#event("a tick", () => {
              end();
              run();
            }),
          () => !waiting || !alive(),
        );
        return { cancel: end };
      },
      incarnation: () => `${this.name.replaceAll("@", "-")}-${life}`,
    };
  }

  #newHost(runtime: Runtime, alive: () => boolean): Host {
    if (this.isDirectory) return this.#directoryHost(runtime, alive);
    return this.isTopic ? this.#topicHost(runtime, alive) : this.#newSessionHost(runtime, alive);
  }

  #directoryHost(runtime: Runtime, alive: () => boolean): DirectoryHost {
    const refused = refusing(this.directoryStore, () => this.#refuses);
    return new DirectoryHost({
      store: guardedStore(refused, this.name, { abort: (reason) => this.#abort(reason, alive) }),
      settings: this.#world.settings,
      name: this.name,
      storage: this.#alarmStorage(alive),
      sessions: (to) => ({ learn: (news) => this.#call(to, (host) => (host as SessionHost).learn(news), alive) }),
      meter: this.meter,
      runtime,
    });
  }

  #topicHost(runtime: Runtime, alive: () => boolean): TopicHost {
    const { settings } = this.#world;
    return new TopicHost({
      settings,
      name: this.name,
      store: this.#routing(alive),
      sessions: (to) => this.#sessionObject(to, alive),
      topics: (to) => this.#topicObject(to, alive),
      meter: this.meter,
      runtime,
      slices: this.#world.slices,
      hold: this.#world.hold,
    });
  }

  /** Routes and retained messages, in a storage that may refuse them. */
  #routing(alive: () => boolean): RoutingStore {
    const refused = refusing(this.#rows.routing, () => this.#refuses);
    return guardedStore(unluckyStore(this.#world, refused), this.name, { abort: (reason) => this.#abort(reason, alive) });
  }

  #abort(reason: string, alive: () => boolean): void {
    // Nothing that one client does may come to this.
    if (!this.#refuses) this.#world.problem(`${this.name} starts again although storage takes everything: ${reason}`);
    if (alive()) this.#aborted = true;
  }

  #newSessionHost(runtime: Runtime, alive: () => boolean): SessionHost {
    const world = this.#world;
    const { settings } = world;
    let local: LocalRouter | undefined;
    const state: HostState = {
      storage: this.#alarmStorage(alive),
      getWebSockets: () => this.#sockets as unknown as WebSocket[],
      abort: (reason) => this.#abort(reason, alive),
      acceptWebSocket: (socket) => void this.#sockets.push(socket as unknown as SimulatedSocket),
    };
    const host: SessionHost = new SessionHost({
      state,
      store: guardedStore(
        unluckyStore(
          world,
          storeOfBuild(
            refusing(this.#rows.sessions, () => this.#refuses),
            () => world.isOlder(this.name),
          ),
        ),
        this.name,
        state,
      ),
      settings,
      sizes: world.sizes,
      slices: world.slices,
      name: this.name,
      meter: this.meter,
      runtime,
      code: world.hasConsumers ? { hooks: {}, consumers: simulatedConsumers(world, this.name, runtime), env: undefined } : undefined,
      peers: (to) => this.#sessionObject(to, alive),
      directory: directoryService(world, runtime, (call) => this.#call(DIRECTORY, async (host) => call(host as DirectoryHost), alive)),
      router: (machine, ledger) => {
        if (settings.topology === "sharded") {
          return unluckyRouter(
            world,
            new RemoteRouter(
              settings,
              this.name,
              (to) => this.#topicObject(to, alive),
              runtime,
              ledger,
              () => host.flush(),
              world.hold,
            ),
          );
        }
        local = new LocalRouter(settings, this.name, this.#routing(alive), runtime, ledger, machine, () => host.flush());
        return unluckyRouter(world, local);
      },
    });
    local?.restore(host.core);
    watchRates(world, host);
    return host;
  }

  #alarmStorage(alive: () => boolean): AlarmStorage {
    return {
      getAlarm: async () => this.#alarmAt ?? null,
      setAlarm: async (at) => (alive() ? this.#setAlarm(at) : undefined),
    };
  }

  #setAlarm(at: number): void {
    this.#alarmAt = at;
    const { chance, faults, now } = this.#world;
    const isLate = chance.happens("alarm late", this.name, faults.alarmLate, () => `the alarm of ${this.name} is late`);
    const lateMs = chance.now(`alarm of ${this.name}`).below(isLate ? ALARM_LATE_MS_MAX : 100);
    this.#world.after(
      at - this.clockAheadMs - now + lateMs,
      () => this.#fire(),
      () => this.#alarmAt !== at,
    );
  }

  #fire(): Promise<void> {
    const world = this.#world;
    const { chance, faults } = world;
    this.#alarmAt = undefined;
    if (chance.happens("alarm twice", this.name, faults.alarmTwice, () => `the alarm of ${this.name} fires twice`)) {
      world.after(world.delay(`alarm of ${this.name}`), () => this.#alarm());
    }
    return this.#alarm();
  }

  /** One whose handler fails, or is lost with its object, fires again. */
  async #alarm(): Promise<void> {
    await this.#event("an alarm", () => {
      (this.#host as SessionHost | DirectoryHost).alarm().catch((error) => this.#threw("an alarm", error));
    });
    if (!this.isAwake) this.#world.after(ALARM_AGAIN_MS, () => this.#alarm());
  }

  /** The calls that a Session object takes. */
  #sessionObject(
    name: string,
    alive: () => boolean,
  ): SessionPeer & ReturnType<SessionObjects> & Pick<SessionCalls, "acknowledged" | "report"> {
    const call = <Answer>(run: (host: SessionHost) => Promise<Answer>): Promise<Answer> =>
      this.#call(name, (host) => run(host as SessionHost), alive);
    return {
      deliver: (batch) => call((host) => host.deliver(this.#heard(batch, name))),
      hold: () => this.#hold(name, (host, batch) => (host as SessionHost).deliver(this.#heard(batch, name)), alive),
      acknowledged: (object, all) => call(async (host) => host.acknowledgements.take(object, all)),
      report: (object, reported) => call(async (host) => host.system.take(object, reported)),
      offerSession: (asker, clientId, reason, by) => call((host) => host.arrivals.offer(asker, clientId, reason, by)),
      exportSession: async (asker, clientId, from, last) => {
        const part = await call((host) => host.arrivals.export(asker, clientId, from, last));
        if (part !== undefined && !last) this.#taken.set(`${clientId} of ${name}`, part.through);
        return part && this.#told(part, name);
      },
      letGo: (asker, clientId) =>
        call((host) => {
          // One that was made in an earlier shape is refused, and what is here may be of a later life.
          if (asker === shapeHistory(this.#world.settings)) this.#checkMove(host, clientId, name);
          return host.arrivals.letGo(asker, clientId);
        }),
    };
  }

  /** A batch for another object, as that one finds it. */
  #heard(batch: Uint8Array, name: string): Uint8Array {
    const world = this.#world;
    return world.batchesDiffer && world.isOlder(this.name) !== world.isOlder(name) ? ofUnknownVersion(batch) : batch.slice();
  }

  /** What another object tells of a session, as this one finds it. */
  #told(part: MovingPart, name: string): MovingPart {
    if (this.#world.isOlder(name)) return partOfBefore(part);
    return this.#world.isOlder(this.name) ? partOfUnknown(part) : part;
  }

  /** A session that came here is about to be forgotten where it was. */
  #checkMove({ core }: SessionHost, clientId: string, from: string): void {
    const was = core.sessions.get(clientId);
    const here = this.sessionHost?.core;
    const is = here?.sessions.get(clientId);
    // Of several former owners the last one had it.
    const owner = is?.cameFrom.at(-1);
    if (was?.stored !== true || here === undefined || is === undefined || owner?.object !== from || is.connection !== undefined) return;
    // What made room for a session that was on its way back lacks what that brought here before.
    if (was.retired) return;
    // A short queue may have dropped some here.
    const isShort = this.#world.settings.limits.queueMessagesMax < DELIVERIES_MAX;
    const through = isShort ? { all: 0, shared: 0 } : { all: this.#taken.get(`${clientId} of ${from}`) ?? 0, shared: owner.through };
    for (const problem of lostInMove({ core, session: was }, { core: here, session: is }, through, this.#now))
      this.#world.problem(`${from} to ${this.name}: ${problem}`);
  }

  /** The calls that a Topic object takes. */
  #topicObject(name: string, alive: () => boolean): TopicPeer & ReturnType<TopicObjects> {
    const call = <Answer>(run: (host: TopicHost) => Answer | Promise<Answer>): Promise<Answer> =>
      this.#call(name, async (host) => run(host as TopicHost), alive);
    return {
      exchange: (batch) => call((host) => host.exchange(this.#heard(batch, name))),
      hold: () => this.#hold(name, (host, batch) => (host as TopicHost).exchange(this.#heard(batch, name)), alive),
      giveRoutes: (adopter) => call((host) => host.adoption.giveRoutes(adopter)),
      giveRetained: (adopter, from, stored) => call((host) => host.adoption.giveRetained(adopter, from, stored)),
    };
  }

  /** A target of another object, which is there for as long as both are, and for less where chance has it. */
  async #hold(name: string, take: (host: Host, batch: Uint8Array) => Promise<Uint8Array>, alive: () => boolean): Promise<HeldTarget> {
    const world = this.#world;
    const way = `${this.name} to ${name}`;
    const other = world.object(name);
    let life: Host | undefined;
    let isOver = false;
    const holder = { isOver: () => isOver || !alive() };
    const end = (): void => {
      isOver = true;
    };
    const begin = async (host: Host): Promise<void> => {
      if (world.isOlder(name)) throw new Error("the build before gives no targets");
      life = host;
      other.#holders.add(holder);
    };
    await this.#call(name, begin, alive).catch((error) => {
      end();
      throw error;
    });
    const callOnIt = async (host: Host, batch: Uint8Array): Promise<Uint8Array> => {
      if (host !== life) throw new Error("its object has lost its memory");
      return take(host, batch);
    };
    return {
      take: async (batch) => {
        if (world.chance.happens("target lost", way, world.faults.callLost, () => `what ${this.name} holds of ${name} is lost`)) end();
        if (isOver) throw new Error("what was held is lost");
        const answer = this.#call(name, (host) => callOnIt(host, batch), alive);
        const breaks = world.chance.happens(
          "target breaks",
          way,
          world.faults.callLost,
          () => `what ${this.name} holds of ${name} breaks in a call`,
        );
        if (!breaks) return answer;
        end();
        // Who is called lives, and goes on with what came.
        answer.catch(() => {});
        world.unanswered.push({ from: this.name, to: name, at: world.now });
        return new Promise((_, reject) => {
          const broken = (): void => reject(new Error("what was held broke"));
          world.after(world.delay(way), () => (alive() ? this.#event("a target breaks", broken) : undefined));
        });
      },
      [Symbol.dispose]: end,
    };
  }

  /** A call to another object, with all that can happen to it. */
  #call<Answer>(name: string, call: (host: Host) => Promise<Answer>, alive: () => boolean): Promise<Answer> {
    const world = this.#world;
    const { chance, faults } = world;
    const way = `${this.name} to ${name}`;
    this.#calls += 1;
    return new Promise((resolve, reject) => {
      let over = false;
      const end = (how: () => void): void => {
        if (over) return;
        over = true;
        world.after(world.delay(way), () =>
          alive()
            ? this.#event("an answer", () => {
                this.#calls -= 1;
                how();
              })
            : undefined,
        );
      };
      const fail = (): void => end(() => reject(new Error("the call failed")));
      this.output(() => {
        const isOut = world.object(name).isOut;
        if (isOut || chance.happens("call lost", way, faults.callLost, () => `a call from ${way} does not arrive`)) {
          fail();
          return;
        }
        const answerLost = chance.happens("answer lost", way, faults.answerLost, () => `a call from ${way} runs and is not answered`);
        if (answerLost) world.unanswered.push({ from: this.name, to: name, at: world.now });
        const runs = chance.happens("call twice", way, faults.callTwice, () => `a call from ${way} runs twice`) ? 2 : 1;
        for (let run = 0; run < runs; run += 1) {
          // A second run of a call that was answered long ago is nothing that any transport does.
          world.after(world.delay(way, CALL_MS_MAX), () =>
            over ? undefined : world.object(name).answer(call, (answer) => (answerLost ? fail() : end(() => resolve(answer))), fail),
          );
        }
      });
    });
  }

  /** A call from another object. */
  async answer<Answer>(call: (host: Host) => Promise<Answer>, answered: (answer: Answer) => void, failed: () => void): Promise<void> {
    this.#answering.add(failed);
    await this.#event("a call", () => {
      const life = this.#life;
      const done = (tell: () => void): void => {
        if (this.#life !== life) return;
        this.output(() => {
          this.#answering.delete(failed);
          tell();
        });
      };
      call(this.#host!).then(
        (answer) => done(() => answered(answer)),
        () => done(failed),
      );
    });
  }

  accept(socket: SimulatedSocket, handover: Handover): Promise<void> {
    return this.#event("a socket", () => (this.#host as SessionHost).adopt(socket as unknown as WebSocket, handover));
  }

  /** A socket that has been here since an earlier life, which attached this to it. */
  attached(socket: SimulatedSocket, attachment: Uint8Array): void {
    socket.serializeAttachment(attachment);
    this.#sockets.push(socket);
  }

  async receive(socket: SimulatedSocket, data: ArrayBuffer): Promise<void> {
    if (socket.readyState !== 1 || !this.#sockets.includes(socket)) return;
    await this.#event(`a frame of ${socket.name}`, () => (this.#host as SessionHost).receive(socket as unknown as WebSocket, data));
  }

  async lost(socket: SimulatedSocket): Promise<void> {
    if (!this.#sockets.includes(socket)) return;
    this.#sockets = this.#sockets.filter((other) => other !== socket);
    socket.readyState = 3;
    await this.#event(`the end of ${socket.name}`, () => (this.#host as SessionHost).lost(socket as unknown as WebSocket));
  }

  /** Nothing is under way: the platform might hibernate the object. */
  get idle(): boolean {
    for (const holder of this.#holders) if (holder.isOver()) this.#holders.delete(holder);
    const isBusy = this.#timers > 0 || this.#calls > 0 || this.#answering.size > 0 || this.#holders.size > 0;
    return this.#host !== undefined && !isBusy;
  }

  /** From now on, for so long. */
  beOut(ms: number): void {
    this.#outageUntil = this.#world.now + ms;
  }

  /** Out of reach of other objects. */
  get isOut(): boolean {
    return this.#world.now < this.#outageUntil;
  }

  /** After a while without an event the platform takes the memory. */
  #sleepSoon(): void {
    if (this.#dozing) return;
    this.#dozing = true;
    this.#world.after(this.#lastEventAt + SLEEP_MS - this.#world.now, () => {
      this.#dozing = false;
      if (this.#world.now < this.#lastEventAt + SLEEP_MS) this.#sleepSoon();
      else if (this.idle) this.hibernate();
    });
  }

  /** Something happens to the object between two events. */
  async disturb(): Promise<void> {
    const world = this.#world;
    const { chance, faults } = world;
    const random = chance.now(`disturbance of ${this.name}`);
    const what = random.next();
    const happens = (kind: string, text: string): boolean => {
      const isNow = chance.happens(kind, this.name, 1, () => text);
      if (isNow) world.note(text);
      return isNow;
    };
    if (what < 0.5) {
      if (this.idle && happens("sleep", `${this.name} hibernates`)) this.hibernate();
    } else if (what < 0.54) {
      const ms = random.below(FULL_MS_MAX);
      const isRested = world.now > Math.max(this.#outageUntil, this.#fullUntil) + RETRY_MS_TOTAL;
      if (faults.writeRefused > 0 && isRested && happens("full", `the storage of ${this.name} takes nothing for ${ms} ms`)) {
        this.#fullUntil = world.now + ms;
      }
    } else if (what < 0.7) {
      if (faults.crash > 0 && happens("reset", `${this.name} is reset`)) this.reset();
    } else if (what < 0.8) {
      const clockAheadMs = this.clockAheadMs + random.below(2 * CLOCK_JUMP_MS_MAX) - CLOCK_JUMP_MS_MAX;
      if (!world.clocksJump || !happens("clock", `the clock of ${this.name} is ${clockAheadMs} ms ahead from now on`)) return;
      this.clockAheadMs = clockAheadMs;
    } else if (what < 0.9) {
      const ms = random.below(OUTAGE_MS_MAX);
      if (
        faults.callLost > 0 &&
        world.now > Math.max(this.#outageUntil, this.#fullUntil) + RETRY_MS_TOTAL &&
        happens("outage", `${this.name} is out of reach of other objects for ${ms} ms`)
      ) {
        this.#outageUntil = world.now + ms;
      }
    } else if (
      faults.crash > 0 &&
      this.#sockets.length > 0 &&
      happens("reset, told", `${this.name} is reset and hears that its sockets are closed`)
    ) {
      await this.#resetAndTell();
    }
  }

  /** The new life is told of each socket that closed in the reset: that looks as if its client had left. */
  async #resetAndTell(): Promise<void> {
    const sockets = this.#sockets;
    this.#reset(this.#memory, TOLD);
    for (const socket of sockets) {
      await this.#event(`the end of ${socket.name}`, () => (this.#host as SessionHost).lost(socket as unknown as WebSocket));
    }
  }

  /** Memory is gone; sockets and their attachments stay. */
  hibernate(): void {
    const memory = this.#memory;
    this.#before = memory && { memory, slept: true, sockets: this.#sockets };
    this.#forget(false);
  }

  /** What a life that begins now has to know; undefined while something is under way. */
  get #memory(): Memory | undefined {
    if (!this.isAwake) return this.#before?.memory;
    return this.idle && this.sessionHost !== undefined ? remember(this.sessionHost.core) : undefined;
  }

  /** Memory and sockets are gone; nobody tells the object. */
  reset(): void {
    this.#reset(this.#memory, 1006);
  }

  /** @param code that the other ends of its sockets see */
  #reset(memory: Memory | undefined, code: number): void {
    this.#before = memory && { memory, slept: false, sockets: [] };
    this.#forget(true);
    this.#aborted = false;
    this.#refuses = false;
    const sockets = this.#sockets;
    this.#sockets = [];
    for (const socket of sockets) socket.cut(code);
    const answering = [...this.#answering];
    this.#answering.clear();
    for (const failed of answering) failed();
  }

  #forget(reset: boolean): void {
    this.#world.forgotten.push({ name: this.name, at: this.#world.now, reset });
    this.#host = undefined;
    this.#life += 1;
    this.#timers = 0;
    this.#calls = 0;
    this.#holders.clear();
    this.#outputs = [];
  }

  /** Wakes the object, for the check at rest. */
  wake(): Promise<void> {
    return this.#event("a look", () => {});
  }

  /** The object as it is now: a Topic object has no Session host. */
  get sessionHost(): SessionHost | undefined {
    return this.#host instanceof SessionHost ? this.#host : undefined;
  }

  /** What is stored, for the check at rest. */
  stored(): { sessions: number; subscriptions: number; chunks: number; wills: number; routes: number } {
    return {
      sessions: this.sessionStore.sessions().filter((row) => !isOwnRow(row)).length,
      subscriptions: this.sessionStore.subscriptions().length,
      chunks: this.sessionStore.chunkHeads(0, Number.MAX_SAFE_INTEGER).length,
      wills: this.sessionStore.wills().length,
      routes: this.routingStore.routes().length,
    };
  }
}

/** Which messages a host refuses because their client sends faster than it may. */
function watchRates(world: World, { core: { paces }, machine }: SessionHost): void {
  let current: Packet | Violation | undefined;
  const handle = machine.handle.bind(machine);
  machine.handle = (connection, packet, ...rest) => {
    current = packet;
    return handle(connection, packet, ...rest);
  };
  const takesMessage = paces.takesMessage.bind(paces);
  paces.takesMessage = (connection, now) => {
    const isTaken = takesMessage(connection, now);
    if (!isTaken && current?.type === PUBLISH) world.refused(current.payload);
    return isTaken;
  };
}
