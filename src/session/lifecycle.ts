/**
 * How connections and sessions end: DISCONNECT, loss, Keep Alive, expiry. A session without a connection waits for its client until
 * it expires; a connection that ends without DISCONNECT 0x00 leaves its will behind.
 */

import { DEADLINE_COARSE_MS, KEEP_ALIVE_EXACT_MS, RESTART_GRACE_MS } from "../limits.ts";
import { cutUtf8 } from "../mqtt/bytes.ts";
import type { Disconnect } from "../mqtt/packet.ts";
import { CLIENT_DISCONNECT_CODES, KEEP_ALIVE_TIMEOUT, NORMAL_DISCONNECTION, PROTOCOL_ERROR } from "../mqtt/reason-code.ts";
import { PARTED_REASON_BYTES_MAX } from "../storage-limits.ts";
import { stopSlowing } from "./catch-up.ts";
import type { SessionCore } from "./core.ts";
import { KEEP_ALIVE, SESSION_EXPIRY } from "./deadlines.ts";
import { forgetExchanges } from "./exchanges.ts";
import { forgetSubscriptions } from "./interest.ts";
import type { Ended } from "./ports.ts";
import { keepWithinBounds } from "./queue.ts";
import { boundsOf } from "./queue-bounds.ts";
import { forgetDeliveries } from "./redistribute.ts";
import { forgetRow } from "./rows.ts";
import { type Connection, NEVER_EXPIRES, type Session } from "./session.ts";
import { announceShares } from "./share.ts";
import { park } from "./waiting.ts";
import { discardWill, publishWill, scheduleWill, willDelayMs } from "./will.ts";

/** DISCONNECT from the client. */
export function handleDisconnect(core: SessionCore, connection: Connection, packet: Disconnect): void {
  const { session } = connection;
  // [MQTT5-3.14.2-1]: operators are told why connections end, and "taken over" is not for a client to say.
  if (!CLIENT_DISCONNECT_CODES.has(packet.reasonCode)) {
    violated(core, connection, PROTOCOL_ERROR, "DISCONNECT with a Reason Code that only a Server may send");
    return;
  }
  const expiry = packet.properties.sessionExpiryInterval;
  if (expiry !== undefined) {
    // [5.0/3.14.2.2.2/zero-to-nonzero]: the packet is in error, so the will stays.
    if (session.expirySeconds === 0 && expiry !== 0) {
      violated(core, connection, PROTOCOL_ERROR, "a Session Expiry Interval of 0 can't become another one in DISCONNECT");
      return;
    }
    session.expirySeconds = Math.min(expiry, core.limits.sessionExpirySecondsMax);
  }
  // [MQTT5-3.14.4-3] [5.0/3.14.2.1/0x04]
  if (packet.reasonCode === NORMAL_DISCONNECTION) discardWill(core, session);
  connection.close();
  connectionLost(core, connection, { reasonCode: packet.reasonCode, reason: packet.properties.reasonString ?? "" });
}

/** Nobody has said why. */
export const LOST: Ended = { reasonCode: undefined, reason: "" };

/** The connection is over, for whatever reason; a second call for the same connection has no effect. */
export function connectionLost(core: SessionCore, connection: Connection, ended = LOST): void {
  const { session } = connection;
  connection.open = false;
  const wasHere = core.connections.delete(connection);
  connection.forget();
  if (connection.reading.unreadBytes > 0) core.lingering.add(connection);
  core.unanswered.delete(connection);
  core.deadlines.forget(connection);
  connection.reauthentication?.exchange.cancel();
  if (connection.aliases.number !== 0) core.store.deleteAliases(connection.aliases.number);
  if (session.connection === connection) {
    session.connection = undefined;
    session.stuck = false;
    clientLost(core, session, wasHere ? ended : undefined);
  } else if (wasHere) core.clients.disconnected(session.identity, session.clientId, ended, false);
}

/** [MQTT5-4.13.1-1] [MQTT311-4.8.0-1]: the connection ends, and nothing but the connection; its will is published. */
export function violated(core: SessionCore, connection: Connection, reasonCode: number, message: string): void {
  connection.disconnect(reasonCode, message);
  connectionLost(core, connection, { reasonCode, reason: message });
}

/**
 * For a connection that has to end though its client has done nothing wrong: if that one has taken leave behind what can't go on, it leaves as
 * it has said [MQTT311-3.14.4-3].
 * @returns whether it has
 */
