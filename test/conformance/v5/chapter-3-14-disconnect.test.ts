/** MQTT 5.0, chapter 3.14: DISCONNECT. */

import { expect, it } from "vitest";
import type { ConnectOptions } from "../../support/mqtt-client.ts";
import { publishPacket, unique } from "../../support/mqtt-client.ts";
import { type Broker5, type Bytes, describe5, ended, raw, reaction, section, text } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

async function withWill(broker: Broker5, options: ConnectOptions = {}) {
  const topic = unique("will");
  const watcher = await broker.connect();
  await watcher.subscribe(topic, { qos: 1 });
  const client = await broker.connect({ will: { topic, payload: "will" }, ...options });
  return { client, watcher, topic };
}

describe5((broker) => {
  it("[5.0/3.14.2.1/short] [MQTT5-3.14.4-3] [MQTT5-3.14.4-2] reads DISCONNECT of no byte, one and more: each with 0x00 drops the will", async () => {
    for (const bytes of ["e000", "e00100", "e0020000", raw(0xe0, "00", section(text(0x1f, "bye")))]) {
      const { client, watcher, topic } = await withWill(broker);
      client.sendBytes(bytes);
      const { packetsBefore, code } = await client.closed;
      expect([packetsBefore, code]).toEqual([[], 1000]);
      await watcher.publish(topic, "marker", { qos: 1 });
      expect(await watcher.texts(1)).toEqual(["marker"]);
    }
  });

  it("[MQTT5-3.14.4-3] [5.0/3.14.2.1/0x04] [MQTT5-3.14.2-1] DISCONNECT with any other code of its table leaves the will to be published", async () => {
    for (const code of [0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]) {
      const { client, watcher } = await withWill(broker);
      client.sendBytes([0xe0, 1, code]);
      await client.closed;
      expect(await watcher.texts(1), code.toString(16)).toEqual(["will"]);
    }
  });

  it("[5.0/3.14.2.1/0x04] the will of DISCONNECT 0x04 still waits for its delay, and a resume cancels it", async () => {
    const clientId = unique();
    const topic = unique("will");
    const watcher = await broker.connect();
    await watcher.subscribe(topic, { qos: 1 });
    const options = { clientId, clean: false, properties: DURABLE };
    const client = await broker.connect({ ...options, will: { topic, properties: { willDelayInterval: 60 } } });
    await client.disconnect(0x04);
    const again = await broker.connect(options);
    expect(again.connack?.sessionPresent).toBe(true);
    await watcher.silence(watcher);
  });

  it("[5.0/3.14.2.1/reserved] [MQTT5-3.14.2-1] DISCONNECT with an undefined code is an error: the will is published", async () => {
    for (const code of ["01", "03", "10", "84", "92", "ff"]) {
      const { client, watcher } = await withWill(broker);
      client.sendBytes(raw(0xe0, code));
      expect([0x81, 0x82]).toContain((await ended(client)).reasonCode);
      expect(await watcher.texts(1), code).toEqual(["will"]);
    }
  });

  it("[MQTT5-3.14.2-1] DISCONNECT with a code that only a Server sends is an error: the will is published", async () => {
    for (const code of ["87", "8b", "8d", "8e", "9c", "a2"]) {
      const { client, watcher } = await withWill(broker);
      client.sendBytes(raw(0xe0, code));
      expect((await ended(client)).reasonCode, code).toBe(0x82);
      expect(await watcher.texts(1), code).toEqual(["will"]);
    }
  });

  it("[MQTT5-3.14.1-1] wrong flags: 0x81, and the will is published", async () => {
    const { client, watcher } = await withWill(broker);
    client.sendBytes("e100");
    expect((await ended(client)).reasonCode).toBe(0x81);
    expect(await watcher.texts(1)).toEqual(["will"]);
  });

  it("[5.0/3.14.2.2.2/zero-to-nonzero] a session that ends with its connection can't be prolonged: 0x82, and the will is published", async () => {
    for (const properties of [{}, { sessionExpiryInterval: 0 }]) {
      const clientId = unique();
      const { client, watcher } = await withWill(broker, { clientId, properties });
      client.send({ type: 14, reasonCode: 0, properties: { sessionExpiryInterval: 10 } });
      expect((await ended(client)).reasonCode).toBe(0x82);
      expect(await watcher.texts(1)).toEqual(["will"]);
      const again = await broker.connect({ clientId, clean: false });
      expect(again.connack?.sessionPresent).toBe(false);
    }
  });

  it("[MQTT5-3.14.4-1] [MQTT5-3.14.4-2] handles nothing that a client sends behind its DISCONNECT", async () => {
    const topic = unique();
    const watcher = await broker.connect();
    await watcher.subscribe(topic);
    const client = await broker.connect();
    client.sendTogether({ type: 14, reasonCode: 0, properties: {} }, publishPacket(topic, "late", { qos: 1 }), { type: 12 });
    expect((await client.closed).packetsBefore).toEqual([]);
    await watcher.silence(watcher);
  });

  it("[MQTT5-3.14.4-1] [MQTT5-3.14.4-2] sends nothing behind its own DISCONNECT, and closes", async () => {
    const topic = unique();
    const client = await broker.connect();
    await client.subscribe(topic);
    const publisher = await broker.connect();
    client.sendBytes("c100c000");
    client.send({ type: 12 });
    await publisher.publish(topic, "late", { qos: 1 });
    // A relay answers pings itself, so that PINGRESP may come first.
    const { packetsBefore } = await client.closed;
    expect(packetsBefore.findIndex(({ type }) => type === 14)).toBe(packetsBefore.length - 1);
    expect(packetsBefore.at(-1)).toMatchObject({ type: 14, reasonCode: 0x81 });
  });

  it("[MQTT5-3.14.2-2] [5.0/4.11/reference] the broker's DISCONNECT has neither Session Expiry Interval nor Server Reference", async () => {
    const wrong: Bytes[] = ["c100", "2003000000", raw(0x82, "0001 00"), "00 00"];
    for (const bytes of wrong) {
      const client = await broker.connect({ properties: DURABLE });
      client.sendBytes(bytes);
      const { properties } = await ended(client);
      expect(properties.sessionExpiryInterval).toBeUndefined();
      expect(properties.serverReference).toBeUndefined();
      expect(properties.reasonString).toBeTruthy();
    }
    expect(await reaction(broker, "c100")).toBe(0x81);
  });

  it("[MQTT5-3.14.2-3] [MQTT5-3.1.2-24] DISCONNECT leaves out its Reason String where the client takes no packet of that size", async () => {
    for (const wrong of ["e003008000", "c080808080", "30ffffff7f"]) {
      const client = await broker.connect({ properties: { maximumPacketSize: 30 } });
      client.sendBytes(wrong);
      const packet = await ended(client);
      expect(packet.properties.reasonString).toBeUndefined();
      expect(client.rawOf(packet).length).toBeLessThanOrEqual(30);
    }
  });
});
