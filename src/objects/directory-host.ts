/**
 * What a directory does around its core: tells Session objects of changes, all of them before whoever made the change is answered if they can
 * be reached, those that can't be later; sweeps bans that are over, and objects of clients that do not come back. What is to be told is in rows, and an alarm set, before it begins.
 */

import type { Ban, BanKind } from "../directory/bans.ts";
import { DirectoryCore, type PutMode, type PutResult, type UserEntry } from "../directory/core.ts";
import type { Looked, News, Presence } from "../directory/news.ts";
import type { DirectoryStore, Round, UserRow } from "../directory/ports.ts";
import { problemOf } from "../fault.ts";
import {
  DIRECTORY_CALL_MS,
  DIRECTORY_CALLS_MAX,
  DIRECTORY_RETRY_MS,
  DIRECTORY_RETRY_MS_MAX,
  PRESENCE_SLOT_MS,
  PRESENCE_SLOTS,
  PRESENCES_PER_ALARM,
} from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { hash } from "../topic/hash.ts";
import { AlarmClock, type AlarmStorage } from "./alarm-clock.ts";
import type { SessionCalls, UserView } from "./calls.ts";
import { inTime } from "./in-time.ts";
import { log } from "./log.ts";
import type { Meter } from "./meter.ts";
import { namespaceOf, objectsOf, sessionObjectName } from "./names.ts";

/** Names of objects that are in memory at a time. */
const OBJECTS_READ = 1000;

/** What an object is asked with that has to be told nothing. */
const NOTHING_NEW: News = { version: 0, bans: undefined, users: [] };

export interface DirectoryHostOptions {
  readonly store: DirectoryStore;
  readonly settings: Settings;
  readonly name: string;
  readonly storage: AlarmStorage;
  readonly sessions: (name: string) => Pick<SessionCalls, "learn">;
  readonly meter: Meter;
  readonly runtime: Runtime;
}

export class DirectoryHost {
  readonly #core: DirectoryCore;
  readonly #options: DirectoryHostOptions;
  /** Objects that are being told, each until it has answered. */
  readonly #telling = new Map<string, Promise<void>>();
  /** Objects that have been asked whether anybody is there, and of which nobody has said so since. */
  readonly #asked = new Set<string>();
  /** Whether any have said that they are there: then an alarm is set. */
  #hasPresences: boolean;
  #round: Round | undefined;
  /** The alarm at hand goes on with the round. */
  #isAsking = false;
  readonly #alarm: AlarmClock;
  #retryMs = DIRECTORY_RETRY_MS;

