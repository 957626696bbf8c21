/**
 * A world for the real hosts and cores: a virtual clock, a scheduler that a seed drives, and the faults that the platform can produce.
 * Its objects are in object.ts, the ways between them and clients in socket.ts and relayed.ts.
 */

import { NO_ACL } from "../../src/auth/acl-settings.ts";
import { NO_API } from "../../src/auth/api-settings.ts";
import { NO_DIRECTORY } from "../../src/auth/directory-settings.ts";
import { NO_HTTP } from "../../src/auth/http-settings.ts";
import { NO_TOKENS } from "../../src/auth/jwt-settings.ts";
import type { Choices } from "../../src/choices.ts";
import type { Limits } from "../../src/limits.ts";
import type { HoldRule } from "../../src/objects/caller.ts";
import type { DirectoryService } from "../../src/objects/directory-watch.ts";
import { sessionObjectName, topicsText } from "../../src/objects/names.ts";
import { DEFAULT_RATES, type Rates, UNLIMITED } from "../../src/rate.ts";
import type { Settings } from "../../src/settings.ts";
import type { PreviousShape } from "../../src/shape-settings.ts";
import { PIECE_SIZES, type PieceSizes } from "../../src/storage-limits.ts";
import { SLICES, type Slices } from "../../src/work-limits.ts";
import { DEPLOY_MS_MAX } from "./builds.ts";
import { Chance } from "./chance.ts";
import type { Consumption } from "./consumer.ts";
import { numberOf } from "./content.ts";
import { ADMIN_TOKEN, callFromOutside, directoryService, Operator } from "./directory.ts";
import { SimulatedObject } from "./object.ts";
import { connectRelayed, edgeRuntime } from "./relayed.ts";
import { connectDirectly, type Line, type Peer } from "./socket.ts";
import { TOKEN_SECRET } from "./users.ts";

/** How often what goes wrong, as probabilities for each chance that it has. */
export interface Faults {
  /** An object loses memory and storage changes of the event at hand, and all its sockets. */
  readonly crash: number;
  /** Storage refuses a write of the event at hand. */
  readonly writeRefused: number;
  /** A call never arrives. */
  readonly callLost: number;
  /** A call runs but its answer never arrives. */
  readonly answerLost: number;
  /** A call runs twice. */
  readonly callTwice: number;
  /** A socket's end is never told to the other side. */
  readonly closeLost: number;
  /** An alarm fires minutes late. */
  readonly alarmLate: number;
  /** An alarm fires again although its handler was done. */
  readonly alarmTwice: number;
  /** Something on its way takes seconds. */
  readonly slow: number;
  /** Between two events an object loses its memory, or more. */
  readonly disturbed: number;
  /** A port throws where it serves one client. */
  readonly unlucky: number;
}

export const NO_FAULTS: Faults = {
  crash: 0,
  writeRefused: 0,
  callLost: 0,
  answerLost: 0,
  callTwice: 0,
  closeLost: 0,
  alarmLate: 0,
  alarmTwice: 0,
  slow: 0,
  disturbed: 0,
  unlucky: 0,
};

export interface WorldOptions {
  readonly seed: number;
  readonly topology: "sharded" | "compact";
  /** Session objects, or 0 for one for each client. */
  readonly sessionShards: number;
  /** By default there are none. */
  readonly topicsWithObject?: readonly string[];
  readonly limits: Limits;
  readonly choices: Choices;
  readonly sizes?: PieceSizes;
  readonly slices?: Slices;
  /** When objects hold targets of each other. */
  readonly hold?: HoldRule | undefined;
  /** Those of clients; by default there are none. */
  readonly rates?: Partial<Rates>;
  /** The build before runs until `deploy`. */
  readonly deployed?: boolean;
  /** Rows are in SQLite, and not only in memory. */
  readonly sqlite?: boolean;
  /** The secret USERS; empty: there are none. Who gives no name is let in all the same. */
  readonly users?: string;
  /** There is a directory, and an operator who bans clients. */
  readonly banning?: boolean;
  /** The Worker's code has consumers. */
  readonly hasConsumers?: boolean;
  /** Of what chance would have happen, only this does; undefined: all of it. */
  readonly kept?: ReadonlySet<string> | undefined;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void | Promise<void>;
  readonly cancelled: () => boolean;
}

