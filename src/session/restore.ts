/**
 * What an object knows again after it lost its memory: from rows, and from the attachments of sockets that slept through it. A socket
 * that is gone without a word (the platform closes them all when it updates) leaves a session in grace: its client gets time to come
 * back before it counts as lost. Bytes that can't be read cost their own session or message, never the object.
 */

import { PACKET_ID_MAX } from "../limits.ts";
import { intact } from "../mqtt/record.ts";
import { decodeAttachment } from "./attachment.ts";
import type { Head } from "./chunk-heads.ts";
import { isConsumerRow, restoreConsumer, restoreGiven, settleConsumers } from "./consumer-rows.ts";
import type { SessionCore } from "./core.ts";
import { isEventsRow } from "./events.ts";
import { doubtWaiting, setIdentity } from "./identity.ts";
import { addSubscription } from "./interest.ts";
import { clientLost, LOST } from "./lifecycle.ts";
import { askOwed, forgetOwed, oweAsBefore, renewPlaces } from "./owed-retained.ts";
import { type PendingWill, readWillName } from "./pending-will.ts";
import { type Identity, NOBODY } from "./ports.ts";
import { isPresenceRow } from "./presence.ts";
import { restoreIncoming } from "./publish.ts";
import { settled } from "./queue.ts";
import { decodePage, type ReceivedExchange } from "./received.ts";
import { type AttachedWire, restoreConnections } from "./restore-connections.ts";
import { settle } from "./restore-deadlines.ts";
import { attempt, Restoring } from "./restoring.ts";
import { endForbidden, watchLogin } from "./rights.ts";
import { restoreTidying } from "./rows.ts";
import { type Connection, Session } from "./session.ts";
import { goOn } from "./share-backlog.ts";
import { decodeSessionState, decodeWill, type SentDelivery, type SessionState, storedRequest } from "./state.ts";
import { isSystemRow } from "./system-totals.ts";
import { withoutMessage } from "./waiting.ts";
import { partRest, restOf, watchWills } from "./will.ts";

export interface Restored {
  /** The connection of each wire, in their order; undefined where the attachment could not be read. */
  readonly connections: (Connection | undefined)[];
  /** A sentence for each thing that could not be read, for the log. */
  readonly problems: string[];
  /** How many rows belonged to nobody and were deleted. */
  readonly swept: number;
  /** Consumers that the code has no more, with how many messages waited for them. */
  readonly endedConsumers: readonly { readonly name: string; readonly messages: number }[];
}

/** Fills a new core. */
export function restore(core: SessionCore, wires: readonly AttachedWire[], now: number): Restored {
  core.now = now;
  const restoring = new Restoring(core);
  restoreSessions(restoring);
  const connections = restoreConnections(restoring, wires);
  restoreExchanges(restoring);
  for (const [session, state] of restoring.states) {
    core.raiseNumbers(Math.max(session.number, state.handledThrough));
    core.failures.guard("restoring its state", session, () => applyState(core, session, state));
  }
  const open = [...core.sessions.values()].flatMap((session) =>
    [...session.openExchanges.keys()].map((sequence) => [sequence, session] as const),
  );
  for (const [sequence, session] of open.sort(([a], [b]) => a - b)) core.openExchanges.set(sequence, session);
  restoreOwed(restoring);
  restoreSubscriptions(restoring);
  restoreLog(restoring);
  restoreWills(restoring);
  for (const session of core.sessions.values()) {
    core.failures.guard("restoring its session", session, () => settle(core, session));
  }
  settleConsumers(core);
  watchWills(core, core.connections);
  for (const session of core.sessions.values()) renewPlaces(core, session);
  for (const filter of core.subscriptions.filters()) {
    let qos = 0;
    for (const subscription of core.subscriptions.keysOf(filter)!.values()) qos = Math.max(qos, subscription.request.qos);
    core.interests.set(filter, { qos: qos as 0 | 1 | 2, confirmed: true, lasting: true, version: core.numbers.next() });
  }
  for (const connection of core.connections) {
    watchLogin(core, connection);
    core.failures.guard("looking at its rights", connection.session, () => endForbidden(core, connection.session));
    doubtWaiting(connection.session);
    askOwed(core, connection.session);
  }
  // Behind the rights of all. What made it wait may be forgotten, and then no answer of the client would make it go on.
  for (const { session } of core.connections) core.failures.guard("going on with what waits for it", session, () => goOn(core, session));
  core.presence.restored();
  restoreTidying(core);
  const { problems, swept, endedConsumers } = restoring;
  core.counters.rowsSwept += swept;
  return { connections, problems, swept, endedConsumers: [...endedConsumers.values()] };
}

