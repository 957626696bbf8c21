/** What the directory tells: to whoever authenticates a client, and to Session objects about changes. Plain data, sent in calls. */

import type { BanList } from "./bans.ts";

/** A user who may be let in. */
export interface KnownUser {
  /** A password hash. */
  readonly password: string;
  /** The text of its rights, as its logins have it. */
  readonly grants: string;
}

/** The answer to one question before a login. */
export interface Looked {
  /** All changes up to this one. */
  readonly version: number;
  /** Undefined when the asker has them already. */
  readonly bans: BanList | undefined;
  /** Nobody is in the directory. */
  readonly isEmpty: boolean;
  /** Undefined when there is no such user. */
  readonly user: KnownUser | undefined;
  /** The password hash of some user, always the same one for the same name: for an unknown user it takes as long as that to refuse. */
  readonly like: string | undefined;
}

/** What has become of a user. */
export interface UserNews {
  readonly user: string;
  /** Of the change. */
  readonly version: number;
  /** Logins with an earlier one are over; undefined when the user is no more, and all are. */
  readonly credential: number | undefined;
  /** Its rights, as its logins have them from now on; undefined when the user is no more. */
  readonly grants: string | undefined;
}

/** What a Session object is told. */
export interface News {
  /** All changes up to this one. */
  readonly version: number;
  /** Undefined when it has them already. */
  readonly bans: BanList | undefined;
  readonly users: readonly UserNews[];
  /** There is more, of users behind this one. */
  readonly next?: string | undefined;
}

/** What a Session object says of itself where the directory could not find it by itself. */
export interface Presence {
  readonly object: string;
  readonly clientId: string;
  readonly userName: string | undefined;
  readonly address: string;
}
