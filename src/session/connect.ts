/**
 * CONNECT: which are refused, which session they get, and what CONNACK says. What one can know from the packet alone is in
 * `validateConnect`, which the edge asks too.
 */

import { type Limits, WILL_BYTES_MAX } from "../limits.ts";
import { UNFINISHED_BYTES_SHORT } from "../memory-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { isUtf8Text } from "../mqtt/message.ts";
import { CONNACK, type Connack, type Connect, NO_PROPERTIES, type Properties, type ProtocolVersion } from "../mqtt/packet.ts";
import {
  CLIENT_IDENTIFIER_NOT_VALID,
  NOT_AUTHORIZED,
  PACKET_TOO_LARGE,
  PAYLOAD_FORMAT_INVALID,
  QUOTA_EXCEEDED,
  RETAIN_NOT_SUPPORTED,
  returnCodeOf,
  SESSION_TAKEN_OVER,
  SUCCESS,
  TOPIC_NAME_INVALID,
} from "../mqtt/reason-code.ts";
import { validateTopicName } from "../topic/name.ts";
import { closeCodeOf, closeReason, MEMORY_SHORT } from "./close-code.ts";
import { connectionFacts, effectiveKeepAliveSeconds, encodeFor, hasRoomFor } from "./connection-facts.ts";
import type { SessionCore } from "./core.ts";
import { KEEP_ALIVE } from "./deadlines.ts";
import { setIdentity } from "./identity.ts";
import { connectionLost, endSession, hasLeft, keepAliveSlackMs } from "./lifecycle.ts";
import { askOwed } from "./owed-retained.ts";
import { willBytes } from "./pending-will.ts";
import { type Claimant, claimantOf, type Identity, isSameClaimant, isService, type Refusal, type Wire } from "./ports.ts";
import { resend } from "./queue.ts";
import { responseInformation } from "./response-information.ts";
import { endForbidden, LOGIN_ENDED, watchLogin } from "./rights.ts";
import { Connection, Session } from "./session.ts";
import { announceShares } from "./share.ts";
import { goOn } from "./share-backlog.ts";
import { SHARE_TAKEN } from "./user-shares.ts";
import { discardWill, publishIfDue, setWill, watchWills } from "./will.ts";

/**
 * What a CONNECT alone gives away as wrong.
 * @returns the refusal, with a 5.0 Reason Code whatever the version, or undefined
 */
export function validateConnect(connect: Connect, limits: Limits): Refusal | undefined {
  const { clientId, version, will } = connect;
  const refuse = (reasonCode: number, message: string): Refusal => ({ reasonCode, message });
  const bytes = utf8Length(clientId);
  const bytesMax = version === 3 ? limits.clientIdBytesMaxV31 : limits.clientIdBytesMax;
  // [MQTT5-3.1.3-8] [MQTT311-3.1.3-9] [3.1/connect/clientid]
  if (bytes > bytesMax)
    return refuse(CLIENT_IDENTIFIER_NOT_VALID, `the Client Identifier has ${bytes} bytes; at most ${bytesMax} are accepted`);
  // [MQTT311-3.1.3-8] [3.1/connect/clientid]
  if (bytes === 0 && (version === 3 || (version === 4 && !connect.clean))) {
    return refuse(CLIENT_IDENTIFIER_NOT_VALID, "an empty Client Identifier needs MQTT 3.1.1 with Clean Session 1, or MQTT 5.0");
  }
  if (will?.retain && version === 5 && limits.retainedMessagesMax === 0) {
    // [MQTT5-3.2.2-13]
    return refuse(RETAIN_NOT_SUPPORTED, "a retained Will Message is not available here");
  }
  if (will !== undefined) {
    const problem = validateTopicName(will.topic, limits);
    if (problem !== undefined) return refuse(TOPIC_NAME_INVALID, `Will Topic: ${problem.message}`);
  }
  const bytesOfWill = willBytes(will);
  if (bytesOfWill > WILL_BYTES_MAX) {
    return refuse(QUOTA_EXCEEDED, `the Will takes ${bytesOfWill} bytes of memory; at most ${WILL_BYTES_MAX} are accepted`);
  }
  return undefined;
}

