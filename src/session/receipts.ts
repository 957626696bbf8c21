/**
 * Messages whose publishers want to know who takes them: what is counted here, and the acknowledgements that come of it. In memory alone: an
 * object that is reset has lost the connections too that could acknowledge, and who waits for them hears nothing more until its time is over.
 * Where nobody wants to know it costs one look for each message.
 */

import { RECEIPTS_MAX } from "../code-limits.ts";
import type { Account, Ledger } from "../ledger.ts";
import { MEMORY } from "../memory-limits.ts";
import type { Receipt } from "../mqtt/receipt.ts";
import type { Session } from "./session.ts";

/** What has become of a message here, of which acknowledgements are awaited. */
export class Tracking {
  /** The Session object to tell, and the number of the message there. */
  readonly object: string;
  readonly number: number;
  /** Milliseconds since the epoch: then nobody waits any more. */
  readonly until: number;
  /** Sessions whose acknowledgements are awaited. */
  open = 0;
  acknowledged = 0;
  /** They will never acknowledge it: refused, too large, expired, passed on, or their session is over. */
  over = 0;
  /** Their clients are gone, and it waits for them. */
  away = 0;

  constructor({ object, number, waitMs }: Receipt, now: number) {
    this.object = object;
    this.number = number;
    this.until = now + waitMs;
  }
}

type Fate = "acknowledged" | "over" | "away";

export class Receipts {
  readonly #ledger: Ledger;
  readonly #account: Account;
  /** What is awaited, by session and Packet Identifier. */
  readonly #open = new Map<Session, Map<number, Tracking>>();
  #count = 0;
  /** By name. */
  readonly #trackings = new Map<string, Tracking>();
  #changed = new Set<Tracking>();
  #until = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#account = ledger.account("unfinished");
  }

  /** What all of it costs in memory, bytes. */
  get bytes(): number {
    return this.#count * MEMORY.numberBytes;
  }

  /** Until when acknowledgements are awaited, at most, milliseconds since the epoch; undefined when none are. */
  get until(): number | undefined {
    return this.#count === 0 ? undefined : this.#until;
  }

  /** A message of QoS 0 was given to a session. */
  sent(session: Session, receipt: Receipt): void {
    if (session.connection?.open !== true) return;
    receipt.add({ sessions: 1, awaited: 0, away: 0 });
  }

  /** A message above QoS 0 was given to a session, under the Packet Identifier that was allocated last. */
  given(session: Session, receipt: Receipt, now: number): void {
    const packetId = session.lastPacketId;
    // Where it was fetched from it counts; and one that is too large for its client, or has expired, is over.
    if (session.arriving || !isThere(session, packetId)) return;
    const isHere = session.connection?.open === true;
    receipt.add({ sessions: 1, awaited: isHere ? 1 : 0, away: isHere ? 0 : 1 });
    if (!isHere || receipt.waitMs === 0) return;
    // One that is not followed is never told of: its publisher takes it for not acknowledged.
    if (this.#count >= RECEIPTS_MAX || !this.#ledger.takes("unfinished")) return;
    const tracking = this.#trackingOf(receipt, now);
    const ofSession = this.#open.get(session) ?? new Map<number, Tracking>();
    ofSession.set(packetId, tracking);
    this.#open.set(session, ofSession);
    tracking.open += 1;
    this.#counts(1);
  }

  /** A message may come here in several records. */
  #trackingOf(receipt: Receipt, now: number): Tracking {
    const name = `${receipt.object} ${receipt.number}`;
    let tracking = this.#trackings.get(name);
    if (tracking === undefined) {
      this.#forgetFirst(now);
      tracking = new Tracking(receipt, now);
      this.#trackings.set(name, tracking);
      this.#until = Math.max(this.#until, tracking.until);
    }
    return tracking;
  }

  /** The client has answered what it was sent. @param took it has not refused it */
  answered(session: Session, packetId: number, took: boolean): void {
    if (this.#count > 0) this.#settle(session, packetId, took ? "acknowledged" : "over");
  }

  /** Nothing more comes of what a session was given. */
  over(session: Session, packetId: number): void {
    if (this.#count > 0) this.#settle(session, packetId, "over");
  }

  /** Nothing more comes of all that a session was given. */
  ended(session: Session): void {
    if (this.#count > 0) this.#settleAll(session, "over");
  }

  /** The client of a session is gone, and what was not acknowledged waits for it. */
  left(session: Session): void {
    if (this.#count > 0) this.#settleAll(session, "away");
  }

  #settle(session: Session, packetId: number, fate: Fate): void {
    const ofSession = this.#open.get(session);
    const tracking = ofSession?.get(packetId);
    if (ofSession === undefined || tracking === undefined) return;
    ofSession.delete(packetId);
    if (ofSession.size === 0) this.#open.delete(session);
    this.#settled(tracking, fate);
  }

  #settleAll(session: Session, fate: Fate): void {
    const ofSession = this.#open.get(session);
    if (ofSession === undefined) return;
    this.#open.delete(session);
    for (const tracking of ofSession.values()) this.#settled(tracking, fate);
  }

  #settled(tracking: Tracking, fate: Fate): void {
    tracking.open -= 1;
    tracking[fate] += 1;
    this.#counts(-1);
    this.#changed.add(tracking);
  }

  #counts(more: number): void {
    this.#count += more;
    this.#account.add(more * MEMORY.numberBytes);
  }

  /** Of which something has become since this was asked last. */
  takeChanged(): ReadonlySet<Tracking> {
    const changed = this.#changed;
    if (changed.size > 0) this.#changed = new Set();
    return changed;
  }

  /** Most times are as long as others: what is over stands in front. */
  #forgetFirst(now: number): void {
    for (const [name, { until, open }] of this.#trackings) {
      if (until > now || open > 0) return;
      this.#trackings.delete(name);
    }
  }

  /** Forgets those that nobody waits for any more. */
  forget(now: number): void {
    for (const [name, { until }] of this.#trackings) if (until <= now) this.#trackings.delete(name);
    for (const [session, ofSession] of this.#open) {
      for (const [packetId, { until }] of ofSession) {
        if (until > now) continue;
        ofSession.delete(packetId);
        this.#counts(-1);
      }
      if (ofSession.size === 0) this.#open.delete(session);
    }
  }
}

/** Whether what came last for a session is still under this Packet Identifier. */
function isThere({ deliveries, backlog }: Session, packetId: number): boolean {
  return deliveries.has(packetId) || (backlog.count > 0 && backlog.at(backlog.count - 1).packetId === packetId);
}
