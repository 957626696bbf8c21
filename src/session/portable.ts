/**
 * A session as it leaves this broker for another one, or for another topology of the same: all that its client would miss, and nothing that
 * only the objects here know. It is told of as a whole and taken as a whole, so that there is never a half of it anywhere. What is told of
 * stays as it is; what is taken is a session whose client is away.
 */

import { DEADLINE_COARSE_MS } from "../limits.ts";
import { Message } from "../mqtt/message.ts";
import type { Publish, Will } from "../mqtt/packet.ts";
import { SHARE_PREFIX } from "../topic/filter.ts";
import { grantedOf } from "./asked.ts";
import type { SessionCore } from "./core.ts";
import { SESSION_EXPIRY, WILL_DELAY } from "./deadlines.ts";
import type { Delivery } from "./delivery.ts";
import type { Due } from "./due.ts";
import { setIdentity } from "./identity.ts";
import { addSubscription } from "./interest.ts";
import { beginWaiting } from "./lifecycle.ts";
import type { MovingSubscription } from "./move.ts";
import { oweRetained, promiseOwed } from "./owed-retained.ts";
import { NOBODY } from "./ports.ts";
import { restoreIncoming } from "./publish.ts";
import { requeue, take } from "./queue.ts";
import { forgetDeliveries } from "./redistribute.ts";
import { beginStoring } from "./rows.ts";
import type { Session } from "./session.ts";
import { subscriptionOptions, subscriptionRequest } from "./state.ts";
import { inRows, peek } from "./waiting.ts";
import { keepWill } from "./will.ts";

/** An Application Message without its way through the broker. */
export interface PortableMessage extends Pick<Publish, "topic" | "payload" | "qos" | "retain" | "propertyBytes"> {
  /** The Client Identifier of who published it, for No Local. */
  readonly publisher: string;
  /** Milliseconds since the epoch; 0 = never. */
  readonly expiresAt: number;
}

export interface PortableDelivery extends Due {
  readonly packetId: number;
  /** It may have reached the client: it comes again with DUP. */
  readonly sent: boolean;
  readonly message: PortableMessage;
}

export interface PortableWill {
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  readonly will: Will;
}

export interface PortableSession {
  readonly clientId: string;
  /** Undefined for an anonymous client. */
  readonly userName: string | undefined;
  /** Rights that came with the login (`Identity`). */
  readonly grants: string;
  readonly expirySeconds: number;
  /** Milliseconds since the epoch, Infinity: never; 0: its client is connected, and its time begins when it is taken. */
  readonly expiresAt: number;
  readonly nextPacketId: number;
  readonly subscriptions: readonly MovingSubscription[];
  /** The filters of those whose retained messages its client has not had yet, or not all. */
  readonly owed: readonly string[];
  /** Packet Identifiers whose PUBREC has come and whose PUBREL is out, in that order. */
  readonly released: readonly number[];
  /** Packet Identifiers of its client's messages of QoS 2 that the broker has, and whose PUBREL has not come. */
  readonly received: readonly number[];
  /** Of a client that is away, while it waits. */
  readonly will: PortableWill | undefined;
  /** In their order. */
  readonly deliveries: readonly PortableDelivery[];
}

/** Whether anything of a session is left when its connection is not: what ends with that is nobody's to take along. */
export function isPortable(core: SessionCore, session: Session): boolean {
  const { stored, expirySeconds, expiresAt, connection, retired, arriving, clientId } = session;
  if (!stored || expirySeconds === 0 || retired || arriving || clientId.includes("\0")) return false;
  return connection !== undefined || expiresAt > core.now;
}

/** What a session is now, as a whole. Everything of it is in rows: the host sees to that before. */
export function tellSession(core: SessionCore, session: Session): PortableSession {
  const { clientId, identity, expirySeconds, connection, nextPacketId, subscriptions, owed, released, received, will } = session;
  const deliveries: PortableDelivery[] = [];
  for (const waiting of inRows(session)) {
    const found = peek(core, session, waiting);
    // What can't be read is lost here as well.
    if (found !== undefined && (found.sent || !hasExpired(core, found.message))) deliveries.push(tellDelivery(found, found.message));
  }
  return {
    clientId,
    userName: identity.userName,
    grants: identity.grants,
    expirySeconds,
    expiresAt: connection === undefined ? session.expiresAt : 0,
    nextPacketId,
    subscriptions: grantedOf(subscriptions, session.asked).map(({ request, identifier }) => ({
      filter: request.filter,
      options: subscriptionOptions(request),
      identifier,
    })),
    owed: owed.filters.filter((filter) => owed.of(filter).some(({ promised }) => promised)),
    released: [...released],
    // One that is not settled its publisher sends again, as a new one: it has not heard of it.
    received: [...received.values()]
      .filter(({ reasonCode }) => reasonCode !== undefined && reasonCode < 0x80)
      .map(({ packetId }) => packetId),
    will: connection === undefined && will !== undefined && will.dueAt > 0 ? { dueAt: will.dueAt, will: will.will } : undefined,
    deliveries,
  };
}

