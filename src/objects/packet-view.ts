/** A Control Packet as it is told to people who watch a client: what it says, without what is secret or large. */

import type { Packet, Properties, SubscriptionRequest } from "../mqtt/packet.ts";
import * as Packets from "../mqtt/packet.ts";
import { VIOLATION, type Violation } from "../mqtt/violation.ts";
import { TRACED_ITEMS_MAX } from "../work-limits.ts";

/** By the specification's names, in the API's spelling. */
export type PacketView = Readonly<Record<string, unknown>>;

const NAMES: Readonly<Record<number, string>> = {
  [Packets.CONNECT]: "CONNECT",
  [Packets.CONNACK]: "CONNACK",
  [Packets.PUBLISH]: "PUBLISH",
  [Packets.PUBACK]: "PUBACK",
  [Packets.PUBREC]: "PUBREC",
  [Packets.PUBREL]: "PUBREL",
  [Packets.PUBCOMP]: "PUBCOMP",
  [Packets.SUBSCRIBE]: "SUBSCRIBE",
  [Packets.SUBACK]: "SUBACK",
  [Packets.UNSUBSCRIBE]: "UNSUBSCRIBE",
  [Packets.UNSUBACK]: "UNSUBACK",
  [Packets.PINGREQ]: "PINGREQ",
  [Packets.PINGRESP]: "PINGRESP",
  [Packets.DISCONNECT]: "DISCONNECT",
  [Packets.AUTH]: "AUTH",
};

export function packetView(packet: Packet | Violation): PacketView {
  if (packet.type === VIOLATION) return { packet: "malformed", reason_code: packet.reasonCode, problem: packet.message };
  return { packet: NAMES[packet.type], ...contentOf(packet), ...("properties" in packet && propertiesView(packet.properties)) };
}

function contentOf(packet: Packet): PacketView {
  switch (packet.type) {
    case Packets.CONNECT: {
      // Its User Name may be a token: who it is the login says.
      const { version, clean, keepAliveSeconds, will } = packet;
      const ofWill = will && { will_topic: will.topic, will_qos: will.qos, will_retain: will.retain };
      return { proto_ver: version, clean_start: clean, keepalive: keepAliveSeconds, ...ofWill };
    }
    case Packets.CONNACK:
      return { session_present: packet.sessionPresent, reason_code: packet.reasonCode };
    case Packets.PUBLISH: {
      const { packetId, topic, qos, retain, dup, payload } = packet;
      return { ...(qos > 0 && { packet_id: packetId, dup }), topic, qos, retain, payload_size: payload.length };
    }
    case Packets.SUBSCRIBE:
      return { packet_id: packet.packetId, filters: firstOf(packet.subscriptions).map(requestView) };
    case Packets.UNSUBSCRIBE:
      return { packet_id: packet.packetId, filters: firstOf(packet.filters).map((topic) => ({ topic })) };
    case Packets.SUBACK:
    case Packets.UNSUBACK:
      return { packet_id: packet.packetId, reason_codes: firstOf(packet.reasonCodes) };
    case Packets.PINGREQ:
    case Packets.PINGRESP:
      return {};
    case Packets.DISCONNECT:
    case Packets.AUTH:
      return { reason_code: packet.reasonCode };
    default:
      return { packet_id: packet.packetId, reason_code: packet.reasonCode };
  }
}

function firstOf<Item>(items: readonly Item[]): readonly Item[] {
  return items.slice(0, TRACED_ITEMS_MAX);
}

function requestView({ filter, qos, noLocal, retainAsPublished, retainHandling }: SubscriptionRequest): PacketView {
  return { topic: filter, qos, nl: Number(noLocal), rap: Number(retainAsPublished), rh: retainHandling };
}

/** Of bytes only how many: Authentication Data is secret, and Correlation Data says nothing to others. */
function propertiesView(properties: Properties): PacketView {
  const entries = Object.entries(properties).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return {};
  const spelled = entries.map(([name, value]) => [
    name.replace(/[A-Z]+/g, (capitals) => `_${capitals.toLowerCase()}`),
    value instanceof Uint8Array ? { size: value.length } : Array.isArray(value) ? firstOf(value) : value,
  ]);
  return { properties: Object.fromEntries(spelled) };
}
