/** How much may be unread by a client, and the question that it is asked before it is so much. What follows from no answer is in `unread.ts`. */

import { DEADLINE_COARSE_MS } from "../limits.ts";
import {
  UNREAD_BYTES_FULL,
  UNREAD_BYTES_LEAST,
  UNREAD_MS_MAX,
  UNREAD_QUESTIONS,
  UNREAD_QUESTIONS_LIVE,
  UNREAD_SHARE_MAX,
} from "../memory-limits.ts";
import { NO_PROPERTIES, PUBREL } from "../mqtt/packet.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import { hash } from "../topic/hash.ts";
import type { SessionCore } from "./core.ts";
import { UNREAD } from "./deadlines.ts";
import type { Connection } from "./session.ts";

/**
 * How many bytes may be unread by one client now: as much as is left for all of them, so that two may have a third each, three a quarter,
 * and however many do not read, something is left for others.
 */
export function unreadMax({ limits, ledger }: SessionCore): number {
  const { unheardBytesMax } = limits;
  if (unheardBytesMax === 0) return Number.POSITIVE_INFINITY;
  const left = ledger.budget - ledger.total;
  if (left <= 0) return Math.min(unheardBytesMax, UNREAD_BYTES_FULL);
  const share = Math.min(left, ledger.budget * UNREAD_SHARE_MAX - ledger.account("unsent").bytes);
  return Math.min(unheardBytesMax, Math.max(UNREAD_BYTES_LEAST, share));
}

const UNREAD_UNLOOKED = UNREAD_BYTES_LEAST / UNREAD_QUESTIONS_LIVE;

/** Whether one more message may be sent to a client. Asks it in time, so that one that reads is not held up. */
export function mayBeSent(core: SessionCore, connection: Connection): boolean {
  // Nearly always: so little may be unread whatever others leave unread.
  if (connection.reading.unreadBytes <= UNREAD_UNLOOKED && core.ledger.total < core.ledger.budget) return true;
  const most = unreadMax(core);
  askFrom(core, connection, most / UNREAD_QUESTIONS_LIVE);
  return connection.reading.unreadBytes <= most;
}

/** Not before so many bytes: to some clients the question is an error. */
function askFrom(core: SessionCore, connection: Connection, bytes: number): void {
  if (unaskedBytes(connection) > bytes) ask(core, connection);
}

/** Whether a client may be given more than somebody sends just now: so little is unread that there is room for that as well. */
export function hasReadEnough(core: SessionCore, connection: Connection): boolean {
  const most = unreadMax(core);
  askFrom(core, connection, most / UNREAD_QUESTIONS);
  return connection.reading.unreadBytes * 4 <= most;
}

/** What was sent since the client was asked. */
export function unaskedBytes({ reading }: Connection): number {
  const last = reading.questions.at(-1);
  return last === undefined ? reading.unreadBytes : reading.sentBytes - last.position;
}

/** Asks a client to show that it has read what was sent until now. */
export function ask(core: SessionCore, connection: Connection): void {
  const { session, reading } = connection;
  if (reading.questions.length >= UNREAD_QUESTIONS) return;
  const packetId = session.findPacketId(hash(`${core.secret} ${session.clientId} ${reading.sentBytes}`));
  connection.send({ type: PUBREL, packetId, reasonCode: SUCCESS, properties: NO_PROPERTIES });
  reading.questions.push({ packetId, position: reading.sentBytes, at: core.now });
  core.unanswered.add(connection);
  if (reading.questions.length === 1) expect(core, connection, core.now);
}

/** A question that was asked then is to be answered in time. */
export function expect(core: SessionCore, connection: Connection, at: number): void {
  // The host, which keeps the object awake for it, looks in time: an alarm would only cost a row.
  core.deadlines.add({ at: at + UNREAD_MS_MAX, kind: UNREAD, subject: connection, slackMs: DEADLINE_COARSE_MS });
}

/** When the first of those who were asked is to have answered, milliseconds since the epoch; Infinity when everybody has. */
export function answersEndAt({ unanswered }: SessionCore): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { reading } of unanswered) earliest = Math.min(earliest, (reading.questions.at(0)?.at ?? earliest) + UNREAD_MS_MAX);
  return earliest;
}
