/** MQTT 5.0, chapters 3.10 to 3.13: UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP. */

import { expect, it } from "vitest";
import { PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, UNSUBACK } from "../../../src/mqtt/packet.ts";
import { acknowledgement, request, unique } from "../../support/mqtt-client.ts";
import { describe5, hex, reaction } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

describe5((broker) => {
  it("[MQTT5-3.10.3-2] refuses an UNSUBSCRIBE without filters with 0x82", async () => {
    expect(await reaction(broker, "a2 03 0001 00")).toBe(0x82);
  });

  it("[MQTT5-3.10.4-1] [MQTT5-3.10.4-2] removes the subscription of exactly that text", async () => {
    const base = unique();
    const client = await broker.connect();
    await client.subscribe([request(`${base}/+`, 0), request(`${base}/a`, 1), request(`${base}/A`, 1)]);
    expect((await client.unsubscribe(`${base}/#`, `${base}/b`, `${base}/a/`, `${base}`)).reasonCodes).toEqual([0x11, 0x11, 0x11, 0x11]);
    expect((await client.unsubscribe(`${base}/+`)).reasonCodes).toEqual([0]);
    await client.publish(`${base}/b`, "gone", { qos: 1 });
    await client.publish(`${base}/a`, "still", { qos: 1 });
    expect(await client.texts(1)).toEqual(["still"]);
    await client.unsubscribe(`${base}/a`);
    await client.publish(`${base}/a`, "gone", { qos: 1 });
    await client.publish(`${base}/A`, "still", { qos: 1 });
    expect(await client.texts(1)).toEqual(["still"]);
    await client.silence(client);
  });

  it("[MQTT5-3.10.4-2] queues nothing more for a subscription that a resumed session has given up", async () => {
    const clientId = unique();
    const topic = unique();
    const publisher = await broker.connect();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.subscribe([request(topic, 1), request(`${topic}/other`, 1)]);
    await client.close();
    const again = await broker.connect({ clientId, clean: false, properties: DURABLE });
    expect((await again.unsubscribe(topic)).reasonCodes).toEqual([0]);
    await again.close();
    await publisher.publish(topic, "gone", { qos: 1 });
    await publisher.publish(`${topic}/other`, "queued", { qos: 1 });
    const last = await broker.connect({ clientId, clean: false });
    expect(await last.texts(1)).toEqual(["queued"]);
    await last.silence(publisher);
  });

  it("[MQTT5-3.10.4-3] [5.0/3.10.4/buffered] completes exchanges that had begun, and may send what was queued", async () => {
    const topic = unique();
    const publisher = await broker.connect();
    const client = await broker.connect({ autoAck: false, properties: { receiveMaximum: 2 } });
    await client.subscribe(topic, { qos: 2 });
    await publisher.publish(topic, "1", { qos: 1 });
    await publisher.publish(topic, "2", { qos: 2 });
    await publisher.publish(topic, "3", { qos: 1 });
    const [first, second] = await client.messages(2);
    await client.unsubscribe(topic);
    await publisher.publish(topic, "4", { qos: 1 });
    client.send(acknowledgement(PUBREC, second!.packetId));
    await client.acknowledged(PUBREL, second!.packetId);
    client.send(acknowledgement(PUBCOMP, second!.packetId), acknowledgement(PUBACK, first!.packetId));
    await client.unsubscribe("none");
    const buffered = client.arrived.filter((packet) => packet.type === PUBLISH).map(({ payload }) => Buffer.from(payload).toString());
    expect([
      ["1", "2"],
      ["1", "2", "3"],
    ]).toContainEqual(buffered);
  });

  it("[MQTT5-3.10.4-4] [MQTT5-3.10.4-6] [MQTT5-3.11.3-1] [MQTT5-3.11.3-2] answers with one UNSUBACK that has a code for every filter, in their order", async () => {
    const base = unique();
    const client = await broker.connect();
    await client.subscribe([request(`${base}/a`), request(`${base}/c`)]);
    const filters = [`${base}/a`, `${base}/b`, `${base}/#/x`, `${base}/c`, `${base}/a`];
    const { reasonCodes } = await client.unsubscribe(...filters);
    expect(reasonCodes).toEqual([0, 0x11, 0x8f, 0, 0x11]);
    expect(client.arrived.filter(({ type }) => type === UNSUBACK)).toHaveLength(1);
    for (const level of ["a", "c"]) await client.publish(`${base}/${level}`, "", { qos: 1 });
    await client.silence(client);
  });

  it("[MQTT5-3.12.4-1] answers PINGREQ with PINGRESP, as often as it comes", async () => {
    const client = await broker.connect();
    client.sendBytes("c000", "c000c000");
    for (let i = 0; i < 3; i += 1) expect(hex(client.rawOf(await client.expect(13)))).toBe("d000");
    await client.silence();
  });
});
