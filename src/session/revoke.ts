/**
 * The operator's word about sessions that are there: their rights are others, their connections have to end, or they have. What waits for one
 * that goes on under other rights is looked at again.
 */

import type { SessionCore } from "./core.ts";
import { setIdentity } from "./identity.ts";
import { endSession, violated } from "./lifecycle.ts";
import { replaceIdentity } from "./rights.ts";
import type { Session } from "./session.ts";

export type Verdict =
  /** It goes on with other rights. */
  | { readonly kind: "rights"; readonly grants: string }
  /** Its connection ends, and its will is published; the session waits for its client, with these rights if they are others. */
  | { readonly kind: "disconnect"; readonly reasonCode: number; readonly message: string; readonly grants: string | undefined }
  /** Connection and session end, and what they left behind is nobody's: there is no will. */
  | { readonly kind: "end"; readonly reasonCode: number; readonly message: string };

/** Rights that allow nothing. */
const NO_RIGHTS = "{}";

/** Judges every session. What happens to one is nothing to the others. */
export function revoke(core: SessionCore, judge: (session: Session) => Verdict | undefined): void {
  for (const session of [...core.sessions.values()]) {
    const verdict = judge(session);
    if (verdict !== undefined) core.failures.guard("revoking its rights", session, () => carryOut(core, session, verdict));
  }
}

function carryOut(core: SessionCore, session: Session, verdict: Verdict): void {
  const { connection, identity } = session;
  if (verdict.kind === "end") {
    setIdentity(core, session, { ...identity, grants: NO_RIGHTS });
    session.expirySeconds = 0;
    if (connection === undefined) endSession(core, session);
    else violated(core, connection, verdict.reasonCode, verdict.message);
    return;
  }
  if (verdict.grants !== undefined && verdict.grants !== identity.grants) {
    replaceIdentity(core, session, { ...identity, grants: verdict.grants });
  }
  if (verdict.kind === "disconnect" && connection !== undefined) violated(core, connection, verdict.reasonCode, verdict.message);
}