/**
 * The CONNACK of a refusal, in the client's version. [MQTT311-3.2.2-4] [MQTT5-3.2.2-6]: Session Present is 0.
 * @returns undefined when the client has no room for it [MQTT5-3.1.2-24]
 */
export function encodeRefusal(refusal: Refusal, connect: Connect): Uint8Array | undefined {
  return encodeFor(refusalPacket(refusal, connect.version), connectionFacts(connect, false));
}

export function refusalPacket({ reasonCode, message }: Refusal, version: ProtocolVersion): Connack {
  if (version !== 5) return { type: CONNACK, sessionPresent: false, reasonCode: returnCodeOf(reasonCode), properties: NO_PROPERTIES };
  return { type: CONNACK, sessionPresent: false, reasonCode, properties: { reasonString: message } };
}

export interface ConnectOptions {
  /** The Client Identifier was assigned by the broker because the client's was empty [MQTT5-3.1.3-7]. */
  readonly assigned: boolean;
  /** A relay stands before the socket: it answers PINGREQ and enforces Keep Alive. */
  readonly relayed: boolean;
  /** What the broker says last in the exchange of an Authentication Method; undefined when there is nothing to say. */
  readonly authenticationData: Uint8Array | undefined;
}

/**
 * Handles a CONNECT that passed `validateConnect` and whose identity is known.
 * @returns the connection, or undefined when it was refused: then the CONNACK was sent and the wire closed
 */
