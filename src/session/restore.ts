/**
 * What an object knows again after it lost its memory: from rows, and from the attachments of sockets that slept through it. A socket
 * that is gone without a word (the platform closes them all when it updates) leaves a session in grace: its client gets time to come
 * back before it counts as lost. Bytes that can't be read cost their own session or message, never the object.
 */

import { PACKET_ID_MAX, RESTART_GRACE_MS } from "../limits.ts";
import { intact, RecordError } from "../mqtt/record.ts";
import { type AttachedState, attachedTo, decodeAttachment } from "./attachment.ts";
import type { Head } from "./chunk-heads.ts";
import type { SessionCore } from "./core.ts";
import { KEEP_ALIVE, SESSION_EXPIRY, WILL_DELAY } from "./deadlines.ts";
import { doubtWaiting, setIdentity } from "./identity.ts";
import { addSubscription } from "./interest.ts";
import { beginGrace, clientLost, endSession, keepAliveSlackMs } from "./lifecycle.ts";
import { askOwed, owedCursors, renewPlaces } from "./owed-retained.ts";
import { type AliasRow, NOBODY, type Wire } from "./ports.ts";
import { restoreIncoming } from "./publish.ts";
import { keepWithinBounds, settled } from "./queue.ts";
import { decodePage, type ReceivedExchange } from "./received.ts";
import { endForbidden, watchLogin } from "./rights.ts";
import { Connection, Session } from "./session.ts";
import { decodeSessionState, decodeWill, type SentDelivery, type SessionState, storedRequest } from "./state.ts";
import { noteBacklogs, withoutMessage } from "./waiting.ts";
import { scheduleWill, watchWills } from "./will.ts";

/** A socket that is still open, with what was attached to it. */
export interface AttachedWire {
  readonly wire: Wire;
  readonly attachment: Uint8Array;
}

export interface Restored {
  /** The connection of each wire, in their order; undefined where the attachment could not be read. */
  readonly connections: (Connection | undefined)[];
  /** A sentence for each thing that could not be read, for the log. */
  readonly problems: string[];
  /** How many rows belonged to nobody and were deleted. */
  readonly swept: number;
}

/** Fills a new core. */
export function restore(core: SessionCore, wires: readonly AttachedWire[], now: number): Restored {
  core.now = now;
  const problems: string[] = [];
  const unread = new Set<number>();
  const byNumber = restoreSessions(core, unread, problems);
  const states = new Map<Session, SessionState>();
  for (const [session, state] of byNumber.values()) states.set(session, state);
  const aliases = aliasesByConnection(core, problems);
  const connections = wires.map(({ wire, attachment }) =>
    attempt(core, "a connection", problems, () => restoreConnection(core, wire, attachment, { byNumber, states, aliases, problems })),
  );
  const pages = restoreExchanges(core, byNumber, states, unread, problems);
  for (const [session, state] of states) {
    core.raiseNumbers(Math.max(session.number, state.handledThrough));
    core.failures.guard("restoring its state", session, () => applyState(core, session, state));
  }
  const open = [...core.sessions.values()].flatMap((session) =>
    [...session.openExchanges.keys()].map((sequence) => [sequence, session] as const),
  );
  for (const [sequence, session] of open.sort(([a], [b]) => a - b)) core.openExchanges.set(sequence, session);
  const owed = restoreOwed(core, byNumber, unread, problems);
  const swept = owed + sweepAliases(core, aliases) + pages + restoreSubscriptions(core, byNumber, unread, problems);
  restoreLog(core, byNumber, states, problems);
  restoreWills(core, problems);
  for (const session of core.sessions.values()) {
    core.failures.guard("restoring its session", session, () => settle(core, session));
  }
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
  core.counters.rowsSwept += swept;
  return { connections, problems, swept };
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
  // Its client has come back, or it is another session by now.
  if (session === undefined || !session.inGrace || session.number !== attached.sessionNumber) return;
  const { session: state } = attached;
  if (state !== undefined) core.failures.guard("catching up with its attachment", session, () => catchUp(core, session, state));
  session.inGrace = false;
  clientLost(core, session);
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

type Numbered = Map<number, [Session, SessionState]>;

/** Runs `read`; a RecordError becomes a problem, any other error a fault, and either undefined. */
function attempt<Result>(core: SessionCore, what: string, problems: string[], read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RecordError) problems.push(`${what}: ${error.message}`);
    else core.failures.caught(error, `reading ${what}`, undefined);
    return undefined;
  }
}

