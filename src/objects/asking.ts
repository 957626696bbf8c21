/**
 * What has to be asked of a hook before the core can decide about subscriptions: those of a SUBSCRIBE, and those that a session has which is
 * going to be resumed. The core itself never waits; its host does, and holds back that one client meanwhile.
 */

import type { AskedRights, Wish } from "../auth/asked-rights.ts";
import type { Limits } from "../limits.ts";
import type { Connect, Subscribe } from "../mqtt/packet.ts";
import type { SessionCore } from "../session/core.ts";
import { claimantOf, type Identity, isSameClaimant } from "../session/ports.ts";
import type { Session } from "../session/session.ts";
import { parseFilter, topicFilterOf } from "../topic/filter.ts";
import { isTopicProblem } from "../topic/name.ts";

export type Asking = Pick<AskedRights, "prepare">;

/** The questions about the SUBSCRIBE packets of one client, one packet at a time. */
export class SubscribeAsking {
  readonly #asking: Asking;
  readonly #limits: Limits;
  /** The packet that is asked about. */
  #asked: Uint8Array | undefined;

  constructor(asking: Asking, limits: Limits) {
    this.#asking = asking;
    this.#limits = limits;
  }

  /** A packet waits for an answer. */
  get isOpen(): boolean {
    return this.#asked !== undefined;
  }

  /**
   * Begins to ask, unless this very packet is the one that was asked about.
   * @returns undefined when nothing has to be asked, else it resolves when all is known
   */
  begin(bytes: Uint8Array, { subscriptions }: Subscribe, { identity, clientId }: Session): Promise<boolean> | undefined {
    const isKnown = bytes === this.#asked;
    this.#asked = undefined;
    if (isKnown) return undefined;
    const wishes: Wish[] = [];
    for (const { filter, qos } of subscriptions) {
      const parsed = parseFilter(filter, this.#limits);
      // Nobody is asked about what is no filter, nor about more of them than a session may have.
      if (!isTopicProblem(parsed) && wishes.length < this.#limits.subscriptionsMax) wishes.push({ topicFilter: parsed.topicFilter, qos });
    }
    const known = this.#asking.prepare(identity, clientId, wishes);
    if (known !== undefined) this.#asked = bytes;
    return known;
  }
}

/** @returns undefined when nothing has to be asked, else it resolves to whether all is known */
export function askForResumed(
  asking: Asking | undefined,
  core: SessionCore,
  { clientId, clean }: Connect,
  identity: Identity,
): Promise<boolean> | undefined {
  const session = core.sessions.get(clientId);
  // Of another user's session nobody is told.
  if (asking === undefined || clean || session === undefined || !isSameClaimant(claimantOf(session.identity), claimantOf(identity)))
    return undefined;
  const wishes = [...session.subscriptions].map(([filter, { request }]) => ({ topicFilter: topicFilterOf(filter), qos: request.qos }));
  return asking.prepare(identity, clientId, wishes);
}
