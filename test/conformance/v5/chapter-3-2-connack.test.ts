/** MQTT 5.0, chapter 3.2: CONNACK. */

import { expect, it } from "vitest";
import { encodePacket } from "../../../src/mqtt/encode.ts";
import { CONNACK, type Connack, DISCONNECT } from "../../../src/mqtt/packet.ts";
import { connectionFacts, encodeFor } from "../../../src/session/connection-facts.ts";
import { type ConnectOptions, connectPacket, publishPacket, textOf, unique } from "../../support/mqtt-client.ts";
import { describe5, ended, field, hex, raw, rawConnect, reaction, refusal, text, USERS } from "./support.ts";

const DURABLE = { sessionExpiryInterval: 300 };

describe5(
  (broker) => {
    it("[MQTT5-3.2.0-2] [MQTT5-3.2.2-1] [MQTT5-3.2.2-2] [MQTT5-3.2.2-3] [5.0/4.1/empty] sends one CONNACK, Session Present exactly when there is a session", async () => {
      const clientId = unique();
      const present: boolean[] = [];
      for (const [clean, properties] of [
        [false, DURABLE],
        [false, DURABLE],
        [true, DURABLE],
        [false, { sessionExpiryInterval: 0 }],
        [false, DURABLE],
        [true, {}],
        [false, {}],
      ] as const) {
        const client = await broker.connect({ clientId, clean, properties });
        expect(client.rawOf(client.connack!)[2]).toBe(client.connack!.sessionPresent ? 1 : 0);
        expect(client.connack!.reasonCode).toBe(0);
        present.push(client.connack!.sessionPresent);
        await client.ping();
        await client.close();
        expect(client.arrived.filter(({ type }) => type === CONNACK)).toHaveLength(1);
      }
      expect(present).toEqual([false, true, false, true, false, false, false]);
    });

    it("[MQTT5-3.2.2-6] [MQTT5-3.2.2-7] [MQTT5-3.2.2-8] [MQTT5-3.14.0-1] [MQTT5-4.13.2-1] refuses with a code of its table and Session Present 0, then closes, without DISCONNECT", async () => {
      const clientId = unique();
      const holder = await broker.connect({ clientId, properties: DURABLE });
      await holder.close();
      const refusals: [number, ConnectOptions][] = [
        [0x85, { clientId: "x".repeat(257) }],
        [0x86, { clientId, clean: false, userName: "ann", password: "no" }],
        [0x87, { clientId, clean: false, userName: "ann", password: "secret", will: { topic: "x" } }],
        [0x8c, { clientId, clean: false, properties: { authenticationMethod: "unknown" } }],
        [0x90, { clientId, clean: false, will: { topic: "a/".repeat(200) } }],
      ];
      for (const [code, options] of refusals) expect(await refusal(broker, options)).toBe(code);
      expect(await refusal(broker, rawConnect({ flags: 0x01 }))).toBe(0x81);
      expect(await refusal(broker, rawConnect({ properties: ["21 0000"] }))).toBe(0x82);
      expect(await refusal(broker, raw(0x10, field("MQTT"), "06 02 0000 00", field("")))).toBe(0x84);
      // None of them touched the session.
      const back = await broker.connect({ clientId, clean: false });
      expect(back.connack?.sessionPresent).toBe(true);
    });

    it("[MQTT5-3.2.2-9] [5.0/3.2.2.3.4/never2] [MQTT5-3.2.2-10] [MQTT5-3.2.2-11] [MQTT5-3.2.2-12] [MQTT5-3.2.2-13] [MQTT5-3.2.2-14] is limited neither in QoS nor in RETAIN, and so announces neither", async () => {
      const topic = unique();
      const client = await broker.connect({ will: { topic: unique(), qos: 2, retain: true } });
      expect(client.connack?.properties.maximumQoS).toBeUndefined();
      expect(client.connack?.properties.retainAvailable).toBeUndefined();
      expect((await client.subscribe(topic, { qos: 2 })).reasonCodes).toEqual([2]);
      await client.publish(topic, "x", { qos: 2, retain: true });
      expect(await client.message()).toMatchObject({ qos: 2 });
      await client.publish(topic, "", { qos: 1, retain: true });
      await client.disconnect();
    });

    it("[5.0/3.2.2.3.11/wildcard] [5.0/3.2.2.3.12/subid] [5.0/3.2.2.3.13/shared] announces nothing as unavailable, and it is available", async () => {
      const client = await broker.connect();
      const { wildcardSubscriptionAvailable, subscriptionIdentifierAvailable, sharedSubscriptionAvailable } = client.connack!.properties;
      for (const each of [wildcardSubscriptionAvailable, subscriptionIdentifierAvailable, sharedSubscriptionAvailable]) {
        expect([undefined, 1]).toContain(each);
      }
      const topic = unique();
      expect((await client.subscribe(`${topic}/#`, { properties: { subscriptionIdentifiers: [1] } })).reasonCodes).toEqual([0]);
      expect((await client.subscribe(`$share/g/${topic}/+`)).reasonCodes).toEqual([0]);
      await client.publish(`${topic}/x`, "x", { qos: 1 });
      expect(await client.texts(2)).toEqual(["x", "x"]);
    });

    it("[MQTT5-3.2.2-16] an assigned Client Identifier is answered only to those who have none", async () => {
      const client = await broker.connect();
      expect(client.connack?.properties.assignedClientIdentifier).toBeUndefined();
    });

    it("[MQTT5-3.2.2-19] [MQTT5-3.1.2-24] CONNACK leaves out its Reason String where the client takes no packet of that size", async () => {
      const options: ConnectOptions = { userName: "ann", password: "no" };
      const sizes: number[] = [];
      for (const maximumPacketSize of [1000, 20, 5]) {
        const client = await broker.open();
        const connack = await client.connect({ ...options, version: 5, properties: { maximumPacketSize } });
        expect(connack.reasonCode).toBe(0x86);
        expect(connack.properties.reasonString === undefined).toBe(maximumPacketSize < 1000);
        sizes.push(client.rawOf(connack).length);
        await client.closed;
      }
      expect(sizes.slice(1)).toEqual([5, 5]);
    });

    it("[MQTT5-3.1.2-24] closes without a word where even the barest refusal is larger than the client takes", async () => {
      const refusals: Record<string, (maximumPacketSize: string) => Uint8Array> = {
        "no room for the CONNACK of success": (size) => rawConnect({ properties: [`27 ${size}`] }),
        "a wrong password": (size) =>
          rawConnect({ flags: 0xc2, properties: [`27 ${size}`], payload: [field(""), field("ann"), field("no")] }),
        "a Client Identifier that is too long": (size) => rawConnect({ properties: [`27 ${size}`], payload: [field("x".repeat(257))] }),
        "an unknown Authentication Method": (size) => rawConnect({ properties: [`27 ${size}`, text(0x15, "none")] }),
        "malformed behind its properties": (size) => rawConnect({ properties: [`27 ${size}`], payload: [] }),
        "an invalid Will Topic": (size) =>
          rawConnect({ flags: 0x06, properties: [`27 ${size}`], payload: [field(""), "00", field("#"), field("")] }),
      };
      for (const [what, connect] of Object.entries(refusals)) {
        const enough = await broker.open();
        enough.sendBytes(connect("00000005"));
        const { packetsBefore } = await enough.closed;
        expect(
          packetsBefore.map((packet) => [packet.type, enough.rawOf(packet).length]),
          what,
        ).toEqual([[CONNACK, 5]]);
        const little = await broker.open();
        little.sendBytes(connect("00000004"));
        expect((await little.closed).packetsBefore, what).toEqual([]);
      }
    });

    it("[MQTT5-3.1.2-24] [MQTT5-3.2.2-16] sends no CONNACK that is larger than the client takes", async () => {
      const client = await broker.open();
      client.send(connectPacket({ version: 5, clientId: "", properties: { maximumPacketSize: 30 } }));
      const { packetsBefore } = await client.closed;
      for (const packet of packetsBefore) {
        expect(client.rawOf(packet).length).toBeLessThanOrEqual(30);
        expect(packet.type === CONNACK && packet.reasonCode).toBeGreaterThanOrEqual(0x80);
      }
    });

    it("[5.0/3.2.2.3.2/override] says nothing of the Session Expiry Interval when it is as requested", async () => {
      for (const properties of [{}, { sessionExpiryInterval: 0 }, { sessionExpiryInterval: 3600 }]) {
        const client = await broker.connect({ properties });
        expect(client.connack?.properties.sessionExpiryInterval).toBeUndefined();
      }
    });

    it("[MQTT5-3.1.2-28] [5.0/4.11/reference] CONNACK has neither Response Information nor Server Reference when there is none to give", async () => {
      for (const properties of [{}, { requestResponseInformation: 0 }, { requestResponseInformation: 1 }]) {
        const client = await broker.connect({ properties });
        expect(client.connack?.properties.responseInformation).toBeUndefined();
        expect(client.connack?.properties.serverReference).toBeUndefined();
      }
    });
  },
  { USERS },
);

