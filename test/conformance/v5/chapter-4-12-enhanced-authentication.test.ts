/** MQTT 5.0, 4.12: enhanced authentication with SCRAM-SHA-256, at CONNECT and on a live connection. */

import { expect, test } from "vitest";
import { encodePacket } from "../../../src/mqtt/encode.ts";
import { AUTH, CONNACK, DISCONNECT, NO_PROPERTIES, type Packet, PINGREQ, PINGRESP, SUBSCRIBE } from "../../../src/mqtt/packet.ts";
import { auth, CONTINUE, REAUTHENTICATE, USERS } from "../../support/auth-packets.ts";
import { answer, answered, challenged, connected, rechallenged } from "../../support/authentication.ts";
import { describeTopologies, type TestBroker } from "../../support/brokers.ts";
import { connectPacket, type MqttTestClient, publishPacket, request, textOf, unique } from "../../support/mqtt-client.ts";
import { SCRAM_SHA_256, ScramClient } from "../../support/scram-client.ts";

const SHAPES = { shapes: ["compact", "sharded", "handed over"] } as const;

/** The next packet is a CONNACK that refuses, and the connection ends with nothing behind it [MQTT5-3.14.0-1]. */
async function expectRefused(client: MqttTestClient, reasonCode: number, reason?: RegExp): Promise<void> {
  const { reasonCode: found, properties } = await client.expect(CONNACK);
  expect([found, properties.reasonString]).toEqual([reasonCode, expect.stringMatching(reason ?? /./)]);
  expect((await client.closed).packetsBefore).toEqual([]);
}

/** The next packet is a DISCONNECT, and the connection ends with nothing behind it. */
async function expectEnd(client: MqttTestClient, reasonCode: number, reason?: RegExp): Promise<void> {
  const { reasonCode: found, properties } = await client.expect(DISCONNECT);
  expect([found, properties.reasonString]).toEqual([reasonCode, expect.stringMatching(reason ?? /./)]);
  expect((await client.closed).packetsBefore).toEqual([]);
}

/** Sends CONNECT with a method. */
async function opened(broker: TestBroker, authenticationMethod: string, data?: Uint8Array): Promise<MqttTestClient> {
  const clientId = unique("c");
  const client = await broker.open({ version: 5, clientId });
  const properties = { authenticationMethod, ...(data === undefined ? {} : { authenticationData: data }) };
  client.send(connectPacket({ version: 5, clientId, properties }));
  return client;
}