/** How often an object is looked at that is to sleep before it has the new build. */
const DEPLOY_LOOK_MS = 20;

/** When every run begins. */
export const BEGINNING = 1_800_000_000_000;

export class World {
  readonly chance: Chance;
  settings: Settings;
  readonly sizes: PieceSizes;
  readonly slices: Slices;
  readonly hold: HoldRule | undefined;
  readonly sqlite: boolean;
  readonly hasConsumers: boolean;
  /** What consumers were given, in order. */
  readonly consumed: Consumption[] = [];
  now = BEGINNING;
  faults: Faults = NO_FAULTS;
  /** Clocks of objects are set forward and back in this run. */
  clocksJump = false;
  readonly trace: string[] = [];
  /** Which objects lost their memory, and when; in a reset their sockets too. */
  readonly forgotten: { readonly name: string; readonly at: number; readonly reset: boolean }[] = [];
  /** When the numbers of objects changed last. */
  reshapedAt = 0;
  /** Calls between objects that ran and whose answer was lost, and when they were made. */
  readonly unanswered: { readonly from: string; readonly to: string; readonly at: number }[] = [];
  /** Messages by number of which a copy was above the rate of its publisher, or met a fault that was made for it: nobody got that one. */
  readonly refusals = new Set<number>();
  /** What was wrong in the middle of the run. */
  readonly problems: string[] = [];
  /** Objects of the build before do not understand the batches of the newer one, nor that one theirs. */
  readonly batchesDiffer: boolean;
  /** Those that run the build before: all of them, or some while a deploy spreads. */
  #older: "all" | Set<string>;
  readonly operator: Operator | undefined;
  /** How the Workers of the edge, which are one isolate here, reach the directory. */
  readonly edgeDirectory: DirectoryService | undefined;
  readonly #events: Event[] = [];
  #order = 0;
  readonly #objects = new Map<string, SimulatedObject>();

  constructor(options: WorldOptions) {
    const { seed, topology, sessionShards, limits, choices, sizes = PIECE_SIZES, sqlite = false, users = "", kept } = options;
    this.#older = options.deployed ? "all" : new Set();
    this.batchesDiffer = seed % 2 === 0;
    this.sizes = sizes;
    this.slices = options.slices ?? SLICES;
    this.hold = options.hold;
    this.chance = new Chance(seed, kept, () => this.now - BEGINNING);
    this.sqlite = sqlite;
    this.hasConsumers = options.hasConsumers ?? false;
    this.settings = {
      topology,
      sessionShards,
      topicShards: 2,
      topicsWithObject: options.topicsWithObject ?? [],
      previousShapes: [],
      namespaces: "*",
      allowAnonymous: true,
      users,
      jwt: users === "" ? NO_TOKENS : { ...NO_TOKENS, secret: TOKEN_SECRET },
      api: NO_API,
      directory: options.banning ? { ...NO_DIRECTORY, adminToken: ADMIN_TOKEN } : NO_DIRECTORY,
      acl: NO_ACL,
      http: NO_HTTP,
      authChain: [],
      gatewaySecret: new Uint8Array(0),
      metricsToken: "",
      monitor: false,
      allowedHosts: [],
      allowedOrigins: undefined,
      // Figures that are told as they change.
      system: { seconds: seed % 7 === 2 ? 20 : 0, anonymous: false },
      // Wrong passwords are as many as chance wants.
      userShare: 1,
      rates: { ...DEFAULT_RATES, addressLoginFailures: UNLIMITED, ...options.rates },
      choices,
      limits,
    };
    this.operator = options.banning ? new Operator(this) : undefined;
    this.edgeDirectory = directoryService(
      this,
      edgeRuntime(this, () => true),
      (call) => callFromOutside(this, "the edge", call),
    );
  }

