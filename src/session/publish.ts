/**
 * Incoming messages: PUBLISH from a client to the routing side, and its answer once the message is safe. QoS 2 follows method B of
 * the specification: the message is handed on when PUBLISH arrives, and its Packet Identifier is kept until PUBREL.
 */

import { RECEIVED_MAX_V3, TOPIC_ALIAS_BYTES_MAX } from "../limits.ts";
import { isUtf8Text, messageOfPublish } from "../mqtt/message.ts";
import { type Acknowledgement, NO_PROPERTIES, type Properties, PUBACK, PUBCOMP, PUBREC, type Publish } from "../mqtt/packet.ts";
import {
  IMPLEMENTATION_SPECIFIC_ERROR,
  NOT_AUTHORIZED,
  PACKET_IDENTIFIER_NOT_FOUND,
  PAYLOAD_FORMAT_INVALID,
  PROTOCOL_ERROR,
  QUOTA_EXCEEDED,
  RECEIVE_MAXIMUM_EXCEEDED,
  RETAIN_NOT_SUPPORTED,
  SUCCESS,
  TOPIC_ALIAS_INVALID,
  TOPIC_NAME_INVALID,
} from "../mqtt/reason-code.ts";
import { validateTopicName } from "../topic/name.ts";
import { MEMORY_SHORT } from "./close-code.ts";
import { handOn } from "./consume.ts";
import type { SessionCore } from "./core.ts";
import type { Incoming } from "./delivery.ts";
import { dropped } from "./dropped.ts";
import { countExchange, makeRoomForExchange } from "./exchanges.ts";
import { hasLeft, violated } from "./lifecycle.ts";
import { HELD, type PublishVerdict } from "./ports.ts";
import type { ReceivedExchange } from "./received.ts";
import type { Connection, Session } from "./session.ts";
import { type CodeRefusal, meantBy, refusalIn, verdictOn } from "./verdict.ts";

/** What helps the publisher of a refused message to mend it. */
const REASONS: { readonly [reasonCode: number]: Properties } = {
  [NOT_AUTHORIZED]: { reasonString: "not authorized to publish to this topic" },
  [PAYLOAD_FORMAT_INVALID]: { reasonString: "the payload is not the UTF-8 that it says it is" },
  [QUOTA_EXCEEDED]: {
    reasonString:
      "not everyone took the message: a queue, the room for retained messages or the storage is full, or its client sends faster than it may",
  },
  [IMPLEMENTATION_SPECIFIC_ERROR]: { reasonString: "the message could not be delivered to everyone; send it again" },
};

type Exchange = Pick<Incoming, "packetId" | "qos" | "sequence" | "begunAt">;

/** An incoming QoS 1 or 2 message. The routing side settles it; its session's current connection answers it. */
class IncomingMessage implements Incoming {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly sequence: number;
  readonly begunAt: string | undefined;
  handedOn = false;
  reasonCode: number | undefined;
  /** What the Worker's code says of it. */
  reason: string | undefined;
  readonly #core: SessionCore;
  readonly #session: Session;
  readonly #canRefuse: boolean;

  /** @param canRefuse the client's version has Reason Codes for a message that was not taken as it was meant */
  constructor(core: SessionCore, session: Session, exchange: Exchange, canRefuse: boolean) {
    this.#canRefuse = canRefuse;
    this.#core = core;
    this.#session = session;
    this.packetId = exchange.packetId;
    this.qos = exchange.qos;
    this.sequence = exchange.sequence;
    this.begunAt = exchange.begunAt;
  }

  settled(outcome: number): void {
    if (this.reasonCode !== undefined) return;
    try {
      this.#settle(outcome);
    } catch (error) {
      // Others are told of their outcomes in the same step.
      this.#core.failures.caught(error, "answering its message", this.#session);
    }
  }

  #settle(outcome: number): void {
    // Delivered but not kept as the retained message, or not taken by a full queue: 3.x has no word for it, and a repeat would not help.
    // Where storage is full it will, once there is room.
    const isHidden = outcome === QUOTA_EXCEEDED && !this.#canRefuse && !this.#core.room.isFull;
    const reasonCode = isHidden ? SUCCESS : outcome;
    this.reasonCode = reasonCode;
    const session = this.#session;
    // A message that nobody took is not received: the client may repeat it.
    if (session.received.get(this.packetId) === this) {
      if (reasonCode >= 0x80) session.received.delete(this.packetId);
      else session.received.touch(this.packetId);
    }
    // A publisher whose PUBREC is lost in a crash repeats PUBLISH at any time later: longer than the others remember the message.
    if (this.qos === 2) this.#core.changes.markRow(session);
    if (session.connection !== undefined) answer(this.#core, session.connection);
  }
}