export function hasLeft(core: SessionCore, connection: Connection): boolean {
  const said = connection.unhandled?.takeDisconnect();
  if (said !== undefined) handleDisconnect(core, connection, said);
  return said !== undefined;
}

/** What follows for a session when its client is gone. @param ended why, for who has not been told yet */
export function clientLost(core: SessionCore, session: Session, ended?: Ended): void {
  const { identity, clientId } = session;
  const hadWill = session.will !== undefined;
  if (ended !== undefined) {
    const { reasonCode, reason } = ended;
    session.parted = { at: core.now, reasonCode, reason: cutUtf8(reason, PARTED_REASON_BYTES_MAX) };
  }
  leave(core, session);
  core.receipts.left(session);
  if (ended !== undefined) core.clients.disconnected(identity, clientId, ended, hadWill && session.will === undefined);
}

function leave(core: SessionCore, session: Session): void {
  // Whatever fails in it, it comes to its end.
  core.failures.guard("leaving its shares", session, () => announceShares(core, session));
  core.failures.guard("scheduling its will", session, () => scheduleWill(core, session, willDelayMs(session)));
  if (session.expirySeconds === 0) {
    endSession(core, session);
    return;
  }
  stopSlowing(core, session);
  keepWithinBounds(core, session, boundsOf(core), 0, true);
  beginWaiting(core, session);
}

/** The session waits for its client until it expires. */
export function beginWaiting(core: SessionCore, session: Session): void {
  const { expirySeconds } = session;
  park(session);
  session.expiresAt = expirySeconds === NEVER_EXPIRES ? Number.POSITIVE_INFINITY : core.now + expirySeconds * 1000;
  core.changes.markRow(session);
  if (session.expiresAt !== Number.POSITIVE_INFINITY) {
    core.deadlines.add({ at: session.expiresAt, kind: SESSION_EXPIRY, subject: session, slackMs: DEADLINE_COARSE_MS });
  }
}

/** Its client is expected just now: should it not stay, the session has its whole time again, and the will the grace of a restart. */
export function beginGrace(core: SessionCore, session: Session): void {
  session.inGrace = true;
  beginWaiting(core, session);
  scheduleWill(core, session, Math.max(RESTART_GRACE_MS, willDelayMs(session)));
}

/** [MQTT5-3.1.2-4] [MQTT5-4.1.0-2] [MQTT311-3.1.2-6]: nothing of the session remains; a will that waited is published now. */
export function endSession(core: SessionCore, session: Session): void {
  if (core.sessions.get(session.clientId) !== session) return;
  // Whatever fails in it, it comes to its end.
  const { failures } = core;
  failures.guard("publishing its will", session, () => publishWill(core, session));
  failures.guard("ending its subscriptions", session, () => forgetSubscriptions(core, session, false));
  forgetDeliveries(core, session, true);
  core.sessions.delete(session.clientId);
  core.deadlines.forget(session);
  forgetRow(core, session);
  forgetExchanges(session);
}

/** Keep Alive is exact while anything wakes the object; for an object that sleeps, a short one keeps its alarm and a long one may be late. */
export function keepAliveSlackMs(connection: Connection): number {
  return connection.keepAliveMs <= KEEP_ALIVE_EXACT_MS ? 0 : DEADLINE_COARSE_MS;
}

/** A Keep Alive may have run out [MQTT5-3.1.2-22] [MQTT311-3.1.2-24]. */
export function handleKeepAlive(core: SessionCore, connection: Connection): void {
  if (!connection.open) return;
  const at = connection.lastSeenAt + connection.keepAliveMs;
  if (at > core.now) {
    core.deadlines.add({ at, kind: KEEP_ALIVE, subject: connection, slackMs: keepAliveSlackMs(connection) });
    return;
  }
  violated(core, connection, KEEP_ALIVE_TIMEOUT, "no packet within one and a half times the Keep Alive");
}

/** A Will Delay may have run out. */
export function handleWillDelay(core: SessionCore, session: Session): void {
  const { will } = session;
  if (will === undefined || will.dueAt === 0 || session.connection !== undefined) return;
  if (will.dueAt > core.now) return;
  // Without a row only the will was left of the session.
  if (session.stored || core.sessions.get(session.clientId) !== session) publishWill(core, session);
  else endSession(core, session);
}