export function handleConnect(
  core: SessionCore,
  wire: Wire,
  connect: Connect,
  identity: Identity,
  options: ConnectOptions,
): Connection | undefined {
  const { clientId, will, version } = connect;
  const refuse = (reasonCode: number, message: string): undefined => {
    const bytes = encodeRefusal({ reasonCode, message }, connect);
    if (bytes !== undefined) wire.send(bytes);
    wire.close(closeCodeOf(reasonCode), closeReason(message));
    return undefined;
  };
  if (identity.expiresAt <= core.now) return refuse(NOT_AUTHORIZED, LOGIN_ENDED);
  if (will !== undefined && !core.authorizer.mayPublish(identity, clientId, will.topic, will.qos, will.retain)) {
    return refuse(NOT_AUTHORIZED, "not authorized to publish the Will Message");
  }
  if (
    will !== undefined &&
    core.choices.validatePayloadFormat &&
    will.properties.payloadFormatIndicator === 1 &&
    !isUtf8Text(will.payload)
  ) {
    return refuse(PAYLOAD_FORMAT_INVALID, "the Will Payload is not the UTF-8 that it says it is");
  }
  const previous = core.sessions.get(clientId);
  if (previous !== undefined && isRefused(core, previous, claimantOf(identity)))
    return refuse(CLIENT_IDENTIFIER_NOT_VALID, OF_ANOTHER_USER);
  if (previous?.connection === undefined && core.connections.size + core.closing.size >= core.limits.connectionsMax) {
    return refuse(QUOTA_EXCEEDED, `this part of the broker has ${core.limits.connectionsMax} connections already`);
  }
  const { userShares } = core;
  const own = previous !== undefined && !isOfAnother(previous, claimantOf(identity)) ? previous : undefined;
  if (own?.connection === undefined && !userShares.takesConnection(core, identity)) return refuse(QUOTA_EXCEEDED, SHARE_TAKEN);
  if (previous === undefined && !userShares.takes(core, "sessions", identity)) return refuse(QUOTA_EXCEEDED, MEMORY_SHORT);
  if (!userShares.takes(core, "connections", identity)) return refuse(QUOTA_EXCEEDED, MEMORY_SHORT);
  // As a large packet that has not come whole.
  if (willBytes(will) > UNFINISHED_BYTES_SHORT && !userShares.takes(core, "unfinished", identity)) {
    return refuse(QUOTA_EXCEEDED, MEMORY_SHORT);
  }
  const granted = grantedExpirySeconds(connect, core.limits);
  const waiting = core.sessions.size - core.connections.size;
  // One that ends with its connection has taken no place that the next could have.
  if (granted > 0 && !isKept(previous) && waiting >= core.limits.sessionsMax) {
    return refuse(QUOTA_EXCEEDED, `${core.limits.sessionsMax} sessions wait here for their clients already`);
  }
  if (granted > 0 && !isKept(own) && !userShares.takesSession(core, identity)) return refuse(QUOTA_EXCEEDED, SHARE_TAKEN);
  if (granted > 0 && previous?.stored !== true && core.room.isFull) {
    return refuse(QUOTA_EXCEEDED, "the broker's storage is full: it can keep no new session");
  }
  const keepAliveSeconds = effectiveKeepAliveSeconds(connect, core.limits);
  const facts = { ...connectionFacts(connect, options.relayed), keepAliveSeconds };
  const properties = version === 5 ? capabilities(core, connect, granted, options) : NO_PROPERTIES;
  const connack: Connack = { type: CONNACK, sessionPresent: false, reasonCode: SUCCESS, properties };
  // [MQTT5-3.1.2-24]: a client that can't be told what it must know can't be served.
  if (!hasRoomFor(connack, facts)) {
    return refuse(PACKET_TOO_LARGE, "the Maximum Packet Size leaves no room for CONNACK");
  }
  takeOver(core, previous);
  const resumed = sessionToResume(core, clientId, identity, connect.clean);
  const session = resumed ?? beginSession(core, clientId, identity, granted);
  setIdentity(core, session, identity);
  session.expirySeconds = granted;
  session.expiresAt = 0;
  session.inGrace = false;
  session.oversized = false;
  setWill(core, session, will);
  const connection = new Connection(wire, session, facts, core.limits, core.ledger, core.now);
  session.connection = connection;
  core.connections.add(connection);
  announceShares(core, session);
  core.changes.markRow(session);
  core.changes.mark(connection);
  watchWills(core, [connection]);
  watchLogin(core, connection);
  if (connection.keepAliveMs > 0) {
    core.deadlines.add({
      at: core.now + connection.keepAliveMs,
      kind: KEEP_ALIVE,
      subject: connection,
      slackMs: keepAliveSlackMs(connection),
    });
  }
  // [MQTT311-3.2.2-1..3] [MQTT5-3.2.2-2] [MQTT5-3.2.2-3]; [3.1/connack/flags] is the encoder's.
  const sessionPresent = resumed !== undefined;
  connection.send({ ...connack, sessionPresent });
  const { clean } = connect;
  core.clients.connected(identity, clientId, { version, clean, sessionPresent, keepAliveSeconds, sessionExpirySeconds: granted });
  endForbidden(core, session);
  resend(core, session);
  goOn(core, session);
  askOwed(core, session);
  return connection;
}

/**
 * [MQTT5-3.1.4-3] [MQTT311-3.1.4-2]: the older connection of the client ends; its will follows the rules of a lost connection, unless
 * its client has taken leave.
 */
export function takeOver(core: SessionCore, previous: Session | undefined): void {
  const older = previous?.connection;
  if (older === undefined) return;
  if (hasLeft(core, older)) return;
  const reason = "another connection uses this Client Identifier";
  try {
    older.disconnect(SESSION_TAKEN_OVER, reason);
  } finally {
    // Also of one that can't be told: its socket is closed, and nobody else would end it.
    // [5.0/3.1.3.2.2/takeover]: a will without delay goes now; a delayed one when Clean Start 1 ends the session; a resume cancels it.
    connectionLost(core, older, { reasonCode: SESSION_TAKEN_OVER, reason });
  }
}

