/** Chapter 3.2 of MQTT 3.1.1, CONNACK. Session Present is in chapter-3-1-session, codes 4 and 5 in chapter-3-1-rights. */

import { expect, it } from "vitest";
import { CONNACK } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { unique } from "../../support/mqtt-client.ts";
import { field, rawConnect } from "../../support/raw-packet.ts";
import { CLOSE_POLICY, expectClosed } from "./support.ts";

describeTopologies((broker) => {
  it("[3.1.1/3.2.2.1/reserved] the upper seven bits of the Connect Acknowledge Flags are 0", async () => {
    const clientId = unique("kept");
    for (const clean of [false, false, true]) {
      const client = await broker.connect({ clientId, clean });
      expect(client.rawOf(client.connack!)[2]! & 0xfe).toBe(0);
      await client.disconnect();
    }
    const refused = await broker.open();
    expect(refused.rawOf(await refused.connect({ clientId: "", clean: false }))[2]).toBe(0);
  });

  it("[MQTT311-3.2.2-4] [MQTT311-3.2.2-5] every refusal has Session Present 0 and closes the connection", async () => {
    const refusals = { 1: rawConnect({ level: 3 }, field("c")), 2: rawConnect({ flags: 0 }, field("")) };
    for (const [code, bytes] of Object.entries(refusals)) {
      const client = await broker.open();
      client.sendBytes(bytes);
      const { packetsBefore } = await client.closed;
      expect(client.rawOf(packetsBefore[0]!)).toEqual(Uint8Array.of(0x20, 2, 0, Number(code)));
      expect(packetsBefore).toHaveLength(1);
    }
  });

  it("[MQTT311-3.2.2-6] where none of the codes fits there is no CONNACK: a Will Topic that this broker does not take", async () => {
    const client = await broker.open();
    client.sendBytes(rawConnect({ flags: 0x06 }, field("c"), field("a/".repeat(200)), field("")));
    await expectClosed(client, CLOSE_POLICY);
  });
});

describeTopologies(
  (broker) => {
    it("[MQTT311-3.2.2-5] [MQTT311-4.8.0-2] a broker that is full answers code 3, then closes; its other clients notice nothing", async () => {
      const clientIds = [unique("c"), unique("c")];
      const served = await Promise.all(clientIds.map((clientId) => broker.connect({ clientId })));
      const client = await broker.open();
      expect(client.rawOf(await client.connect())).toEqual(Uint8Array.of(0x20, 2, 0, 3));
      expect((await client.closed).packetsBefore).toEqual([]);
      for (const other of served) await other.silence();
      expect((await broker.connect({ clientId: clientIds[0]! })).connack).toMatchObject({ type: CONNACK, reasonCode: 0 });
    });
  },
  { CONNECTIONS_MAX: "2", SESSION_SHARDS: "1" },
);
