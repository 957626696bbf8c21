/**
 * Clients that do not read. What waits in a socket no platform tells, and to close it frees nothing: so what is unread is bounded, for each
 * connection and for all of them together. A client is asked by a PUBREL whose Packet Identifier is in no use, which every client has to
 * answer with PUBCOMP [MQTT5-4.3.3-11], behind all that was sent before. Acknowledgements of messages show as much; other packets show
 * nothing, for who does not read may still ping. Beyond the bound QoS 0 messages are dropped and others wait; who does not answer is
 * disconnected. All of that is in memory alone: the object stays awake while somebody has not answered.
 */

import { UNREAD_ASK_BYTES, UNREAD_ASK_MS, UNREAD_MS_MAX, UNREAD_SHARE_MAX } from "../memory-limits.ts";
import { QUOTA_EXCEEDED } from "../mqtt/reason-code.ts";
import { UNREAD_REASON } from "./close-code.ts";
import type { SessionCore } from "./core.ts";
import { violated } from "./lifecycle.ts";
import { askOwed } from "./owed-retained.ts";
import type { Connection } from "./session.ts";
import { goOn } from "./share-backlog.ts";
import { ask, expect, unaskedBytes, unreadMax } from "./unread-bound.ts";

/** PUBCOMP for nothing that was released: an answer, or a guess. */
export function handleAnswer(core: SessionCore, connection: Connection, packetId: number): void {
  const { questions } = connection.reading;
  const index = questions.findIndex((question) => question.packetId === packetId);
  if (index >= 0) {
    const answered = questions.splice(0, index + 1).at(-1)!;
    connection.reading.hasRead(answered.position);
    if (questions.length === 0) core.unanswered.delete(connection);
    goOn(core, connection.session);
    askOwed(core, connection.session);
    return;
  }
  const first = questions.at(0);
  if (first === undefined) return;
  // Who guesses is asked anew, and has no more time for it.
  questions.length = 0;
  ask(core, connection);
  questions[0] = { ...questions[0]!, at: first.at };
  expect(core, connection, first.at);
}

/** An answer may be overdue. */
export function handleUnread(core: SessionCore, connection: Connection): void {
  const first = connection.reading.questions.at(0);
  if (first === undefined || !connection.open) return;
  if (first.at + UNREAD_MS_MAX <= core.now) violated(core, connection, QUOTA_EXCEEDED, UNREAD_REASON);
  else expect(core, connection, first.at);
}

/** A packet of the client was handled: what it makes the broker say may not grow for ever either. */
export function endUnread(core: SessionCore, connection: Connection): void {
  if (connection.open && connection.reading.unreadBytes > 2 * unreadMax(core)) violated(core, connection, QUOTA_EXCEEDED, UNREAD_REASON);
}

/** While much is unread by all together, everybody is asked: most have read long ago what was too little to ask for. */
export function askAll(core: SessionCore): void {
  const { ledger, now } = core;
  if (core.limits.unheardBytesMax === 0 || ledger.account("unsent").bytes < (ledger.budget * UNREAD_SHARE_MAX) / 2) return;
  if (now >= core.unreadAskedAt && now < core.unreadAskedAt + UNREAD_ASK_MS) return;
  core.unreadAskedAt = now;
  core.isForMany = core.connections.size > core.slices.many;
  for (const connection of core.connections) {
    if (connection.open && unaskedBytes(connection) > UNREAD_ASK_BYTES) ask(core, connection);
  }
  core.isForMany = false;
}