/** [MQTT5-3.1.2-4] [MQTT5-3.1.2-5] [MQTT311-3.1.2-4] [MQTT311-3.1.2-6]; none that has expired [MQTT5-4.1.0-2]. */
function sessionToResume(core: SessionCore, clientId: string, identity: Identity, clean: boolean): Session | undefined {
  const previous = core.sessions.get(clientId);
  if (previous === undefined) return undefined;
  publishIfDue(core, previous);
  // After a restart the client is back within its grace: its will was never due.
  if (previous.inGrace) discardWill(core, previous);
  // What another user subscribed to, and what waits of it, is not for this one.
  if (clean || isOfAnother(previous, claimantOf(identity)) || previous.expirySeconds === 0 || previous.expiresAt <= core.now) {
    endSession(core, previous);
    return undefined;
  }
  // [MQTT5-3.1.3-9]
  discardWill(core, previous);
  return previous;
}

/** Whether a session outlives its connection. */
function isKept(session: Session | undefined): boolean {
  return session !== undefined && session.expirySeconds > 0;
}

function isOfAnother({ identity }: Session, by: Claimant): boolean {
  return !isSameClaimant(claimantOf(identity), by);
}

/**
 * Whether who says this Client Identifier is refused because there is, or may come back, the client of another user. The broker's own is
 * nobody's else whatever the operator allows, and the broker takes none: who is asked by it knows its name by the Response Topic.
 */
export function isRefused({ choices, now }: SessionCore, session: Session, by: Claimant): boolean {
  if (!isOfAnother(session, by) || session.retired) return false;
  if (choices.clientIdOwner !== "user" && !isService(session.identity) && by.isService !== true) return false;
  // Where it ended with its connection its client can't come back to it. Of its will builds before did not say whose it is.
  return session.connection !== undefined || (session.stored && session.expirySeconds > 0 && session.expiresAt > now);
}

export const OF_ANOTHER_USER = "the session of this Client Identifier belongs to another user";

function beginSession(core: SessionCore, clientId: string, identity: Identity, expirySeconds: number): Session {
  const session = new Session(clientId, expirySeconds > 0 ? core.numbers.next() : 0, identity, core.ledger);
  core.sessions.set(clientId, session);
  return session;
}

/** How long the session outlives the connection, seconds: what a 5.0 client asks for, the operator's choice for 3.x, 0 when clean. */
function grantedExpirySeconds(connect: Connect, limits: Limits): number {
  if (connect.version !== 5) return connect.clean ? 0 : limits.sessionExpirySecondsV3;
  return Math.min(connect.properties.sessionExpiryInterval ?? 0, limits.sessionExpirySecondsMax);
}

/** What CONNACK announces: exactly what is enforced. Absent means: without limit, or available. */
function capabilities(core: SessionCore, connect: Connect, granted: number, options: ConnectOptions): Properties {
  const { limits, choices } = core;
  const { authenticationMethod, requestResponseInformation } = connect.properties;
  const keepAliveSeconds = effectiveKeepAliveSeconds(connect, limits);
  // [MQTT5-3.1.2-28]
  const wantsResponse = requestResponseInformation === 1 && choices.responseInformation !== "";
  const topic = wantsResponse ? responseInformation(choices.responseInformation, connect.clientId) : undefined;
  const { authenticationData } = options;
  return {
    // [MQTT5-4.12.0-5] [MQTT5-4.12.0-6]
    ...(authenticationMethod === undefined ? {} : { authenticationMethod }),
    ...(authenticationData === undefined ? {} : { authenticationData }),
    // [5.0/3.2.2.3.2/override]
    ...(granted !== (connect.properties.sessionExpiryInterval ?? 0) ? { sessionExpiryInterval: granted } : {}),
    receiveMaximum: limits.receiveMaximum,
    maximumPacketSize: limits.packetBytesMax,
    ...(limits.retainedMessagesMax === 0 ? { retainAvailable: 0 } : {}),
    ...(keepAliveSeconds !== connect.keepAliveSeconds ? { serverKeepAlive: keepAliveSeconds } : {}),
    ...(topic === undefined ? {} : { responseInformation: topic }),
    // [MQTT5-3.2.2-16]
    ...(options.assigned ? { assignedClientIdentifier: connect.clientId } : {}),
    ...(limits.topicAliasMaximum > 0 ? { topicAliasMaximum: limits.topicAliasMaximum } : {}),
  };
}
