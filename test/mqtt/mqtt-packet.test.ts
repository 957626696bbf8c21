/**
 * The same random packets mean the same to npm `mqtt-packet`, the codec of MQTT.js: what it writes is decoded here to the same
 * fields, and what is written here it reads as the same fields.
 */

import fc from "fast-check";
import mqttPacket from "mqtt-packet";
import { describe, expect, test } from "vitest";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { PACKET_NAMES } from "../../src/mqtt/fixed-header.ts";
import {
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  type Packet,
  PINGREQ,
  PINGRESP,
  type Properties,
  type ProtocolVersion,
  PUBLISH,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
  type UserProperty,
  type Will,
} from "../../src/mqtt/packet.ts";
import { encodeProperties } from "../../src/mqtt/property.ts";
import { arbitraryPackets } from "../support/arbitrary-packet.ts";

type Theirs = Record<string, unknown>;

/** What they write as a boolean and we as the byte it is. */
const BOOLEANS: readonly (keyof Properties)[] = [
  "payloadFormatIndicator",
  "requestProblemInformation",
  "requestResponseInformation",
  "retainAvailable",
  "wildcardSubscriptionAvailable",
  "sharedSubscriptionAvailable",
  "subscriptionIdentifierAvailable",
];

/** Their names where they differ. */
const RENAMED: Record<string, string> = {
  subscriptionIdentifiers: "subscriptionIdentifier",
  subscriptionIdentifierAvailable: "subscriptionIdentifiersAvailable",
};

function theirProperties(properties: Properties): Theirs | undefined {
  const theirs: Theirs = {};
  for (const [name, value] of Object.entries(properties)) {
    const renamed = RENAMED[name] ?? name;
    if (name === "userProperties") theirs[renamed] = theirUserProperties(value as readonly UserProperty[]);
    else if (name === "subscriptionIdentifiers") theirs[renamed] = (value as number[]).length === 1 ? (value as number[])[0] : value;
    else if (BOOLEANS.includes(name as keyof Properties)) theirs[renamed] = value === 1;
    else theirs[renamed] = value instanceof Uint8Array ? Buffer.from(value) : value;
  }
  return Object.keys(theirs).length === 0 ? undefined : theirs;
}

/** They keep User Properties in an object: repeats become a list, the order is by name. */
function theirUserProperties(pairs: readonly UserProperty[]): Theirs {
  const theirs: Theirs = Object.create(null);
  for (const [name, value] of pairs) {
    const before = theirs[name] as string | string[] | undefined;
    theirs[name] = before === undefined ? value : [before, value].flat();
  }
  return theirs;
}

function theirWill(will: Will | undefined, version: ProtocolVersion): Theirs | undefined {
  if (will === undefined) return undefined;
  const { qos, retain, topic, payload } = will;
  const theirs = { qos, retain, topic, payload: Buffer.from(payload) };
  return version === 5 ? { ...theirs, properties: theirProperties(will.properties) } : theirs;
}

/** The fields that they have for one of our packets. */
function toTheirs(packet: Packet, version: ProtocolVersion): Theirs {
  const cmd = PACKET_NAMES[packet.type].toLowerCase();
  if (packet.type === PINGREQ || packet.type === PINGRESP) return { cmd };
  const properties = version === 5 ? theirProperties(packet.properties) : undefined;
  switch (packet.type) {
    case CONNECT:
      return {
        cmd,
        properties,
        protocolId: version === 3 ? "MQIsdp" : "MQTT",
        protocolVersion: version,
        clean: packet.clean,
        keepalive: packet.keepAliveSeconds,
        clientId: packet.clientId,
        will: theirWill(packet.will, version),
        username: packet.userName,
        password: packet.password === undefined ? undefined : Buffer.from(packet.password),
      };
    case CONNACK: {
      const code = version === 5 ? { reasonCode: packet.reasonCode } : { returnCode: packet.reasonCode };
      return { cmd, properties, sessionPresent: packet.sessionPresent, ...code };
    }
    case PUBLISH: {
      const { dup, qos, retain, topic, payload } = packet;
      const messageId = qos === 0 ? undefined : packet.packetId;
      return { cmd, properties, dup, qos, retain, topic, messageId, payload: Buffer.from(payload) };
    }
    case SUBSCRIBE:
      return {
        cmd,
        properties,
        messageId: packet.packetId,
        subscriptions: packet.subscriptions.map(({ filter, qos, noLocal, retainAsPublished, retainHandling }) =>
          version === 5 ? { topic: filter, qos, nl: noLocal, rap: retainAsPublished, rh: retainHandling } : { topic: filter, qos },
        ),
      };
    case UNSUBSCRIBE:
      return { cmd, properties, messageId: packet.packetId, unsubscriptions: packet.filters };
    case SUBACK:
    case UNSUBACK: {
      const granted = packet.type === UNSUBACK && version !== 5 ? undefined : packet.reasonCodes;
      return { cmd, properties, messageId: packet.packetId, granted };
    }
    case DISCONNECT:
    case AUTH:
      return { cmd, properties, reasonCode: version === 5 ? packet.reasonCode : undefined };
    default:
      return { cmd, properties, messageId: packet.packetId, reasonCode: version === 5 ? packet.reasonCode : undefined };
  }
}