  constructor(options: DirectoryHostOptions) {
    const { store, settings, name, storage, runtime, meter } = options;
    this.#options = options;
    this.#core = new DirectoryCore({
      store,
      objects: sessionObjects(settings, namespaceOf(name)),
      objectOf: (clientId) => sessionObjectName(settings, namespaceOf(name), clientId),
      damaged: (problem) => log("stored data skipped", { object: name, problem }),
    });
    this.#alarm = new AlarmClock({
      storage,
      runtime,
      meter,
      wakeAt: () => this.#wakeAt(),
      failed: (error) => log("the alarm could not be set and is set again", { object: name, problem: problemOf(error) }),
    });
    // Of builds before, changes are left of which no alarm knows.
    this.#hasPresences = this.#core.hasPresences;
    if (this.#hasPresences) this.#round = store.round();
    if (this.#hasPresences || this.#core.hasUntold || this.#core.sweepAt <= this.#now) this.#alarm.keep();
  }

  get #now(): number {
    return this.#options.runtime.now();
  }

  look(userName: string | undefined, knownBans: number): Looked {
    return this.#called().look(userName, knownBans);
  }

  /** @param after undefined where it is asked for all at once, as by builds before */
  recent(after: string | undefined): News {
    const [core, now] = [this.#called(), this.#now];
    const first = core.recent(now, after ?? "");
    if (after !== undefined || first.next === undefined) return first;
    const users = [...first.users];
    for (let next: string | undefined = first.next; next !== undefined; ) {
      const more = core.recent(now, next);
      users.push(...more.users);
      next = more.next;
    }
    return { ...first, users, next: undefined };
  }

  enter(presence: Presence): News {
    const news = this.#called().enter(presence, this.#now);
    this.#entered(presence);
    return news;
  }

  expect(presence: Presence, instead: Presence | undefined): Presence {
    const standing = this.#called().expect(presence, instead);
    this.#entered(presence);
    return standing;
  }

  #entered({ object }: Presence): void {
    this.#asked.delete(object);
    if (this.#hasPresences) return;
    this.#hasPresences = true;
    this.#alarm.keep();
  }

  presentAfter(object: string, most: number): readonly string[] {
    return this.#called().presentAfter(object, most);
  }

  user(name: string): UserView | undefined {
    const row = this.#called().user(name);
    return row && viewOf(row);
  }

  users(from: string | number, most: number): { readonly users: readonly UserView[]; readonly count: number } {
    const core = this.#called();
    return { users: core.users(from, most).map(viewOf), count: core.userCount };
  }

  /** With the hashes of their passwords. */
  entriesAfter(user: string, most: number): readonly UserEntry[] {
    return this.#called()
      .users(user, most)
      .map(({ user, password, rights }) => ({ user, password, rights }));
  }

  bans(): readonly Ban[] {
    const now = this.#now;
    return this.#called().bans.filter(({ until }) => until > now);
  }

  async putUsers(entries: readonly UserEntry[], mode: PutMode): Promise<PutResult[]> {
    const results = this.#called().putUsers(entries, mode, this.#now);
    await this.#tell();
    return results;
  }

  async removeUser(user: string): Promise<boolean> {
    const wasThere = this.#called().removeUser(user, this.#now);
    if (wasThere) await this.#tell();
    return wasThere;
  }

  async putBan(ban: Ban): Promise<string | undefined> {
    const problem = this.#called().putBan(ban, this.#now);
    if (problem === undefined) await this.#tell();
    return problem;
  }

  async removeBan(kind: BanKind, who: string): Promise<boolean> {
    const wasThere = this.#called().removeBan(kind, who, this.#now);
    if (wasThere) await this.#tell();
    return wasThere;
  }

  #called(): DirectoryCore {
    this.#options.meter.calls += 1;
    return this.#core;
  }

  async alarm(): Promise<void> {
    this.#options.meter.alarms += 1;
    this.#alarm.fired();
    this.#isAsking = true;
    try {
      await this.#work();
    } finally {
      this.#isAsking = false;
    }
    // The round may not be over.
    await this.#alarm.set();
  }

  async #work(): Promise<void> {
    const ended = this.#core.sweep(this.#now);
    if (ended > 0) log("bans have ended", { object: this.#options.name, bans: ended });
    await this.#tell();
    this.#core.sweepChanges(this.#now);
    await this.#alarm.set();
    await this.#askAround();
    this.#hasPresences = this.#core.hasPresences;
  }

  /** Asks those whose turn it is whether anybody is still there. A client that does not come back says so to nobody. */
  async #askAround(): Promise<void> {
    if (!this.#hasPresences) return;
    const slot = slotAt(this.#now);
    const round = this.#round?.slot === slot ? this.#round : { slot, after: "" };
    if (round.after === undefined) return;
    const [objects, after] = this.#turns(slot, round.after);
    await atOnce(
      () => objects.pop(),
      (object) => this.#askOne(object),
    );
    this.#round = { slot, after };
    this.#options.store.putRound(this.#round);
  }

  /** @returns those whose turn it is in a slot, among the next ones, and behind whom it goes on */
  #turns(slot: number, from: string): [objects: string[], after: string | undefined] {
    const objects: string[] = [];
    let after: string | undefined = from;
    for (let read = 0; read < PRESENCES_PER_ALARM && after !== undefined; read += OBJECTS_READ) {
      const page = this.#core.presentAfter(after, OBJECTS_READ);
      objects.push(...page.filter((object) => hash(object) % PRESENCE_SLOTS === slot % PRESENCE_SLOTS));
      after = page.length < OBJECTS_READ ? undefined : page.at(-1);
    }
    return [objects, after];
  }

  async #askOne(object: string): Promise<void> {
    // Who is told something is asked by that.
    if (this.#telling.has(object) || this.#core.untoldSince(object) !== undefined) return;
    await this.#alone(object, async () => {
      try {
        if (!(await this.#learn(object, NOTHING_NEW))) this.#core.absent(object);
      } catch {
        // It is asked again in the next round.
      }
    });
  }

  /** Tells everybody who does not know all, some at a time. Nothing is thrown: who can't be told is told later. */
  async #tell(): Promise<void> {
    await this.#alarm.keep();
    await this.#each(
      (after, most) => this.#core.untoldAfter(after, most),
      (object) => this.#tellOne(object),
    );
    const isDone = !this.#core.hasUntold;
    this.#retryMs = isDone ? DIRECTORY_RETRY_MS : Math.min(2 * this.#retryMs, DIRECTORY_RETRY_MS_MAX);
  }

  /** @param after gives objects behind this one, page by page */
  async #each(after: (object: string, most: number) => readonly string[], call: (object: string) => Promise<void>): Promise<void> {
    let [page, place]: [readonly string[], number] = [after("", OBJECTS_READ), 0];
    const next = (): string | undefined => {
      if (place === page.length && place > 0) [page, place] = [after(page[place - 1]!, OBJECTS_READ), 0];
      return place < page.length ? page[place++] : undefined;
    };
    await atOnce(next, call);
  }

  async #tellOne(object: string): Promise<void> {
    // It is told something already, which may not be all.
    await this.#telling.get(object);
    const since = this.#core.untoldSince(object);
    if (since === undefined) return;
    await this.#alone(object, () => this.#call(object, since));
  }

  async #alone(object: string, call: () => Promise<void>): Promise<void> {
    const called = call();
    this.#telling.set(object, called);
    await called;
    if (this.#telling.get(object) === called) this.#telling.delete(object);
  }

  async #call(object: string, since: number): Promise<void> {
    let news = this.#core.news(object, since);
    // What changes meanwhile is told after that.
    const { version } = news;
    try {
      let isPresent = await this.#learn(object, news);
      while (news.next !== undefined) {
        news = this.#core.news(object, since, news.next);
        isPresent = await this.#learn(object, news);
      }
      this.#core.told(object, version, isPresent);
    } catch (error) {
      const problem = problemOf(error);
      log("a Session object could not be told of changes and is told later", { object: this.#options.name, of: object, problem });
    }
  }

  /** @returns whether anybody is there, as far as that is known by now */
  async #learn(object: string, news: News): Promise<boolean> {
    const { sessions, runtime } = this.#options;
    this.#asked.add(object);
    try {
      return (await inTime(sessions(object).learn(news), DIRECTORY_CALL_MS, runtime)) || !this.#asked.has(object);
    } finally {
      this.#asked.delete(object);
    }
  }

  #wakeAt(): number {
    const toldAt = this.#core.hasUntold ? this.#now + DIRECTORY_CALL_MS + this.#retryMs : Number.POSITIVE_INFINITY;
    const askedAt = this.#core.hasPresences ? this.#askAt : Number.POSITIVE_INFINITY;
    return Math.min(this.#core.sweepAt, toldAt, askedAt);
  }

  get #askAt(): number {
    const slot = slotAt(this.#now);
    const goesOn = this.#round?.slot === slot && this.#round.after !== undefined && !this.#isAsking;
    return goesOn ? this.#now : (slot + 1) * PRESENCE_SLOT_MS;
  }
}

/** Makes a call for each, for some at a time. */
async function atOnce(next: () => string | undefined, call: (object: string) => Promise<void>): Promise<void> {
  const one = async (): Promise<void> => {
    for (let object = next(); object !== undefined; object = next()) await call(object);
  };
  await Promise.all(Array.from({ length: DIRECTORY_CALLS_MAX }, one));
}

function slotAt(now: number): number {
  return Math.floor(now / PRESENCE_SLOT_MS);
}

/** All that may have sessions, those of earlier shapes too; undefined where each client has an object of its own. */
function sessionObjects(settings: Settings, namespace: string): readonly string[] | undefined {
  if (settings.topology !== "compact" && settings.sessionShards === 0) return undefined;
  const earlier = settings.topology === "compact" ? [] : settings.previousShapes;
  const names = [settings, ...earlier.map((shape) => ({ ...settings, ...shape }))].flatMap((shape) => objectsOf(shape, namespace).sessions);
  return [...new Set(names)];
}

function viewOf({ user, rights, createdAt, changedAt }: UserRow): UserView {
  return { user, rights, createdAt, changedAt };
}
