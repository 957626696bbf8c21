/** SUBSCRIBE, UNSUBSCRIBE and their answers. The grammar of filters is not looked at here, only their encoding. */

import { PACKET_FILTERS_MAX } from "../memory-limits.ts";
import {
  NO_PROPERTIES,
  type QoS,
  SUBACK,
  SUBSCRIBE,
  type Suback,
  type Subscribe,
  type SubscriptionRequest,
  UNSUBACK,
  UNSUBSCRIBE,
  type Unsuback,
  type Unsubscribe,
} from "./packet.ts";
import { readProperties } from "./property.ts";
import type { Reader } from "./reader.ts";
import { QUOTA_EXCEEDED, REASON_CODES, SUBACK_FAILURE } from "./reason-code.ts";
import type { Violation } from "./violation.ts";

export function decodeSubscribe(reader: Reader): Subscribe | Violation {
  const packetId = reader.packetId();
  const properties = reader.version === 5 ? readProperties(reader, SUBSCRIBE) : NO_PROPERTIES;
  // [MQTT5-3.8.3-2] [MQTT311-3.8.3-3]
  if (reader.offset === reader.end)
    reader.protocolError("MQTT5-3.8.3-2", "MQTT311-3.8.3-3", "SUBSCRIBE: expected at least one Topic Filter");
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.offset < reader.end) {
    // [MQTT5-3.8.3-1] [MQTT311-3.8.3-1]
    const filter = readFilter(reader, subscriptions.length);
    const options = reader.byte("Subscription Options");
    checkOptions(reader, options);
    subscriptions.push({
      filter,
      qos: (options & 3) as QoS,
      noLocal: (options & 0x04) !== 0,
      retainAsPublished: (options & 0x08) !== 0,
      retainHandling: ((options >> 4) & 3) as 0 | 1 | 2,
    });
  }
  return reader.violation ?? { type: SUBSCRIBE, packetId, subscriptions, properties };
}

/** @param count how many came before it */
function readFilter(reader: Reader, count: number): string {
  if (count < PACKET_FILTERS_MAX) return reader.string("Topic Filter");
  reader.protocolError("", "", `expected at most ${PACKET_FILTERS_MAX} Topic Filters in a packet`, QUOTA_EXCEEDED);
  return "";
}

function checkOptions(reader: Reader, options: number): void {
  if (reader.version !== 5) {
    // [MQTT311-3.8.3-4]
    if (options > 2) reader.malformed("", "MQTT311-3.8.3-4", "Requested QoS: expected 0, 1 or 2");
    return;
  }
  // [MQTT5-3.8.3-5]
  if ((options & 0xc0) !== 0) reader.malformed("MQTT5-3.8.3-5", "", "Subscription Options: expected 0 in the reserved bits 6 and 7");
  // [5.0/3.8.3.1/qos3]
  if ((options & 0x03) === 3) reader.protocolError("5.0/3.8.3.1/qos3", "", "Maximum QoS of Subscription Options: expected 0, 1 or 2");
  if ((options & 0x30) === 0x30) reader.protocolError("5.0/3.8.3.1/qos3", "", "Retain Handling: expected 0, 1 or 2");
}

export function decodeUnsubscribe(reader: Reader): Unsubscribe | Violation {
  const packetId = reader.packetId();
  const properties = reader.version === 5 ? readProperties(reader, UNSUBSCRIBE) : NO_PROPERTIES;
  // [MQTT5-3.10.3-2] [MQTT311-3.10.3-2]
  if (reader.offset === reader.end) {
    reader.protocolError("MQTT5-3.10.3-2", "MQTT311-3.10.3-2", "UNSUBSCRIBE: expected at least one Topic Filter");
  }
  const filters: string[] = [];
  // [MQTT5-3.10.3-1] [MQTT311-3.10.3-1]
  while (reader.offset < reader.end) filters.push(readFilter(reader, filters.length));
  return reader.violation ?? { type: UNSUBSCRIBE, packetId, filters, properties };
}

export function decodeSuback(reader: Reader): Suback | Violation {
  const packetId = reader.packetId();
  const properties = reader.version === 5 ? readProperties(reader, SUBACK) : NO_PROPERTIES;
  // [MQTT5-3.8.4-6] [MQTT311-3.8.4-5]
  if (reader.offset === reader.end) reader.protocolError("MQTT5-3.8.4-6", "MQTT311-3.8.4-5", "SUBACK: expected at least one Reason Code");
  const reasonCodes: number[] = [];
  while (reader.offset < reader.end) {
    const code = reader.byte("Reason Code");
    // [MQTT5-3.9.3-2] [MQTT311-3.9.3-2]
    if (!(reader.version === 5 ? REASON_CODES[SUBACK].has(code) : code <= 2 || code === SUBACK_FAILURE)) {
      reader.protocolError("MQTT5-3.9.3-2", "MQTT311-3.9.3-2", "Reason Code of SUBACK: expected a granted QoS or a failure code");
    }
    reasonCodes.push(code);
  }
  return reader.violation ?? { type: SUBACK, packetId, reasonCodes, properties };
}

export function decodeUnsuback(reader: Reader): Unsuback | Violation {
  const packetId = reader.packetId();
  if (reader.version !== 5) {
    reader.expectEnd("UNSUBACK");
    return reader.violation ?? { type: UNSUBACK, packetId, reasonCodes: [], properties: NO_PROPERTIES };
  }
  const properties = readProperties(reader, UNSUBACK);
  if (reader.offset === reader.end) reader.protocolError("MQTT5-3.11.3-2", "", "UNSUBACK: expected at least one Reason Code");
  const reasonCodes: number[] = [];
  while (reader.offset < reader.end) {
    const code = reader.byte("Reason Code");
    // [MQTT5-3.11.3-2]
    if (!REASON_CODES[UNSUBACK].has(code)) {
      reader.protocolError("MQTT5-3.11.3-2", "", "Reason Code of UNSUBACK: expected success, 0x11 or a failure code");
    }
    reasonCodes.push(code);
  }
  return reader.violation ?? { type: UNSUBACK, packetId, reasonCodes, properties };
}