/** @param unread takes the numbers of sessions whose rows can't be read */
function restoreSessions(core: SessionCore, unread: Set<number>, problems: string[]): Numbered {
  const byNumber: Numbered = new Map();
  for (const row of core.store.sessions()) {
    const state = attempt(core, `session row ${row.number}`, problems, () => decodeSessionState(intact(row).state));
    if (state === undefined) {
      unread.add(row.number);
      continue;
    }
    core.raiseNumbers(state.lastNumber);
    const older = core.sessions.get(row.clientId);
    if (older !== undefined) {
      // Its row could not be read when the client came back: by another version of the code, which knew nothing of this one.
      problems.push(`session row ${older.number}: ${JSON.stringify(row.clientId)} has a newer one, ${row.number}; it is deleted`);
      core.store.deleteSession(older.number);
      byNumber.delete(older.number);
    }
    const session = new Session(row.clientId, row.number, state.identity, core.ledger);
    core.sessions.set(row.clientId, session);
    byNumber.set(row.number, [session, state]);
  }
  return byNumber;
}

/** What rows hold for the sessions and connections that attachments name. */
interface Found {
  readonly byNumber: Numbered;
  readonly states: Map<Session, SessionState>;
  readonly aliases: ReadonlyMap<number, readonly AliasRow[]>;
  readonly problems: string[];
}

function aliasesByConnection(core: SessionCore, problems: string[]): Map<number, AliasRow[]> {
  const found = new Map<number, AliasRow[]>();
  for (const row of core.store.aliases()) {
    if (attempt(core, `Topic Alias of connection ${row.connectionNumber}`, problems, () => intact(row)) === undefined) continue;
    const rows = found.get(row.connectionNumber);
    if (rows === undefined) found.set(row.connectionNumber, [row]);
    else rows.push(row);
  }
  return found;
}

/** Aliases of connections that are gone. @returns how many rows they had */
function sweepAliases(core: SessionCore, found: ReadonlyMap<number, readonly AliasRow[]>): number {
  const live = new Set([...core.connections].map(({ aliases }) => aliases.number));
  let swept = 0;
  for (const [connectionNumber, rows] of found) {
    core.raiseNumbers(connectionNumber);
    if (live.has(connectionNumber)) continue;
    core.store.deleteAliases(connectionNumber);
    swept += rows.length;
  }
  return swept;
}

/** Puts together what stands in pages. @returns how many of them belonged to nobody */
function restoreExchanges(
  core: SessionCore,
  byNumber: Numbered,
  states: Map<Session, SessionState>,
  unread: ReadonlySet<number>,
  problems: string[],
): number {
  const found = new Map<Session, ReceivedExchange[]>();
  let swept = 0;
  for (const row of core.store.exchanges()) {
    const { sessionNumber, page } = row;
    const session = byNumber.get(sessionNumber)?.[0];
    if (session === undefined || states.get(session)?.paged !== true) {
      if (unread.has(sessionNumber)) continue;
      core.store.deleteExchanges(sessionNumber, page);
      swept += 1;
      continue;
    }
    const here = attempt(core, `page ${page} of the exchanges of session ${sessionNumber}`, problems, () =>
      decodePage(intact(row).exchanges),
    );
    found.set(session, [...(found.get(session) ?? []), ...(here ?? [])]);
  }
  for (const [session, received] of found) states.set(session, { ...states.get(session)!, received });
  return swept;
}

/** @returns how many rows belonged to nobody */
function restoreOwed(core: SessionCore, byNumber: Numbered, unread: ReadonlySet<number>, problems: string[]): number {
  let swept = 0;
  for (const row of core.store.owed()) {
    const { sessionNumber, id, filter, place, from } = row;
    if (attempt(core, `what session ${sessionNumber} is owed`, problems, () => intact(row)) === undefined) continue;
    core.raiseNumbers(id);
    const session = byNumber.get(sessionNumber)?.[0];
    if (session !== undefined) {
      session.owed = session.owed.filter((cursor) => cursor.id !== id);
      session.owed.push({ id, filter, place, from, asked: false, promised: true, storedFrom: from });
      session.owedApart = true;
    } else if (!unread.has(sessionNumber)) {
      core.store.deleteOwed(sessionNumber, id);
      swept += 1;
    }
  }
  return swept;
}

