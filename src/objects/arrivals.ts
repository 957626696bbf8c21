/**
 * Sessions on their way between Session objects, because the number of those has changed: a client that connects here may have its
 * session where it would have connected before. Fetched once, before its CONNECT is handled; what is decided is in `session/move.ts`.
 */

import { problemOf } from "../fault.ts";
import {
  beginArrival,
  cancelArrival,
  completeArrival,
  confirmInterests,
  subscribeArriving,
  takeLate,
  takenThrough,
} from "../session/arrive.ts";
import type { SessionCore } from "../session/core.ts";
import { exportSession, leaveShares, letGo, offerSession } from "../session/depart.ts";
import { endSession } from "../session/lifecycle.ts";
import { type MoveReason, type MovingPart, type MovingSubscription, OF_ANOTHER, type Offer } from "../session/move.ts";
import { mergeCopy, putBack, retire, setAside } from "../session/moved-copy.ts";
import { type PortableSession, takeSession } from "../session/portable.ts";
import { type Claimant, isSameClaimant, type Ticket } from "../session/ports.ts";
import type { Session } from "../session/session.ts";
import { filterWork } from "../session/taking.ts";
import { discardWill } from "../session/will.ts";
import type { Settings } from "../settings.ts";
import { FILTERS_UNDER_WAY_WORK } from "../work-limits.ts";
import type { TakenSession } from "./calls.ts";
import { log } from "./log.ts";
import { namespaceOf, previousSessionObjects, refuseEarlierShape, shapeHistory } from "./names.ts";
import type { Router } from "./router.ts";

/** The session belongs to another user, for whom it stays where it is. */
export class OfAnotherUser extends Error {}

/** Another Session object. */
export interface SessionPeer {
  /** @param asker the `shapeHistory` of who asks */
  offerSession(asker: string, clientId: string, reason: MoveReason, by: Claimant): Promise<Offer>;
  /** @param last the session has arrived where it is asked for: only what came since is asked for */
  exportSession(asker: string, clientId: string, from: number, last: boolean): Promise<MovingPart | undefined>;
  letGo(asker: string, clientId: string): Promise<void>;
}

export interface ArrivalsOptions {
  readonly core: SessionCore;
  readonly settings: Settings;
  /** Of this object. */
  readonly name: string;
  readonly router: Router;
  readonly peers: (sessionObject: string) => SessionPeer;
  /** Resolves once everything so far is in rows, and sent. */
  readonly written: () => Promise<void>;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  /** By Client Identifier: who connects again meanwhile waits for the same. */
  readonly #underWay = new Map<string, { readonly by: Claimant; readonly fetched: Promise<void> }>();

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /**
   * Fetches the session of a client, if it may be elsewhere.
   * @param clean its client wants none of it
   * @returns undefined when there is nowhere to look; else a promise that rejects when somebody is out of reach, or with OfAnotherUser
   */
  fetch(clientId: string, clean: boolean, by: Claimant): Promise<void> | undefined {
    const { core, settings, name } = this.#options;
    const underWay = this.#underWay.get(clientId);
    if (underWay !== undefined) {
      // What another user hears of it says nothing to this one.
      const isSame = isSameClaimant(underWay.by, by);
      return isSame ? underWay.fetched : underWay.fetched.catch(() => {}).then(() => this.fetch(clientId, clean, by));
    }
    const session = core.sessions.get(clientId);
    const owners = isHere(session) ? [] : previousSessionObjects(settings, namespaceOf(name), clientId);
    if (owners.length === 0 && (session === undefined || session.cameFrom.length === 0)) return undefined;
    const fetched = this.#fetch(owners, clientId, clean, by).finally(() => this.#underWay.delete(clientId));
    this.#underWay.set(clientId, { by, fetched });
    return fetched;
  }

