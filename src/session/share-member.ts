/**
 * Which member of a shared subscription in this object gets a message. The strategy chooses; where the one that it chose can't be sent
 * the message at once, and the strategy does not mean just that one, one goes first that can. When nobody can, the shortest queue of a
 * member that keeps up gets it.
 */

import { isCertain } from "../choices.ts";
import type { Message } from "../mqtt/message.ts";
import { AT_ONCE, KEEPS_UP, SHORT_QUEUE, type ShareDemand } from "../mqtt/share-target.ts";
import { MATCH_WORK } from "../work-limits.ts";
import { keepsUp } from "./catch-up.ts";
import type { SessionCore } from "./core.ts";
import type { LocalShare } from "./local-share.ts";
import { mayGo } from "./queue.ts";
import { boundsOf, isFull, isShort } from "./queue-bounds.ts";
import type { Session } from "./session.ts";

/**
 * @param chosen by the strategy
 * @returns undefined when nobody here meets the demand
 */
export function memberFor(
  core: SessionCore,
  share: LocalShare,
  message: Message,
  chosen: Session,
  demand: ShareDemand,
): Session | undefined {
  const { filter, candidates } = share;
  const bounds = boundsOf(core);
  if (message.qos === 0 || takesAtOnce(core, chosen, filter)) return chosen;
  core.work += MATCH_WORK * candidates.length;
  const certain = isCertain(core.choices.sharedStrategy);
  if (!certain) {
    const first = candidates.indexOf(chosen);
    for (let next = 1; next < candidates.length; next += 1) {
      const member = candidates[(first + next) % candidates.length]!;
      if (takesAtOnce(core, member, filter)) return member;
    }
  }
  if (demand === AT_ONCE) return undefined;
  // To whom is away nothing can be sent: then queues are as good as each other, as long as they are not full.
  const mayWait = (member: Session): boolean => (certain || member.connection === undefined) && !isFull(member, message, bounds);
  if (mayWait(chosen)) return chosen;
  const keepUp = candidates.filter((member) => keepsUp(core, member));
  const short = shortestQueue([...keepUp.filter((member) => isShort(member, bounds)), ...candidates.filter(mayWait)]);
  if (short !== undefined || demand === SHORT_QUEUE) return short;
  const any = shortestQueue(keepUp);
  if (any !== undefined || demand === KEEPS_UP) return any;
  return certain ? chosen : shortestQueue(candidates);
}

/** At QoS 0 everything leaves at once. */
function takesAtOnce(core: SessionCore, session: Session, filter: string): boolean {
  return mayGo(core, session) || (session.connection?.open === true && session.subscriptions.get(filter)!.request.qos === 0);
}

function shortestQueue(sessions: readonly Session[]): Session | undefined {
  let shortest: Session | undefined;
  for (const session of sessions) if (shortest === undefined || session.waiting < shortest.waiting) shortest = session;
  return shortest;
}