function restoreConnection(
  core: SessionCore,
  wire: Wire,
  attachment: Uint8Array,
  { byNumber, states, aliases, problems }: Found,
): Connection | undefined {
  const attached = attempt(core, `attachment of ${attachedTo(attachment)}`, problems, () => decodeAttachment(attachment));
  if (attached === undefined) return undefined;
  const session = sessionOf(core, attached, byNumber);
  if (session === undefined) {
    problems.push(`attachment of ${JSON.stringify(attached.clientId)}: no row of its session ${attached.sessionNumber} can be read`);
    return undefined;
  }
  // Rows and attachments are written together, but what costs no promise is only in the attachment.
  if (attached.session !== undefined) states.set(session, attached.session);
  session.oversized = attached.session === undefined;
  const connection = new Connection(wire, session, attached.facts, core.limits, core.ledger, attached.lastSeenAt);
  // The attachment may lag by so much (`SessionCore.handle`): a client that was heard since must not count as silent.
  connection.lastSeenAt = Math.min(core.now, attached.lastSeenAt + connection.keepAliveMs / 3);
  connection.attachedSeenAt = attached.lastSeenAt;
  connection.changed = false;
  restoreAliases(connection, attached, aliases.get(attached.connectionNumber) ?? [], states.get(session)?.aliases ?? []);
  session.connection = connection;
  core.connections.add(connection);
  if (connection.keepAliveMs > 0) {
    const at = connection.lastSeenAt + connection.keepAliveMs;
    core.deadlines.add({ at, kind: KEEP_ALIVE, subject: connection, slackMs: keepAliveSlackMs(connection) });
  }
  return connection;
}

/** @param before what the row of its session has of them, before version 4 */
function restoreAliases(
  { aliases }: Connection,
  attached: AttachedState,
  rows: readonly AliasRow[],
  before: readonly (readonly [alias: number, topic: string])[],
): void {
  for (const [alias, topic] of attached.aliases.length > 0 ? attached.aliases : before) aliases.set(alias, topic);
  aliases.number = attached.connectionNumber;
  for (const { alias, topic } of rows) aliases.set(alias, topic);
  if (aliases.number !== 0) aliases.takeChanged();
}

/** @returns undefined when its session should have a row and has none, or already has a connection */
function sessionOf(core: SessionCore, attached: AttachedState, byNumber: Numbered): Session | undefined {
  const { clientId, sessionNumber } = attached;
  const known = core.sessions.get(clientId);
  if (sessionNumber !== 0) {
    const stored = byNumber.get(sessionNumber)?.[0];
    return stored !== undefined && stored === known && stored.connection === undefined ? stored : undefined;
  }
  if (known?.connection !== undefined) return undefined;
  const session = new Session(clientId, 0, attached.session?.identity ?? NOBODY, core.ledger);
  core.sessions.set(clientId, session);
  for (const { request, identifier } of attached.subscriptions) addSubscription(core, session, { session, request, identifier });
  return session;
}

