/**
 * The routing core: what one Topic object decides. It knows which Session objects want which filters, keeps the retained messages of
 * its topics, and hands each message to every Session object that wants it. It knows no clients.
 */

import type { SharedStrategy } from "../choices.ts";
import type { Ledger } from "../ledger.ts";
import { type Limits, SHARES_CHARACTERS_MAX } from "../limits.ts";
import { JointOutcome } from "../mqtt/joint-outcome.ts";
import type { Message } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import { NO_MATCHING_SUBSCRIBERS, QUOTA_EXCEEDED, SUCCESS } from "../mqtt/reason-code.ts";
import type { ShareDemand, ShareTarget } from "../mqtt/share-target.ts";
import { ENOUGH_ROOM, type Room } from "../room.ts";
import { FilterTree } from "../topic/filter-tree.ts";
import { OwnNames } from "./own-names.ts";
import type { Addressed, Attempt, Delivered, DeliveryPort, RouteRow, RoutingStore } from "./ports.ts";
import { RetainedMessages, type RetainedSlice } from "./retained.ts";
import { routeBytes, type ShareChange, Shares, type ShareUpdate } from "./shares.ts";
import { WantedEvents } from "./wanted-events.ts";

/** The outcome of a publish: the 5.0 Reason Code for its publisher; 0x80 and above: it did not reach everyone and may be repeated. */
export type Published = (reasonCode: number) => void;

const NOBODY: Addressed = { live: false, shares: [], attempt: undefined };
const LIVE: Addressed = { live: true, shares: [], attempt: undefined };

interface Target {
  /** The highest QoS wanted there. */
  readonly qos: QoS;
  readonly addressed: Addressed;
}

interface Route {
  readonly qos: QoS;
  readonly version: number;
  /** The QoS of its row; undefined when it has none. */
  readonly row: QoS | undefined;
}

