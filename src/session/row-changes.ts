/**
 * What the next flush writes of subscriptions and wills, and which rows are over. Rows are written behind that of their session and in the
 * same flush, so that a crash never leaves one of them without it: what belongs together is written together. And nothing is deleted
 * before what it has become is in rows: what a session that has ended hands on to others, and what its will says.
 */

import { ownWillName, type PendingWill } from "./pending-will.ts";
import type { Identity, SessionStore } from "./ports.ts";
import type { Session, Subscription } from "./session.ts";
import { encodeWill, subscriptionOptions } from "./state.ts";

interface WillToWrite {
  /** As it is when the row is written. */
  readonly whose: { readonly identity: Identity };
  /** Undefined for one that is no connection's any more. */
  readonly session: Session | undefined;
  readonly will: PendingWill;
}

export class RowChanges {
  readonly #store: SessionStore;
  /** By session and filter; undefined: its row goes. */
  readonly #subscriptions = new Map<Session, Map<string, Subscription | undefined>>();
  /** Numbers of sessions whose rows go. */
  readonly #ended = new Set<number>();
  /** By the name of the row, mostly a Client Identifier; without a will its row goes. */
  readonly #wills = new Map<string, WillToWrite | undefined>();

  constructor(store: SessionStore) {
    this.#store = store;
  }

  putSubscription(session: Session, subscription: Subscription): void {
    this.#changeSubscription(session, subscription.request.filter, subscription);
  }

  deleteSubscription(session: Session, filter: string): void {
    this.#changeSubscription(session, filter, undefined);
  }

  #changeSubscription(session: Session, filter: string, subscription: Subscription | undefined): void {
    const changes = this.#subscriptions.get(session) ?? new Map<string, Subscription | undefined>();
    changes.set(filter, subscription);
    this.#subscriptions.set(session, changes);
  }

  /** The session is over: its rows go, those of its subscriptions with them. */
  deleteSession(session: Session): void {
    this.#subscriptions.delete(session);
    if (session.stored) this.#ended.add(session.number);
  }

  putWill(session: Session, will: PendingWill): void {
    this.#wills.set(session.clientId, { whose: session, session, will });
  }

  deleteWill(clientId: string): void {
    this.#wills.set(clientId, undefined);
  }

  /** Of a will that is no connection's any more. */
  putOwnWill(clientId: string, identity: Identity, will: PendingWill & { readonly row: number }): void {
    this.#wills.set(ownWillName(clientId, will.row), { whose: { identity }, session: undefined, will });
  }

  deleteOwnWill(clientId: string, row: number): void {
    this.#wills.set(ownWillName(clientId, row), undefined);
  }

  /**
   * Writes it all. Rows of messages and sessions are there by now.
   * @param failed is told whose rows could not be written; the others are
   */
  write(failed: (error: unknown, session: Session | undefined) => void): void {
    // As after nearly every tick.
    if (this.#ended.size + this.#subscriptions.size + this.#wills.size === 0) return;
    for (const number of this.#ended) {
      try {
        this.#store.deleteSession(number);
      } catch (error) {
        failed(error, undefined);
      }
    }
    this.#ended.clear();
    for (const [session, changes] of this.#subscriptions) {
      try {
        for (const [filter, subscription] of changes) this.#writeSubscription(session.number, filter, subscription);
      } catch (error) {
        failed(error, session);
      }
    }
    this.#subscriptions.clear();
    for (const [clientId, put] of this.#wills) {
      try {
        if (put === undefined) this.#store.deleteWill(clientId);
        else this.#store.putWill({ clientId, will: encodeWill(put.will, put.whose.identity) });
      } catch (error) {
        failed(error, put?.session);
      }
    }
    this.#wills.clear();
  }

  #writeSubscription(sessionNumber: number, filter: string, subscription: Subscription | undefined): void {
    if (subscription === undefined) {
      this.#store.deleteSubscription(sessionNumber, filter);
      return;
    }
    const { request, identifier } = subscription;
    this.#store.putSubscription({ sessionNumber, filter, options: subscriptionOptions(request), subscriptionIdentifier: identifier });
  }
}
