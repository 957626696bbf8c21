/**
 * Incoming messages: PUBLISH from a client to the routing side, and its answer once the message is safe. QoS 2 follows method B of
 * the specification: the message is handed on when PUBLISH arrives, and its Packet Identifier is kept until PUBREL.
 */

import { messageOfPublish } from "../mqtt/message.ts";
import { type Acknowledgement, NO_PROPERTIES, PUBACK, PUBCOMP, PUBREC, type Publish } from "../mqtt/packet.ts";
import {
  NOT_AUTHORIZED,
  PACKET_IDENTIFIER_NOT_FOUND,
  PROTOCOL_ERROR,
  RECEIVE_MAXIMUM_EXCEEDED,
  SUCCESS,
  TOPIC_ALIAS_INVALID,
  TOPIC_NAME_INVALID,
} from "../mqtt/reason-code.ts";
import { validateTopicName } from "../topic/name.ts";
import { CLOSE_POLICY, CLOSE_PROTOCOL_ERROR, CLOSE_TRY_AGAIN, type Connection } from "./connection.ts";
import type { SessionCore } from "./core.ts";
import type { Incoming, Session } from "./session.ts";

/** An incoming QoS 1 or 2 message. The routing side settles it; its session's current connection answers it. */
class IncomingMessage implements Incoming {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly sequence: number;
  handedOn = false;
  reasonCode: number | undefined;
  readonly #core: SessionCore;
  readonly #session: Session;

  constructor(core: SessionCore, session: Session, packetId: number, qos: 1 | 2, sequence: number) {
    this.#core = core;
    this.#session = session;
    this.packetId = packetId;
    this.qos = qos;
    this.sequence = sequence;
  }

  settled(reasonCode: number): void {
    this.reasonCode = reasonCode;
    const session = this.#session;
    // A message that nobody took is not received: the client may repeat it.
    if (reasonCode >= 0x80 && session.received.get(this.packetId) === this) session.received.delete(this.packetId);
    if (session.connection !== undefined) answer(this.#core, session.connection);
  }
}

/** An exchange that a restart found: its message was handed on, or its publisher repeats it. */
export function restoreIncoming(core: SessionCore, session: Session, packetId: number, sequence: number, settled: boolean): void {
  const incoming = new IncomingMessage(core, session, packetId, 2, sequence);
  if (settled) incoming.reasonCode = SUCCESS;
  session.received.set(packetId, incoming);
}

export function handlePublish(core: SessionCore, connection: Connection, publish: Publish): void {
  const { session } = connection;
  const { properties, qos, packetId } = publish;
  // [MQTT5-3.3.4-6]
  if (properties.subscriptionIdentifiers !== undefined) {
    connection.disconnect(PROTOCOL_ERROR, "PUBLISH from a client must not have a Subscription Identifier", CLOSE_PROTOCOL_ERROR);
    core.connectionEnded(connection);
    return;
  }
  // [MQTT5-3.2.2-18]: no alias was announced.
  if (properties.topicAlias !== undefined) {
    connection.disconnect(TOPIC_ALIAS_INVALID, "Topic Alias is above the announced Topic Alias Maximum of 0", CLOSE_PROTOCOL_ERROR);
    core.connectionEnded(connection);
    return;
  }
  const problem = validateTopicName(publish.topic, core.limits);
  if (problem !== undefined) {
    connection.disconnect(TOPIC_NAME_INVALID, problem.message, CLOSE_POLICY);
    core.connectionEnded(connection);
    return;
  }
  if (qos === 0) {
    if (!core.authorizer.mayPublish(session.identity, session.clientId, publish.topic)) return;
    core.router.publish(messageOfPublish(publish, core.nextOrigin(session.clientId), core.now), undefined);
    return;
  }
  const known = session.received.get(packetId);
  if (qos === 2 && known !== undefined && known.reasonCode !== undefined) {
    // [MQTT5-4.3.3-10] [MQTT311-4.3.3-2]: a repeat is answered again and handed on no more.
    connection.incoming.push(known);
    answer(core, connection);
    return;
  }
  // [MQTT5-3.3.4-7]
  if (known === undefined && connection.unansweredQoS1 + session.received.size >= core.limits.receiveMaximum) {
    connection.disconnect(RECEIVE_MAXIMUM_EXCEEDED, `more than ${core.limits.receiveMaximum} unacknowledged messages`, CLOSE_POLICY);
    core.connectionEnded(connection);
    return;
  }
  if (qos === 2 && known?.handedOn) {
    connection.incoming.push(known);
    return;
  }
  const origin = core.nextOrigin(session.clientId);
  const incoming = new IncomingMessage(core, session, packetId, qos, known?.sequence ?? origin.sequence);
  connection.incoming.push(incoming);
  if (qos === 1) connection.unansweredQoS1 += 1;
  if (!core.authorizer.mayPublish(session.identity, session.clientId, publish.topic)) {
    // [5.0/3.4.2.1/refuse]; 3.x has no refusal: acknowledged, not forwarded [MQTT311-3.3.5-2] [3.1/publish/unauthorized].
    if (qos === 2 && connection.version !== 5) session.received.set(packetId, incoming);
    incoming.settled(connection.version === 5 ? NOT_AUTHORIZED : SUCCESS);
    return;
  }
  if (qos === 2) {
    session.received.set(packetId, incoming);
    core.markRowChanged(session);
  }
  incoming.handedOn = true;
  const repeated = known !== undefined;
  core.router.publish(messageOfPublish(publish, { ...origin, sequence: incoming.sequence, repeated }, core.now), incoming);
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
      connection.disconnect(reasonCode, "", CLOSE_TRY_AGAIN);
      core.connectionEnded(connection);
      return;
    }
    core.markChanged(connection);
    connection.send({ type: qos === 1 ? PUBACK : PUBREC, packetId, reasonCode, properties: NO_PROPERTIES });
  }
}

/** PUBREL: the Packet Identifier is free again, on record before PUBCOMP leaves [MQTT5-4.3.3-11] [MQTT5-4.3.3-12]. */
export function handlePubrel(core: SessionCore, connection: Connection, packet: Acknowledgement): void {
  const { session } = connection;
  const known = session.received.delete(packet.packetId);
  if (known) core.markRowChanged(session);
  // [5.0/3.6.2.1/unknown]
  const reasonCode = known || connection.version !== 5 ? SUCCESS : PACKET_IDENTIFIER_NOT_FOUND;
  connection.send({ type: PUBCOMP, packetId: packet.packetId, reasonCode, properties: NO_PROPERTIES });
}
