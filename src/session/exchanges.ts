/**
 * Keeps the incoming QoS 2 exchanges of this object that are not settled within a bound that others know: who gets its messages has to
 * remember each one from the oldest unsettled one on. What is under way is never forgotten for that, rather nothing more is begun; what an
 * earlier life left unsettled, and whose publisher has not come back, is given up after many others.
 */

import type { SessionCore } from "./core.ts";
import type { Incoming } from "./delivery.ts";
import type { Session } from "./session.ts";

/** @returns false when one more exchange can't begin: too many have since the oldest one that is under way */
export function makeRoomForExchange(core: SessionCore): boolean {
  const { oldestAllowed } = core.recentExchanges;
  for (const [sequence, session] of core.openExchanges) {
    if (sequence > oldestAllowed) return true;
    if (isUnderWay(session, sequence)) return false;
    giveUp(core, session, sequence);
  }
  return true;
}

/** The session is over: none of its exchanges goes on. */
export function forgetExchanges({ released, received, openExchanges }: Session): void {
  released.clear();
  received.clear();
  openExchanges.clear();
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