describe5(
  (broker) => {
    it("[MQTT5-3.1.2-28] gives Response Information on request only", async () => {
      const clientId = unique();
      const without = [{}, { requestResponseInformation: 0 }];
      for (const properties of without) {
        const client = await broker.connect({ properties });
        expect(client.connack?.properties.responseInformation).toBeUndefined();
      }
      const client = await broker.connect({ clientId, properties: { requestResponseInformation: 1 } });
      expect(client.connack?.properties.responseInformation).toBe(`answers/${clientId}`);
    });

    it("[5.0/3.2.2.3.2/override] [MQTT5-4.1.0-2] tells a shorter Session Expiry Interval than requested, and enforces it", async () => {
      const clientId = unique();
      for (const sessionExpiryInterval of [2, 100, 0xffff_ffff]) {
        const client = await broker.connect({ clientId, clean: false, properties: { sessionExpiryInterval } });
        expect(client.connack?.properties.sessionExpiryInterval).toBe(1);
      }
      const client = await broker.connect({ clientId, clean: false, properties: { sessionExpiryInterval: 1 } });
      expect(client.connack).toMatchObject({ sessionPresent: true });
      expect(client.connack?.properties.sessionExpiryInterval).toBeUndefined();
    });

    it("[MQTT5-3.2.2-15] answers a packet that is too large with 0x95, the largest it takes included", async () => {
      const client = await broker.connect();
      expect(client.connack?.properties.maximumPacketSize).toBe(200);
      const topic = unique();
      await client.subscribe(topic);
      const overhead = 1 + 2 + 2 + topic.length + 1;
      client.sendBytes(raw(0x30, field(topic), "00", new Uint8Array(200 - overhead)));
      expect(client.rawOf(await client.message()).length).toBe(200);
      client.sendBytes(raw(0x30, field(topic), "00", new Uint8Array(201 - overhead)));
      expect((await ended(client)).reasonCode).toBe(0x95);
      // Its length alone is enough.
      expect(await reaction(broker, "30ffff7f")).toBe(0x95);
    });

    it("[MQTT5-3.1.2-22] [MQTT5-3.1.2-21] enforces the Server Keep Alive that it announces", async () => {
      const talking = await broker.connect({ keepAliveSeconds: 1 });
      expect(talking.connack?.properties.serverKeepAlive).toBeUndefined();
      const start = performance.now();
      const clients = await Promise.all([0, 60].map((keepAliveSeconds) => broker.connect({ keepAliveSeconds })));
      for (const client of clients) {
        expect(client.connack?.properties.serverKeepAlive).toBe(1);
        const { packetsBefore } = await client.closed;
        expect(packetsBefore.at(-1)).toMatchObject({ type: DISCONNECT, reasonCode: 0x8d });
        expect(performance.now() - start).toBeGreaterThan(1300);
      }
    });
  },
  {
    RESPONSE_INFORMATION: "answers/%c",
    SESSION_EXPIRY_SECONDS_MAX: "1",
    SESSION_EXPIRY_SECONDS_V3: "1",
    PACKET_BYTES_MAX: "200",
    KEEP_ALIVE_SECONDS_MAX: "1",
  },
);

