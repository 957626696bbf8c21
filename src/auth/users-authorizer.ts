/**
 * What the configured users may do, looked up by name each time: so it holds for sessions restored after hibernation, and a user who was
 * removed may do nothing at once. Matching is exact [MQTT5-4.7.3-4] [MQTT311-4.7.3-4].
 *
 * Clients choose their Client Identifiers: a rule with `%c` keeps honest clients apart, not hostile ones that share a user.
 */

import type { Authorizer, Identity } from "../session/ports.ts";
import { matches } from "../topic/filter.ts";
import { isBridgeState } from "./bridge-state.ts";
import { covers } from "./covers.ts";
import { substitute, type User } from "./users.ts";

/** The rule of a user who may do everything. */
const EVERYTHING = "#";

export class UsersAuthorizer implements Authorizer {
  readonly #users: ReadonlyMap<string, User>;

  constructor(users: readonly User[]) {
    this.#users = new Map(users.map((user) => [user.user, user]));
  }

  /**
   * [5.0/4.7.2/publish] No wildcard matches a first level with `$`, so only a rule that begins with that very level allows it, but for what
   * a bridge tells of itself: who may publish everything may be one.
   */
  mayPublish(identity: Identity, clientId: string, topic: string): boolean {
    const user = this.#find(identity);
    if (user === undefined) return false;
    if (user.publish.includes(EVERYTHING) && isBridgeState(topic)) return true;
    return user.publish.some((rule) => allows(rule, user, clientId, topic, matches));
  }

  maySubscribe(identity: Identity, clientId: string, topicFilter: string): boolean {
    const user = this.#find(identity);
    return user?.subscribe.some((rule) => allows(rule, user, clientId, topicFilter, covers)) ?? false;
  }

  limitsReceive(): boolean {
    return false;
  }

  mayReceive(): boolean {
    return true;
  }

  /** Whose rights came with the login has none of a user with the same name. */
  #find({ userName, grants }: Identity): User | undefined {
    return userName === undefined || grants !== "" ? undefined : this.#users.get(userName);
  }
}

function allows(rule: string, user: User, clientId: string, asked: string, includes: (filter: string, asked: string) => boolean): boolean {
  const filter = substitute(rule, user.user, clientId);
  return filter !== undefined && includes(filter, asked);
}
