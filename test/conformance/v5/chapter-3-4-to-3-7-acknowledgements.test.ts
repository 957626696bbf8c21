/** MQTT 5.0, chapters 3.4 to 3.7: PUBACK, PUBREC, PUBREL, PUBCOMP; and the explanations of every answer (core). */

import { expect, it } from "vitest";
import { encodePacket } from "../../../src/mqtt/encode.ts";
import { AUTH, CONNACK, DISCONNECT, type Packet, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK } from "../../../src/mqtt/packet.ts";
import { encodeFor } from "../../../src/session/connection-facts.ts";
import { acknowledgement, type MqttTestClient, publishPacket, unique } from "../../support/mqtt-client.ts";
import { type Broker5, type Bytes, describe5, raw, reaction, section, text } from "./support.ts";

/** A client with one message of QoS 2 unanswered, and the number of that. */
async function withMessage(broker: Broker5, qos: 1 | 2): Promise<{ client: MqttTestClient; packetId: number; id: Bytes }> {
  const client = await broker.connect({ autoAck: false, properties: { receiveMaximum: 1 } });
  const topic = unique();
  await client.subscribe(topic, { qos: 2 });
  const publisher = await broker.connect();
  await publisher.publish(topic, "first", { qos });
  const { packetId } = await client.message();
  await publisher.publish(topic, "second", { qos: 1 });
  return { client, packetId, id: [packetId >> 8, packetId & 0xff] };
}

describe5((broker) => {
  it("[5.0/3.4.2.1/short] reads PUBACK of 2, of 3 and of more bytes", async () => {
    for (const rest of ["", "00", "10", "00 00", section(), ["00", section(text(0x1f, "why"))]] as (Bytes | Bytes[])[]) {
      const { client, id } = await withMessage(broker, 1);
      const parts = rest instanceof Uint8Array ? ["00", rest] : Array.isArray(rest) ? (rest as Bytes[]) : [rest as Bytes];
      client.sendBytes(raw(0x40, id, ...parts));
      expect(await client.texts(1)).toEqual(["second"]);
    }
  });

  it("[5.0/3.4.2.1/short] reads PUBREC, PUBREL and PUBCOMP of 2, of 3 and of more bytes", async () => {
    for (const rest of ["", "00", "00 00"]) {
      const { client, packetId, id } = await withMessage(broker, 2);
      client.sendBytes(raw(0x50, id, rest));
      expect(await client.expect(PUBREL)).toMatchObject({ packetId, reasonCode: 0 });
      client.sendBytes(raw(0x70, id, rest));
      expect(await client.texts(1)).toEqual(["second"]);
      client.send(publishPacket(unique(), "", { qos: 2, packetId: 9 }));
      await client.acknowledged(PUBREC, 9);
      client.sendBytes(raw(0x62, "0009", rest));
      expect(await client.expect(PUBCOMP)).toMatchObject({ packetId: 9, reasonCode: 0 });
    }
  });

  it("[MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1] refuses Reason Codes that are not of the packet's table with 0x82", async () => {
    for (const [first, codes] of [
      [0x40, ["01", "04", "81", "92", "93", "ff"]],
      [0x50, ["01", "04", "81", "92", "93", "ff"]],
      [0x62, ["01", "10", "80", "91"]],
      [0x70, ["01", "10", "80", "91"]],
    ] as [number, string[]][]) {
      for (const code of codes) expect(await reaction(broker, raw(first, "0001", code))).toBe(0x82);
    }
  });

  it("[MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1] takes every Reason Code of the packet's table", async () => {
    const client = await broker.connect({ autoAck: false });
    for (const code of ["00", "10", "80", "83", "87", "90", "91", "97", "99"]) client.sendBytes(raw(0x40, "0001", code));
    for (const code of ["00", "92"]) client.sendBytes(raw(0x70, "0001", code));
    await client.silence();
    for (const code of ["00", "92"]) {
      client.sendBytes(raw(0x62, "0001", code));
      expect((await client.expect(PUBCOMP)).reasonCode).toBe(0x92);
    }
    for (const code of ["00", "10", "80", "83", "87", "90", "91", "97", "99"]) {
      client.sendBytes(raw(0x50, "0001", code));
      if (Number.parseInt(code, 16) < 0x80) expect((await client.expect(PUBREL)).reasonCode).toBe(0x92);
      // A refusal ends the exchange: there is nothing to release.
      else await client.silence();
    }
  });

  it("[5.0/3.4.2.1/no-match] never says 0x10 where somebody subscribes", async () => {
    const client = await broker.connect();
    const topic = unique();
    for (const qos of [1, 2] as const) expect([0x00, 0x10]).toContain((await client.publish(topic, "", { qos }))?.reasonCode);
    const other = await broker.connect();
    await other.subscribe(topic);
    client.send(publishPacket(topic, "", { qos: 1, packetId: 7 }));
    expect((await client.acknowledged(PUBACK, 7)).reasonCode).toBe(0);
    client.send(publishPacket(topic, "", { qos: 2, packetId: 8 }));
    expect((await client.acknowledged(PUBREC, 8)).reasonCode).toBe(0);
  });

  it("[5.0/3.4.2.1/refuse] [5.0/4.13.2/ack-errors] [MQTT5-4.3.3-9] a refused message is answered with 0x87 and forwarded to nobody; the connection goes on", async () => {
    const client = await broker.connect();
    const watcher = await broker.connect();
    await watcher.subscribe("$SYS/#", { qos: 2 });
    const refused = `$SYS/${unique()}`;
    for (const qos of [1, 2] as const) {
      // Under one number: a refusal ends the exchange.
      for (let i = 0; i < 2; i += 1) expect((await client.publish(refused, "", { qos, packetId: 4 }))?.reasonCode).toBe(0x87);
    }
    const topic = unique();
    await client.subscribe(topic);
    await client.publish(topic, "allowed", { qos: 2, packetId: 4 });
    expect(await client.texts(1)).toEqual(["allowed"]);
    await watcher.silence(client);
  });

  it("[5.0/3.6.2.1/unknown] answers PUBREL and PUBREC of unknown numbers with 0x92, and PUBACK and PUBCOMP with nothing", async () => {
    const client = await broker.connect({ autoAck: false });
    client.send(acknowledgement(PUBREL, 11));
    expect(await client.expect(PUBCOMP)).toMatchObject({ packetId: 11, reasonCode: 0x92 });
    client.send(acknowledgement(PUBREC, 12));
    expect(await client.expect(PUBREL)).toMatchObject({ packetId: 12, reasonCode: 0x92 });
    client.send(acknowledgement(PUBACK, 13), acknowledgement(PUBCOMP, 14));
    await client.silence();
  });
});

