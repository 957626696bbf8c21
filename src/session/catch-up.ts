/**
 * Publishers are slowed down to the speed of connected subscribers: the outcome of a message for a queue that is more than half full is told
 * when what was acknowledged before is down to that half, or after SLOW_MS_MAX. So the part of a queue that publishers believe safe stays
 * within the bound, and what exceeds it is theirs to repeat. Nobody waits for a client that is away, for one that has acknowledged nothing
 * all that time, or for himself. Consumers are waited for in the same way.
 */

import { DEADLINE_COARSE_MS, SLOW_FILL, SLOW_MS_MAX } from "../limits.ts";
import type { SessionCore } from "./core.ts";
import { SLOW } from "./deadlines.ts";
import { Deque } from "./deque.ts";
import { HeldOutcome, type Hold, type Slowed } from "./held-outcome.ts";
import { boundsOf } from "./queue-bounds.ts";
import type { Session } from "./session.ts";

/** Whether a client is there and acknowledges what it gets. */
export function keepsUp({ now }: SessionCore, { connection, acknowledgedAt }: Session): boolean {
  return connection !== undefined && now - acknowledgedAt < SLOW_MS_MAX;
}

/** Whether one more outcome may wait for a session. */
export function mayHold({ limits }: SessionCore, { holds }: Slowed): boolean {
  return (holds?.length ?? 0) < limits.receiveMaximum;
}

/** An outcome is settled when each of the sessions has caught up, or when that takes too long. */
export function hold(core: SessionCore, sessions: readonly Slowed[], settle: () => void): void {
  const outcome = new HeldOutcome(sessions.length, settle);
  for (const session of sessions) {
    session.holds ??= new Deque();
    if (session.holds.length === 0) watch(core, session, core.now);
    session.holds.push({ outcome, since: core.now });
  }
}

function watch(core: SessionCore, session: Slowed, since: number): void {
  core.slowing.sessions.add(session);
  // The host, which keeps the object awake while somebody waits, looks in time: an alarm would only cost a row.
  core.deadlines.add({ at: since + SLOW_MS_MAX, kind: SLOW, subject: session, slackMs: DEADLINE_COARSE_MS });
}

/** Settles what a session has caught up with: what is acknowledged in its queue is no more than half of what fits. */
export function caughtUp(core: SessionCore, session: Slowed): void {
  const { holds } = session;
  const { messages, bytes } = boundsOf(core);
  if (holds === undefined || session.waitingBytes > bytes * SLOW_FILL) return;
  while (holds.length > 0 && session.waiting - holds.length < messages * SLOW_FILL) release(core, holds.shift()!);
  if (holds.length === 0) core.slowing.sessions.delete(session);
}

/** Others wait for the same session. */
function release(core: SessionCore, { outcome }: Hold): void {
  core.failures.guard("telling a publisher that all have its message", undefined, () => outcome.release());
}

/** Nobody waits for this session any more. */
export function stopSlowing(core: SessionCore, session: Slowed): void {
  const { holds } = session;
  if (holds === undefined) return;
  session.holds = undefined;
  core.slowing.sessions.delete(session);
  for (const each of holds) release(core, each);
}

/** Somebody may have waited long enough. */
export function endPatience(core: SessionCore, session: Slowed): void {
  const { holds } = session;
  const first = holds?.peek();
  if (holds === undefined || first === undefined) return;
  if (first.since + SLOW_MS_MAX <= core.now && session.acknowledgedAt < first.since) {
    session.stuck = true;
    stopSlowing(core, session);
    return;
  }
  while (holds.length > 0 && holds.peek()!.since + SLOW_MS_MAX <= core.now) release(core, holds.shift()!);
  const next = holds.peek();
  if (next === undefined) core.slowing.sessions.delete(session);
  else watch(core, session, next.since);
}

/** When somebody will have waited long enough, milliseconds since the epoch; Infinity when nobody waits. */
export function patienceEndsAt({ slowing }: SessionCore): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { holds } of slowing.sessions) earliest = Math.min(earliest, (holds?.peek()?.since ?? earliest) + SLOW_MS_MAX);
  return earliest;
}
