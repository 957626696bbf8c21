/**
 * Clients that a fault of ours happened to, in a loop that serves others as well. Whoever catches one says so here and goes on; the client
 * pays with its connection when the event at hand is over (`flush.ts`), not before: the loop may stand in the midst of what ends then.
 */

import type { FaultPort } from "../fault.ts";
import type { SessionCounters } from "./counters.ts";
import type { Session } from "./session.ts";

export class Failures {
  readonly #faults: FaultPort;
  /** With whether their sessions end as well. */
  readonly #failed = new Map<Session, boolean>();
  readonly #counters: Pick<SessionCounters, "faults">;

  constructor(faults: FaultPort, counters: Pick<SessionCounters, "faults">) {
    this.#faults = faults;
    this.#counters = counters;
  }

  /**
   * What was done for a session has failed. From now on nothing is sent to its client, and nothing taken from it.
   * @param session undefined when it was done for the object itself
   * @param ends what is stored of the session can't be brought up to what its client was told: it ends
   */
  caught(error: unknown, doing: string, session: Session | undefined, ends = false): void {
    this.#faults.caught(error, doing, session?.clientId);
    this.#counters.faults += 1;
    if (session === undefined) return;
    if (session.connection !== undefined) session.connection.open = false;
    this.#failed.set(session, ends || this.#failed.get(session) === true);
  }

  /** Runs one of several things that are done for a session. @returns false when it failed */
  guard(doing: string, session: Session | undefined, run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      this.caught(error, doing, session);
      return false;
    }
  }

  /** Takes them out: the sessions whose clients are to be disconnected, and whether they end. */
  take(): readonly (readonly [session: Session, ends: boolean])[] {
    if (this.#failed.size === 0) return NOBODY;
    const failed = [...this.#failed];
    this.#failed.clear();
    return failed;
  }
}

const NOBODY: readonly (readonly [Session, boolean])[] = [];
