/**
 * Keeps the incoming QoS 2 exchanges of this object that are not settled within a bound that others know: who gets its messages has to
 * remember each one from the oldest unsettled one on. What is under way is never forgotten for that, rather nothing more is begun; what an
 * earlier life left unsettled, and whose publisher has not come back, is given up after many others.
 */

import { OPEN_EXCHANGES_MAX } from "../limits.ts";
import type { SessionCore } from "./core.ts";
import type { Incoming } from "./delivery.ts";
import { RecentExchanges } from "./recent-exchanges.ts";
import type { Session } from "./session.ts";

/**
 * What is left, once the oldest of all is answered late, is shared out: who has begun more finds less. One who begins many may take two thirds
 * of it, a second one two thirds of the rest, so that there is always room for those who begin few.
 * @returns false when the session can't begin one more: too many have begun since the oldest one that is under way
 */
export function makeRoomForExchange(core: SessionCore, { recentExchanges }: Session): boolean {
  for (const [sequence, session] of core.openExchanges) {
    const begun = core.recentExchanges.countFrom(sequence);
    const own = recentExchanges?.countFrom(sequence) ?? 0;
    if (begun + own / 2 < OPEN_EXCHANGES_MAX) return true;
    if (isUnderWay(session, sequence)) return false;
    if (begun < OPEN_EXCHANGES_MAX) return true;
    giveUp(core, session, sequence);
  }
  core.recentExchanges.clear();
  recentExchanges?.clear();
  return true;
}

/** It begins, and there was room. */
export function countExchange(core: SessionCore, session: Session, sequence: number): void {
  session.recentExchanges ??= new RecentExchanges(core.ledger);
  core.recentExchanges.add(sequence);
  session.recentExchanges.add(sequence);
}

/** The session is over: none of its exchanges goes on. */
export function forgetExchanges({ released, received, openExchanges, recentExchanges }: Session): void {
  released.clear();
  received.clear();
  openExchanges.clear();
  recentExchanges?.clear();
}

function isUnderWay(session: Session, sequence: number): boolean {
  return exchangeOf(session, sequence)?.handedOn === true;
}

function exchangeOf({ received, openExchanges }: Session, sequence: number): Incoming | undefined {
  const exchange = received.get(openExchanges.get(sequence) ?? 0);
  return exchange?.sequence === sequence ? exchange : undefined;
}

/** Should its publisher repeat the message after all, it is taken for a new one. */
function giveUp(core: SessionCore, session: Session, sequence: number): void {
  const exchange = exchangeOf(session, sequence);
  if (exchange !== undefined) session.received.delete(exchange.packetId);
  core.openExchanges.delete(sequence);
  session.openExchanges.delete(sequence);
  core.changes.markRow(session);
}
