/** Chapter 3.3 of MQTT 3.1.1, PUBLISH: flags, Topic Name, answers, overlapping subscriptions. RETAIN has a file of its own. */

import { expect, it } from "vitest";
import { PUBACK, PUBCOMP, PUBREC, PUBREL } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { acknowledgement, publishPacket, request, unique } from "../../support/mqtt-client.ts";
import { field, rawPacket } from "../../support/raw-packet.ts";
import { CLOSE_POLICY, expectEachCloses, keptSession, observer } from "./support.ts";

describeTopologies((broker) => {
  it("[MQTT311-3.3.1-1] a PUBLISH that is sent again has DUP 1", async () => {
    const topic = unique();
    const clientId = unique("kept");
    const first = await keptSession(broker, clientId, { autoAck: false });
    await first.subscribe(topic, { qos: 2 });
    for (const qos of [1, 2] as const) await first.publish(topic, String(qos), { qos });
    expect((await first.messages(2)).map(({ dup }) => dup)).toEqual([false, false]);
    first.terminate();
    const second = await keptSession(broker, clientId, { autoAck: false });
    expect((await second.messages(2)).map(({ dup, qos }) => [dup, qos])).toEqual([
      [true, 1],
      [true, 2],
    ]);
  });

  it("[MQTT311-3.3.1-2] DUP with QoS 0 closes the connection and is given to nobody", async () => {
    const topic = unique();
    const watcher = await observer(broker, topic);
    const client = await broker.connect();
    client.sendBytes(rawPacket(0x38, field(topic)));
    expect(await client.closed).toMatchObject({ code: 1002, packetsBefore: [] });
    await watcher.silence(watcher);
  });

  it("[MQTT311-3.3.1-2] [MQTT311-4.3.1-1] what goes out at QoS 0 has DUP 0, whatever came in", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 0 });
    for (const qos of [0, 1, 2] as const) await client.publish(topic, "", { qos, dup: qos > 0 });
    for (const message of await client.messages(3)) {
      expect(message).toMatchObject({ qos: 0, dup: false });
      expect(client.rawOf(message)[0]).toBe(0x30);
    }
  });

  it("[MQTT311-3.3.1-3] the publisher's DUP does not reach subscribers", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic, { qos: 2 });
    for (const qos of [1, 2] as const) await client.publish(topic, "", { qos, dup: true });
    expect((await client.messages(2)).map(({ dup, qos }) => [dup, qos])).toEqual([
      [false, 1],
      [false, 2],
    ]);
  });

  it("[MQTT311-3.3.1-4] QoS 3 closes the connection", () =>
    expectEachCloses(broker, {
      plain: rawPacket(0x36, field("a"), [0, 1]),
      "with DUP": rawPacket(0x3e, field("a"), [0, 1]),
      "with RETAIN": rawPacket(0x37, field("a"), [0, 1]),
    }));

  it("[MQTT311-3.3.2-1] a PUBLISH without a whole Topic Name at its beginning closes the connection", () =>
    expectEachCloses(broker, {
      empty: rawPacket(0x30),
      "half a length": rawPacket(0x30, [0]),
      "shorter than said": rawPacket(0x30, [0, 5, 0x61]),
    }));

  it("[MQTT311-3.3.2-2] [MQTT311-4.7.1-1] a Topic Name with + or # closes the connection and is given to nobody", async () => {
    const topic = unique();
    const watcher = await observer(broker, `${topic}/#`);
    const packets: Record<string, Uint8Array> = {};
    for (const name of [`${topic}/+`, `${topic}/#`, "#", "+", `${topic}/a+b`, `${topic}/a#`, `${topic}/+/c`]) {
      packets[name] = rawPacket(0x32, field(name), [0, 1]);
    }
    await expectEachCloses(broker, packets, CLOSE_POLICY);
    await watcher.silence(watcher);
  });

  it("[MQTT311-3.3.2-3] subscribers get the Topic Name that was published, which their filter matches", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe([request(`${topic}/+/c`), request(`${topic}/#`)]);
    for (const name of [`${topic}/b/c`, `${topic}`, `${topic}//c`, `${topic}/b/c/d`]) {
      await client.publish(name, "", { qos: 1 });
      expect((await client.message()).topic).toBe(name);
    }
    await client.publish(`${topic}x/b/c`, "", { qos: 1 });
    await client.silence(client);
  });

  it("[MQTT311-3.3.4-1] PUBLISH is answered by its QoS: not at all, PUBACK, PUBREC", async () => {
    const topic = unique();
    const client = await broker.connect();
    client.send(publishPacket(topic));
    await client.silence(client);
    client.send(publishPacket(topic, "", { qos: 1, packetId: 11 }));
    expect(client.rawOf(await client.expect(PUBACK))).toEqual(Uint8Array.of(0x40, 2, 0, 11));
    client.send(publishPacket(topic, "", { qos: 2, packetId: 12 }));
    expect(client.rawOf(await client.expect(PUBREC))).toEqual(Uint8Array.of(0x50, 2, 0, 12));
    client.send(acknowledgement(PUBREL, 12));
    expect(client.rawOf(await client.expect(PUBCOMP))).toEqual(Uint8Array.of(0x70, 2, 0, 12));
    await client.silence();
  });

  it("[MQTT311-3.3.5-1] overlapping subscriptions: one copy, at the highest QoS among them", async () => {
    const topic = unique();
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ] as const) {
      const client = await broker.connect();
      const filters = [`${topic}/a`, `${topic}/+`, `${topic}/#`];
      await client.subscribe(filters.map((filter, index) => request(filter, order[index])));
      for (const qos of [0, 1, 2] as const) await client.publish(`${topic}/a`, String(qos), { qos });
      expect((await client.messages(3)).map(({ qos }) => qos)).toEqual([0, 1, 2]);
      await client.silence(client);
    }
  });
});