/**
 * A socket was closed by its client while the object slept. The platform wakes the object with the socket already gone from its list, so
 * that `restore` took the session for one in grace; but this client was really lost, and what was attached is newer than the row.
 * @param attachment what was attached to the socket
 */
export function lostAsleep(core: SessionCore, attachment: Uint8Array, now: number): void {
  core.now = now;
  const attached = attempt(core, "attachment", [], () => decodeAttachment(attachment));
  if (attached === undefined) return;
  const session = core.sessions.get(attached.clientId);
  const { session: state } = attached;
  const ended = core.endedAsleep.get(attached.sessionNumber);
  core.endedAsleep.delete(attached.sessionNumber);
  const identity = state?.identity ?? ended?.identity ?? session?.identity;
  const filters = ended?.watched ?? session?.subscriptions.keys() ?? attached.subscriptions.map(({ request }) => request.filter);
  if (identity !== undefined) core.presence.lostAsleep(identity, attached.clientId, filters);
  // One that ended with its socket: nothing else is left to say that its client was here.
  if (session === undefined && identity !== undefined) core.clients.disconnected(identity, attached.clientId, LOST, false);
  // Its client has come back, or it is another session by now.
  if (session === undefined || !session.inGrace || session.number !== attached.sessionNumber) return;
  if (state !== undefined) core.failures.guard("catching up with its attachment", session, () => catchUp(core, session, state));
  session.inGrace = false;
  clientLost(core, session, LOST);
}

/** Brings a session that was restored from its row to the state of its attachment: acknowledgements that cost no row. */
function catchUp(core: SessionCore, session: Session, state: SessionState): void {
  const sent = new Set(state.sent.map(({ recordSequence }) => recordSequence));
  const waiting = [...session.backlog];
  session.backlog.clear();
  for (const { sequence, size, packetId, flags } of waiting) {
    const isSent = sent.has(sequence);
    if (!isSent && sequence <= state.handledThrough) settled(core, session, sequence);
    else session.backlog.push(sequence, size, packetId, flags, isSent);
  }
  advancePacketId(session, state.nextPacketId === 1 ? PACKET_ID_MAX : state.nextPacketId - 1);
  session.released.clear();
  for (const packetId of state.released) session.released.add(packetId);
  // What is in pages is as new as the attachment.
  if (state.paged) return;
  session.received.clear();
  for (const exchange of state.received) restoreIncoming(core, session, exchange);
}

/** An identifier was allocated: the next ones follow it, unless it lies behind and is only still in use from before. */
function advancePacketId(session: Session, packetId: number): void {
  const ahead = (packetId - session.nextPacketId + PACKET_ID_MAX) % PACKET_ID_MAX;
  if (ahead < PACKET_ID_MAX / 2) session.nextPacketId = (packetId % PACKET_ID_MAX) + 1;
}

function restoreSessions(restoring: Restoring): void {
  const { core, byNumber, states, problems } = restoring;
  for (const row of core.store.sessions()) {
    if (isConsumerRow(row)) {
      restoreConsumer(restoring, row);
      continue;
    }
    if (isSystemRow(row)) {
      core.raiseNumbers(row.number);
      restoring.attempt("the figures of the broker", () => core.system.restore(row));
      continue;
    }
    if (isEventsRow(row)) {
      core.raiseNumbers(row.number);
      restoring.attempt("which events are told", () => core.events.restore(row));
      continue;
    }
    if (isPresenceRow(row)) {
      core.raiseNumbers(row.number);
      restoring.attempt("under which filter it is told who is there", () => core.presence.restore(row));
      continue;
    }
    const state = restoring.attempt(`session row ${row.number}`, () => decodeSessionState(intact(row).state));
    if (state === undefined) {
      restoring.unread.add(row.number);
      continue;
    }
    core.raiseNumbers(state.lastNumber);
    const older = core.sessions.get(row.clientId);
    if (older !== undefined) {
      // Its row could not be read when the client came back: by another version of the code, which knew nothing of this one.
      problems.push(`session row ${older.number}: ${JSON.stringify(row.clientId)} has a newer one, ${row.number}; it is deleted`);
      core.store.deleteSession(older.number);
      byNumber.delete(older.number);
      states.delete(older);
    }
    const session = new Session(row.clientId, row.number, state.identity, core.ledger);
    core.sessions.set(row.clientId, session);
    byNumber.set(row.number, session);
    states.set(session, state);
  }
}

