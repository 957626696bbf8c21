/**
 * What of the sessions is written, and in which order: messages first, then the sessions that count on them, then what sockets carry.
 * `flush.ts` has it written before what the wires gathered is sent: so nothing leaves that is not safe, and a tick costs few rows.
 */

import { LOG_TIDY_SLACK_MS, OWED_INLINE_BYTES_MAX, RECEIVED_INLINE_MAX, REPEAT_WINDOW_MS } from "../limits.ts";
import type { Message } from "../mqtt/message.ts";
import { ATTACHMENT_BYTES_MAX } from "../storage-limits.ts";
import { grantedOf } from "./asked.ts";
import { encodeAttachment } from "./attachment.ts";
import { begin } from "./chores.ts";
import { writeConsumers } from "./consumer-rows.ts";
import type { SessionCore } from "./core.ts";
import { LOG_TIDY } from "./deadlines.ts";
import type { LogRecord } from "./log-record.ts";
import { storeQueued } from "./queue.ts";
import { encodePage } from "./received.ts";
import type { Connection, Session } from "./session.ts";
import { encodeSessionState } from "./state.ts";
import { unload } from "./waiting.ts";

/** How many messages and sessions the next flush has to write. */
export function unwritten({ log, changes, consumers, events, presence }: SessionCore): number {
  return log.unwritten + changes.rows + (consumers?.changed.size ?? 0) + (events.isUnwritten ? 1 : 0) + presence.unwritten;
}

/**
 * Writes what has changed. What can't be written of one session costs that session alone.
 * @param attachments how many of them at most: they count when the object sleeps, and it may not before all are written
 * @param late the same of those whose sessions have no rows
 */
export function writeRows(core: SessionCore, attachments: number, late: number): void {
  core.log.flush();
  writeConsumers(core);
  core.events.write();
  core.presence.write();
  for (const session of core.changes.takeOwed()) {
    if (core.sessions.get(session.clientId) === session) writeOne(core, session, () => owedChanged(core, session));
  }
  for (const session of core.changes.takeSessions()) {
    if (core.sessions.get(session.clientId) === session) writeOne(core, session, () => putRow(core, session));
  }
  for (const connection of core.changes.takeConnections(attachments, late)) {
    if (connection.open) writeOne(core, connection.session, () => attach(core, connection));
  }
  // Behind the rows of their sessions, which an attachment that grew too large may have needed as well.
  core.rowChanges.write((error, session) => core.failures.caught(error, "writing its rows", session, true));
  tidyLater(core, core.now + REPEAT_WINDOW_MS, LOG_TIDY_SLACK_MS);
}

function tidyLater(core: SessionCore, at: number, slackMs: number): void {
  if (!core.log.untidy || core.tidyAt > 0) return;
  core.tidyAt = at;
  core.deadlines.add({ at, kind: LOG_TIDY, subject: undefined, slackMs });
}

/** After a start: it is due when it would have been, or it would be put off by each sleep. */
export function restoreTidying(core: SessionCore): void {
  tidyLater(core, Math.max(core.repeats.lastAt, core.log.lastAt) + REPEAT_WINDOW_MS + LOG_TIDY_SLACK_MS, 0);
}

function writeOne(core: SessionCore, session: Session, write: () => void): void {
  try {
    write();
  } catch (error) {
    core.failures.caught(error, "writing its state", session, true);
  }
}

function putRow(core: SessionCore, session: Session): void {
  partOwed(session);
  if (session.owedApart) writeOwed(core, session);
  session.owedInRow = !session.owedApart && session.owed.isAnyPromised;
  for (const [page, exchanges] of session.received.takePages()) {
    if (exchanges.length === 0) core.store.deleteExchanges(session.number, page);
    else core.store.putExchanges({ sessionNumber: session.number, page, exchanges: encodePage(exchanges) });
  }
  core.store.putSession({ number: session.number, clientId: session.clientId, state: encodeSessionState(session, core.numbers.last) });
  if (session.openExchanges.size > 0) closeExchanges(core, session);
}

/** What a session is owed stands in its row as long as that is little. */
function partOwed(session: Session): void {
  if (!session.owedApart) session.owedApart = session.owed.rowBytes > OWED_INLINE_BYTES_MAX;
}

