/** Valid packets of every type and version for property tests (fast-check). */

import fc from "fast-check";
import {
  type AcknowledgementType,
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  NO_PROPERTIES,
  type Packet,
  PINGREQ,
  PINGRESP,
  type Properties,
  type ProtocolVersion,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type Publish,
  type QoS,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { encodeProperties, PROPERTY_RULES, type PropertyRule, WILL } from "../../src/mqtt/property.ts";
import { REASON_CODES } from "../../src/mqtt/reason-code.ts";

export const arbitraryVersion: fc.Arbitrary<ProtocolVersion> = fc.constantFrom(3, 4, 5);
const qos = fc.constantFrom<QoS>(0, 1, 2);
const packetId = fc.integer({ min: 1, max: 65_535 });

/** Any string that MQTT can carry: ASCII and every other plane, but no U+0000; now and then longer than a short-string shortcut. */
export const arbitraryText: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
    { weight: 3, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
    { weight: 1, arbitrary: fc.string({ minLength: 60, maxLength: 200 }) },
  )
  .map((text) => text.replaceAll("\u0000", "-"));

/** A Topic Name: never empty, no wildcard. */
export const arbitraryTopic: fc.Arbitrary<string> = arbitraryText.map((text) => text.replace(/[+#]/g, "/") || "t");

export const arbitraryBytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 100 });

function value(rule: PropertyRule, place: number): fc.Arbitrary<unknown> {
  switch (rule.type) {
    case "string":
      return rule.name === "responseTopic" ? arbitraryTopic : arbitraryText;
    case "binary":
      return arbitraryBytes;
    case "pair":
      return fc.array(fc.tuple(arbitraryText, arbitraryText), { minLength: 1, maxLength: 4 });
    case "variable":
      return fc.array(fc.integer({ min: rule.min, max: rule.max }), {
        minLength: 1,
        maxLength: (rule.repeats & (1 << place)) === 0 ? 1 : 3,
      });
    default:
      return fc.integer({ min: rule.min, max: rule.max });
  }
}

/** Any properties that the place (packet type or WILL) may carry; none in 3.x. */
export function arbitraryProperties(place: number, version: ProtocolVersion): fc.Arbitrary<Properties> {
  if (version !== 5) return fc.constant(NO_PROPERTIES);
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  for (const rule of PROPERTY_RULES) {
    if ((rule.places & (1 << place)) !== 0) shape[rule.name] = value(rule, place);
  }
  const some = fc.record(shape, { requiredKeys: [], noNullPrototype: true }).map(withoutLonelyData);
  return fc.oneof(fc.constant(NO_PROPERTIES), some);
}

/** Authentication Data needs an Authentication Method. */
function withoutLonelyData(properties: Record<string, unknown>): Properties {
  const { authenticationData, ...others } = properties;
  return (properties.authenticationMethod === undefined ? others : properties) as Properties;
}

export function arbitraryConnect(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const will = fc.record(
    {
      qos,
      retain: fc.boolean(),
      topic: arbitraryTopic,
      payload: arbitraryBytes,
      properties: arbitraryProperties(WILL, version),
    },
    { noNullPrototype: true },
  );
  const fields = {
    type: fc.constant(CONNECT),
    version: fc.constant(version),
    clean: fc.boolean(),
    keepAliveSeconds: fc.nat(65_535),
    clientId: arbitraryText,
    will: fc.option(will, { nil: undefined }),
    userName: fc.option(arbitraryText, { nil: undefined }),
    password: fc.option(arbitraryBytes, { nil: undefined }),
    properties: arbitraryProperties(CONNECT, version),
  };
  return fc
    .record(fields, { noNullPrototype: true })
    .map((packet) => (version !== 5 && packet.userName === undefined ? { ...packet, password: undefined } : packet));
}

export function arbitraryPublish(version: ProtocolVersion): fc.Arbitrary<Publish> {
  const fields = {
    dup: fc.boolean(),
    qos,
    retain: fc.boolean(),
    topic: version === 5 ? fc.oneof({ weight: 4, arbitrary: arbitraryTopic }, fc.constant("")) : arbitraryTopic,
    packetId,
    properties: arbitraryProperties(PUBLISH, version),
    payload: fc.oneof({ weight: 9, arbitrary: arbitraryBytes }, fc.uint8Array({ minLength: 120, maxLength: 20_000 })),
  };
  return fc.record(fields).map((packet) => ({
    type: PUBLISH,
    dup: packet.dup && packet.qos !== 0,
    qos: packet.qos,
    retain: packet.retain,
    topic: packet.topic === "" && packet.properties.topicAlias === undefined ? "t" : packet.topic,
    packetId: packet.qos === 0 ? 0 : packet.packetId,
    properties: packet.properties,
    propertyBytes: encodeProperties(packet.properties, PUBLISH),
    payload: packet.payload,
  }));
}

function reasonCode(type: number, version: ProtocolVersion): fc.Arbitrary<number> {
  return version === 5 ? fc.constantFrom(...REASON_CODES[type]) : fc.constant(0);
}

function arbitraryAcknowledgement(type: AcknowledgementType, version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc.record(
    {
      type: fc.constant(type),
      packetId,
      reasonCode: reasonCode(type, version),
      properties: arbitraryProperties(type, version),
    },
    { noNullPrototype: true },
  );
}

function arbitraryConnack(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc
    .record({
      sessionPresent: fc.boolean(),
      reasonCode: version === 5 ? reasonCode(CONNACK, version) : fc.nat(5),
      properties: arbitraryProperties(CONNACK, version),
    })
    .map((packet) => ({
      type: CONNACK,
      sessionPresent: packet.sessionPresent && packet.reasonCode === 0 && version !== 3,
      reasonCode: packet.reasonCode,
      properties: packet.properties,
    }));
}

function arbitrarySubscribe(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const only5 = version === 5 ? fc.boolean() : fc.constant(false);
  const request = fc.record(
    {
      filter: arbitraryText,
      qos,
      noLocal: only5,
      retainAsPublished: only5,
      retainHandling: version === 5 ? fc.constantFrom<0 | 1 | 2>(0, 1, 2) : fc.constant<0>(0),
    },
    { noNullPrototype: true },
  );
  return fc.record(
    {
      type: fc.constant(SUBSCRIBE),
      packetId,
      subscriptions: fc.array(request, { minLength: 1, maxLength: 5 }),
      properties: arbitraryProperties(SUBSCRIBE, version),
    },
    { noNullPrototype: true },
  );
}

function arbitraryUnsubscribe(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc.record(
    {
      type: fc.constant(UNSUBSCRIBE),
      packetId,
      filters: fc.array(arbitraryText, { minLength: 1, maxLength: 5 }),
      properties: arbitraryProperties(UNSUBSCRIBE, version),
    },
    { noNullPrototype: true },
  );
}

function arbitraryCodes(type: typeof SUBACK | typeof UNSUBACK, version: ProtocolVersion): fc.Arbitrary<Packet> {
  const code = version === 5 ? reasonCode(type, version) : fc.constantFrom(0, 1, 2, 0x80);
  const none = version !== 5 && type === UNSUBACK;
  return fc.record(
    {
      type: fc.constant(type),
      packetId,
      reasonCodes: fc.array(code, none ? { maxLength: 0 } : { minLength: 1, maxLength: 8 }),
      properties: arbitraryProperties(type, version),
    },
    { noNullPrototype: true },
  );
}

function arbitraryEnd(type: typeof DISCONNECT | typeof AUTH, version: ProtocolVersion): fc.Arbitrary<Packet> {
  const properties = arbitraryProperties(type, version);
  return fc.record({ type: fc.constant(type), reasonCode: reasonCode(type, version), properties }, { noNullPrototype: true });
}

/** One arbitrary for each packet type that the version has. */
export function arbitraryPackets(version: ProtocolVersion): fc.Arbitrary<Packet>[] {
  return [
    arbitraryConnect(version),
    arbitraryConnack(version),
    arbitraryPublish(version),
    ...([PUBACK, PUBREC, PUBREL, PUBCOMP] as const).map((type) => arbitraryAcknowledgement(type, version)),
    arbitrarySubscribe(version),
    arbitraryCodes(SUBACK, version),
    arbitraryUnsubscribe(version),
    arbitraryCodes(UNSUBACK, version),
    fc.constant<Packet>({ type: PINGREQ }),
    fc.constant<Packet>({ type: PINGRESP }),
    arbitraryEnd(DISCONNECT, version),
    ...(version === 5 ? [arbitraryEnd(AUTH, version)] : []),
  ];
}

/** Any packet of the version; each type is as likely as another. */
export function arbitraryPacket(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc.oneof(...arbitraryPackets(version));
}