function hasExpired({ now }: SessionCore, { expiresAt }: Message): boolean {
  return expiresAt !== 0 && expiresAt <= now;
}

function tellDelivery({ packetId, sent, qos, retain, identifiers, share, owed }: Delivery, message: Message): PortableDelivery {
  const { topic, publisher, expiresAt } = message;
  const told = { topic, publisher, expiresAt, qos: message.qos, retain: message.retain };
  // Bytes of their own: a view takes along all that it is a view of.
  const bytes = { payload: message.payload.slice(), propertyBytes: message.propertyBytes.slice() };
  return { packetId, sent, qos, retain, identifiers, share, owed, message: { ...told, ...bytes } };
}

/** @returns why this object can keep no such session, in a sentence; undefined when it can */
export function problemOf(core: SessionCore, { subscriptions, expirySeconds }: PortableSession): string | undefined {
  const { limits, room, ledger, sessions, connections } = core;
  if (subscriptions.length > limits.subscriptionsMax) return `a session has at most ${limits.subscriptionsMax} subscriptions`;
  if (expirySeconds > 0 && sessions.size - connections.size >= limits.sessionsMax)
    return `${limits.sessionsMax} sessions wait here for their clients already`;
  if (room.isFull) return "the broker's storage is full";
  return ledger.takes("sessions") && ledger.takes("messages") ? undefined : "this part of the broker is short of memory";
}

/**
 * The session is here, with what came here while Topic objects were told of it; the next flush stores it.
 * @param session as `beginArrival` has made it
 */
export function takeSession(core: SessionCore, session: Session, told: PortableSession): void {
  const came = [...session.deliveries.values()];
  forgetDeliveries(core, session, false);
  session.arriving = false;
  core.moved.delete(session);
  setIdentity(core, session, { ...NOBODY, userName: told.userName, grants: told.grants });
  session.expirySeconds = Math.min(told.expirySeconds, core.limits.sessionExpirySecondsMax);
  session.nextPacketId = told.nextPacketId;
  for (const packetId of told.released) session.released.add(packetId);
  for (const { filter, options, identifier } of told.subscriptions.filter((each) => each.filter.startsWith(SHARE_PREFIX)))
    addSubscription(core, session, { session, request: subscriptionRequest(filter, options), identifier });
  beginStoring(core, session);
  for (const packetId of told.received)
    restoreIncoming(core, session, { packetId, sequence: core.numbers.next(), settled: true, begunAt: undefined });
  for (const filter of told.owed) {
    oweRetained(core, session, filter);
    promiseOwed(core, session, filter);
  }
  for (const delivery of told.deliveries) takeDelivery(core, session, delivery);
  requeue(core, session);
  for (const { message, qos, retain, identifiers, share } of came)
    if (message !== undefined) take(core, session, message, { qos, retain, identifiers, share, owed: false }, core.log.append(message));
  beginWaiting(core, session);
  endAt(core, session, told.expiresAt);
  takeWill(core, session, told.will);
}

function takeDelivery(core: SessionCore, session: Session, { packetId, sent, message: told, ...due }: PortableDelivery): void {
  const message = new Message({ ...told, ...core.nextOrigin(told.publisher) });
  const record = core.log.append(message);
  core.log.addRecipient(record, { sessionNumber: session.number, packetId, ...due });
  if (sent) session.handledThrough = record.sequence;
  session.deliveries.set(packetId, { ...due, packetId, sent, message, sequence: record.sequence, size: message.size, flags: 0 });
}

/** Where it waited before it has no more time than it had there. */
function endAt(core: SessionCore, session: Session, expiresAt: number): void {
  if (expiresAt === 0 || expiresAt >= session.expiresAt) return;
  session.expiresAt = expiresAt;
  core.deadlines.add({ at: expiresAt, kind: SESSION_EXPIRY, subject: session, slackMs: DEADLINE_COARSE_MS });
}

function takeWill(core: SessionCore, session: Session, told: PortableWill | undefined): void {
  if (told === undefined) return;
  keepWill(core, session, { ...told, inGrace: false });
  core.deadlines.add({ at: told.dueAt, kind: WILL_DELAY, subject: session, slackMs: 0 });
}