function applyState(core: SessionCore, session: Session, state: SessionState): void {
  setIdentity(core, session, state.identity);
  session.expirySeconds = state.expirySeconds;
  session.expiresAt = state.expiresAt;
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
  session.owed = owedCursors(state);
  session.owedInRow = session.owed.length > 0;
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

/** @returns how many rows were deleted because there is no session that they belong to, not even one that can't be read */
function restoreSubscriptions(core: SessionCore, byNumber: Numbered, unread: ReadonlySet<number>, problems: string[]): number {
  let swept = 0;
  for (const row of core.store.subscriptions()) {
    const { sessionNumber, filter, subscriptionIdentifier } = row;
    const session = byNumber.get(sessionNumber)?.[0];
    if (session === undefined) {
      if (unread.has(sessionNumber)) continue;
      core.store.deleteSubscription(sessionNumber, filter);
      swept += 1;
      continue;
    }
    const what = `subscription of session ${sessionNumber} to ${JSON.stringify(filter)}`;
    const request = attempt(core, what, problems, () => storedRequest(filter, intact(row).options));
    if (request !== undefined) addSubscription(core, session, { session, request, identifier: subscriptionIdentifier });
  }
  return swept;
}

function restoreLog(core: SessionCore, byNumber: Numbered, states: Map<Session, SessionState>, problems: string[]): void {
  const sentTo = new Map<Session, Map<number, SentDelivery>>();
  for (const [session, { sent }] of states) {
    if (sent.length > 0) sentTo.set(session, new Map(sent.map((delivery) => [delivery.recordSequence, delivery])));
  }
  core.log.restore(
    (head) => {
      const { sessionNumber, sequence } = head;
      const found = byNumber.get(sessionNumber);
      if (found === undefined) return false;
      const [session, { expiresAt }] = found;
      const sent = sentTo.get(session)?.get(sequence);
      if (sequence <= session.handledThrough && sent === undefined) return false;
      restoreDelivery(session, head, sent, expiresAt === 0);
      return true;
    },
    (chunk, { message }) => problems.push(`message log, chunk ${chunk}: ${message}`),
  );
}

/** @param sent what its state says of it @param online the state is that of a session with a connection */
function restoreDelivery(session: Session, head: Head, sent: SentDelivery | undefined, online: boolean): void {
  const { sequence, size, packetId, flags } = head;
  if (session.connection !== undefined && sent?.resending === false) {
    // On a live connection nothing is sent again [MQTT5-4.4.0-1].
    session.deliveries.set(packetId, withoutMessage({ sequence, size, packetId, flags, sent: true }));
  } else {
    // A session that was online when memory was lost may have been sent more than its row knows.
    const crashed = session.connection === undefined && online;
    session.backlog.push(sequence, size, packetId, flags, crashed || sent !== undefined);
  }
  // Messages that came since the state was written.
  advancePacketId(session, packetId);
}

/** A will without a session belongs to a connection that was lost with the object's memory: it waits for the grace alone. */
function restoreWills(core: SessionCore, problems: string[]): void {
  for (const row of core.store.wills()) {
    const will = attempt(core, `will of ${JSON.stringify(row.clientId)}`, problems, () => decodeWill(intact(row).will));
    if (will === undefined) continue;
    let session = core.sessions.get(row.clientId);
    if (session === undefined) {
      session = new Session(row.clientId, 0, will.identity ?? NOBODY, core.ledger);
      core.sessions.set(row.clientId, session);
    }
    session.will = { ...will, checked: will.identity === undefined };
  }
}

/** Starts what waits for a time: the grace of those whose sockets are gone, the expiry and the will delay of those that were away. */
function settle(core: SessionCore, session: Session): void {
  // What a full queue dropped may be in the log still: no row is written for that, nor does what is attached tell it where something older
  // waits.
  const { queueMessagesMax, queueBytesMax } = core.limits;
  keepWithinBounds(core, session, { messages: queueMessagesMax, bytes: queueBytesMax, short: false });
  if (session.connection !== undefined) {
    noteBacklogs(core, session);
    return;
  }
  if (session.expirySeconds === 0) {
    settleEnded(core, session);
    return;
  }
  if (session.expiresAt === 0) {
    beginGrace(core, session);
    return;
  }
  if (session.expiresAt !== Number.POSITIVE_INFINITY) {
    core.deadlines.add({ at: session.expiresAt, kind: SESSION_EXPIRY, subject: session, slackMs: 0 });
  }
  // A will that is due at 0 was being published when memory was lost.
  if (session.will !== undefined) awaitWill(core, session, 1);
  session.inGrace = session.will?.inGrace === true && session.will.dueAt > core.now;
}

/** A session that ended with its socket: nothing is left of it but its will, which has one grace, however often the object wakes in it. */
function settleEnded(core: SessionCore, session: Session): void {
  if (session.will === undefined) {
    endSession(core, session);
    return;
  }
  session.inGrace = true;
  awaitWill(core, session, RESTART_GRACE_MS);
  session.expiresAt = session.will.dueAt;
  core.deadlines.add({ at: session.expiresAt, kind: SESSION_EXPIRY, subject: session, slackMs: 0 });
}

/** The will is published at the time in its row, or after this time if there is none. */
function awaitWill(core: SessionCore, session: Session, elseAfterMs: number): void {
  const { dueAt } = session.will!;
  if (dueAt === 0) scheduleWill(core, session, elseAfterMs);
  else core.deadlines.add({ at: dueAt, kind: WILL_DELAY, subject: session, slackMs: 0 });
}
