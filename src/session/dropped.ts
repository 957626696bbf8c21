/** A message did not reach a session that it was for: that is counted, and told where somebody wants to know. */

import type { SessionCore } from "./core.ts";
import type { DropReason } from "./counters.ts";
import type { Dropped } from "./events.ts";
import type { Session } from "./session.ts";

/** @param session undefined: it goes to nobody @param message undefined where it would have to be looked for */
export function dropped(core: SessionCore, reason: DropReason, session: Session | undefined, message: Dropped | undefined): void {
  core.counters.messagesDropped[reason] += 1;
  core.events.dropped(reason, session, message);
}
