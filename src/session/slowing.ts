/** Finds out for whom the publisher of the message at hand has to wait: connected clients whose queues are more than half full. */

import type { Message } from "../mqtt/message.ts";
import type { Slowed } from "./held-outcome.ts";
import { isShort, type QueueBounds } from "./queue-bounds.ts";
import type { Session } from "./session.ts";

export class Slowing {
  /** Sessions, and consumers, that somebody waits for. */
  readonly sessions = new Set<Slowed>();
  #message: Message | undefined;
  #slow: Session[] = [];

  /** A message comes whose publisher may be made to wait. */
  begin(message: Message): void {
    this.#message = message;
  }

  /** It has been put into the queue of a session that has a connection. @returns whether its publisher is to wait for that one */
  isSlow(session: Session, message: Message, bounds: QueueBounds, holdsMax: number): boolean {
    if (isShort(session, bounds) || this.#message !== message || session.stuck || message.publisher === session.clientId) return false;
    if ((session.holds?.length ?? 0) >= holdsMax) return false;
    this.#slow.push(session);
    return true;
  }

  /** It is with all who want it. @returns whether its publisher has to wait */
  end(): boolean {
    this.#message = undefined;
    return this.#slow.length > 0;
  }

  /** Takes out those whom its publisher has to wait for. */
  take(): readonly Session[] {
    const slow = this.#slow;
    this.#slow = [];
    return slow;
  }
}
