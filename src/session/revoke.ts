/**
 * The operator's word about sessions that are there: their rights are others, their connections have to end, or they have. What waits for one
 * that goes on under other rights is looked at again.
 */

import { DEADLINE_WORK, LOOK_WORK } from "../work-limits.ts";
import { begin } from "./chores.ts";
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

/** @returns what happens to a session; undefined: nothing */
export type Judge = (session: Session) => Verdict | undefined;

/** Rights that allow nothing. */
const NO_RIGHTS = "{}";

/**
 * Judges every session that is here now, in slices. What happens to one is nothing to the others.
 * @param judged called when all of them have been
 */
export function revoke(core: SessionCore, judge: Judge, judged: () => void): void {
  begin(core, judgeAll(core, [...core.sessions.values()], judge, judged));
}

function* judgeAll(core: SessionCore, sessions: readonly Session[], judge: Judge, judged: () => void): Generator<void> {
  for (const session of sessions) {
    core.work += LOOK_WORK;
    core.failures.guard("revoking its rights", session, () => {
      // It may have ended meanwhile; who has come meanwhile was judged on the way in.
      const verdict = core.sessions.get(session.clientId) === session ? judge(session) : undefined;
      if (verdict === undefined) return;
      core.work += DEADLINE_WORK;
      carryOut(core, session, verdict);
    });
    yield;
  }
  judged();
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
