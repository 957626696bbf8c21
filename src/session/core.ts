/**
 * What one Session object knows: its sessions, connections and subscriptions, and what it wants from Topic objects. The state that the
 * handlers of packets and events work on; which of them is called is up to `machine.ts`, what is written of it to `rows.ts`. Nothing is
 * awaited: events come in with the time, and what is to happen leaves through the ports.
 */

import type { Choices } from "../choices.ts";
import type { FaultPort } from "../fault.ts";
import { CountedMap, CountedSet, Ledger } from "../ledger.ts";
import type { Limits } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";
import { type Message, type Origin, renamed } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import { DEFAULT_RATES, type Rates } from "../rate.ts";
import { ENOUGH_ROOM, type Room } from "../room.ts";
import { PIECE_SIZES, type PieceSizes } from "../storage-limits.ts";
import { FilterTree } from "../topic/filter-tree.ts";
import { VERSION } from "../version.ts";
import { SLICES, type Slices } from "../work-limits.ts";
import { Changes } from "./changes.ts";
import { ClientNews } from "./client-news.ts";
import { type ConsumerPlan, Consumers } from "./consumer.ts";
import { createCounters } from "./counters.ts";
import { Deadlines } from "./deadlines.ts";
import { Deque } from "./deque.ts";
import { Events } from "./events.ts";
import { Failures } from "./failures.ts";
import { Lent } from "./lent.ts";
import type { LocalShare } from "./local-share.ts";
import { MessageLog } from "./log.ts";
import { Matching } from "./matching.ts";
import { Numbers } from "./numbers.ts";
import { Paces } from "./paces.ts";
import type { WillUnderWay } from "./pending-will.ts";
import type { Authorizer, ClientPort, Identity, ReauthenticationPort, RouterPort, SessionStore, WillAsker } from "./ports.ts";
import { Presence } from "./presence.ts";
import { QoS0Encodings } from "./qos0-encodings.ts";
import { Receipts } from "./receipts.ts";
import { RecentExchanges } from "./recent-exchanges.ts";
import { Repeats } from "./repeats.ts";
import { RowChanges } from "./row-changes.ts";
import type { Connection, Session, Subscription } from "./session.ts";
import { Slowing } from "./slowing.ts";
import { SystemTotals } from "./system-totals.ts";
import { UserShares } from "./user-shares.ts";

/** What this object as a whole wants of one filter, whatever the number of its subscribers here. */
export interface Interest {
  /** The highest QoS the Topic objects were told. */
  qos: QoS;
  /** Every Topic object concerned has it. */
  confirmed: boolean;
  /** They were told that a session which is kept wants it. */
  lasting: boolean;
  version: number;
}

/** What is left of a session that had rows and has ended at the start. */
export interface EndedAsleep {
  readonly identity: Identity;
  /** Those of its filters of which somebody is told who is there. */
  readonly watched: readonly string[];
}

export function bytesOfEnded({ identity, watched }: EndedAsleep): number {
  return watched.reduce((bytes, filter) => bytes + MEMORY.characterBytes * filter.length, MEMORY.sessionBytes + identity.grants.length);
}

