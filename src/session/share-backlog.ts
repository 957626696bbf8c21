/**
 * What waits for a member of a shared subscription whose window is full goes to another member as soon as that one has room: a member
 * that acknowledges nothing keeps only what it was sent. What its client was sent is its own [MQTT5-4.8.2-5], and so is what waits for a
 * member that is away. Strategies by which a message belongs to one certain member take nothing from it.
 */

import { isCertain } from "../choices.ts";
import { MATCH_WORK } from "../work-limits.ts";
import { caughtUp } from "./catch-up.ts";
import type { SessionCore } from "./core.ts";
import type { Delivery } from "./delivery.ts";
import { mayReceive } from "./identity.ts";
import type { LocalShare } from "./local-share.ts";
import { handOver, mayGo, pump, takeOut } from "./queue.ts";
import type { Session } from "./session.ts";
import { loadNext } from "./waiting.ts";

/** Sends what waits for a session, and when nothing does what waits for other members of its shared subscriptions. */
export function goOn(core: SessionCore, session: Session): void {
  pump(core, session);
  if (core.backlogs.size === 0 || isCertain(core.choices.sharedStrategy)) return;
  const shares = core.sharesOf.get(session);
  if (shares === undefined) return;
  // Its own shares, however many others have that wait: everybody's acknowledgements come here.
  core.work += MATCH_WORK * shares.size;
  for (const share of shares) if (core.backlogs.has(share)) takeOverFrom(core, share, session);
}

function takeOverFrom(core: SessionCore, share: LocalShare, taker: Session): void {
  // At QoS 0 nothing tells that a client keeps up.
  if (taker.subscriptions.get(share.filter)!.request.qos === 0) return;
  core.work += MATCH_WORK * share.backlogs.size;
  for (const owner of [...share.backlogs]) {
    if (owner === taker) {
      if (taker.waiting === 0) share.backlogs.delete(taker);
      continue;
    }
    while (mayGo(core, taker)) {
      const delivery = oldest(core, share, owner);
      if (delivery === undefined) share.backlogs.delete(owner);
      if (delivery === undefined || delivery === "blocked" || !mayReceive(core, taker, delivery.message!.topic)) break;
      takeOut(owner, delivery);
      handOver(core, owner, delivery, taker);
      if (owner.queued.length === 0) core.waitingInMemory.delete(owner);
      caughtUp(core, owner);
    }
    if (!mayGo(core, taker)) return;
  }
  if (share.backlogs.size === 0) core.backlogs.delete(share);
}

/**
 * The oldest message of a shared subscription that another member may have. In rows a session has a mark up to which it needs nothing any
 * more: so nothing that has a row may wait before it.
 */
function oldest(core: SessionCore, { filter }: LocalShare, owner: Session): Delivery | "blocked" | undefined {
  if (owner.connection === undefined) return undefined;
  const { queued, backlog } = owner;
  for (;;) {
    for (const delivery of queued) {
      const isBegunElsewhere = delivery.qos === 2 && owner.offered;
      if (delivery.share === filter && !isBegunElsewhere) return delivery;
      if (delivery.sequence !== 0) return "blocked";
    }
    if (backlog.count === 0) return undefined;
    if (backlog.at(0).sent) return "blocked";
    loadNext(core, owner);
  }
}
