/** Sessions of one Session object for another broker, or another topology of this one, and from there: page by page, each session as a whole. */

import type { Runtime } from "../runtime.ts";
import type { SessionCore } from "../session/core.ts";
import { isPortable, type PortableSession, problemOf, tellSession } from "../session/portable.ts";
import type { Session } from "../session/session.ts";
import { PORTABLE_PAGE_BYTES, PORTABLE_SESSION_BYTES_MAX } from "../storage-limits.ts";
import type { Arrivals } from "./arrivals.ts";
import type { PortablePage, TakenSession } from "./calls.ts";
import { FirstNames } from "./first-names.ts";

/** Sessions of one page, however small. */
const PAGE_SESSIONS_MAX = 100;

/** What each costs beside its texts and payloads, bytes. */
const SESSION_BYTES = 512;
const SUBSCRIPTION_BYTES = 64;
const DELIVERY_BYTES = 128;

export interface PortableCallsOptions {
  readonly core: SessionCore;
  readonly arrivals: Arrivals;
  readonly runtime: Runtime;
  /** Resolves once everything so far is in rows, and sent. */
  readonly written: () => Promise<void>;
  /** Whether a Client Identifier is one of this object's. */
  readonly owns: (clientId: string) => boolean;
}

export class PortableCalls {
  readonly #options: PortableCallsOptions;

  constructor(options: PortableCallsOptions) {
    this.#options = options;
  }

  /** @returns those behind this Client Identifier, in their order: at least one, if there is any */
  async after(clientId: string): Promise<PortablePage> {
    const { core, runtime, written } = this.#options;
    await written();
    core.now = Math.max(core.now, runtime.now());
    const first = new FirstNames(PAGE_SESSIONS_MAX + 1);
    for (const [name, session] of core.sessions) if (name > clientId && isPortable(core, session)) first.add(name);
    const names = first.sorted().slice(0, PAGE_SESSIONS_MAX + 1);
    const [sessions, tooLarge]: [PortableSession[], string[]] = [[], []];
    let [bytes, count] = [0, 0];
    for (const name of names.slice(0, PAGE_SESSIONS_MAX)) {
      const session = core.sessions.get(name)!;
      const size = bytesOf(session);
      bytes += size;
      if (count > 0 && bytes > PORTABLE_PAGE_BYTES) break;
      count += 1;
      if (size > PORTABLE_SESSION_BYTES_MAX) tooLarge.push(name);
      else sessions.push(tellSession(core, session));
    }
    return { sessions, tooLarge, next: count < names.length ? names[count - 1] : undefined };
  }

  async take(told: PortableSession, replaces: boolean): Promise<TakenSession> {
    const { core, arrivals, runtime, owns } = this.#options;
    core.now = Math.max(core.now, runtime.now());
    if (!owns(told.clientId)) return { problem: "another object owns this Client Identifier: the shape of the broker has just changed" };
    const problem = problemOf(core, told);
    return problem === undefined ? arrivals.take(told, replaces) : { problem };
  }
}

/** About. */
function bytesOf({ subscriptions, subscriptionBytes, deliveries, backlog }: Session): number {
  let bytes = SESSION_BYTES + SUBSCRIPTION_BYTES * subscriptions.size + subscriptionBytes;
  for (const { size } of deliveries.values()) bytes += size + DELIVERY_BYTES;
  for (const { size } of backlog) bytes += size + DELIVERY_BYTES;
  return bytes;
}
