/**
 * The client's half of the QoS 1 and QoS 2 handshakes for what it was sent. An acknowledgement of the wrong kind ends the connection: were it
 * only overlooked, its message would hold its place in the window for as long as the client believes it is done.
 */

import { type Acknowledgement, NO_PROPERTIES, PUBREL } from "../mqtt/packet.ts";
import { PACKET_IDENTIFIER_NOT_FOUND, PROTOCOL_ERROR, SUCCESS } from "../mqtt/reason-code.ts";
import type { SessionCore } from "./core.ts";
import { violated } from "./lifecycle.ts";
import { acknowledged } from "./queue.ts";
import type { Connection } from "./session.ts";
import { goOn } from "./share-backlog.ts";
import { handleAnswer } from "./unread.ts";
import { sentQoS } from "./waiting.ts";

/** [MQTT5-4.13.1-1] [MQTT311-4.8.0-1]: what was sent under this Packet Identifier is not acknowledged like that, or not yet. */
function wrongKind(core: SessionCore, connection: Connection, what: string, packetId: number): void {
  violated(core, connection, PROTOCOL_ERROR, `${what} is not what the message with Packet Identifier ${packetId} waits for`);
}

/** PUBACK [MQTT5-4.3.2-3]; one for an unknown Packet Identifier has no effect. */
export function handlePuback(core: SessionCore, connection: Connection, packet: Acknowledgement): void {
  const { session } = connection;
  const { packetId } = packet;
  const qos = sentQoS(session, packetId);
  if (session.released.has(packetId) || qos === 2) {
    wrongKind(core, connection, "PUBACK", packetId);
    return;
  }
  if (qos === undefined) return;
  connection.reading.acknowledged(packetId);
  core.receipts.answered(session, packetId, packet.reasonCode < 0x80);
  acknowledged(core, session, packetId);
  goOn(core, session);
}

/** PUBREC: recorded before PUBREL leaves, so that no crash can make the message appear again [MQTT5-4.3.3-6]. */
export function handlePubrec(core: SessionCore, connection: Connection, packet: Acknowledgement): void {
  const { session } = connection;
  const { packetId } = packet;
  const qos = sentQoS(session, packetId);
  const refused = packet.reasonCode >= 0x80;
  if (qos === 1) {
    wrongKind(core, connection, "PUBREC", packetId);
    return;
  }
  if (qos !== undefined) {
    connection.reading.acknowledged(packetId);
    core.receipts.answered(session, packetId, !refused);
    acknowledged(core, session, packetId);
    core.changes.markRow(session);
    if (refused) goOn(core, session);
    else session.released.add(packetId);
  }
  // [MQTT5-4.4.0-2]: a refusal ends the exchange, there is nothing to release.
  if (refused) return;
  // [MQTT5-4.3.3-4]; [5.0/3.6.2.1/unknown]
  const reasonCode = connection.version !== 5 || session.released.has(packetId) ? SUCCESS : PACKET_IDENTIFIER_NOT_FOUND;
  connection.send({ type: PUBREL, packetId, reasonCode, properties: NO_PROPERTIES });
}

/** PUBCOMP ends the exchange [MQTT5-4.3.3-5]; one for an unknown Packet Identifier has no effect. */
export function handlePubcomp(core: SessionCore, connection: Connection, packet: Acknowledgement): void {
  const { session } = connection;
  const { packetId } = packet;
  if (!session.released.delete(packetId)) {
    if (sentQoS(session, packetId) !== undefined) wrongKind(core, connection, "PUBCOMP", packetId);
    else handleAnswer(core, connection, packetId);
    return;
  }
  core.changes.mark(connection);
  goOn(core, session);
}