export interface RoutingCoreOptions {
  /** The object's name, with something after an `@` that no earlier incarnation had. */
  readonly origin: string;
  readonly limits: Limits;
  readonly sharedStrategy: SharedStrategy;
  /** The part of the retained messages that one user may have; by default all. */
  readonly userShare?: number;
  readonly store: RoutingStore;
  /** Of the whole object. */
  readonly ledger: Ledger;
  readonly delivery: DeliveryPort;
  readonly room?: Room;
  /** Is told when a Session object does not want a filter any more. */
  readonly unwanted?: (sessionObject: string, filter: string) => void;
  /** Whether a topic is one of this object; rows of others may be left from another number of Topic objects. */
  readonly owns: (topic: string) => boolean;
  /** Is told in a sentence of each row that can't be read. */
  readonly damaged: (problem: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** An interest of a Session object, as it arrives. */
export interface InterestChange {
  readonly sessionObject: string;
  readonly filter: string;
  readonly qos: QoS;
  readonly version: number;
  /** It is to have a row; one that is not is told again when it is to have one. */
  readonly lasting: boolean;
}

/** What is to be known of a message besides. */
export interface PublishFacts {
  /** The user whom it counts for while it is retained; undefined: nobody. */
  readonly owner?: number | undefined;
  /** An earlier life of this object may have handled it. */
  readonly again?: boolean;
}

/** A message that somebody else is to get. */
export interface Redistribution {
  readonly filter: string;
  readonly attempt: Attempt | undefined;
  readonly otherwise: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export class RoutingCore {
  readonly #store: RoutingStore;
  readonly #delivery: DeliveryPort;
  readonly names: OwnNames;
  readonly #ledger: Ledger;
  readonly #routes = new FilterTree<Route>();
  /** Routes that matched a message in this life: several may lead to one Session object. */
  matches = 0;
  /** Shared subscriptions that the message at hand goes to. */
  sharesAtHand = 0;
  /** The Session objects that the message at hand goes to; reused for every message. */
  readonly #targets = new Map<string, Target>();
  readonly #shares: Shares;
  readonly #retained: RetainedMessages;
  readonly wanted = new WantedEvents();
  readonly #unwanted: RoutingCoreOptions["unwanted"];

  constructor(options: RoutingCoreOptions) {
    this.#store = options.store;
    this.#delivery = options.delivery;
    this.names = new OwnNames(options.origin, options.now);
    this.#unwanted = options.unwanted;
    this.#ledger = options.ledger;
    this.#shares = new Shares(options.sharedStrategy, options.ledger);
    const { limits, store, room = ENOUGH_ROOM, owns, damaged, userShare = 1 } = options;
    const renamed = (message: Message): Message => this.names.renamed(message);
    this.#retained = new RetainedMessages({ limits, store, room, owns, damaged, renamed, userShare });
    for (const route of options.store.routes()) {
      const { filter, sessionObject, qos, version, members, online } = route;
      if (route.damaged || !isRoute(route))
        damaged(
          `route of ${JSON.stringify(filter)} to ${JSON.stringify(sessionObject)}: ${route.damaged ? "its bytes have changed since they were written" : "numbers that no route has"}`,
        );
      else if (members > 0) this.#updateShare({ sessionObject, filter, members, online, version }, true);
      else this.#setRoute(filter, sessionObject, { qos, version, row: qos });
    }
  }

  /** Looks how many shared subscriptions a message of a topic goes to. */
  sharesOf(topic: string): number {
    const count = this.#shares.countOf(topic);
    this.matches += count;
    return count;
  }

  get routeCount(): number {
    return this.#routes.size;
  }

  /** Undefined until this life has counted them. */
  get retainedMessages(): number | undefined {
    return this.#retained.knownCount;
  }

  /** For whoever looks: few are counted, many only where this life has done so. */
  countRetained(): number | undefined {
    return this.#retained.fewCount;
  }

  /**
   * Keeps a message that another broker had retained. Nobody is given it who is subscribed already.
   * @param replaces instead of one that its topic has here
   * @returns whether it did; undefined when its topic has one here
   */
  keep(message: Message, replaces: boolean, now: number): boolean | undefined {
    return this.#retained.keep(this.names.renamed(message), replaces, now);
  }

  /**
   * Keeps the message if it is to be retained, and hands it to every Session object that wants it.
   * @param published called once, when all of them have it
   */
  publish(message: Message, now: number, published: Published | undefined, { owner, again = false }: PublishFacts = {}): void {
    const kept = message.retain ? this.#retained.retain(message, now, owner) : true;
    const targets = this.#targets;
    targets.clear();
    this.#routes.match(message.topic, this.#collect);
    this.sharesAtHand = this.#shares.size > 0 ? this.#shareOut(message, now, again) : 0;
    if (published === undefined || targets.size === 0) {
      for (const [sessionObject, { addressed }] of targets) this.#send(sessionObject, message, addressed, undefined);
      published?.(kept ? NO_MATCHING_SUBSCRIBERS : QUOTA_EXCEEDED);
      return;
    }
    if (targets.size === 1 && kept) {
      this.#publishToOne(message, published);
      return;
    }
    // One for this loop: a delivery may be done before the next one begins.
    const joint = new JointOutcome(published, 1, kept ? SUCCESS : QUOTA_EXCEEDED);
    for (const [sessionObject, { qos, addressed }] of [...targets]) {
      const done = doneOf(message, qos, joint.settled);
      if (done !== undefined) joint.expect();
      this.#send(sessionObject, message, addressed, done);
    }
    joint.settled(SUCCESS);
  }

  /** To the only one of `#targets`, whose outcome is that of the publish. */
  #publishToOne(message: Message, published: Published): void {
    for (const [sessionObject, { qos, addressed }] of this.#targets) {
      const done = doneOf(message, qos, published);
      this.#send(sessionObject, message, addressed, done);
      if (done === undefined) published(SUCCESS);
      return;
    }
  }

  readonly #collect = (route: Route, sessionObject: string): void => {
    this.matches += 1;
    const known = this.#targets.get(sessionObject);
    if (known === undefined || route.qos > known.qos) this.#targets.set(sessionObject, { qos: route.qos, addressed: LIVE });
  };

  /**
   * Adds what the shared subscriptions get: one record for each Session object, whatever brings the message there.
   * @returns how many there are
   */
  #shareOut(message: Message, now: number, again: boolean): number {
    const gathered = new Map<string, ShareTarget[]>();
    let count = 0;
    this.#shares.match(message, now, again, ({ sessionObject, target }) => {
      count += 1;
      const shares = gathered.get(sessionObject);
      if (shares === undefined) gathered.set(sessionObject, [target]);
      else shares.push(target);
    });
    for (const [sessionObject, shares] of gathered) {
      const known = this.#targets.get(sessionObject)?.addressed ?? NOBODY;
      this.#targets.set(sessionObject, { qos: 2, addressed: { ...known, shares } });
    }
    return count;
  }

  #send(sessionObject: string, message: Message, addressed: Addressed, done: Delivered | undefined): void {
    if (addressed.shares.length === 0) {
      this.#delivery.deliver(sessionObject, message, addressed, done);
      return;
    }
    const arrived: Delivered = (reasonCode) => {
      for (const { filter } of addressed.shares) this.#shares.arrived(sessionObject, filter);
      done?.(reasonCode);
    };
    const [first, ...rest] = inPieces(addressed.shares);
    if (rest.length === 0) {
      this.#delivery.deliver(sessionObject, message, addressed, arrived);
      return;
    }
    const joint = new JointOutcome(arrived, 1 + rest.length);
    this.#delivery.deliver(sessionObject, message, { ...addressed, shares: first! }, joint.settled);
    for (const shares of rest)
      this.#delivery.deliver(sessionObject, message, { ...NOBODY, attempt: addressed.attempt, shares }, joint.settled);
  }

  /** A route that another Topic object had, because there was another number of them. */
  adoptRoute(row: RouteRow): void {
    if (row.members > 0) this.share(row);
    else this.subscribe({ ...row, lasting: true });
  }

  /**
   * A Session object announces its members in a shared subscription. Who of them is connected changes often: it has a row when it has stood for
   * a while, or where nobody has told it in this life.
   * @returns whether it is to be told again after that while
   */
  share(change: ShareChange): boolean {
    const update = this.#updateShare(change, false);
    const { filter, sessionObject, members, online, version } = change;
    if (update !== "to be written") return update === "to be told again";
    if (members === 0) this.#store.deleteRoute(filter, sessionObject);
    else this.#store.putRoute({ filter, sessionObject, qos: 2, version, members, online });
    return false;
  }

  #updateShare(change: ShareChange, isRow: boolean): ShareUpdate {
    const { filter, sessionObject, members } = change;
    const had = this.#shares.has(filter, sessionObject);
    const update = this.#shares.update(change, isRow);
    if (update === "known") return update;
    if (!had) this.wanted.added(filter);
    else if (members === 0) this.wanted.removed(filter);
    return update;
  }

  /**
   * A Session object has no member that takes a message that was sent to it, or had one whose session ended: another one gets it
   * [5.0/4.8.2/qos1-handover]. One that its publisher may repeat keeps its name, by which it is recognised then, and so does one that was
   * offered nowhere: the Session object that hands it on has just named it, and does so again where this object is reset before it has
   * answered. Others get a new one, because their first one may have been where they go.
   * @param attempt where it was offered before; undefined: nowhere
   * @param otherwise what is to be said when there is no other one: SUCCESS where there was no member, QUOTA_EXCEEDED where all were full
   * @param done called once, when a member has it or there is none any more
   */
  redistribute(message: Message, { filter, attempt, otherwise, now }: Redistribution, done: Delivered | undefined): void {
    this.sharesAtHand = 1;
    const pick = this.#shares.pickAgain(filter, message, attempt, now);
    if (pick === undefined) {
      done?.(otherwise);
      return;
    }
    const keepsName = message.settledBelow > 0 || attempt === undefined;
    const passedOn = keepsName ? message : this.names.renamed(message);
    this.#send(pick.sessionObject, passedOn, { ...NOBODY, shares: [pick.target], attempt: pick.attempt }, done);
  }

  /** A Session object said that it has no member of a shared subscription. */
  noMember(sessionObject: string, filter: string, version: number): void {
    this.share({ sessionObject, filter, members: 0, online: 0, version });
  }

  /** A Session object said that it has no member of a shared subscription with so much room. */
  declined(sessionObject: string, filter: string, demand: ShareDemand, now: number): void {
    this.#shares.declined(sessionObject, filter, demand, now);
  }

  /** The Session objects that want this very filter. */
  wanting(filter: string): Iterable<string> {
    return this.#routes.keysOf(filter)?.keys() ?? [];
  }

  isWanted(filter: string): boolean {
    return this.#routes.hasFilter(filter);
  }

  /** Whether it is known that a Session object wants a filter. */
  hasRoute(filter: string, sessionObject: string): boolean {
    return this.#routes.get(filter, sessionObject) !== undefined;
  }

  /** A Session object wants a filter from now on. */
  subscribe(change: InterestChange): void {
    const { filter, sessionObject, qos, version, lasting } = change;
    const known = this.#routes.get(filter, sessionObject);
    const isOld = known !== undefined && (known.version > version || (known.version === version && !lasting));
    if (isOld) return;
    // A route is written when it is new or wider; its version alone is not worth a row: after a restart an older one only prunes later.
    const isWritten = lasting && known?.row !== qos;
    this.#setRoute(filter, sessionObject, { qos, version, row: isWritten ? qos : known?.row });
    if (isWritten) this.#store.putRoute({ filter, sessionObject, qos, version, members: 0, online: 0 });
  }

  #setRoute(filter: string, sessionObject: string, route: Route): void {
    if (this.#routes.add(filter, sessionObject, route) !== undefined) return;
    this.#ledger.add("routes", routeBytes(filter));
    this.wanted.added(filter);
  }

  /** What the routes cost by a count of them all, bytes: what the ledger says. */
  countRoutes(): number {
    let bytes = this.#shares.count();
    for (const [filter] of this.#routes) bytes += routeBytes(filter);
    return bytes;
  }

  /** A Session object wants a filter no longer. */
  unsubscribe(sessionObject: string, filter: string, version: number): void {
    const known = this.#routes.get(filter, sessionObject);
    if (known === undefined || known.version > version) return;
    this.#routes.remove(filter, sessionObject);
    this.#ledger.add("routes", -routeBytes(filter));
    this.wanted.removed(filter);
    if (known.row !== undefined) this.#store.deleteRoute(filter, sessionObject);
    this.#unwanted?.(sessionObject, filter);
  }

  /** A Session object said of a message that nobody there wants it: the routes that led it there are stale. */
  nobodyWants(sessionObject: string, topic: string, version: number): void {
    const stale: string[] = [];
    this.#routes.match(topic, (route, key, filter) => {
      if (key === sessionObject && route.version <= version) stale.push(filter);
    });
    for (const filter of stale) this.unsubscribe(sessionObject, filter, version);
  }

  /** @returns whether one look shows that no retained message matches (`retained.ts`) */
  retainsNone(filter: string): boolean {
    return this.#retained.matchesNone(filter);
  }

  /** Some of the retained messages that match a filter, undefined: of all (`retained.ts`). @param from topics before it were in earlier slices */
  retainedSlice(filter: string | undefined, from: string, now: number): RetainedSlice {
    return this.#retained.slice(filter, from, now);
  }
}

/**
 * Where everybody takes it at QoS 0, nothing is promised that the publisher would have to wait for, but who takes it, where he wants to know.
 * @returns what is to be told that a Session object has it
 */
function doneOf(message: Message, qos: QoS, published: Published): Delivered | undefined {
  if (Math.min(qos, message.qos) > 0) return published;
  return message.receipt === undefined ? undefined : () => published(SUCCESS);
}

/** Filters of shared subscriptions may be long, and a call between objects is bounded: with very many the message goes more than once. */
function inPieces(shares: readonly ShareTarget[]): (readonly ShareTarget[])[] {
  const pieces: ShareTarget[][] = [[]];
  let characters = 0;
  for (const share of shares) {
    if (characters > 0 && characters + share.filter.length > SHARES_CHARACTERS_MAX) {
      pieces.push([]);
      characters = 0;
    }
    pieces.at(-1)!.push(share);
    characters += share.filter.length;
  }
  return pieces;
}

/** Whether numbers in a row are such as routes have. */
function isRoute({ qos, version, members, online }: RouteRow): boolean {
  const areNumbers = [qos, version, members, online].every((number) => Number.isSafeInteger(number) && number >= 0);
  return areNumbers && qos <= 2 && online <= members;
}
