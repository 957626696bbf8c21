/** MQTT 5.0, chapter 2: fixed header, Packet Identifiers, properties. */

import { expect, it } from "vitest";
import { Ledger } from "../../../src/ledger.ts";
import { NO_PROPERTIES, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE } from "../../../src/mqtt/packet.ts";
import type { Delivery } from "../../../src/session/delivery.ts";
import { NOBODY } from "../../../src/session/ports.ts";
import { Session } from "../../../src/session/session.ts";
import { acknowledgement, publishPacket, request, textOf, unique } from "../../support/mqtt-client.ts";
import { type Bytes, describe5, field, hex, raw, rawConnect, reaction, refusal, section, text } from "./support.ts";

/** Properties with a single value, one of each, by where they may stand. */
const SINGLE: Record<"CONNECT" | "Will Properties" | "PUBLISH" | "SUBSCRIBE" | "PUBACK" | "DISCONNECT", readonly Bytes[]> = {
  CONNECT: ["11 00000001", "21 0005", "27 00000100", "22 0001", "19 01", "17 01", text(0x15, "m")],
  "Will Properties": ["18 00000001", "01 01", "02 00000001", text(0x03, "c"), text(0x08, "r"), text(0x09, "d")],
  PUBLISH: ["01 01", "02 00000001", text(0x08, "r"), text(0x09, "d"), text(0x03, "c"), "23 0001"],
  SUBSCRIBE: ["0b 01"],
  PUBACK: [text(0x1f, "r")],
  DISCONNECT: ["11 00000000", text(0x1f, "r")],
};

const withProperties = {
  PUBLISH: (...properties: readonly Bytes[]) => raw(0x30, field("t"), section(...properties)),
  SUBSCRIBE: (...properties: readonly Bytes[]) => raw(0x82, "0001", section(...properties), field("t"), "00"),
  UNSUBSCRIBE: (...properties: readonly Bytes[]) => raw(0xa2, "0001", section(...properties), field("t")),
  PUBACK: (...properties: readonly Bytes[]) => raw(0x40, "0001 00", section(...properties)),
  PUBREC: (...properties: readonly Bytes[]) => raw(0x50, "0001 00", section(...properties)),
  PUBREL: (...properties: readonly Bytes[]) => raw(0x62, "0001 00", section(...properties)),
  PUBCOMP: (...properties: readonly Bytes[]) => raw(0x70, "0001 00", section(...properties)),
  DISCONNECT: (...properties: readonly Bytes[]) => raw(0xe0, "00", section(...properties)),
};

const willConnect = (...properties: readonly Bytes[]) =>
  rawConnect({ flags: 0x06, payload: [field(""), section(...properties), field("t"), field("")] });