  /** The broker is deployed with other objects: all of them start anew. */
  reshape(shape: PreviousShape): void {
    const { sessionShards, topicShards, topicsWithObject, previousShapes } = this.settings;
    this.reshapedAt = this.now;
    this.settings = { ...this.settings, ...shape, previousShapes: [{ sessionShards, topicShards, topicsWithObject }, ...previousShapes] };
    this.note(`the broker has ${shape.sessionShards} + ${topicsText(shape)} objects from now on`);
    for (const object of this.objects) object.reset();
  }

  /**
   * A new build spreads, object by object. In half of the runs one has it when it wakes, and its sockets stay; what does not sleep in time,
   * and in the other runs all of them, are started anew with it.
   */
  deploy(): void {
    this.note("a deploy begins");
    const older = new Set(this.objects.map(({ name }) => name));
    this.#older = older;
    const isDeferred = this.chance.once("kind of deploy").chance(0.5);
    for (const object of this.objects) {
      const afterMs = this.chance.once(`deploy of ${object.name}`).below(DEPLOY_MS_MAX);
      const endAt = this.now + (isDeferred ? DEPLOY_MS_MAX : afterMs);
      const look = (): void => {
        const sleeps = isDeferred && (object.idle || !object.isAwake);
        if (!sleeps && this.now < endAt) {
          this.after(DEPLOY_LOOK_MS, look);
          return;
        }
        this.note(`${object.name} runs the new build${sleeps ? " when it wakes" : ""}`);
        if (!sleeps) object.reset();
        else if (object.isAwake) object.hibernate();
        older.delete(object.name);
      };
      this.after(afterMs, look);
    }
  }

  /** Whether an object runs the build before. */
  isOlder(name: string): boolean {
    return this.#older === "all" || this.#older.has(name);
  }

  /** @param payload of a copy that came to nothing in its publisher's object, or by a fault in its Topic object */
  refused(payload: Uint8Array): void {
    const number = numberOf(payload);
    if (number !== undefined) this.refusals.add(number);
  }

  note(line: string): void {
    this.trace.push(`${this.now - BEGINNING} ${line}`);
  }

  /** Something that must never be; what follows from it is told once. */
  problem(line: string): void {
    if (this.problems.length < 20) this.problems.push(`${line} (at ${this.now - BEGINNING})`);
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

  /** The time that something takes on its way. @param slowMsMax for what is slow */
  delay(way: string, slowMsMax = 2000): number {
    const isSlow = this.chance.happens("slow", way, this.faults.slow, () => `what goes from ${way} takes long`);
    return this.chance.now(way).below(isSlow ? slowMsMax : 20);
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
      await this.#disturb();
      return true;
    }
  }

  /** Between two events anything may happen to an object. */
  async #disturb(): Promise<void> {
    const { disturbed } = this.faults;
    if (disturbed === 0) return;
    for (const object of this.objects) {
      if (object.isAwake && this.chance.now(`disturbed: ${object.name}`).chance(disturbed)) await object.disturb();
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

  /** Opens the Network Connection of a client. @param relayed as a Worker does it that can't know the object at the upgrade */
  connect(clientId: string, name: string, relayed: boolean, peer: Peer): Line {
    if (relayed && this.settings.topology === "sharded") return connectRelayed(this, name, peer);
    return connectDirectly(this, this.object(sessionObjectName(this.settings, "n", clientId)), name, peer);
  }
}

/** Waits until every promise that can settle without the world has. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets virtual time pass. */
export async function calm(world: World, ms: number): Promise<void> {
  const until = world.now + ms;
  while (await world.step(until));
  world.now = Math.max(world.now, until);
}