describe5((broker) => {
  it("[MQTT5-3.2.2-22] without Server Keep Alive enforces the client's own", async () => {
    const client = await broker.connect({ keepAliveSeconds: 1 });
    expect(client.connack?.properties.serverKeepAlive).toBeUndefined();
    expect((await ended(client)).reasonCode).toBe(0x8d);
  });

  it("[MQTT5-3.2.0-1] sends nothing before CONNACK, not even to a session that has messages waiting", async () => {
    const clientId = unique();
    const topic = unique();
    const client = await broker.connect({ clientId, properties: DURABLE });
    await client.subscribe(topic, { qos: 1 });
    await client.close();
    const publisher = await broker.connect();
    await publisher.publish(topic, "queued", { qos: 1 });
    const next = await broker.open();
    next.sendTogether(connectPacket({ version: 5, clientId, clean: false }), publishPacket(unique(), "", { qos: 1 }), { type: 12 });
    expect((await next.next()).type).toBe(CONNACK);
    expect(textOf(await next.message())).toBe("queued");
  });
});

it("[MQTT5-3.2.2-19] [MQTT5-3.2.2-20] CONNACK drops Reason String and User Properties that would make it too large (core)", () => {
  const connack: Connack = {
    type: CONNACK,
    sessionPresent: false,
    reasonCode: 0,
    properties: { receiveMaximum: 5, reasonString: "why", userProperties: [["name", "value"]] },
  };
  const whole = encodePacket(connack, 5);
  const facts = connectionFacts(connectPacket({ version: 5 }), false);
  expect(hex(encodeFor(connack, { ...facts, packetBytesMax: whole.length })!)).toBe(hex(whole));
  const cut = encodeFor(connack, { ...facts, packetBytesMax: whole.length - 1 });
  expect(hex(cut!)).toBe("2006000003210005");
});
