/**
 * Rights of the connections that the broker makes to itself for other Workers: the binding is their right, so they may do everything, whatever
 * rules, hooks and code say. They are known by their grants.
 */

import { type Authorizer, type Identity, isService } from "../session/ports.ts";
import { isOfEvents } from "../topic/events.ts";
import { isOfPresence } from "../topic/presence.ts";

/** Whether nobody but the broker publishes there, whatever rights say. */
export function isBrokersOwn(topic: string): boolean {
  return isOfEvents(topic) || isOfPresence(topic);
}

/** Asks others about everybody else. */
export class ServiceRights implements Authorizer {
  readonly #others: Authorizer;
  /** Where others have it: that it is there says that not rules alone decide. */
  readonly mayKeep: Authorizer["mayKeep"];

  constructor(others: Authorizer) {
    this.#others = others;
    this.mayKeep = others.mayKeep && ((...wish) => isService(wish[0]) || others.mayKeep!(...wish));
  }

  mayPublish(...wish: Parameters<Authorizer["mayPublish"]>): boolean {
    if (isBrokersOwn(wish[2])) return false;
    return isService(wish[0]) || this.#others.mayPublish(...wish);
  }

  maySubscribe(...wish: Parameters<Authorizer["maySubscribe"]>): boolean {
    return isService(wish[0]) || this.#others.maySubscribe(...wish);
  }

  limitsReceive(identity: Identity, clientId: string): boolean {
    return !isService(identity) && this.#others.limitsReceive(identity, clientId);
  }

  mayReceive(identity: Identity, clientId: string, topic: string): boolean {
    return isService(identity) || this.#others.mayReceive(identity, clientId, topic);
  }
}
