/** What a start has read so far, and what could not be read: bytes that can't be cost their own session or message, never the object. */

import { RecordError } from "../mqtt/record.ts";
import type { Consumer } from "./consumer.ts";
import type { SessionCore } from "./core.ts";
import type { Session } from "./session.ts";
import type { SessionState } from "./state.ts";

export class Restoring {
  readonly core: SessionCore;
  /** A sentence for each thing that could not be read, for the log. */
  readonly problems: string[] = [];
  /** The sessions that have rows. */
  readonly byNumber = new Map<number, Session>();
  /** As their rows say or, newer, what is attached to their sockets. */
  readonly states = new Map<Session, SessionState>();
  /** Numbers of sessions whose rows can't be read: what belongs to them stays. */
  readonly unread = new Set<number>();
  /** The consumers that have rows, by the numbers in those. */
  readonly consumers = new Map<number, Consumer>();
  /** Those that the code has no more, with how many messages waited for them. */
  readonly endedConsumers = new Map<number, { readonly name: string; messages: number }>();
  /** Rows that belonged to nobody and were deleted. */
  swept = 0;

  constructor(core: SessionCore) {
    this.core = core;
  }

  attempt<Result>(what: string, read: () => Result): Result | undefined {
    return attempt(this.core, what, this.problems, read);
  }

  /**
   * @param sessionNumber as a row says it
   * @param remove deletes that row, if there is no such session, not even one that can't be read
   */
  ownerOf(sessionNumber: number, remove: () => void): Session | undefined {
    const session = this.byNumber.get(sessionNumber);
    if (session === undefined && !this.unread.has(sessionNumber)) this.sweep(1, remove);
    return session;
  }

  /** @param rows how many that deletes */
  sweep(rows: number, remove: () => void): void {
    remove();
    this.swept += rows;
  }
}

/** Runs `read`; a RecordError becomes a problem, any other error a fault, and either undefined. */
export function attempt<Result>(core: SessionCore, what: string, problems: string[], read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RecordError) problems.push(`${what}: ${error.message}`);
    else core.failures.caught(error, `reading ${what}`, undefined);
    return undefined;
  }
}