/** What they cannot say: see each line. Everything else must agree. */
function canBeTheirs(packet: Packet): boolean {
  // AUTH needs its Reason Code; a password needs a user name; a Client Identifier may be missing only from 3.1.1 with clean.
  if (packet.type === AUTH) return packet.reasonCode !== 0 || Object.keys(packet.properties).length > 0;
  if (packet.type !== CONNECT) return true;
  if (packet.clientId === "" && (packet.version === 3 || !packet.clean)) return false;
  return packet.password === undefined || packet.userName !== undefined;
}

/**
 * They lose the order of User Properties that repeat with others between them, values that are empty, and names that are numbers or
 * that objects have themselves. So: neighbours share a name, and no value is empty.
 */
function withTheirUserProperties(packet: Packet): Packet {
  const rename = (properties: Properties): Properties => {
    if (properties.userProperties === undefined) return properties;
    const pairs = properties.userProperties;
    const userProperties = pairs.map(([, value], i): UserProperty => [`p${i >> 1}${pairs[i - (i % 2)][0]}`, value || "v"]);
    return { ...properties, userProperties };
  };
  if (packet.type === PINGREQ || packet.type === PINGRESP) return packet;
  if (packet.type === CONNECT && packet.will !== undefined) {
    const will = { ...packet.will, properties: rename(packet.will.properties) };
    return { ...packet, will, properties: rename(packet.properties) };
  }
  const properties = rename(packet.properties);
  if (packet.type === PUBLISH) return { ...packet, properties, propertyBytes: encodeProperties(properties) };
  return { ...packet, properties };
}

function theirDecode(bytes: Uint8Array, version: ProtocolVersion): Theirs {
  const parser = mqttPacket.parser({ protocolVersion: version });
  const found: Theirs[] = [];
  parser.on("packet", (packet) => found.push(packet as unknown as Theirs));
  parser.on("error", (error) => {
    throw error;
  });
  parser.parse(Buffer.from(bytes));
  expect(found).toHaveLength(1);
  return found[0];
}

/** The fields that one of our packets has, as they found them. */
function pick(found: Theirs, expected: Theirs): Theirs {
  return Object.fromEntries(Object.keys(expected).map((name) => [name, found[name] ?? undefined]));
}

describe.each([3, 4, 5] as const)("version %i", (version) => {
  for (const arbitrary of arbitraryPackets(version)) {
    const [{ type }] = fc.sample(arbitrary, 1);
    const packets = arbitrary.filter(canBeTheirs).map(withTheirUserProperties);

    test(`${PACKET_NAMES[type]} written by mqtt-packet`, () => {
      fc.assert(
        fc.property(packets, (packet) => {
          const theirs = toTheirs(packet, version) as unknown as mqttPacket.Packet;
          const bytes = mqttPacket.generate(theirs, { protocolVersion: version } as never);
          const decoded = decodePacket(new Uint8Array(bytes), version);
          expect({ ...decoded, propertyBytes: undefined }).toEqual({ ...packet, propertyBytes: undefined });
        }),
      );
    });

    test(`${PACKET_NAMES[type]} read by mqtt-packet`, () => {
      fc.assert(
        fc.property(packets, (packet) => {
          const expected = toTheirs(packet, version);
          expect(pick(theirDecode(encodePacket(packet, version), version), expected)).toEqual(expected);
        }),
      );
    });
  }
});
