/**
 * What a Session object knows from the directory of its namespace, by which it judges every login once more, wherever that was checked: a
 * relay may know less. It is told of each change, and asks only when it has just woken; where each client has an object of its own, which
 * the directory can't find by itself, it asks for each connection and says so that it is there.
 */

import { banned } from "../auth/ban-gate.ts";
import { NOT_KNOWN } from "../auth/chain.ts";
import type { DirectorySettings } from "../auth/directory-settings.ts";
import { Bans, type Suspect } from "../directory/bans.ts";
import { FLAPPING } from "../directory/core.ts";
import { credentialOf } from "../directory/grants.ts";
import type { News, UserNews } from "../directory/news.ts";
import { problemOf } from "../fault.ts";
import { DIRECTORY_CALL_MS, DIRECTORY_CHANGES_MS } from "../login-limits.ts";
import type { Connect } from "../mqtt/packet.ts";
import { ADMINISTRATIVE_ACTION, NOT_AUTHORIZED } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import { type Admission, isService, type Refusal } from "../session/ports.ts";
import type { Verdict } from "../session/revoke.ts";
import type { Session } from "../session/session.ts";
import type { DirectoryCalls } from "./calls.ts";
import type { DirectoryMemory } from "./directory-memory.ts";
import { FlappingCounter } from "./flapping.ts";
import { inTime } from "./in-time.ts";
import { log } from "./log.ts";

/** The directories, as Session objects and relays of an isolate reach them. */
export interface DirectoryService {
  readonly settings: DirectorySettings;
  readonly memory: DirectoryMemory;
  readonly of: (namespace: string) => Pick<DirectoryCalls, "recent" | "enter" | "putBan">;
}

export interface DirectoryWatchOptions {
  readonly service: DirectoryService;
  readonly namespace: string;
  /** The name of the Session object. */
  readonly object: string;
  /** The object is one client's alone. */
  readonly isOneClients: boolean;
  readonly runtime: Runtime;
}

/** By what the directory finds who is here. */
type Here = Pick<Admission, "userName" | "address">;

