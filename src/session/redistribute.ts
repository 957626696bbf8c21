/** What becomes of messages that wait for a session when it is over: those of shared subscriptions go to other members. */

import type { Message } from "../mqtt/message.ts";
import { ANY_QUEUE } from "../mqtt/share-target.ts";
import { hold, stopSlowing } from "./catch-up.ts";
import { isShared, qosIn } from "./chunk.ts";
import type { SessionCore } from "./core.ts";
import { deliverShared } from "./deliver.ts";
import { dropped } from "./dropped.ts";
import { HandedOn } from "./handed-on.ts";
import type { Session } from "./session.ts";
import { clearQueues, inRows, peek } from "./waiting.ts";

/**
 * All deliveries of a session are over here.
 * @param over it has ended: what came through a shared subscription goes to another member
 */
export function forgetDeliveries(core: SessionCore, session: Session, over: boolean): void {
  core.receipts.ended(session);
  for (const { message, sequence, share, qos, sent } of session.deliveries.values()) {
    if (sequence !== 0 || !over || message === undefined) continue;
    if (goesOn(session, share !== "", qos, sent))
      core.failures.guard("handing its messages on", session, () => redistribute(core, message, share, sent));
    else if (!sent) dropped(core, "session_ended", session, message);
  }
  for (const waiting of [...inRows(session)]) {
    const { flags, sent, sequence } = waiting;
    if (over && goesOn(session, isShared(flags), qosIn(flags), sent)) {
      core.failures.guard("handing its messages on", session, () => {
        const delivery = peek(core, session, waiting);
        if (delivery !== undefined) redistribute(core, delivery.message, delivery.share, sent);
      });
    } else if (over && !sent) dropped(core, "session_ended", session, undefined);
    core.log.release(sequence);
  }
  session.deliveries.clear();
  session.backlog.clear();
  clearQueues(session);
  stopSlowing(core, session);
  core.waitingInMemory.delete(session);
}

/** [MQTT5-4.8.2-5]: a QoS 2 message that was begun, here or perhaps in another object that has the session, goes to nobody else. */
function goesOn(session: Session, shared: boolean, qos: 1 | 2, sent: boolean): boolean {
  return shared && !(qos === 2 && (sent || session.offered));
}

/**
 * A message of a member whose session ended without having acknowledged it goes to another one [5.0/4.8.2/qos1-handover].
 * @param sent that member may have it
 */
function redistribute(core: SessionCore, message: Message, filter: string, sent: boolean): void {
  const share = core.shares.get(filter);
  // Without members it is being taken out: those elsewhere are known to its Topic object.
  if (share !== undefined && share.members.size > 0) {
    core.slowing.begin(message);
    deliverShared(core, message, { filter, key: message.sequence, demand: ANY_QUEUE });
    // It is acknowledged already, and must not drop what is: it has a place above that for as long as it waits.
    if (core.slowing.end()) hold(core, core.slowing.take(), () => {});
    return;
  }
  const handedOn = sent ? undefined : new HandedOn(core, message, "session_ended");
  if (!core.router.redistribute(core.renamed(message), filter, handedOn, true)) handedOn?.lost();
}