export interface SessionCoreOptions {
  /** The object's name, with something after an `@` that no earlier incarnation of the object had. */
  readonly origin: string;
  readonly limits: Limits;
  readonly store: SessionStore;
  readonly router: RouterPort;
  readonly authorizer: Authorizer;
  /** Where the Worker's code is told of clients. */
  readonly clients?: ClientPort | undefined;
  /** Where it is asked about messages. */
  readonly wills?: WillAsker | undefined;
  readonly reauthentication: ReauthenticationPort;
  readonly choices: Choices;
  /** Those of clients; by default none. */
  readonly rates?: Rates;
  /** The part of this object that one user may take; by default all. */
  readonly userShare?: number;
  readonly faults: FaultPort;
  /** Of the whole object, where others count into it as well. */
  readonly ledger?: Ledger;
  readonly room?: Room;
  readonly sizes?: PieceSizes;
  readonly slices?: Slices;
  /** Code of the Worker that is given messages; by default none. */
  readonly consumers?: readonly ConsumerPlan[];
  /** All clients here are one. */
  readonly isOneClients?: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export class SessionCore {
  readonly limits: Limits;
  readonly store: SessionStore;
  readonly router: RouterPort;
  readonly authorizer: Authorizer;
  /** Is told what happens to clients. */
  readonly clients: ClientPort;
  readonly events: Events;
  /** Who is there, as far as somebody wants to know. */
  readonly presence: Presence;
  /** What Session objects have told of themselves, where this is the one that sums it up. */
  readonly system = new SystemTotals(VERSION);
  readonly wills: WillAsker | undefined;
  readonly reauthentication: ReauthenticationPort;
  readonly choices: Choices;
  /** What all of this holds in memory. */
  readonly ledger: Ledger;
  readonly sessions: CountedMap<string, Session>;
  readonly connections: CountedSet<Connection>;
  readonly room: Room;
  readonly sizes: PieceSizes;
  readonly slices: Slices;
  /** Every subscription of every session here, by filter and Client Identifier. */
  readonly subscriptions = new FilterTree<Subscription>();
  /** The members here of each shared subscription, by its whole filter. */
  readonly shares = new Map<string, LocalShare>();
  /** The same by member: of sessions that are one. */
  readonly sharesOf = new Map<Session, Set<LocalShare>>();
  /** Those of them with members for whom something that came through them waits. */
  readonly backlogs = new Set<LocalShare>();
  readonly interests = new Map<string, Interest>();
  readonly deadlines = new Deadlines();
  readonly repeats: Repeats;
  /** Incoming QoS 2 exchanges of stored sessions that no row says are safe, by sequence, the oldest first. */
  readonly openExchanges: CountedMap<number, Session>;
  readonly recentExchanges = new RecentExchanges();
  /** Of messages whose publishers want to know who takes them. */
  readonly receipts: Receipts;
  readonly log: MessageLog;
  /** Of subscriptions and wills. */
  readonly rowChanges: RowChanges;
  readonly lent = new Lent();
  readonly qos0 = new QoS0Encodings();
  readonly matching = new Matching();
  readonly counters = createCounters();
  readonly numbers: Numbers;
  readonly changes = new Changes();
  readonly failures: Failures;
  readonly slowing = new Slowing();
  readonly paces: Paces;
  readonly userShares: UserShares;
  /** Undefined where the code of the Worker has none. */
  readonly consumers: Consumers | undefined;
  /** Sessions that came from another object and differ in what they had from the others here. */
  readonly moved = new Set<Session>();
  /** Copies of sessions that are being fetched back: still in memory, but nobody's any more. */
  readonly aside = new Set<Session>();
  /** Sessions that are over here, or elsewhere, and whose subscriptions are being taken out. */
  readonly deaf = new Set<Session>();
  /** Connections that are over and whose sockets are not: what was not read still waits in them. */
  readonly lingering = new Set<Connection>();
  /** Connections whose clients were asked whether they read and have not answered. */
  readonly unanswered = new Set<Connection>();
  /** When everybody was asked whether he reads, milliseconds since the epoch. */
  unreadAskedAt = 0;
  /** Sessions that had rows and have ended at the start, for their sockets were gone, by number: how one was lost is told behind that. */
  readonly endedAsleep: CountedMap<number, EndedAsleep>;
  /** When nothing more of that is told, milliseconds since the epoch. */
  endedAsleepUntil = 0;
  /** Sessions without rows for which messages wait. */
  readonly waitingInMemory = new Set<Session>();
  /** Pages of retained messages that were asked for and have not come. */
  asked = 0;
  /** Sessions that ask for theirs when others have been answered. */
  readonly waitingToAsk = new Set<Session>();
  /** They are being gone through. */
  isAskingWaiting = false;
  /**
   * Sockets of clients that have not answered Close: nothing but the client ends them, so that they are connections as far as memory and
   * CONNECTIONS_MAX are concerned.
   */
  readonly closing: CountedSet<unknown>;
  /** What is left of connections whose wills nobody took (`will.ts`). */
  readonly rests = new Set<Session>();
  /** Wills that are being published and whose rows are those of their clients' wills, by Client Identifier. */
  readonly willsUnderWay = new Map<string, WillUnderWay>();
  /** An alarm is set for wills that nothing else would wake the object for. */
  watchesWills = false;
  /** When the log is to be looked through, milliseconds since the epoch; 0 when it is not. */
  tidyAt = 0;
  /** What has been done beside what packets cost by themselves, as packets: whoever bounds an event looks how much it grows. */
  work = 0;
  /** Long jobs that go on in slices (`chores.ts`), in the order in which they began. */
  readonly chores = new Deque<Iterator<unknown>>();
  /** What is being sent goes to very many: it may leave in slices. */
  isForMany = false;
  /** Milliseconds since the epoch, of the event at hand. */
  now: number;
  readonly #origin: string;

  constructor(options: SessionCoreOptions) {
    this.limits = options.limits;
    this.store = options.store;
    this.router = options.router;
    this.authorizer = options.authorizer;
    this.wills = options.wills;
    this.reauthentication = options.reauthentication;
    this.choices = options.choices;
    const ledger = options.ledger ?? new Ledger(options.limits.objectBytesMax);
    this.ledger = ledger;
    this.sessions = new CountedMap(
      ledger,
      "sessions",
      (clientId, { identity }) => MEMORY.sessionBytes + MEMORY.characterBytes * clientId.length + identity.grants.length,
    );
    this.endedAsleep = new CountedMap(ledger, "sessions", (_number, ended) => bytesOfEnded(ended));
    this.connections = new CountedSet(ledger, "connections", MEMORY.connectionBytes);
    this.closing = new CountedSet(ledger, "connections", MEMORY.connectionBytes);
    this.openExchanges = new CountedMap(ledger, "exchanges", () => MEMORY.numberBytes);
    this.repeats = new Repeats(ledger);
    this.receipts = new Receipts(ledger);
    this.room = options.room ?? ENOUGH_ROOM;
    this.userShares = new UserShares(options.userShare ?? 1);
    this.paces = new Paces(options.rates ?? DEFAULT_RATES, this.counters, ledger);
    this.sizes = options.sizes ?? PIECE_SIZES;
    this.slices = options.slices ?? SLICES;
    const plans = options.consumers ?? [];
    this.consumers = plans.length > 0 ? new Consumers(plans, ledger) : undefined;
    this.now = options.now;
    this.#origin = options.origin;
    this.numbers = new Numbers(options.now);
    this.rowChanges = new RowChanges(options.store);
    this.failures = new Failures(options.faults, this.counters);
    this.events = new Events({
      router: options.router,
      store: options.store,
      numbers: this.numbers,
      counters: this.counters,
      failures: this.failures,
      origin: () => this.ownOrigin(),
      now: () => this.now,
      isOneClients: options.isOneClients ?? false,
    });
    this.presence = new Presence(this);
    this.clients = new ClientNews(options.clients, this.events, this.presence);
    this.log = new MessageLog(
      options.store,
      this.repeats,
      this.numbers.last,
      (chunk, error) => this.failures.caught(error, `reading chunk ${chunk} of the message log`, undefined),
      this.sizes.chunkBytes,
    );
  }

  /** Numbers and sequences from now on are above this one, which was given before a restart. */
  raiseNumbers(above: number): void {
    this.numbers.raise(above);
    this.log.raiseSequence(above);
  }

  /** How a message that enters the broker here is named. */
  nextOrigin(publisher: string): Origin {
    this.counters.messagesReceived += 1;
    return this.#named(publisher);
  }

  /** A message that waited here and goes to another member of its shared subscription, as if it entered here. */
  renamed(message: Message): Message {
    return renamed(message, this.nextOrigin(message.publisher));
  }

  /** How a message is named that the broker tells of itself. */
  ownOrigin(): Origin {
    return this.#named("");
  }

  #named(publisher: string): Origin {
    return { publisher, origin: this.#origin, sequence: this.numbers.next(), repeated: false, settledBelow: 0 };
  }

  /** What no client knows. */
  get secret(): string {
    return this.#origin;
  }

  /** Every QoS 2 message that entered here with a smaller sequence is over, or on record as safe: it is not repeated any more. */
  get settledBelow(): number {
    return this.openExchanges.keys().next().value ?? this.numbers.last + 1;
  }

  /** Whether messages wait in memory alone: those of sessions without rows whose clients acknowledge too slowly. */
  get holdsMessagesInMemory(): boolean {
    return this.waitingInMemory.size > 0;
  }
}