describeTopologies(
  (broker) => {
    test("[MQTT5-4.12.0-1] refuses a method that it does not know with 0x8C, and names what it knows", async () => {
      for (const method of ["SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "scram-sha-256", ""]) {
        await expectRefused(await opened(broker, method, new Uint8Array(3)), 0x8c, /SCRAM-SHA-256/);
      }
    });

    test("[MQTT5-4.12.0-2] [MQTT5-4.12.0-5] asks in AUTH 0x18 with the method, and answers in CONNACK with method and proof", async () => {
      const { client, scram, challenge, connack } = await answered(broker);
      expect(challenge).toMatchObject({ reasonCode: 0x18, properties: { authenticationMethod: SCRAM_SHA_256 } });
      expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: false, properties: { authenticationMethod: SCRAM_SHA_256 } });
      expect(scram.verify(connack.properties.authenticationData)).toBe(true);
      await client.subscribe("anything");
      await client.silence();
    });

    test("a client that has nothing to say in CONNECT is asked to begin", async () => {
      const client = await opened(broker, SCRAM_SHA_256);
      expect(await client.expect(AUTH)).toMatchObject({ reasonCode: 0x18, properties: { authenticationMethod: SCRAM_SHA_256 } });
      const scram = new ScramClient("ada", "lovelace");
      client.send(auth(CONTINUE, scram.first()));
      await answer({ client, scram, challenge: await client.expect(AUTH) });
      expect(await client.expect(CONNACK)).toMatchObject({ reasonCode: 0 });
    });

    test("[MQTT5-4.12.0-3] before CONNACK an AUTH with another code than 0x18 is a Protocol Error", async () => {
      for (const code of [0x00, REAUTHENTICATE]) {
        const { client, scram, challenge } = await challenged(broker);
        client.send(auth(code, await scram.final(challenge.properties.authenticationData)));
        await expectRefused(client, 0x82, /0x18/);
      }
    });

    test("[MQTT5-4.12.0-5] [5.0/3.15/no-method] before CONNACK an AUTH with another method, or none, is a Protocol Error", async () => {
      const { client, scram, challenge } = await challenged(broker);
      const data = await scram.final(challenge.properties.authenticationData);
      client.send(auth(CONTINUE, data, { authenticationMethod: "SCRAM-SHA-1" }));
      await expectRefused(client, 0x82, /Authentication Method/);
      const { client: without } = await challenged(broker);
      without.send({ type: AUTH, reasonCode: CONTINUE, properties: NO_PROPERTIES });
      await expectRefused(without, 0x82);
    });

    test("[MQTT5-4.12.0-4] a wrong proof, an unknown user and what is no SCRAM are refused with 0x87", async () => {
      for (const options of [{ secret: "Lovelace" }, { as: "eve" }, { as: "bob" }]) {
        const { client, connack } = await answered(broker, options);
        expect(connack).toMatchObject({ reasonCode: 0x87, sessionPresent: false });
        expect(connack.properties.reasonString).toBe("The user name or the password is not right.");
        expect((await client.closed).packetsBefore).toEqual([]);
      }
      await expectRefused(await opened(broker, SCRAM_SHA_256, new Uint8Array([0xff])), 0x87);
      await expectRefused(await opened(broker, SCRAM_SHA_256, Buffer.from("p=tls-exporter,,n=ada,r=x")), 0x87, /channel binding/);
      const { client } = await challenged(broker);
      client.send(auth(CONTINUE, Buffer.from("c=biws")));
      await expectRefused(client, 0x87);
    });

    test("[MQTT5-3.1.2-30] [MQTT5-3.14.0-1] [MQTT5-3.2.0-1] before CONNACK only AUTH and DISCONNECT are in order; nothing else has an effect", async () => {
      const topic = unique();
      const watcher = await broker.connect({ version: 5 });
      await watcher.subscribe(topic, { qos: 1 });
      const wrong: Packet[] = [
        publishPacket(topic, "too early", { qos: 1 }),
        { type: SUBSCRIBE, packetId: 1, subscriptions: [request(topic)], properties: NO_PROPERTIES },
        { type: PINGREQ },
        connectPacket({ version: 5 }),
      ];
      for (const packet of wrong) {
        const { client } = await challenged(broker);
        client.send(packet);
        await expectRefused(client, 0x82, /CONNACK/);
      }
      const pipelined = await broker.open({ version: 5, clientId: "pipelined" });
      const properties = { authenticationMethod: SCRAM_SHA_256, authenticationData: new ScramClient("ada", "lovelace").first() };
      pipelined.sendTogether(connectPacket({ version: 5, clientId: "pipelined", properties }), ...wrong);
      await pipelined.expect(AUTH);
      await expectRefused(pipelined, 0x82, /CONNACK/);
      await watcher.silence(watcher);
    });

    test("a client that says DISCONNECT instead of going on hears nothing more", async () => {
      const { client } = await challenged(broker);
      const { packetsBefore } = await client.disconnect();
      expect(packetsBefore).toEqual([]);
    });

    test("an AUTH in pieces, with the next packet behind it", async () => {
      const { client, scram, challenge } = await challenged(broker);
      const packet = encodePacket(auth(CONTINUE, await scram.final(challenge.properties.authenticationData)), 5);
      const frame = Buffer.concat([packet, encodePacket({ type: PINGREQ }, 5)]);
      client.sendBytes(frame.subarray(0, 1), frame.subarray(1, 3), frame.subarray(3, 40), frame.subarray(40));
      expect(await client.expect(CONNACK)).toMatchObject({ reasonCode: 0 });
      await client.expect(PINGRESP);
    });

    test("[MQTT5-4.12.0-6] a client without a method hears of none, is let in by its password and never sent AUTH", async () => {
      const client = await broker.connect({ version: 5, userName: "ada", password: "lovelace" });
      expect(client.connack!.properties).not.toHaveProperty("authenticationMethod");
      expect(client.connack!.properties).not.toHaveProperty("authenticationData");
      await client.subscribe(unique());
      await client.silence();
      expect(client.arrived.some(({ type }) => type === AUTH)).toBe(false);
    });

    test("[MQTT5-4.12.0-7] AUTH from a client without a method is a Protocol Error", async () => {
      for (const code of [CONTINUE, REAUTHENTICATE]) {
        const client = await broker.connect({ version: 5 });
        client.send(auth(code, new ScramClient("ada", "lovelace").first()));
        await expectEnd(client, 0x82, /Authentication Method/);
      }
      const clientId = unique("c");
      const pipelined = await broker.open({ version: 5, clientId });
      pipelined.sendTogether(connectPacket({ version: 5, clientId }), auth(CONTINUE));
      expect(await pipelined.expect(CONNACK)).toMatchObject({ reasonCode: 0 });
      await expectEnd(pipelined, 0x82);
    });

    test("with a method User Name and Password don't count: the method decides", async () => {
      const { connack } = await answered(broker, { userName: "bob", password: "wrong" });
      expect(connack.reasonCode).toBe(0);
      const { connack: refused } = await answered(broker, { secret: "wrong", userName: "ada", password: "lovelace" });
      expect(refused.reasonCode).toBe(0x87);
    });

    test("the client has the rights of the user that it proved to be", async () => {
      const client = await connected(broker, { as: "bob", secret: "builder", userName: "ada" });
      const topic = unique("bob/");
      expect((await client.subscribe([request(topic, 1), request("ada/private", 1)])).reasonCodes).toEqual([1, 0x87]);
      expect(await client.publish("ada/private", "x", { qos: 1 })).toMatchObject({ reasonCode: 0x87 });
      await client.publish(topic, "allowed", { qos: 1 });
      expect(await client.texts(1)).toEqual(["allowed"]);
    });

    test("[MQTT5-3.1.2-24] a client whose Maximum Packet Size has no room for the exchange is told so", async () => {
      const clientId = unique("c");
      const client = await broker.open({ version: 5, clientId });
      const authenticationData = new ScramClient("ada", "lovelace").first();
      const properties = { authenticationMethod: SCRAM_SHA_256, authenticationData, maximumPacketSize: 90 };
      client.send(connectPacket({ version: 5, clientId, properties }));
      await expectRefused(client, 0x87, /Maximum Packet Size/);
    });

    test("[5.0/4.12.1/traffic] re-authentication succeeds with AUTH 0x00; everything else goes on meanwhile", async () => {
      const client = await connected(broker);
      const topic = unique();
      await client.subscribe(topic, { qos: 1 });
      for (let round = 0; round < 2; round += 1) {
        const exchange = await rechallenged(client);
        expect(exchange.challenge).toMatchObject({ reasonCode: 0x18, properties: { authenticationMethod: SCRAM_SHA_256 } });
        await client.ping();
        expect(await client.publish(topic, "meanwhile", { qos: 1 })).toMatchObject({ reasonCode: 0 });
        expect(textOf(await client.message())).toBe("meanwhile");
        await answer(exchange);
        const { reasonCode, properties } = await client.expect(AUTH);
        expect([reasonCode, properties.authenticationMethod]).toEqual([0x00, SCRAM_SHA_256]);
        expect(exchange.scram.verify(properties.authenticationData)).toBe(true);
      }
      await client.publish(topic, "afterwards", { qos: 1 });
      expect(await client.texts(1)).toEqual(["afterwards"]);
    });

    test("[MQTT5-4.12.1-1] re-authentication by another method is a Protocol Error, at its beginning and in its middle", async () => {
      const early = await connected(broker);
      early.send(auth(REAUTHENTICATE, new ScramClient("ada", "lovelace").first(), { authenticationMethod: "SCRAM-SHA-1" }));
      await expectEnd(early, 0x82, /Authentication Method/);
      const late = await connected(broker);
      const { scram, challenge } = await rechallenged(late);
      late.send(auth(CONTINUE, await scram.final(challenge.properties.authenticationData), { authenticationMethod: "PLAIN" }));
      await expectEnd(late, 0x82, /Authentication Method/);
    });

    test("[MQTT5-4.12.1-2] a failed re-authentication ends the connection with DISCONNECT 0x87 and leaves the will", async () => {
      const topic = unique();
      const watcher = await broker.connect({ version: 5 });
      await watcher.subscribe(topic);
      const client = await connected(broker, { will: { topic, payload: "gone" } });
      await answer(await rechallenged(client, "ada", "wrong"));
      await expectEnd(client, 0x87, /not right/);
      expect(await watcher.texts(1)).toEqual(["gone"]);
      const malformed = await connected(broker);
      malformed.send(auth(REAUTHENTICATE, Buffer.from("nonsense")));
      await expectEnd(malformed, 0x87);
    });

    test("re-authentication as another user is refused: what the connection has was granted to one user", async () => {
      const client = await connected(broker);
      await answer(await rechallenged(client, "bob", "builder"));
      await expectEnd(client, 0x87, /another user/);
    });

    test("[MQTT5-4.12.0-3] AUTH out of turn on a live connection is a Protocol Error", async () => {
      const idle = await connected(broker);
      idle.send(auth(CONTINUE));
      await expectEnd(idle, 0x82);
      const finished = await connected(broker);
      const exchange = await rechallenged(finished);
      await answer(exchange);
      await finished.expect(AUTH);
      await answer(exchange);
      await expectEnd(finished, 0x82);
      const twice = await connected(broker);
      await rechallenged(twice);
      twice.send(auth(REAUTHENTICATE, new ScramClient("ada", "lovelace").first()));
      await expectEnd(twice, 0x82, /under way/);
      const hasty = await connected(broker);
      hasty.sendTogether(
        auth(REAUTHENTICATE, new ScramClient("ada", "lovelace").first()),
        auth(CONTINUE, Buffer.from("c=biws,r=x,p=AAAA")),
      );
      await expectEnd(hasty, 0x82, /nothing was asked/);
    });

    test("a client may say DISCONNECT in the middle of a re-authentication", async () => {
      const topic = unique();
      const watcher = await broker.connect({ version: 5 });
      await watcher.subscribe(topic);
      const client = await connected(broker, { will: { topic, payload: "not to be seen" } });
      await rechallenged(client);
      expect((await client.disconnect()).packetsBefore).toEqual([]);
      await watcher.silence(watcher);
    });
  },
  { USERS },
  SHAPES,
);