  async #fetch(owners: readonly string[], clientId: string, clean: boolean, by: Claimant): Promise<void> {
    const { core, name } = this.#options;
    try {
      for (const owner of owners) await this.#ask(owner, clientId, clean, by);
      const session = core.sessions.get(clientId);
      // It went elsewhere, and has ended there.
      if (session?.retired) endSession(core, session);
      else if (session !== undefined) await this.#tellOthers(session);
    } catch (error) {
      if (!(error instanceof OfAnotherUser)) log("a session could not be fetched", { object: name, problem: problemOf(error) });
      throw error;
    }
  }

  async #ask(owner: string, clientId: string, clean: boolean, by: Claimant): Promise<void> {
    const { core, settings, name, peers, written } = this.#options;
    const subscriptions = await peers(owner).offerSession(shapeHistory(settings), clientId, clean ? "end" : "resume", by);
    if (subscriptions === OF_ANOTHER) throw new OfAnotherUser();
    const session = core.sessions.get(clientId);
    if (subscriptions === undefined || isHere(session)) return;
    // What is left here of a session that went there is older, but for what came since.
    const part = session && (await peers(owner).exportSession(shapeHistory(settings), clientId, 0, false));
    const copy = core.sessions.get(clientId);
    if (copy !== undefined) {
      retire(core, copy, true);
      await written();
    }
    await this.#bring(owner, clientId, subscriptions, part === undefined ? Number.POSITIVE_INFINITY : takenThrough(part, name));
  }

  /** Tells old owners that the session is here; not before Topic objects know that: what it subscribes to always has somebody. */
  async #tellOthers(session: Session): Promise<void> {
    const { core, settings, name, peers, written } = this.#options;
    const { clientId } = session;
    if (session.offered) {
      session.offered = false;
      // On record, whatever becomes of what follows.
      core.changes.markRow(session);
    }
    if (session.cameFrom.length > 0) await this.#confirm(session);
    for (const { object, through } of session.cameFrom) {
      if (object === name) continue;
      const parts = await this.#parts(object, clientId, through + 1, true);
      // Its time may be over meanwhile; then it is so where it was, too.
      if (core.sessions.get(clientId) !== session) return;
      for (const { deliveries } of parts) takeLate(core, session, deliveries);
      const taken = parts.at(-1)?.through ?? through;
      session.cameFrom = session.cameFrom.map((owner) => (owner.object === object ? { object, through: taken } : owner));
      core.changes.markRow(session);
      await written();
      await peers(object).letGo(shapeHistory(settings), clientId);
    }
    session.cameFrom = [];
    core.changes.markRow(session);
    await written();
  }

  /** @param through what came to the copy that is left here was taken up to this number */
  async #bring(owner: string, clientId: string, subscriptions: readonly MovingSubscription[], through: number): Promise<void> {
    const { core, name, router, written } = this.#options;
    const copy = setAside(core, clientId);
    let arriving: Session | undefined;
    try {
      const session = beginArrival(core, clientId);
      arriving = session;
      await this.#inSlices(subscriptions, (some, ticket) => subscribeArriving(core, session, some, ticket));
      // What Topic objects sent to the old owner alone, because they did not know this one yet, is there when it tells what it has.
      await this.#settled((ticket) => router.barrier(owner, ticket));
      const parts = await this.#parts(owner, clientId, 0, false);
      if (parts.length === 0) throw new Error("the session ended while it was fetched");
      // What it told has come here too, as far as it was sent here.
      await this.#settled((ticket) => router.barrier(name, ticket));
      completeArrival(core, session, { from: owner, subscriptions, parts });
      if (copy !== undefined) mergeCopy(core, session, copy, through);
    } catch (error) {
      if (arriving !== undefined) cancelArrival(core, arriving);
      if (copy !== undefined) putBack(core, copy);
      throw error;
    } finally {
      await written();
    }
  }

  /** @returns what an old owner has of a session; none when it has no such session */
  async #parts(owner: string, clientId: string, first: number, last: boolean): Promise<MovingPart[]> {
    const { peers, settings } = this.#options;
    const parts: MovingPart[] = [];
    for (let from: number | undefined = first; from !== undefined; from = parts.at(-1)!.next) {
      const part = await peers(owner).exportSession(shapeHistory(settings), clientId, from, last);
      if (part === undefined) return [];
      parts.push(part);
    }
    return parts;
  }

  /** Waits until Topic objects know what a session subscribes to. */
  #confirm(session: Session): Promise<void> {
    const { core } = this.#options;
    const wanted = [...session.subscriptions.values()].map(({ request }) => request);
    return this.#inSlices(wanted, (some, ticket) => confirmInterests(core, session, some, ticket));
  }

  /** Has Topic objects told of very many subscriptions, some at a time, and waits for each: nobody's message stands behind more of it. */
  async #inSlices<Item extends { readonly filter: string }>(
    items: readonly Item[],
    tell: (some: readonly Item[], ticket: Ticket) => void,
  ): Promise<void> {
    for (let next = 0; next < items.length; ) {
      const first = next;
      for (let work = 0; work < FILTERS_UNDER_WAY_WORK && next < items.length; next += 1) work += filterWork(items[next]!.filter);
      await this.#settled((ticket) => tell(items.slice(first, next), ticket));
    }
  }

  /**
   * A session of another broker, or of another topology of this one, comes here. One that is here, or was in an earlier shape, stays what it
   * is: what was taken once is not taken again.
   * @param replaces one that is here goes instead, unless its client is connected; its will is not published
   * @returns when it was taken, it is in rows
   * @throws Error when a Topic object is out of reach: then nothing of it is here, or all
   */
  async take(told: PortableSession, replaces: boolean): Promise<TakenSession> {
    const { core } = this.#options;
    const { clientId, userName } = told;
    const by = { userName };
    try {
      await (this.#underWay.get(clientId)?.fetched ?? this.fetch(clientId, false, by));
    } catch (error) {
      if (error instanceof OfAnotherUser) return "there";
      throw error;
    }
    if (this.#underWay.has(clientId)) return this.take(told, replaces);
    const standing = core.sessions.get(clientId);
    if (standing !== undefined && !replaces) return "there";
    if (standing?.connection !== undefined) return { problem: "its client is connected" };
    if (standing !== undefined) {
      discardWill(core, standing);
      endSession(core, standing);
    }
    const fetched = this.#take(told).finally(() => this.#underWay.delete(clientId));
    this.#underWay.set(clientId, { by, fetched });
    await fetched;
    return "taken";
  }

  async #take(told: PortableSession): Promise<void> {
    const { core, written } = this.#options;
    const session = beginArrival(core, told.clientId);
    try {
      await this.#inSlices(told.subscriptions, (some, ticket) => subscribeArriving(core, session, some, ticket));
      takeSession(core, session, told);
    } catch (error) {
      cancelArrival(core, session);
      throw error;
    } finally {
      await written();
    }
    // Of shared subscriptions it is a member only now.
    await this.#confirm(session);
  }

  /** Waits for a ticket. */
  async #settled(begin: (ticket: { settled(reasonCode: number): void }) => void): Promise<void> {
    const answer = new Promise<number>((resolve) => begin({ settled: resolve }));
    await this.#options.written();
    if ((await answer) >= 0x80) throw new Error("a Topic object is out of reach");
  }

  /** The other side: this object may have a session that another one owns now. */
  async offer(asker: string, clientId: string, reason: MoveReason, by: Claimant | undefined): Promise<Offer> {
    const { core, settings, written } = this.#options;
    await written();
    refuseEarlierShape(settings, asker);
    const offered = offerSession(core, clientId, reason, by);
    await written();
    const session = core.sessions.get(clientId);
    // It may have come here just before, and who asks may still stand for it with Topic objects.
    if (offered !== undefined && offered !== OF_ANOTHER && session !== undefined) {
      await this.#confirm(session);
    }
    return offered;
  }

  async export(asker: string, clientId: string, from: number, last: boolean): Promise<MovingPart | undefined> {
    const { core, settings, written } = this.#options;
    refuseEarlierShape(settings, asker);
    if (last) leaveShares(core, clientId);
    const part = exportSession(core, clientId, from);
    await written();
    return part;
  }

  async letGo(asker: string, clientId: string): Promise<void> {
    const { core, settings, written } = this.#options;
    refuseEarlierShape(settings, asker);
    letGo(core, clientId);
    await written();
  }
}

/** Whether a session can't be elsewhere: it was not given away, and is more than a will that a crash has left of it. */
function isHere(session: Session | undefined): boolean {
  return session !== undefined && !session.offered && (session.stored || session.connection !== undefined);
}