/** An exchange that a restart found: its message was handed on, or its publisher repeats it. */
export function restoreIncoming(core: SessionCore, session: Session, exchange: ReceivedExchange): void {
  const { packetId, sequence, settled, begunAt } = exchange;
  // What it publishes from now on is newer, also where the exchange was begun at another object with another clock.
  core.numbers.raise(sequence);
  const incoming = new IncomingMessage(core, session, { packetId, qos: 2, sequence, begunAt }, false);
  if (settled) incoming.reasonCode = SUCCESS;
  else if (session.stored && begunAt === undefined) session.openExchanges.set(sequence, packetId);
  session.received.set(packetId, incoming);
}

export function handlePublish(core: SessionCore, connection: Connection, publish: Publish): void {
  const { session } = connection;
  // [MQTT5-3.3.4-6]
  if (publish.properties.subscriptionIdentifiers !== undefined) {
    violated(core, connection, PROTOCOL_ERROR, "PUBLISH from a client must not have a Subscription Identifier");
    return;
  }
  const topic = topicOf(core, connection, publish);
  if (topic === undefined) return;
  const problem = validateTopicName(topic, core.limits);
  if (problem !== undefined) {
    violated(core, connection, TOPIC_NAME_INVALID, problem.message);
    return;
  }
  // [MQTT5-3.2.2-14]; 3.x was not told that nothing is retained here: its message is delivered and not kept.
  if (publish.retain && core.limits.retainedMessagesMax === 0 && connection.version === 5) {
    violated(core, connection, RETAIN_NOT_SUPPORTED, "RETAIN is not available here");
    return;
  }
  const refusal = refusalOf(core, session, publish, topic);
  if (refusal === NOT_AUTHORIZED && connection.version !== 5 && core.choices.denyAction === "disconnect") {
    violated(core, connection, refusal, "not authorized to publish to this topic");
    return;
  }
  if (publish.qos === 0) {
    const verdict = refusal === SUCCESS ? verdictOn(core, connection, publish, topic) : undefined;
    if (verdict === HELD) return;
    if (refusal === SUCCESS && core.paces.takesMessage(connection, core.now)) publishFleeting(core, connection, publish, topic, verdict);
    // A message without an answer can't be refused but with its connection; one that is not allowed is dropped in silence.
    else if (refusal === PAYLOAD_FORMAT_INVALID) violated(core, connection, refusal, "the payload is not the UTF-8 that it says it is");
    return;
  }
  const { packetId, qos } = publish;
  const known = qos === 2 ? session.received.get(packetId) : undefined;
  if (known !== undefined && (known.handedOn || known.reasonCode !== undefined)) {
    handleRepeat(core, connection, known);
    return;
  }
  // [MQTT5-3.3.4-7] [5.0/3.3.4/recvmax]; 3.x clients know of no such limit: what they leave open takes memory all the same.
  const isV5 = connection.version === 5;
  const max = receivedMax(core, connection);
  const open = session.received.size + (isV5 ? connection.unansweredQoS1 : 0);
  if (known === undefined && open >= max && (isV5 || qos === 2)) {
    violated(core, connection, RECEIVE_MAXIMUM_EXCEEDED, `more than ${max} unacknowledged messages`);
    return;
  }
  const verdict = refusal === SUCCESS ? verdictOn(core, connection, publish, topic) : undefined;
  if (verdict === HELD) return;
  const byCode = refusalIn(verdict);
  if (byCode !== undefined && endsFor(core, connection, byCode, publish, topic)) return;
  const origin = core.nextOrigin(session.clientId);
  const { sequence, begunAt } = known ?? { sequence: origin.sequence, begunAt: undefined };
  const incoming = new IncomingMessage(core, session, { packetId, qos, sequence, begunAt }, connection.version === 5);
  connection.incoming.push(incoming);
  if (qos === 1) connection.unansweredQoS1 += 1;
  const reasonCode = byCode?.reasonCode ?? refusal;
  // [5.0/3.4.2.1/refuse]; 3.x has no refusal: acknowledged, not forwarded [MQTT311-3.3.5-2] [3.1/publish/unauthorized]. What nobody meant
  // is not acknowledged.
  const refused = reasonCode !== SUCCESS && (connection.version === 5 || byCode?.isFault === true);
  if (qos === 2) {
    if (!refused) session.received.set(packetId, incoming);
    // It was begun before a restart, and is over.
    else if (known !== undefined) session.received.delete(packetId);
    core.changes.markRow(session);
  }
  if (reasonCode !== SUCCESS) {
    if (byCode !== undefined) countRefused(core, connection, publish, topic);
    incoming.reason = byCode?.reason;
    incoming.settled(refused ? reasonCode : SUCCESS);
    return;
  }
  if (!core.userShares.takes(core, "messages", session.identity) || !core.paces.takesMessage(connection, core.now)) {
    // Not acknowledged: who has no word for it sends it again on another connection.
    incoming.settled(connection.version === 5 ? QUOTA_EXCEEDED : IMPLEMENTATION_SPECIFIC_ERROR);
    return;
  }
  const begins = qos === 2 && session.stored && known === undefined;
  if (begins && core.room.isFull) {
    incoming.settled(QUOTA_EXCEEDED);
    return;
  }
  if (begins && !makeRoomForExchange(core, session)) {
    incoming.settled(IMPLEMENTATION_SPECIFIC_ERROR);
    return;
  }
  if (begins) countExchange(core, session, sequence);
  incoming.handedOn = true;
  const repeated = known !== undefined;
  let settledBelow = 0;
  if (begunAt !== undefined) {
    // That object keeps its sequences from being forgotten: it says itself which of them are settled.
    settledBelow = 1;
  } else if (qos === 2 && session.stored) {
    session.openExchanges.set(sequence, packetId);
    core.openExchanges.set(sequence, session);
    settledBelow = core.settledBelow;
  }
  // An object without a life, as its own name may have an @.
  const from = { ...origin, origin: begunAt === undefined ? origin.origin : `${begunAt}@`, sequence, repeated, settledBelow };
  try {
    const meant = meantBy(verdict, publish, topic);
    handOn(
      core,
      messageOfPublish(meant.publish, meant.topic, from, connection.packetCameAt),
      incoming,
      ownerOf(core, session, meant.publish),
    );
  } catch (error) {
    core.failures.caught(error, "publishing its message", session);
    // An exchange that was begun always ends: what nobody has may be sent again.
    incoming.settled(IMPLEMENTATION_SPECIFIC_ERROR);
  }
}

