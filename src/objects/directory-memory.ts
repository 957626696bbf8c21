/**
 * What an isolate knows of directories: bans, and users that were asked for, each for a stated time. Values, never promises: in a Worker each
 * connection has a life of its own, and what one waits for is cancelled with it.
 */

import { BoundedMap } from "../bounded-map.ts";
import { Bans, NO_BANS } from "../directory/bans.ts";
import type { KnownUser, Looked, News } from "../directory/news.ts";
import type { DirectoryPort, Known } from "../directory/ports.ts";
import {
  DIRECTORIES_REMEMBERED_MAX,
  DIRECTORY_CALL_MS,
  DIRECTORY_FRESH_MS,
  DIRECTORY_REMEMBERED_MAX,
  USER_NAME_BYTES_MAX,
} from "../login-limits.ts";
import type { Runtime } from "../runtime.ts";
import { inTime } from "./in-time.ts";

/** The directory of a namespace, as far as logins ask it. */
export interface Asked {
  look(userName: string | undefined, knownBans: number): Promise<Looked>;
}

interface KnownLogin {
  /** When it was asked for, milliseconds since the epoch. */
  readonly at: number;
  /** All changes up to this one are in it. */
  readonly version: number;
  readonly user: KnownUser;
}

class Place {
  /** The latest change that is known here. */
  version = 0;
  bans = NO_BANS;
  /** The bans were never asked for. */
  hasBans = false;
  isEmpty = true;
  /** When all but the users was asked for, milliseconds since the epoch. */
  at = Number.NEGATIVE_INFINITY;

  known({ user, like }: Pick<Known, "user" | "like">): Known {
    return { bans: this.bans, isEmpty: this.isEmpty, user, like };
  }
}

export class DirectoryMemory implements DirectoryPort {
  readonly #ask: (namespace: string) => Asked;
  readonly #runtime: Runtime;
  readonly #places = new BoundedMap<string, Place>(DIRECTORIES_REMEMBERED_MAX);
  /** Of all namespaces, by `keyOf`. */
  readonly #logins = new BoundedMap<string, KnownLogin>(DIRECTORY_REMEMBERED_MAX);

  constructor(ask: (namespace: string) => Asked, runtime: Runtime) {
    this.#ask = ask;
    this.#runtime = runtime;
  }

  async look(namespace: string, named: string | undefined): Promise<Known> {
    // Nobody has a longer name.
    const userName = named !== undefined && named.length > USER_NAME_BYTES_MAX ? undefined : named;
    const now = this.#runtime.now();
    const place = this.#place(namespace);
    const isFresh = (at: number): boolean => at > now - DIRECTORY_FRESH_MS && at <= now;
    const login = userName === undefined ? undefined : this.#logins.get(keyOf(namespace, userName));
    if (isFresh(place.at) && (userName === undefined || (login !== undefined && isFresh(login.at)))) {
      return place.known({ user: login?.user, like: undefined });
    }
    const asked = this.#ask(namespace).look(userName, place.hasBans ? place.bans.version : -1);
    const looked = await inTime(asked, DIRECTORY_CALL_MS, this.#runtime);
    // What was told meanwhile is newer: the answer serves this login alone, which is judged once more where its session is.
    if (looked.version >= place.version) {
      this.#learn(place, looked, now);
      // Who is not there may be added in the next moment; and of a place that was forgotten meanwhile nobody was told what is newer.
      const isKept = looked.user !== undefined && place === this.#place(namespace);
      const { version, user } = looked;
      if (isKept && userName !== undefined) this.#logins.set(keyOf(namespace, userName), { at: now, version, user: user! }, 1);
    }
    return { ...place.known(looked), isEmpty: looked.isEmpty };
  }

  #learn(place: Place, { version, bans, isEmpty }: Looked, now: number): void {
    place.version = version;
    if (bans !== undefined) place.bans = new Bans(bans);
    place.hasBans = true;
    place.isEmpty = isEmpty;
    place.at = now;
  }

  /** The directory has told of changes; a Session object that has just woken is told of those that others know. */
  take(namespace: string, { version, bans, users }: News): void {
    const place = this.#place(namespace);
    place.version = Math.max(place.version, version);
    if (bans !== undefined && (!place.hasBans || bans.version > place.bans.version)) {
      place.bans = new Bans(bans);
      place.hasBans = true;
    }
    for (const { user, version: changed } of users) {
      const key = keyOf(namespace, user);
      if ((this.#logins.get(key)?.version ?? 0) < changed) this.#logins.delete(key);
    }
  }

  #place(namespace: string): Place {
    let place = this.#places.get(namespace);
    if (place === undefined) {
      place = new Place();
      this.#places.set(namespace, place, 1);
    }
    return place;
  }
}

/** Namespaces have no blanks. */
function keyOf(namespace: string, userName: string): string {
  return `${namespace} ${userName}`;
}
