/**
 * The directory of a namespace: its users, who are added, changed and removed while the broker runs, and its bans. Thin; what it decides is in
 * `directory/core.ts`. Nobody reaches it who has not shown ADMIN_TOKEN to the Worker, but for the questions of logins.
 */

import { DurableObject } from "cloudflare:workers";
import type { Ban, BanKind } from "../directory/bans.ts";
import type { PutMode, PutResult, UserEntry } from "../directory/core.ts";
import type { Looked, News, Presence } from "../directory/news.ts";
import { PLATFORM } from "../runtime.ts";
import { SqliteDirectoryStore } from "../storage/sqlite-directory-store.ts";
import type { DirectoryCalls, UserView } from "./calls.ts";
import type { Definition } from "./definition.ts";
import { DirectoryHost } from "./directory-host.ts";
import { type BrokerEnv, stubs } from "./env.ts";
import { guardedStore } from "./guarded-store.ts";
import { opened } from "./log.ts";
import { Meter, type Usage } from "./meter.ts";
import { recover } from "./recovery.ts";

export class DirectoryObject extends DurableObject<BrokerEnv> implements DirectoryCalls {
  readonly #host: DirectoryHost;
  readonly #meter = new Meter();

  constructor(ctx: DurableObjectState, env: BrokerEnv, definition: Definition) {
    super(ctx, env);
    const name = ctx.id.name!;
    this.#host = new DirectoryHost({
      store: guardedStore(
        opened(name, () => new SqliteDirectoryStore(ctx.storage.sql, this.#meter)),
        name,
        ctx,
      ),
      settings: definition.requireSettings(env),
      name,
      storage: ctx.storage,
      sessions: stubs(env.SESSIONS),
      meter: this.#meter,
      runtime: PLATFORM,
    });
  }

  /** What has to be known before a login. */
  async look(userName: string | undefined, knownBans: number): Promise<Looked> {
    return this.#host.look(userName, knownBans);
  }

  /** What a Session object has to know that has just woken. @param after the user behind whom it goes on; "" at first; builds before asked for all at once, without it */
  async recent(after?: string): Promise<News> {
    return this.#host.recent(after);
  }

  /** The same for one that the directory could not find by itself. */
  async enter(presence: Presence): Promise<News> {
    return this.#host.enter(presence);
  }

  /** A session is put into such an object by somebody other than its client. @returns what stands of the object */
  async expect(presence: Presence, instead: Presence | undefined): Promise<Presence> {
    return this.#host.expect(presence, instead);
  }

  /** Session objects that have said that they are there, in the order of their names, behind this one; at most so many. */
  async presentAfter(object: string, most: number): Promise<readonly string[]> {
    return this.#host.presentAfter(object, most);
  }

  /** @returns one result for each, when Session objects have been told or are out of reach */
  putUsers(entries: readonly UserEntry[], mode: PutMode): Promise<PutResult[]> {
    return this.#host.putUsers(entries, mode);
  }

  /** @returns whether it was there */
  removeUser(user: string): Promise<boolean> {
    return this.#host.removeUser(user);
  }

  async user(name: string): Promise<UserView | undefined> {
    return this.#host.user(name);
  }

  /** @param from the name behind which, or the place from 0 at which it begins */
  async users(from: string | number, most: number): Promise<{ readonly users: readonly UserView[]; readonly count: number }> {
    return this.#host.users(from, most);
  }

  /** Users with the hashes of their passwords, for another broker. */
  async entriesAfter(user: string, most: number): Promise<readonly UserEntry[]> {
    return this.#host.entriesAfter(user, most);
  }

  async bans(): Promise<readonly Ban[]> {
    return this.#host.bans();
  }

  /** @returns why that can't be, in a sentence */
  putBan(ban: Ban): Promise<string | undefined> {
    return this.#host.putBan(ban);
  }

  /** @returns whether it was there */
  removeBan(kind: BanKind, who: string): Promise<boolean> {
    return this.#host.removeBan(kind, who);
  }

  override alarm(): Promise<void> {
    return this.#host.alarm();
  }

  /** Puts its database back to an earlier moment (`recovery.ts`). @returns a bookmark to undo that */
  recover(to: number | string): Promise<string> {
    return recover(this.ctx.id.name!, this.ctx, PLATFORM, to);
  }

  /** What this object did that is billed, since it woke. */
  async usage(): Promise<Usage> {
    return this.#meter.usage();
  }
}