describeTopologies(
  (broker) => {
    test("an assigned Client Identifier comes with the method and its data in one CONNACK", async () => {
      const { scram, connack } = await answered(broker, { clientId: "" });
      expect(connack.properties).toMatchObject({
        assignedClientIdentifier: expect.stringMatching(/./),
        authenticationMethod: SCRAM_SHA_256,
      });
      expect(scram.verify(connack.properties.authenticationData)).toBe(true);
    });

    test("an exchange that the client does not finish is refused after PACKET_SECONDS_MAX", async () => {
      const { client } = await challenged(broker);
      await expectRefused(client, 0x87, /within 1 s/);
    });

    test("[MQTT5-4.12.1-2] a re-authentication that the client does not finish ends the connection after PACKET_SECONDS_MAX", async () => {
      const client = await connected(broker);
      await rechallenged(client);
      await expectEnd(client, 0x87, /within 1 s/);
    });
  },
  { USERS, PACKET_SECONDS_MAX: "1" },
);

describeTopologies((broker) => {
  test("[5.0/4.12/default-deny] [MQTT5-4.12.0-1] a broker without users has no method: 0x8C", async () => {
    await expectRefused(await opened(broker, SCRAM_SHA_256, new ScramClient("ada", "lovelace").first()), 0x8c, /none is supported/);
  });
});

describeTopologies(
  (broker) => {
    test("a closed broker says that it lets nobody in, whatever the method", async () => {
      await expectRefused(await opened(broker, SCRAM_SHA_256, new ScramClient("ada", "lovelace").first()), 0x87, /USERS/);
    });
  },
  { ALLOW_ANONYMOUS: "false" },
);