/** Open QoS 2 exchanges of a client. */
function receivedMax({ limits }: SessionCore, { version }: Connection): number {
  return version === 5 ? limits.receiveMaximum : RECEIVED_MAX_V3;
}

/** [MQTT5-4.3.3-10] [MQTT311-4.3.3-2]: a repeat is answered again, after the first, and handed on no more. */
function handleRepeat(core: SessionCore, connection: Connection, known: Incoming): void {
  const { incoming, unansweredQoS1 } = connection;
  const max = receivedMax(core, connection);
  // Who has connected anew repeats each of them once [MQTT5-4.4.0-1].
  if (incoming.length - unansweredQoS1 >= max) {
    violated(core, connection, RECEIVE_MAXIMUM_EXCEEDED, `more than ${max} unacknowledged messages`);
    return;
  }
  // It counts against the rate, and can't be refused: the message is taken.
  core.paces.takesMessage(connection, core.now);
  incoming.push(known);
  answer(core, connection);
}

function publishFleeting(core: SessionCore, connection: Connection, publish: Publish, topic: string, verdict: PublishVerdict): void {
  const { session, packetCameAt } = connection;
  const origin = core.nextOrigin(session.clientId);
  if (refusalIn(verdict) !== undefined) {
    dropped(core, "refused", undefined, { topic, qos: 0, publisher: session.clientId });
    return;
  }
  const meant = meantBy(verdict, publish, topic);
  handOn(core, messageOfPublish(meant.publish, meant.topic, origin, packetCameAt), undefined, ownerOf(core, session, meant.publish));
}

/** Whether a 3.x client loses its connection for what the Worker's code has refused: as for what it may not publish. */
function endsFor(
  core: SessionCore,
  connection: Connection,
  { isFault, reasonCode, reason }: CodeRefusal,
  publish: Publish,
  topic: string,
): boolean {
  if (isFault || connection.version === 5 || core.choices.denyAction !== "disconnect") return false;
  countRefused(core, connection, publish, topic);
  violated(core, connection, reasonCode, reason === "" ? "the message was refused" : reason);
  return true;
}

