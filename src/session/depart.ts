/** A session moves away: what its old owner says of it, and what it does when the new one has it. */

import { BATCH_BYTES_MAX } from "../limits.ts";
import { type Message, writeMessage } from "../mqtt/message.ts";
import { RecordWriter } from "../mqtt/record.ts";
import { SHARE_PREFIX } from "../topic/filter.ts";
import { isRefused, takeOver } from "./connect.ts";
import type { SessionCore } from "./core.ts";
import type { Delivery } from "./delivery.ts";
import { forgetSubscription } from "./interest.ts";
import { beginGrace, endSession } from "./lifecycle.ts";
import { type MoveReason, type MovingDelivery, type MovingPart, OF_ANOTHER, type Offer } from "./move.ts";
import { dropCopy, endHere, retire, setAside } from "./moved-copy.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import type { Claimant } from "./ports.ts";
import type { Session } from "./session.ts";
import { encodeSessionState, encodeWill, subscriptionOptions } from "./state.ts";
import { inRows, peek } from "./waiting.ts";
import { discardWill, publishIfDue } from "./will.ts";

/**
 * What the session subscribes to.
 * @param by who asks for it; undefined from a build that does not say so
 * @returns undefined when there is nothing to move, or nothing any more: a session that can't be resumed ends here, and of one that went
 *   elsewhere what is left here is no session
 */
export function offerSession(core: SessionCore, clientId: string, reason: MoveReason, by: Claimant | undefined): Offer {
  const standing = core.sessions.get(clientId);
  if (standing !== undefined && by !== undefined && isRefused(core, standing, by)) return OF_ANOTHER;
  takeOver(core, core.sessions.get(clientId));
  const session = core.sessions.get(clientId);
  if (session === undefined || session.arriving) return undefined;
  publishIfDue(core, session);
  if (reason === "end" || session.expirySeconds === 0 || session.expiresAt <= core.now) {
    // Its client is back within the grace: the will was never due.
    if (session.inGrace) discardWill(core, session);
    if (reason === "end") endSession(core, session);
    else endHere(core, session);
    return undefined;
  }
  if (session.retired) return undefined;
  beginGrace(core, session);
  return [...session.subscriptions.values()].map(({ request, identifier }) => ({
    filter: request.filter,
    options: subscriptionOptions(request),
    identifier,
  }));
}

/**
 * A part of the session, which stays here.
 * @param from the number of the first delivery that is asked for; 0 = all
 * @returns undefined when there is no such session
 */
export function exportSession(core: SessionCore, clientId: string, from: number): MovingPart | undefined {
  const session = core.sessions.get(clientId);
  if (session === undefined) return undefined;
  session.offered = true;
  core.changes.markRow(session);
  const deliveries: MovingDelivery[] = [];
  let bytes = 0;
  let through = Math.max(0, from - 1);
  let next: number | undefined;
  for (const waiting of inRows(session)) {
    const { sequence, size } = waiting;
    if (sequence < from) continue;
    if (bytes >= BATCH_BYTES_MAX) {
      next = sequence;
      break;
    }
    const delivery = peek(core, session, waiting);
    if (delivery === undefined) continue;
    bytes += size + 64;
    through = sequence;
    deliveries.push(movingDelivery(delivery, delivery.message));
  }
  return {
    state: encodeSessionState(session, core.numbers.next(), true),
    will: session.will && encodeWill(session.will, session.identity),
    had: exchangesHad(core, session),
    settled: core.repeats.settledBelow(),
    deliveries,
    through,
    next,
  };
}

function movingDelivery({ packetId, qos, retain, identifiers, share, owed, sent }: Delivery, message: Message): MovingDelivery {
  const writer = new RecordWriter(message.size + 128);
  writeMessage(writer, message);
  return { packetId, qos, retain, identifiers, share, owed, sent, message: writer.finish() };
}

/** What the session was offered: what was here, but for what it lacks since it came here itself. */
function exchangesHad(core: SessionCore, session: Session): OpenExchanges[] {
  return core.repeats.openExchanges().map(({ object, sequences }) => ({
    object,
    sequences: sequences.filter((sequence) => !session.lacks.has(object, sequence)),
  }));
}

/**
 * The session is stored elsewhere, and a member of its shared subscriptions there. Here it is one no longer: what comes
 * through them goes to others.
 */
export function leaveShares(core: SessionCore, clientId: string): void {
  const session = core.sessions.get(clientId);
  if (session === undefined) return;
  for (const filter of [...session.subscriptions.keys()].filter((each) => each.startsWith(SHARE_PREFIX))) {
    core.rowChanges.deleteSubscription(session, filter);
    forgetSubscription(core, session, filter);
  }
}

/** All of the session is elsewhere; nothing is published or said about it. */
export function letGo(core: SessionCore, clientId: string): void {
  const session = core.sessions.get(clientId);
  if (session === undefined) return;
  retire(core, session, false);
  setAside(core, clientId);
  dropCopy(core, session);
}