/** Puts together what stands in pages. */
function restoreExchanges(restoring: Restoring): void {
  const { core, states } = restoring;
  const found = new Map<Session, ReceivedExchange[]>();
  for (const row of core.store.exchanges()) {
    const { sessionNumber, page } = row;
    const remove = (): void => core.store.deleteExchanges(sessionNumber, page);
    const session = restoring.ownerOf(sessionNumber, remove);
    if (session === undefined) continue;
    if (states.get(session)?.paged !== true) {
      restoring.sweep(1, remove);
      continue;
    }
    const what = `page ${page} of the exchanges of session ${sessionNumber}`;
    const here = restoring.attempt(what, () => decodePage(intact(row).exchanges)) ?? [];
    const before = found.get(session);
    if (before === undefined) found.set(session, here);
    else before.push(...here);
  }
  for (const [session, received] of found) states.set(session, { ...states.get(session)!, received });
}

/** Rows of what is owed are newer than what the session says of it. */
function restoreOwed(restoring: Restoring): void {
  const { core } = restoring;
  for (const row of core.store.owed()) {
    const { sessionNumber, id, filter, place, from } = row;
    if (restoring.attempt(`what session ${sessionNumber} is owed`, () => intact(row)) === undefined) continue;
    core.raiseNumbers(id);
    const session = restoring.ownerOf(sessionNumber, () => core.store.deleteOwed(sessionNumber, id));
    if (session === undefined) continue;
    const before = session.owed.get(id);
    if (before !== undefined) session.owed.delete(before);
    const withoutOwn = restoring.states.get(session)?.withoutOwn.includes(id) === true;
    session.owed.add({ id, filter, place, from, withoutOwn, asked: false, promised: true, superseded: false, storedFrom: from });
    session.owedApart = true;
  }
}

function applyState(core: SessionCore, session: Session, state: SessionState): void {
  setIdentity(core, session, state.identity);
  session.expirySeconds = state.expirySeconds;
  session.expiresAt = state.expiresAt;
  session.parted = state.parted;
  session.nextPacketId = state.nextPacketId;
  session.handledThrough = state.handledThrough;
  for (const packetId of state.released) session.released.add(packetId);
  for (const exchange of state.received) restoreIncoming(core, session, exchange);
  session.received.restored(state.paged);
  session.had.add(state.had);
  session.lacks.add(state.lacks);
  session.cameFrom = state.cameFrom;
  session.offered = state.offered;
  session.retired = state.retired;
  oweAsBefore(session, state);
  session.owedInRow = session.owed.size > 0;
  if (session.had.size + session.lacks.size > 0) core.moved.add(session);
  // What was sent and is in no row: only its acknowledgement is still awaited, for on a live connection nothing is sent again.
  for (const { packetId, qos, recordSequence } of state.sent) {
    if (recordSequence === 0)
      session.deliveries.set(packetId, {
        packetId,
        qos,
        retain: false,
        identifiers: undefined,
        message: undefined,
        sequence: 0,
        size: 0,
        flags: 0,
        share: "",
        owed: false,
        sent: true,
      });
  }
}