describe5((broker) => {
  it("[MQTT5-2.1.3-1] [MQTT5-3.6.1-1] [MQTT5-3.8.1-1] [MQTT5-3.10.1-1] [MQTT5-3.14.1-1] [MQTT5-3.15.1-1] refuses wrong flags in the fixed header with 0x81", async () => {
    for (const packet of [
      "41 02 0001",
      "52 02 0001",
      "60 02 0001",
      "63 02 0001",
      "71 02 0001",
      raw(0x80, "0001 00", field("t"), "00"),
      raw(0x8a, "0001 00", field("t"), "00"),
      raw(0xa0, "0001 00", field("t")),
      "c1 00",
      "c8 00",
      "e1 00",
      "f2 00",
    ]) {
      expect(await reaction(broker, packet), String(packet)).toBe(0x81);
    }
    const connect = rawConnect({});
    connect[0] = 0x11;
    expect(await refusal(broker, connect)).toBe(0x81);
  });

  it("[MQTT5-2.2.1-2] reads and writes QoS 0 PUBLISH without a Packet Identifier", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.subscribe(topic, { qos: 2 });
    client.sendBytes(raw(0x30, field(topic), "00 0a0b"));
    const message = await client.message();
    expect(hex(client.rawOf(message))).toBe(hex(raw(0x30, field(topic), "00 0a0b")));
  });

  it("[MQTT5-2.2.1-3] refuses the Packet Identifier 0", async () => {
    for (const packet of [
      raw(0x82, "0000 00", field("t"), "00"),
      raw(0xa2, "0000 00", field("t")),
      raw(0x32, field("t"), "0000 00"),
      raw(0x34, field("t"), "0000 00"),
    ]) {
      expect(await reaction(broker, packet)).toBe(0x82);
    }
  });

  it("[MQTT5-2.2.1-4] [MQTT5-4.3.2-1] [MQTT5-4.3.3-1] sends messages with Packet Identifiers that are not 0 and not in flight", async () => {
    const publisher = await broker.connect();
    const client = await broker.connect({ autoAck: false });
    const topic = unique();
    await client.subscribe(topic, { qos: 2 });
    const inFlight = new Set<number>();
    for (let i = 0; i < 12; i += 1) {
      await publisher.publish(topic, String(i), { qos: i % 2 === 0 ? 1 : 2 });
      const { packetId, qos } = await client.message();
      expect(packetId).toBeGreaterThan(0);
      expect(inFlight).not.toContain(packetId);
      inFlight.add(packetId);
      // Every third is acknowledged, so that free and used numbers mix.
      if (i % 3 !== 0 || qos !== 1) continue;
      client.send(acknowledgement(PUBACK, packetId));
      inFlight.delete(packetId);
    }
  });

  it("[MQTT5-2.2.1-5] [MQTT5-4.3.2-4] [MQTT5-4.3.3-8] [MQTT5-4.3.3-11] repeats the Packet Identifier in every acknowledgement", async () => {
    const client = await broker.connect();
    for (const packetId of [1, 0x1234, 0xffff]) {
      client.send(publishPacket(unique(), "", { qos: 1, packetId }));
      expect((await client.expect(PUBACK)).packetId).toBe(packetId);
      client.send(publishPacket(unique(), "", { qos: 2, packetId }));
      expect((await client.expect(PUBREC)).packetId).toBe(packetId);
      client.send(acknowledgement(PUBREL, packetId));
      expect((await client.expect(PUBCOMP)).packetId).toBe(packetId);
    }
  });

  it("[MQTT5-2.2.1-5] [MQTT5-4.3.3-4] releases an outgoing QoS 2 message with its own Packet Identifier", async () => {
    const client = await broker.connect({ autoAck: false });
    const topic = unique();
    await client.subscribe(topic, { qos: 2 });
    await client.publish(topic, "", { qos: 2 });
    const { packetId } = await client.message();
    client.send(acknowledgement(PUBREC, packetId));
    expect(await client.expect(PUBREL)).toMatchObject({ packetId, reasonCode: 0 });
  });

  it("[MQTT5-2.2.1-6] [MQTT5-3.8.4-2] [MQTT5-3.10.4-5] repeats the Packet Identifier in SUBACK and UNSUBACK", async () => {
    const client = await broker.connect();
    for (const packetId of [1, 0x1234, 0xffff]) {
      client.send({ type: SUBSCRIBE, packetId, subscriptions: [request(unique())], properties: NO_PROPERTIES });
      expect((await client.expect(SUBACK)).packetId).toBe(packetId);
      client.send({ type: UNSUBSCRIBE, packetId, filters: [unique()], properties: NO_PROPERTIES });
      expect((await client.expect(UNSUBACK)).packetId).toBe(packetId);
    }
  });

  it("[MQTT5-2.2.2-1] writes the property length 0 where there are no properties", async () => {
    const client = await broker.connect();
    const topic = unique();
    expect(hex(client.rawOf(await client.subscribe(topic, { packetId: 9 })))).toBe("900400090000");
    await client.publish(topic);
    expect(hex(client.rawOf(await client.message()))).toBe(hex(raw(0x30, field(topic), "00")));
    const unsuback = await client.unsubscribe(topic);
    expect(hex(client.rawOf(unsuback)).slice(-4)).toBe("0000");
  });

  it("[5.0/2.1.2/type0] closes on packet type 0 and on packets that only a Server sends", async () => {
    expect(await reaction(broker, "00 00")).toBe(0x81);
    for (const packet of ["20 03 00 00 00", "90 04 0001 00 00", "b0 04 0001 00 00", "d0 00"]) {
      expect(await reaction(broker, packet), packet).toBe(0x82);
    }
  });

  it("[5.0/2.1.4/length] refuses missing and trailing bytes with 0x81", async () => {
    for (const packet of [
      "c0 01 00",
      "40 01 00",
      "40 05 0001 00 00 00",
      "62 00",
      "e0 03 00 00 00",
      raw(0x82, "0001 00", field("t")),
      raw(0x82, "0001 00 0005 61"),
      raw(0xa2, "0001 00", field("t"), "00"),
      raw(0x30, "00"),
      raw(0x30, "0009 61"),
      raw(0x32, field("t"), "00"),
      raw(0x30, field("t"), "05 01"),
    ]) {
      expect(await reaction(broker, packet), String(packet)).toBe(0x81);
    }
    expect(await refusal(broker, rawConnect({ payload: [field(""), "00"] }))).toBe(0x81);
    expect(await refusal(broker, rawConnect({ payload: [] }))).toBe(0x81);
  });

  it("[5.0/2.2.1/independent] lets the same Packet Identifier be in flight in both directions", async () => {
    const publisher = await broker.connect();
    const client = await broker.connect({ autoAck: false });
    const topic = unique();
    await client.subscribe(topic, { qos: 2 });
    await publisher.publish(topic, "to the client", { qos: 2 });
    const { packetId } = await client.message();
    client.send(publishPacket(topic, "from the client", { qos: 2, packetId }));
    expect((await client.acknowledged(PUBREC, packetId)).reasonCode).toBe(0);
    const released = client.acknowledged(PUBREL, packetId);
    const completed = client.acknowledged(PUBCOMP, packetId);
    client.send(acknowledgement(PUBREC, packetId), acknowledgement(PUBREL, packetId));
    expect((await released).reasonCode).toBe(0);
    expect((await completed).reasonCode).toBe(0);
    client.send(acknowledgement(PUBCOMP, packetId));
    expect(textOf(await client.message())).toBe("from the client");
  });

  it("[5.0/2.2.1/unified] answers requests under an identifier in use without harm to the exchange that uses it", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.subscribe(topic, { qos: 2 });
    client.send(publishPacket(topic, "first", { qos: 2, packetId: 77 }));
    expect((await client.acknowledged(PUBREC, 77)).reasonCode).toBe(0);
    expect((await client.subscribe(unique(), { packetId: 77 })).reasonCodes).toEqual([0]);
    const answer = await client.publish(topic, "second", { qos: 1, packetId: 77 });
    expect([0x00, 0x91]).toContain(answer?.reasonCode);
    client.send(acknowledgement(PUBREL, 77));
    expect((await client.acknowledged(PUBCOMP, 77)).reasonCode).toBe(0);
    // What was acknowledged is delivered, what was refused is not.
    expect(await client.texts(answer?.reasonCode === 0 ? 2 : 1)).toEqual(answer?.reasonCode === 0 ? ["first", "second"] : ["first"]);
    await client.silence(client);
  });

  it("[5.0/2.2.1/release] [MQTT5-4.3.2-5] [MQTT5-4.3.3-12] takes an identifier as free after PUBACK, PUBCOMP, SUBACK and UNSUBACK", async () => {
    const client = await broker.connect();
    const topic = unique();
    const packetId = 5;
    await client.subscribe(topic, { qos: 2, packetId });
    await client.publish(topic, "1", { qos: 1, packetId });
    await client.publish(topic, "2", { qos: 1, packetId, dup: true });
    await client.publish(topic, "3", { qos: 2, packetId });
    await client.publish(topic, "4", { qos: 2, packetId, dup: true });
    await client.subscribe(unique(), { packetId });
    await client.publish(topic, "5", { qos: 1, packetId });
    expect((await client.texts(5)).sort()).toEqual(["1", "2", "3", "4", "5"]);
    await client.silence(client);
  });

  it("[5.0/2.2.2.2/invalid] refuses unknown, misplaced and truncated properties with 0x81", async () => {
    for (const build of Object.values(withProperties)) {
      // An unknown one; Server Keep Alive, which only CONNACK has; a User Property that ends early; an identifier without a value.
      for (const properties of [["04 00"], ["7e"], ["13 0001"], ["26", field("n"), "0005 61"], ["01"]]) {
        expect(await reaction(broker, build(...properties)), `${hex(build(...properties))}`).toBe(0x81);
      }
    }
    expect(await reaction(broker, withProperties.SUBSCRIBE("23 0001"))).toBe(0x81);
    expect(await reaction(broker, withProperties.PUBLISH("11 00000001"))).toBe(0x81);
    expect(await reaction(broker, withProperties.DISCONNECT(text(0x03, "c")))).toBe(0x81);
    expect(await refusal(broker, rawConnect({ properties: ["18 00000001"] }))).toBe(0x81);
    expect(await refusal(broker, rawConnect({ properties: ["21 00"] }))).toBe(0x81);
    expect(await refusal(broker, willConnect("11 00000001"))).toBe(0x81);
  });

  it("[5.0/2.2.2.2/order] takes properties in any order", async () => {
    const properties = [...SINGLE.CONNECT.slice(0, -1), text(0x26, "n"), field("v")].map((each) => Buffer.from(raw(0, each).subarray(2)));
    const pair = Buffer.concat(properties.splice(-2));
    for (const list of [
      [...properties, pair],
      [pair, ...properties.reverse()],
    ]) {
      const client = await broker.open();
      client.sendBytes(rawConnect({ properties: list }));
      expect(await client.expect(2)).toMatchObject({ reasonCode: 0 });
    }
    const client = await broker.connect();
    const topic = unique();
    await client.subscribe(topic);
    const parts = ["01 01", "02 00000064", text(0x08, "r"), text(0x09, "d"), text(0x03, "c")];
    for (const list of [parts, parts.toReversed()]) {
      client.sendBytes(raw(0x30, field(topic), section(...list)));
      const { properties } = await client.message();
      expect(properties).toMatchObject({ payloadFormatIndicator: 1, messageExpiryInterval: 100, responseTopic: "r", contentType: "c" });
    }
  });

  it("[5.0/props/duplicate] refuses a repeated single-valued property with 0x82, wherever it stands", async () => {
    for (const property of SINGLE.CONNECT) expect(await refusal(broker, rawConnect({ properties: [property, property] }))).toBe(0x82);
    for (const property of SINGLE["Will Properties"]) expect(await refusal(broker, willConnect(property, property))).toBe(0x82);
    for (const place of ["PUBLISH", "SUBSCRIBE", "PUBACK", "DISCONNECT"] as const) {
      for (const property of SINGLE[place]) {
        expect(await reaction(broker, withProperties[place](property, property)), place).toBe(0x82);
      }
    }
    for (const place of ["PUBREC", "PUBREL", "PUBCOMP"] as const) {
      expect(await reaction(broker, withProperties[place](text(0x1f, "r"), text(0x1f, "r")))).toBe(0x82);
    }
  });

  it("[5.0/props/duplicate] takes repeated User Properties in every packet", async () => {
    const pair = Buffer.concat([Buffer.of(0x26), field("n"), field("v")]);
    const client = await broker.open();
    client.sendBytes(rawConnect({ properties: [pair, pair] }));
    expect((await client.expect(2)).reasonCode).toBe(0);
    client.sendBytes(withProperties.SUBSCRIBE(pair, pair));
    expect((await client.expect(SUBACK)).reasonCodes).toEqual([0]);
    client.sendBytes(withProperties.UNSUBSCRIBE(pair, pair));
    expect((await client.expect(UNSUBACK)).reasonCodes).toEqual([0]);
    client.sendBytes(withProperties.PUBACK(pair, pair), withProperties.PUBLISH(pair, pair), withProperties.PUBREL(pair, pair));
    expect(await client.expect(PUBCOMP)).toMatchObject({ packetId: 1, reasonCode: 0x92 });
  });
});

it("[MQTT5-2.2.1-4] skips identifiers in use when the numbers come round again (core)", () => {
  const session = new Session("c", 0, NOBODY, new Ledger(1 << 30));
  session.nextPacketId = 65_534;
  for (const packetId of [65_535, 1]) session.deliveries.set(packetId, {} as Delivery);
  session.released.add(2);
  expect([session.allocatePacketId(), session.allocatePacketId()]).toEqual([65_534, 3]);
});