const CLAUSES: readonly [name: string, clauses: string, packet: Packet][] = [
  ["PUBACK", "[MQTT5-3.4.2-2] [MQTT5-3.4.2-3]", { type: PUBACK, packetId: 1, reasonCode: 0x87, properties: {} }],
  ["PUBREC", "[MQTT5-3.5.2-2] [MQTT5-3.5.2-3]", { type: PUBREC, packetId: 1, reasonCode: 0x87, properties: {} }],
  ["PUBREL", "[MQTT5-3.6.2-2] [MQTT5-3.6.2-3]", { type: PUBREL, packetId: 1, reasonCode: 0x92, properties: {} }],
  ["PUBCOMP", "[MQTT5-3.7.2-2] [MQTT5-3.7.2-3]", { type: PUBCOMP, packetId: 1, reasonCode: 0x92, properties: {} }],
  ["SUBACK", "[MQTT5-3.9.2-1] [MQTT5-3.9.2-2]", { type: SUBACK, packetId: 1, reasonCodes: [0x87], properties: {} }],
  ["UNSUBACK", "[MQTT5-3.11.2-1] [MQTT5-3.11.2-2]", { type: UNSUBACK, packetId: 1, reasonCodes: [0x11], properties: {} }],
  ["AUTH", "[MQTT5-3.15.2-2] [MQTT5-3.15.2-3]", { type: AUTH, reasonCode: 0x18, properties: { authenticationMethod: "m" } }],
  ["DISCONNECT", "[MQTT5-3.14.2-3] [MQTT5-3.14.2-4]", { type: DISCONNECT, reasonCode: 0x81, properties: {} }],
  ["CONNACK", "[MQTT5-3.2.2-19] [MQTT5-3.2.2-20]", { type: CONNACK, sessionPresent: false, reasonCode: 0x87, properties: {} }],
];

for (const [name, clauses, bare] of CLAUSES) {
  it(`${clauses} [MQTT5-3.1.2-29] ${name} leaves its explanations out where they do not fit or are not wanted (core)`, () => {
    for (const explanation of [{ reasonString: "why" }, { userProperties: [["a", "b"] as const] }]) {
      const packet = { ...bare, properties: { ...(bare as { properties: object }).properties, ...explanation } } as Packet;
      const whole = encodePacket(packet, 5);
      const short = encodePacket(bare, 5);
      const facts = { version: 5 as const, problemInformation: true };
      expect(encodeFor(packet, { ...facts, packetBytesMax: whole.length })).toEqual(whole);
      expect(encodeFor(packet, { ...facts, packetBytesMax: whole.length - 1 })).toEqual(short);
      const unwanted = encodeFor(packet, { ...facts, problemInformation: false, packetBytesMax: whole.length });
      expect(unwanted).toEqual(name === "CONNACK" || name === "DISCONNECT" ? whole : short);
    }
  });
}