function restoreSubscriptions(restoring: Restoring): void {
  const { core } = restoring;
  /** Filters of subscriptions that can't be read: what they are owed waits with them. */
  const unread = new Map<Session, Set<string>>();
  for (const row of core.store.subscriptions()) {
    const { sessionNumber, filter, subscriptionIdentifier } = row;
    const remove = (): void => core.store.deleteSubscription(sessionNumber, filter);
    const session = restoring.ownerOf(sessionNumber, remove);
    if (session === undefined) continue;
    if (session.retired) {
      // A reset came before it had its turn.
      restoring.sweep(1, remove);
      continue;
    }
    const what = `subscription of session ${sessionNumber} to ${JSON.stringify(filter)}`;
    const request = restoring.attempt(what, () => storedRequest(filter, intact(row).options));
    if (request !== undefined) addSubscription(core, session, { session, request, identifier: subscriptionIdentifier });
    else if (session.owed.size > 0) unread.set(session, (unread.get(session) ?? new Set()).add(filter));
  }
  for (const session of core.sessions.values()) {
    for (const filter of session.owed.filters) {
      // A build before left it there as the subscription ended.
      if (!session.subscriptions.has(filter) && unread.get(session)?.has(filter) !== true) forgetOwed(core, session, filter);
    }
  }
}

function restoreLog({ core, byNumber, states, unread, problems, consumers, endedConsumers }: Restoring): void {
  const sentTo = new Map<Session, Map<number, SentDelivery>>();
  for (const [session, { sent }] of states) {
    if (sent.length > 0) sentTo.set(session, new Map(sent.map((delivery) => [delivery.recordSequence, delivery])));
  }
  core.log.restore(
    (head) => {
      const { sessionNumber, sequence } = head;
      const session = byNumber.get(sessionNumber);
      if (session === undefined) {
        const consumer = consumers.get(sessionNumber);
        const ended = endedConsumers.get(sessionNumber);
        if (ended !== undefined) ended.messages += 1;
        // What waits for a session that can't be read waits with it.
        if (unread.has(sessionNumber)) return true;
        return consumer !== undefined && restoreGiven(consumer, head);
      }
      const sent = sentTo.get(session)?.get(sequence);
      if (sequence <= session.handledThrough && sent === undefined) return false;
      restoreDelivery(session, head, sent);
      return true;
    },
    (chunk, { message }) => problems.push(`message log, chunk ${chunk}: ${message}`),
  );
}

/** @param sent what its state says of it */
function restoreDelivery(session: Session, head: Head, sent: SentDelivery | undefined): void {
  const { sequence, size, packetId, flags } = head;
  if (session.connection !== undefined && sent?.resending === false) {
    // On a live connection nothing is sent again [MQTT5-4.4.0-1].
    session.deliveries.set(packetId, withoutMessage({ sequence, size, packetId, flags, sent: true }));
    session.inflightBytes += size;
  } else {
    // A session that was online when memory was lost may have been sent more than its row knows.
    const crashed = session.connection === undefined && session.expiresAt === 0;
    session.backlog.push(sequence, size, packetId, flags, crashed || sent !== undefined);
  }
  // Messages that came since the state was written.
  advancePacketId(session, packetId);
}

/** A will without a session belongs to a connection that was lost with the object's memory: it waits for the grace alone. */
function restoreWills(restoring: Restoring): void {
  const { core } = restoring;
  const before: [clientId: string, identity: Identity, will: PendingWill][] = [];
  for (const row of core.store.wills()) {
    const { clientId, row: own } = readWillName(row.clientId);
    if (own !== undefined) core.raiseNumbers(own);
    const read = restoring.attempt(`will of ${JSON.stringify(clientId)}`, () => decodeWill(intact(row).will));
    if (read === undefined) continue;
    const { identity = NOBODY } = read;
    const will = { ...read, checked: read.identity === undefined, row: own };
    if (own !== undefined) {
      restOf(core, clientId, identity, will);
      continue;
    }
    let session = core.sessions.get(clientId);
    // Of a build before: its client is back without one, and this is of a connection before, which nobody took.
    if (session?.connection !== undefined && will.dueAt > 0) {
      before.push([clientId, identity, will]);
      continue;
    }
    if (session === undefined) {
      session = new Session(clientId, 0, identity, core.ledger);
      core.sessions.set(clientId, session);
    }
    session.will = will;
  }
  // Behind all numbers in rows.
  for (const [clientId, identity, will] of before) partRest(core, clientId, identity, will);
}
