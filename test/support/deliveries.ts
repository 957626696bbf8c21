/** What waits for sessions and what the message log holds, read as a whole: the broker itself reads only what it needs. */

import type { SessionCore } from "../../src/session/core.ts";
import type { Delivery } from "../../src/session/delivery.ts";
import type { ChunkRow, SessionStore } from "../../src/session/ports.ts";
import type { Session } from "../../src/session/session.ts";
import { peek } from "../../src/session/waiting.ts";

/** All deliveries of a session in their order, with their messages as far as there are any. */
export function deliveriesOf(core: SessionCore, session: Session): Delivery[] {
  const { deliveries, backlog } = session;
  const here = [...deliveries.values()].flatMap((delivery) => {
    return delivery.message !== undefined || delivery.sequence === 0 ? delivery : (peek(core, session, delivery) ?? []);
  });
  return [...here, ...[...backlog].flatMap((waiting) => peek(core, session, waiting) ?? [])];
}

/** All rows of a message log. */
export function allChunks(store: SessionStore): ChunkRow[] {
  return store.chunkHeads(0, Number.MAX_SAFE_INTEGER).map((heads) => ({ ...heads, ...store.chunk(heads.number)! }));
}
