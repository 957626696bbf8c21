/**
 * What part of an object one user may take: of its connections, of the sessions that wait for their clients, of its memory. Nothing is
 * counted as long as there is less of something than one user may have of it. Beyond that each question looks at some sessions, one
 * after the other, and answers by the last round that was whole: where there are many sessions the count may be a few hundred behind.
 * Anonymous clients are one user.
 */

import type { CountedMap, Ledger, Load } from "../ledger.ts";
import type { Limits } from "../limits.ts";
import { MEMORY, REFUSED_ABOVE } from "../memory-limits.ts";
import { USER_SHARE_LOOKS } from "../share-limits.ts";
import { hash } from "../topic/hash.ts";
import { willBytes } from "./pending-will.ts";
import type { Identity } from "./ports.ts";
import type { Connection, Session } from "./session.ts";

interface Holding {
  connections: number;
  /** Sessions whose clients are away. */
  waiting: number;
  bytes: number;
}

/** What users are told that have their share. */
export const SHARE_TAKEN = "your user has its share of this part of the broker; try again later";

/** What is counted: the core. */
interface Counted {
  readonly sessions: CountedMap<string, Session>;
  readonly connections: { readonly size: number };
  readonly limits: Limits;
  readonly ledger: Ledger;
}

type User = Pick<Identity, "userName">;

export class UserShares {
  readonly #share: number;
  /** Of the last whole round. */
  #held = new Map<string | undefined, Holding>();
  #counting = new Map<string | undefined, Holding>();
  #round: Iterator<Session> | undefined;

  /** @param share the part that one user may have; 1 = all, and nothing is counted */
  constructor(share: number) {
    this.#share = share;
  }

  /** Whether the user may have one more connection. */
  takesConnection(core: Counted, { userName }: User): boolean {
    const max = this.#share * core.limits.connectionsMax;
    return this.#share === 1 || core.connections.size < max || this.#of(core, userName).connections < max;
  }

  /** Whether the user may have one more session that outlives its connection. */
  takesSession(core: Counted, { userName }: User): boolean {
    const max = this.#share * core.limits.sessionsMax;
    const waiting = core.sessions.size - core.connections.size;
    return this.#share === 1 || waiting < max || this.#of(core, userName).waiting < max;
  }

  /** Whether memory takes this sort of load from the user; counts load that it does not. */
  takes(core: Counted, load: Load, { userName }: User): boolean {
    const { ledger } = core;
    if (!ledger.takes(load)) return false;
    const max = this.#share * ledger.budget * REFUSED_ABOVE[load];
    if (this.#share === 1 || ledger.total < max || this.#of(core, userName).bytes < max) return true;
    ledger.refuse(load);
    return false;
  }

  /** The user whom retained messages count for; undefined where there is no share. */
  ownerOf({ userName }: User): number | undefined {
    return this.#share === 1 ? undefined : userNumber(userName);
  }

  #of(core: Counted, userName: string | undefined): Holding {
    this.#look(core);
    return this.#held.get(userName) ?? NOTHING;
  }

  #look({ sessions }: Counted): void {
    this.#round ??= sessions.values();
    for (let looks = 0; looks < USER_SHARE_LOOKS; looks += 1) {
      const { value: session, done } = this.#round.next();
      if (done) {
        this.#held = this.#counting;
        this.#counting = new Map();
        this.#round = undefined;
        return;
      }
      this.#count(session);
    }
  }

  #count(session: Session): void {
    const { userName } = session.identity;
    const holding = this.#counting.get(userName) ?? { connections: 0, waiting: 0, bytes: 0 };
    this.#counting.set(userName, holding);
    if (session.connection === undefined) holding.waiting += 1;
    else holding.connections += 1;
    holding.bytes += bytesOf(session);
  }
}

/**
 * A user as a number above 0, below 2^53, the same in every object and for ever: it stands in rows. Two users
 * do not have the same one by chance; who can choose a name for that has one share together with the other.
 */
export function userNumber(userName: string | undefined): number {
  if (userName === undefined) return 1;
  return 2 + (hash(`a${userName}`) % 2 ** 20) * 2 ** 32 + hash(`b${userName}`);
}

const NOTHING: Holding = { connections: 0, waiting: 0, bytes: 0 };

/** What the session holds in memory, without what is shared with others. */
function bytesOf(session: Session): number {
  const { clientId, connection, subscriptions, deliveries, backlog, received, queuedBytes, inflightBytes } = session;
  return (
    MEMORY.sessionBytes +
    MEMORY.characterBytes * (clientId.length + session.subscriptionBytes) +
    MEMORY.subscriptionBytes * subscriptions.size +
    session.owed.memoryBytes +
    (MEMORY.deliveryBytes + MEMORY.messageBytes) * deliveries.size +
    queuedBytes +
    inflightBytes +
    backlog.memoryBytes +
    MEMORY.incomingBytes * received.size +
    MEMORY.numberBytes * (session.released.size + session.openExchanges.size) +
    willBytes(session.will?.will) +
    (connection === undefined ? 0 : bytesOfConnection(connection))
  );
}

function bytesOfConnection({ reading, incoming, aliases, ownAliases }: Connection): number {
  return (
    MEMORY.connectionBytes + reading.unreadBytes + MEMORY.incomingBytes * incoming.length + aliases.memoryBytes + ownAliases.memoryBytes
  );
}