interface Recent {
  readonly news: UserNews;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export class DirectoryWatch {
  readonly #options: DirectoryWatchOptions;
  readonly #flapping: FlappingCounter;
  /** Undefined until the object has asked or was told. */
  #bans: Bans | undefined;
  /** What it was told since it has woken may have been on its way for long, and be older than what an earlier life of it was told. */
  #hasAsked = false;
  /** Of whom it said last that he is here, where it is one client's. */
  #said: Here | undefined;
  /** Resolves when all that was said has come there. */
  #saying: Promise<void> = Promise.resolve();
  /** Users who were changed lately: logins of before may still arrive. The oldest first. */
  readonly #recent = new Map<string, Recent>();

  constructor(options: DirectoryWatchOptions) {
    this.#options = options;
    this.#flapping = new FlappingCounter(options.service.settings.flapping);
  }

  /**
   * A client whose login is known is about to connect.
   * @returns who it is, with the rights that it has now, or the refusal; a promise where the directory has to be asked, which rejects when it
   *   can't be
   */
  admit(connect: Connect, admission: Admission): Admission | Refusal | Promise<Admission | Refusal> {
    const { isOneClients } = this.#options;
    // A connection of the broker to itself lasts as long as a call: a row for each would stay for ever.
    const isKnown = isOneClients ? isService(admission) : this.#hasAsked;
    if (isKnown) return this.judge(connect, admission);
    return this.#ask(connect.clientId, admission).then(() => {
      this.#hasAsked = true;
      return this.judge(connect, admission);
    });
  }

  async #ask(clientId: string, admission: Admission): Promise<void> {
    const { service, namespace, isOneClients, runtime } = this.#options;
    if (isOneClients) {
      const { userName, address } = admission;
      this.#said = { userName, address };
      await this.#say(clientId, admission);
      return;
    }
    for (let after: string | undefined = ""; after !== undefined; ) {
      const news: News = await inTime(service.of(namespace).recent(after), DIRECTORY_CALL_MS, runtime);
      this.learn(news);
      after = news.next;
    }
  }

  async #say(clientId: string, { userName, address }: Here): Promise<News> {
    const { service, namespace, object, runtime } = this.#options;
    const saying = inTime(service.of(namespace).enter({ object, clientId, userName, address }), DIRECTORY_CALL_MS, runtime);
    // The next one holds on to this: not to the answers.
    this.#saying = Promise.allSettled([this.#saying, saying]).then(() => {});
    const news = await saying;
    this.learn(news);
    return news;
  }

  /** Whether it has said of anybody since it has woken that he is here. */
  get hasSaid(): boolean {
    return this.#said !== undefined;
  }

  /**
   * A client has been let in or not: the directory has to know of the one who is here, and not of one who was refused.
   * @returns what it told then; undefined when it knows, or has been told of another one meanwhile
   */
  sayAgain(clientId: string, { userName, address }: Here): Promise<News | undefined> | undefined {
    const said = this.#said;
    if (said === undefined || (said.userName === userName && said.address === address)) return undefined;
    const here = { userName, address };
    this.#said = here;
    // What was said before must not come behind it, nor this behind what is said before it can be.
    return this.#saying
      .then(() => (this.#said === here ? this.#say(clientId, here) : undefined))
      .catch((error) => {
        // The next one who comes has it said again.
        if (this.#said === here) this.#said = said;
        throw error;
      });
  }

  /** What is known now says to a login. */
  judge(connect: Pick<Connect, "clientId" | "userName">, admission: Admission): Admission | Refusal {
    const now = this.#options.runtime.now();
    const { clientId } = connect;
    const userNames = [connect.userName, admission.userName].filter((name) => name !== undefined);
    const ban = this.#bans?.find({ clientId, userNames, address: admission.address }, now);
    if (ban !== undefined) return banned(ban);
    const grants = this.#grantsNow(admission, now);
    return grants === undefined ? NOT_KNOWN : { ...admission, grants };
  }

  /** @returns undefined when the login is over */
  #grantsNow({ userName, grants }: Admission, now: number): string | undefined {
    const recent = userName === undefined ? undefined : this.#recent.get(userName);
    if (recent === undefined || recent.until <= now) return grants;
    const credential = credentialOf(grants);
    if (credential === undefined) return grants;
    // A later one: the news have not come here yet.
    if (recent.news.credential !== undefined && credential > recent.news.credential) return grants;
    return credential === recent.news.credential ? recent.news.grants : undefined;
  }

  /** A client has connected. Who does so too often is banned: then the directory tells, which ends this connection as well. */
  connected(clientId: string): void {
    const now = this.#options.runtime.now();
    if (!this.#flapping.counts(clientId, now)) return;
    const { service, namespace, object } = this.#options;
    const { count, windowMs, banMs } = service.settings.flapping;
    const reason = `more than ${count} connections within ${windowMs / 1000} s`;
    const ban = { kind: "clientid", who: clientId, by: FLAPPING, reason, at: now, until: now + banMs } as const;
    log("client banned because it connects too often", { object, client: clientId, seconds: banMs / 1000 });
    service
      .of(namespace)
      .putBan(ban)
      .then(
        (problem) => problem !== undefined && log("a ban could not be kept", { object, client: clientId, problem }),
        (error) => log("a ban could not be kept", { object, client: clientId, problem: problemOf(error) }),
      );
  }

  /** The directory tells of changes; the same may come again. */
  learn(news: News): void {
    const { service, namespace, runtime } = this.#options;
    service.memory.take(namespace, news);
    const { bans } = news;
    if (bans !== undefined && bans.version >= (this.#bans?.version ?? 0)) this.#bans = new Bans(bans);
    const until = runtime.now() + DIRECTORY_CHANGES_MS;
    for (const each of news.users) {
      // An answer to a question may come behind what was told after it was given.
      if ((this.#recent.get(each.user)?.news.version ?? 0) > each.version) continue;
      this.#recent.delete(each.user);
      this.#recent.set(each.user, { news: each, until });
    }
    for (const [user, recent] of this.#recent) {
      if (recent.until > runtime.now()) break;
      this.#recent.delete(user);
    }
  }

  /** @returns what news mean for a session that is here; undefined when nothing */
  verdictOf(news: News): (session: Session) => Verdict | undefined {
    const users = new Map(news.users.map((each) => [each.user, each]));
    const now = this.#options.runtime.now();
    return ({ clientId, identity, connection }) => {
      const { userName, grants, address } = identity;
      const suspect: Suspect = { clientId, userNames: userName === undefined ? [] : [userName], address };
      if (connection !== undefined && news.bans !== undefined && this.#bans?.find(suspect, now) !== undefined) return BANNED_NOW;
      const each = userName === undefined ? undefined : users.get(userName);
      return each && verdictOfUser(each, grants);
    };
  }
}

function verdictOfUser({ credential: valid, grants: rights }: UserNews, grants: string): Verdict | undefined {
  const credential = credentialOf(grants);
  if (credential === undefined) return undefined;
  if (valid === undefined || rights === undefined) return REMOVED;
  if (credential > valid) return undefined;
  if (credential < valid) return { ...PASSWORD_CHANGED, grants: rights };
  return grants === rights ? undefined : { kind: "rights", grants: rights };
}

const BANNED_NOW: Verdict = { kind: "disconnect", reasonCode: ADMINISTRATIVE_ACTION, message: "banned", grants: undefined };
const REMOVED: Verdict = { kind: "end", reasonCode: NOT_AUTHORIZED, message: "the user was removed" };
const PASSWORD_CHANGED = { kind: "disconnect", reasonCode: NOT_AUTHORIZED, message: "the user's password was changed" } as const;
