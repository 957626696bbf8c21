/** Chapters 3.12 to 3.14 of MQTT 3.1.1: PINGREQ and DISCONNECT. What DISCONNECT does to a will is in chapter-3-1-will. */

import { expect, it } from "vitest";
import { PINGREQ, PINGRESP } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { connectPacket, publishPacket, unique } from "../../support/mqtt-client.ts";
import { rawPacket } from "../../support/raw-packet.ts";
import { CLOSE_NORMAL, expectClosed, expectEachCloses, observer } from "./support.ts";

describeTopologies(
  (broker) => {
    it("[MQTT311-3.12.4-1] each PINGREQ is answered by a PINGRESP", async () => {
      const client = await broker.connect();
      client.sendTogether({ type: PINGREQ }, { type: PINGREQ });
      client.send({ type: PINGREQ });
      for (let count = 0; count < 3; count += 1) expect(client.rawOf(await client.expect(PINGRESP))).toEqual(Uint8Array.of(0xd0, 0));
      await client.silence();
    });

    it("[MQTT311-4.8.0-1] PINGREQ or DISCONNECT with a body closes the connection", () =>
      expectEachCloses(broker, {
        PINGREQ: rawPacket(0xc0, [0]),
        DISCONNECT: rawPacket(0xe0, [0]),
        "DISCONNECT of 5.0": rawPacket(0xe0, [0, 0]),
      }));

    it("[MQTT311-3.14.4-1] a client that does not close after DISCONNECT is closed by the broker, without a word", async () => {
      const client = await broker.connect();
      client.sendBytes(rawPacket(0xe0));
      await expectClosed(client, CLOSE_NORMAL);
    });

    it("[MQTT311-3.14.4-2] what a client sends behind DISCONNECT, in its frame or the next, has no effect", async () => {
      const topic = unique();
      const watcher = await observer(broker, topic);
      const client = await broker.connect();
      client.sendTogether({ type: 14, reasonCode: 0, properties: {} }, publishPacket(topic, "", { qos: 1 }), { type: PINGREQ });
      client.send(publishPacket(topic));
      await expectClosed(client, CLOSE_NORMAL);
      await watcher.silence(watcher);
    });

    it("[3.1.1/3.14/server] the broker never sends DISCONNECT: on a violation and on takeover it just closes", async () => {
      const violating = await broker.connect();
      violating.sendBytes(rawPacket(0x36));
      await expectClosed(violating);
      const clientId = unique("taken");
      const older = await broker.connect({ clientId });
      await broker.connect({ clientId });
      await expectClosed(older, CLOSE_NORMAL);
      const twice = await broker.connect();
      twice.send(connectPacket({ clientId: twice.clientId }));
      await expectClosed(twice);
    });
  },
  {},
  { shapes: ["compact", "sharded", "handed over"] },
);
