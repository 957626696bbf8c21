/**
 * Deliveries between rows and memory. While its client is away a session has all of them in rows; of those that wait for a connected one a
 * few are in memory, the others are loaded as they are sent.
 */

import { SHARE_PREFIX } from "../topic/filter.ts";
import type { Waiting } from "./backlog.ts";
import { isOwed, qosIn, retainIn } from "./chunk.ts";
import { headFlags } from "./chunk-heads.ts";
import type { Found } from "./chunk-rows.ts";
import type { SessionCore } from "./core.ts";
import type { Delivery } from "./delivery.ts";
import type { Session } from "./session.ts";

/** Whether what comes now for a session that is stored waits in rows alone. */
export function waitsInRows({ sizes }: SessionCore, { connection, backlog, queued, queuedBytes }: Session): boolean {
  if (connection === undefined || backlog.count > 0) return true;
  return queued.length >= sizes.loadedMessages || queuedBytes >= sizes.loadedBytes;
}

/** The client is away: what is in rows is forgotten from memory, and what is empty takes none. */
export function park(session: Session): void {
  const { deliveries, backlog, released, received, openExchanges } = session;
  const stored = [...deliveries.values()].filter(({ sequence }) => sequence !== 0);
  if (stored.length > 0) {
    backlog.unshift(stored.map(waitingOf));
    for (const { packetId } of stored) deliveries.delete(packetId);
    clearQueues(session);
  }
  for (const each of [deliveries, released, received, openExchanges]) if (each.size === 0) each.clear();
}

/** What waits for a connected client has rows by now: where it is more than is loaded at once, it waits there alone. */
export function unload({ sizes }: SessionCore, session: Session): void {
  const { deliveries, backlog, queued } = session;
  const all = [...queued];
  const isMuch = all.length > sizes.loadedMessages || session.queuedBytes > sizes.loadedBytes;
  if (!isMuch || all.some(({ sequence }) => sequence === 0)) return;
  backlog.unshift(all.map(waitingOf));
  for (const { packetId } of all) deliveries.delete(packetId);
  queued.clear();
  session.queuedBytes = 0;
  session.queuedOwed = 0;
}

/** Nothing waits in memory and nothing is in flight any more. */
export function clearQueues(session: Session): void {
  session.resending.clear();
  session.queued.clear();
  session.queuedBytes = 0;
  session.queuedOwed = 0;
  session.inflightBytes = 0;
}

function waitingOf(delivery: Delivery): Waiting {
  const { sequence, size, packetId, message, flags, sent } = delivery;
  return { sequence, size, packetId, flags: message === undefined ? flags : headFlags(delivery), sent };
}

/**
 * Loads the next of those that wait in rows, behind those that wait in memory.
 * @returns false when there are no more
 */
export function loadNext(core: SessionCore, session: Session): boolean {
  const { backlog } = session;
  const { loadedMessages, loadedBytes } = core.sizes;
  for (let count = 0, bytes = 0; backlog.count > 0 && count < loadedMessages && bytes < loadedBytes; count += 1) {
    const waiting = backlog.at(0);
    const found = core.log.find(waiting, session.number);
    backlog.remove(0);
    if (found === undefined) {
      lost(core, session, waiting);
      continue;
    }
    const delivery = deliveryOf(waiting, found);
    session.deliveries.set(delivery.packetId, delivery);
    if (found.message.holders === 1) core.lent.add(found.message);
    bytes += delivery.size;
    if (delivery.sent) session.resending.push(delivery);
    else queue(core, session, delivery);
  }
  return session.resending.length + session.queued.length > 0 || backlog.count > 0;
}

/** What its row should hold can't be read: it is over. */
function lost(core: SessionCore, session: Session, { packetId, sequence }: Waiting): void {
  core.receipts.over(session, packetId);
  core.log.release(sequence);
  if (session.connection !== undefined) core.changes.mark(session.connection);
}

export function deliveryOf(waiting: Waiting, { message, identifiers, share }: Found): Delivery {
  const { packetId, flags, sequence, size, sent } = waiting;
  return {
    ...{ packetId, qos: qosIn(flags), retain: retainIn(flags), identifiers, message, sequence, size, flags: 0 },
    ...{ share, owed: isOwed(flags), sent },
  };
}

/** What is known of a delivery whose message is not read. */
export function withoutMessage(waiting: Waiting): Delivery {
  const { packetId, flags, sequence, size, sent } = waiting;
  return {
    ...{ packetId, qos: qosIn(flags), retain: retainIn(flags), identifiers: undefined, message: undefined, sequence, size, flags },
    ...{ share: "", owed: isOwed(flags), sent },
  };
}

/** It waits in memory, behind the others there. */
export function queue(core: SessionCore, session: Session, delivery: Delivery): void {
  session.queued.push(delivery);
  if (delivery.owed) session.queuedOwed += 1;
  else session.queuedBytes += delivery.size;
  if (delivery.share !== "") noteBacklog(core, session, delivery.share);
}

/** The same for all that waits for it in rows, of which only that much is known. */
export function noteBacklogs(core: SessionCore, session: Session): void {
  const { backlog, subscriptions } = session;
  if (!backlog.holdsShared) return;
  for (const filter of subscriptions.keys()) if (filter.startsWith(SHARE_PREFIX)) noteBacklog(core, session, filter);
}

/** Something that came through a shared subscription waits for a client that is there: other members may take it over. */
export function noteBacklog(core: SessionCore, session: Session, filter: string): void {
  const share = core.shares.get(filter);
  if (session.connection === undefined || share === undefined) return;
  share.backlogs.add(session);
  core.backlogs.add(share);
}

/** The QoS of what was sent under this Packet Identifier; undefined when nothing was that is not over. */
export function sentQoS({ deliveries, backlog }: Session, packetId: number): 1 | 2 | undefined {
  const delivery = deliveries.get(packetId);
  if (delivery !== undefined) return delivery.sent ? delivery.qos : undefined;
  const index = backlog.sentIndex(packetId);
  return index < 0 ? undefined : qosIn(backlog.at(index).flags);
}

/** All deliveries of a session that are in rows, in order, wherever they are. */
export function* inRows({ deliveries, backlog }: Session): Generator<Waiting> {
  for (const delivery of deliveries.values()) if (delivery.sequence !== 0) yield waitingOf(delivery);
  yield* backlog;
}

/** All deliveries of a session that are not over, in order, wherever they are. */
export function* allWaiting({ deliveries, backlog }: Session): Generator<Waiting> {
  for (const delivery of deliveries.values()) yield waitingOf(delivery);
  yield* backlog;
}

/** One of them with its message, which stays where it is; undefined when it can't be read. */
export function peek(core: SessionCore, session: Session, waiting: Waiting): (Delivery & Found) | undefined {
  const here = session.deliveries.get(waiting.packetId);
  const { message } = here ?? {};
  if (here !== undefined && message !== undefined) return { ...here, message };
  const found = core.log.find(waiting, session.number);
  return found && { ...deliveryOf(waiting, found), message: found.message };
}
