/** Finds which sessions of this object a message is for, and what each is due of it. */

import type { Message } from "../mqtt/message.ts";
import type { Session, Subscription } from "./session.ts";

/** [MQTT5-3.8.3-3]: it is the client's own, and its subscription has No Local, which a 3.x client does not know. */
export function isHeldBack(session: Session, noLocal: boolean, { publisher }: Message): boolean {
  return noLocal && session.clientId === publisher && session.connection?.seesOptions !== false;
}

/** Finds the sessions whose subscriptions match one message, and what they are due together. */
export class Matching {
  #serial = 0;
  #message!: Message;
  readonly sessions: Session[] = [];
  /** Subscriptions that match. */
  count = 0;
  /**
   * A subscription matched and brings nothing, because its owner is the publisher and wants none of its own, or is over and being taken out:
   * the interest is there all the same. Topic objects are told when it is not any more, which whoever subscribes now relies on.
   */
  heldBack = false;

  begin(message: Message): void {
    this.#serial += 1;
    this.#message = message;
    this.sessions.length = 0;
    this.count = 0;
    this.heldBack = false;
  }

  readonly visit = (subscription: Subscription): void => {
    const { session, request, identifier } = subscription;
    this.count += 1;
    if (session.isDeaf || isHeldBack(session, request.noLocal, this.#message)) {
      this.heldBack = true;
      return;
    }
    if (session.matchSerial !== this.#serial) {
      session.matchSerial = this.#serial;
      session.matchQoS = request.qos;
      session.matchRetain = request.retainAsPublished;
      session.matchIdentifiers = identifier === 0 ? undefined : [identifier];
      this.sessions.push(session);
      return;
    }
    // [MQTT5-3.3.4-2] [MQTT311-3.3.5-1]
    if (request.qos > session.matchQoS) session.matchQoS = request.qos;
    if (request.retainAsPublished) session.matchRetain = true;
    // [MQTT5-3.3.4-4] [5.0/3.3.4/same-id]
    if (identifier !== 0) {
      if (session.matchIdentifiers === undefined) session.matchIdentifiers = [identifier];
      else session.matchIdentifiers.push(identifier);
    }
  };
}
