/** MQTT 5.0, 3.15: the AUTH packet. */

import { expect, test } from "vitest";
import { AUTH, CONNACK, DISCONNECT, NO_PROPERTIES } from "../../../src/mqtt/packet.ts";
import { auth, CONTINUE, REAUTHENTICATE, USERS } from "../../support/auth-packets.ts";
import { answer, answered, challenged, connected, rechallenged } from "../../support/authentication.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { SCRAM_SHA_256, ScramClient } from "../../support/scram-client.ts";

const first = (): Uint8Array => new ScramClient("ada", "lovelace").first();

describeTopologies(
  (broker) => {
    test("[MQTT5-3.15.1-1] reserved flags that are not 0 are malformed", async () => {
      for (const flags of [0x01, 0x02, 0x04, 0x08]) {
        const client = await connected(broker);
        client.sendBytes([0xf0 | flags, 0x00]);
        expect(await client.expect(DISCONNECT)).toMatchObject({ reasonCode: 0x81 });
        expect((await client.closed).packetsBefore).toEqual([]);
      }
      const { client } = await challenged(broker);
      client.sendBytes([0xf1, 0x00]);
      expect(await client.expect(CONNACK)).toMatchObject({ reasonCode: 0x81 });
      expect((await client.closed).packetsBefore).toEqual([]);
    });

    test("[MQTT5-3.15.2-1] a code that is not one of AUTH's, or not one of the Client's, is a Protocol Error", async () => {
      for (const code of ["00", "01", "17", "87", "ff"]) {
        const client = await connected(broker);
        client.sendBytes(`f0 12 ${code} 10 15 000d ${Buffer.from(SCRAM_SHA_256).toString("hex")}`);
        expect(await client.expect(DISCONNECT), code).toMatchObject({ reasonCode: 0x82 });
        await client.closed;
      }
    });

    test("[5.0/3.15/no-method] an AUTH without Authentication Method is a Protocol Error; so is one of Remaining Length 0", async () => {
      const empty = await connected(broker);
      empty.sendBytes([0xf0, 0x00]);
      expect(await empty.expect(DISCONNECT)).toMatchObject({ reasonCode: 0x82 });
      const bare = await connected(broker);
      bare.sendBytes([0xf0, 0x01, REAUTHENTICATE]);
      expect(await bare.expect(DISCONNECT)).toMatchObject({ reasonCode: 0x82 });
      const withoutMethod = await connected(broker);
      withoutMethod.send({ type: AUTH, reasonCode: REAUTHENTICATE, properties: NO_PROPERTIES });
      expect(await withoutMethod.expect(DISCONNECT)).toMatchObject({ reasonCode: 0x82 });
      const dataOnly = await connected(broker);
      dataOnly.sendBytes("f0 06 19 04 16 0001 61");
      expect(await dataOnly.expect(DISCONNECT)).toMatchObject({ reasonCode: 0x82 });
    });

    test("an AUTH that ends within its properties is malformed", async () => {
      const client = await connected(broker);
      client.sendBytes("f0 05 19 7f 15 0003");
      expect(await client.expect(DISCONNECT)).toMatchObject({ reasonCode: 0x81 });
    });

    test("a Client's Reason String and User Properties are accepted in every AUTH", async () => {
      const more = { reasonString: "because", userProperties: [["a", "1"] as const, ["a", "2"] as const] };
      const { client, scram, challenge } = await challenged(broker);
      client.send(auth(CONTINUE, await scram.final(challenge.properties.authenticationData), more));
      expect(await client.expect(CONNACK)).toMatchObject({ reasonCode: 0 });
      client.send(auth(REAUTHENTICATE, first(), more));
      expect(await client.expect(AUTH)).toMatchObject({ reasonCode: 0x18 });
    });

    test("[MQTT5-3.15.2-2] [MQTT5-3.15.2-3] [MQTT5-3.1.2-29] the broker's AUTH has no explanations: they can't be too much or unwanted", async () => {
      for (const properties of [{ requestProblemInformation: 0 }, { maximumPacketSize: 200 }, {}]) {
        const { client, challenge } = await answered(broker, { properties });
        const exchange = await rechallenged(client);
        await answer(exchange);
        for (const packet of [challenge, exchange.challenge, await client.expect(AUTH)]) {
          expect(Object.keys(packet.properties).sort()).toEqual(["authenticationData", "authenticationMethod"]);
          expect(client.rawOf(packet).length).toBeLessThanOrEqual(200);
        }
      }
    });
  },
  { USERS },
);
