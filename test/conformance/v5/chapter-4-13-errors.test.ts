/** MQTT 5.0, chapter 4.13: errors, and what they leave alone. */

import { expect, it } from "vitest";
import { acknowledgement, unique } from "../../support/mqtt-client.ts";
import { type Bytes, describe5, ended, field, raw, rawConnect, reaction, section } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

describe5((broker) => {
  it("[MQTT5-4.13.1-1] [MQTT5-4.13.2-1] ends a connection for every kind of error with the code that fits, then closes", async () => {
    const wrong: [number, Bytes][] = [
      [0x81, "c100"],
      [0x81, raw(0x30, field([0xff]), "00")],
      [0x82, "d000"],
      [0x82, rawConnect({})],
      [0x82, raw(0x30, field("t"), section("0b01"))],
      [0x90, raw(0x30, field("a/#"), "00")],
      [0x94, raw(0x30, field("t"), section("230000"))],
      [0x95, "30ffffff7f"],
    ];
    for (const [code, bytes] of wrong) expect(await reaction(broker, bytes)).toBe(code);
  });

  it("[5.0/4.13/isolation] one client's error disturbs nobody else, and its session only by ending the connection", async () => {
    const topic = unique();
    const clientId = unique();
    const other = await broker.connect();
    await other.subscribe(topic, { qos: 2 });
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.subscribe(topic, { qos: 1 });
    // What stands before the error in the same frame is handled.
    client.sendBytes(Buffer.concat([raw(0x32, field(topic), "0009 00", "41"), raw(0x36, field(topic), "000a 00")]));
    const { packetsBefore } = await client.closed;
    expect(packetsBefore.at(-1)).toMatchObject({ type: 14, reasonCode: 0x81 });
    expect(await other.texts(1)).toEqual(["A"]);
    await other.publish(topic, "on", { qos: 2 });
    expect(await other.texts(1)).toEqual(["on"]);
    const again = await broker.connect({ clientId, clean: false });
    expect(again.connack?.sessionPresent).toBe(true);
    expect((await again.texts(2)).sort()).toEqual(["A", "on"]);
  });

  it("[5.0/4.13.2/ack-errors] acknowledgements with error codes leave connection, session and other messages alone", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    const client = await broker.connect({ autoAck: false, properties: DURABLE });
    await client.subscribe(topic, { qos: 2 });
    for (const [i, code] of [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99].entries()) {
      const qos = i % 2 === 0 ? 1 : 2;
      await publisher.publish(topic, String(i), { qos });
      const { packetId } = await client.message();
      client.send(acknowledgement(qos === 1 ? 4 : 5, packetId, code));
    }
    await publisher.publish(topic, "on", { qos: 1 });
    expect(await client.texts(1)).toEqual(["on"]);
    expect((await client.subscribe("a#")).reasonCodes).toEqual([0x8f]);
    expect((await client.publish("$SYS/x", "", { qos: 1 }))?.reasonCode).toBe(0x87);
    await client.ping();
  });

  it("[MQTT5-4.13.1-1] tells only the first of several errors", async () => {
    const client = await broker.connect();
    client.sendBytes(Buffer.concat([Buffer.from("c100", "hex"), Buffer.from("d000", "hex")]));
    expect((await ended(client)).reasonCode).toBe(0x81);
  });
});