/** It counts against its client's rate as if it had been taken. */
function countRefused(core: SessionCore, connection: Connection, { qos }: Publish, topic: string): void {
  dropped(core, "refused", undefined, { topic, qos, publisher: connection.session.clientId });
  core.paces.takesMessage(connection, core.now);
}

/** The user whom a message counts for while it is retained. */
function ownerOf(core: SessionCore, { identity }: Session, { retain }: Publish): number | undefined {
  return retain ? core.userShares.ownerOf(identity) : undefined;
}

/** Why a message may not be published; SUCCESS when it may. */
function refusalOf(core: SessionCore, session: Session, publish: Publish, topic: string): number {
  if (!core.authorizer.mayPublish(session.identity, session.clientId, topic, publish.qos, publish.retain)) return NOT_AUTHORIZED;
  const claimsUtf8 = core.choices.validatePayloadFormat && publish.properties.payloadFormatIndicator === 1;
  return claimsUtf8 && !isUtf8Text(publish.payload) ? PAYLOAD_FORMAT_INVALID : SUCCESS;
}

/**
 * The topic of a PUBLISH, by its Topic Alias where it has one [MQTT5-3.3.2-12] [5.0/3.3.2.3.4/remap].
 * @returns undefined when the connection was ended for it
 */
function topicOf(core: SessionCore, connection: Connection, publish: Publish): string | undefined {
  const alias = publish.properties.topicAlias;
  if (alias === undefined) return publish.topic;
  const max = core.limits.topicAliasMaximum;
  // [MQTT5-3.2.2-17] [MQTT5-3.2.2-18] [MQTT5-3.3.2-9]
  if (alias > max) {
    violated(core, connection, TOPIC_ALIAS_INVALID, `Topic Alias ${alias} is above the announced Topic Alias Maximum of ${max}`);
    return undefined;
  }
  if (publish.topic !== "") {
    if (!connection.aliases.has(alias) && !core.userShares.takes(core, "aliases", connection.session.identity)) {
      violated(core, connection, QUOTA_EXCEEDED, MEMORY_SHORT);
      return undefined;
    }
    if (!connection.aliases.set(alias, publish.topic)) {
      const message = `the topics of all Topic Aliases have more than ${TOPIC_ALIAS_BYTES_MAX} bytes`;
      violated(core, connection, QUOTA_EXCEEDED, message);
      return undefined;
    }
    core.changes.mark(connection);
    return publish.topic;
  }
  const topic = connection.aliases.get(alias);
  // [5.0/3.3.4/alias-unknown]
  if (topic === undefined) violated(core, connection, PROTOCOL_ERROR, `Topic Alias ${alias} stands for no topic on this connection`);
  return topic;
}

/** Answers incoming messages as far as they are settled, in the order in which they came. */
function answer(core: SessionCore, connection: Connection): void {
  const { incoming } = connection;
  for (let head = incoming.peek(); head?.reasonCode !== undefined && connection.open; head = incoming.peek()) {
    incoming.shift();
    if (head.qos === 1) connection.unansweredQoS1 -= 1;
    const { packetId, qos, reasonCode } = head;
    if (reasonCode >= 0x80 && connection.version !== 5) {
      // 3.x has no way to refuse a message: without an answer and with a new connection the client sends it again.
      if (!hasLeft(core, connection)) violated(core, connection, reasonCode, "the message could not be delivered; send it again");
      return;
    }
    core.changes.mark(connection);
    const properties = head.reason ? { reasonString: head.reason } : (REASONS[reasonCode] ?? NO_PROPERTIES);
    connection.send({ type: qos === 1 ? PUBACK : PUBREC, packetId, reasonCode, properties });
  }
}

/** PUBREL: the Packet Identifier is free again, on record before PUBCOMP leaves [MQTT5-4.3.3-11] [MQTT5-4.3.3-12]. */
export function handlePubrel(core: SessionCore, connection: Connection, packet: Acknowledgement): void {
  const { session } = connection;
  const known = session.received.delete(packet.packetId);
  if (known) core.changes.markRow(session);
  // [5.0/3.6.2.1/unknown]
  const reasonCode = known || connection.version !== 5 ? SUCCESS : PACKET_IDENTIFIER_NOT_FOUND;
  connection.send({ type: PUBCOMP, packetId: packet.packetId, reasonCode, properties: NO_PROPERTIES });
}