function owedChanged(core: SessionCore, session: Session): void {
  const wasApart = session.owedApart;
  partOwed(session);
  if (wasApart) writeOwed(core, session);
  else if (session.owedInRow || session.owed.isAnyPromised) core.changes.markRow(session);
}

/** Each cursor has a row of its own: as one goes on nothing is written of the others. */
function writeOwed({ store }: SessionCore, session: Session): void {
  for (const id of session.owedOver) store.deleteOwed(session.number, id);
  session.owedOver = [];
  for (const { id, filter, place, from } of session.owed.takeUnwritten()) {
    store.putOwed({ sessionNumber: session.number, id, filter, place, from });
  }
  if (session.owed.size === 0) session.owedApart = false;
}

/** The row says of these exchanges that they are over or safe. */
function closeExchanges(core: SessionCore, session: Session): void {
  for (const [sequence, packetId] of session.openExchanges) {
    const exchange = session.received.get(packetId);
    if (exchange?.sequence === sequence && exchange.reasonCode === undefined) continue;
    session.openExchanges.delete(sequence);
    core.openExchanges.delete(sequence);
  }
}

/** Aliases have rows of their own as soon as they have no room in the attachment. */
function writeAliases({ store, numbers }: SessionCore, { aliases }: Connection): void {
  if (aliases.number === 0) {
    if (!aliases.outgrown) return;
    aliases.number = numbers.next();
  }
  for (const [alias, topic] of aliases.takeChanged()) store.putAlias({ connectionNumber: aliases.number, alias, topic });
}

function attach(core: SessionCore, connection: Connection): void {
  const { session } = connection;
  writeAliases(core, connection);
  if (!session.stored && session.received.size > RECEIVED_INLINE_MAX) outgrow(core, session);
  let bytes = encodeAttachment(connection, session.oversized, core.now);
  if (bytes.length > ATTACHMENT_BYTES_MAX) {
    outgrow(core, session);
    bytes = encodeAttachment(connection, true, core.now);
  }
  if (session.oversized) putRow(core, session);
  connection.attachedSeenAt = connection.lastSeenAt;
  connection.wire.attach(bytes);
}

/** Its state is kept in its row for as long as this connection lasts. */
function outgrow(core: SessionCore, session: Session): void {
  session.oversized = true;
  if (!session.stored) beginStoring(core, session);
}

/**
 * The session has rows from now on. One that ends with its connection gets them when it is too large for an attachment, or when its
 * client lets messages wait; then for as long as it lasts.
 */
export function beginStoring({ numbers, rowChanges }: SessionCore, session: Session): void {
  session.number = numbers.next();
  for (const subscription of grantedOf(session.subscriptions, session.asked)) rowChanges.putSubscription(session, subscription);
}

/**
 * Messages that wait in memory alone, and the sessions they wait for, have rows from the next flushes on: then the object may hibernate. In
 * slices, but each session as a whole: what comes for it meanwhile has its row behind.
 */
export function storeWaiting(core: SessionCore): void {
  begin(core, storeAll(core, [...core.waitingInMemory]));
}

function* storeAll(core: SessionCore, sessions: readonly Session[]): Generator<void> {
  const records = new Map<Message, LogRecord>();
  for (const session of sessions) {
    // Its client may have taken all of it meanwhile. One that is arriving is safe where it comes from.
    if (!core.waitingInMemory.delete(session) || session.arriving) continue;
    core.work += session.queued.length;
    core.failures.guard("storing what waits for it", session, () => {
      if (!session.stored) beginStoring(core, session);
      core.changes.markRow(session);
      storeQueued(core, session, records);
      unload(core, session);
    });
    yield;
  }
}

/** The session has ended. */
export function forgetRow(core: SessionCore, session: Session): void {
  for (const sequence of session.openExchanges.keys()) core.openExchanges.delete(sequence);
  core.moved.delete(session);
  core.rowChanges.deleteSession(session);
}

/** Long after the last message: nothing of the log remains if nobody needs it, and nobody repeats anything any more. */
export function tidy(core: SessionCore): void {
  core.tidyAt = 0;
  core.repeats.forget(core.now);
  if (core.repeats.remembersExchanges) core.log.keep();
  else core.log.tidy();
}
