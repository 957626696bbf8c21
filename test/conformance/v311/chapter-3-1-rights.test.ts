/** Where MQTT 3.1.1 speaks of rights: refused connections (3.1.4, 3.2.2), publishes (3.3.5) and subscriptions (3.9.3). */

import { expect, it } from "vitest";
import { PUBACK, PUBREC } from "../../../src/mqtt/packet.ts";
import { describeTopologies } from "../../support/brokers.ts";
import { connectPacket, publishPacket, request, unique } from "../../support/mqtt-client.ts";
import { field, rawConnect } from "../../support/raw-packet.ts";
import { CLOSE_POLICY, expectClosed, usersOf } from "./support.ts";

const ALICE = { userName: "alice", password: "wonderland" };
const users = await usersOf(
  { user: "alice", password: "wonderland", publish: ["open/#"], subscribe: ["open/#"] },
  { user: "admin", password: "admin", publish: ["#"], subscribe: ["#"] },
);
const ADMIN = { userName: "admin", password: "admin" };

describeTopologies(
  (broker) => {
    it("[3.1.1/3.1.4/auth] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5] a wrong password, user or none at all is answered with code 4, then closed", async () => {
      for (const options of [
        { ...ALICE, password: "" },
        { ...ALICE, password: "x" },
        { userName: "bob", password: "x" },
        { userName: "alice" },
      ]) {
        const client = await broker.open();
        expect(client.rawOf(await client.connect(options))).toEqual(Uint8Array.of(0x20, 2, 0, 4));
        await expectClosed(client, CLOSE_POLICY);
      }
    });

    it("[MQTT311-3.2.2-4] Session Present is 0 in a refusal, although there is a session", async () => {
      const clientId = unique("kept");
      await (await broker.connect({ ...ALICE, clientId, clean: false })).disconnect();
      const refused = await broker.open({ clientId });
      expect(refused.rawOf(await refused.connect({ userName: "alice", password: "x", clean: false }))).toEqual(
        Uint8Array.of(0x20, 2, 0, 4),
      );
      expect((await broker.connect({ ...ALICE, clientId, clean: false })).connack).toMatchObject({ sessionPresent: true });
    });

    it("[MQTT311-3.1.4-3] a CONNECT that is refused discards no session and takes over no connection", async () => {
      const clientId = unique("kept");
      const client = await broker.connect({ ...ALICE, clientId, clean: false });
      const refused = await broker.open({ clientId });
      expect(await refused.connect({ userName: "alice", password: "x", clean: true })).toMatchObject({ reasonCode: 4 });
      await refused.closed;
      await client.silence();
      await client.disconnect();
      expect((await broker.connect({ ...ALICE, clientId, clean: false })).connack).toMatchObject({ sessionPresent: true });
    });

    it("[MQTT311-3.1.3-1] user name and password are read in this order, behind the will", async () => {
      const swapped = await broker.open();
      swapped.sendBytes(rawConnect({ flags: 0xc2 }, field(swapped.clientId), field("wonderland"), field("alice")));
      expect((await swapped.closed).packetsBefore).toMatchObject([{ reasonCode: 4 }]);
      const right = await broker.open();
      right.sendBytes(
        rawConnect({ flags: 0xc6 }, field(right.clientId), field("open/will"), field(""), field("alice"), field("wonderland")),
      );
      expect(await right.expect(2)).toMatchObject({ reasonCode: 0 });
    });

    it("[MQTT311-3.1.4-5] packets behind a CONNECT whose password is wrong have no effect", async () => {
      const watcher = await broker.connect(ADMIN);
      const topic = `open/${unique()}`;
      await watcher.subscribe(topic);
      const client = await broker.open();
      client.sendTogether(
        connectPacket({ userName: "alice", password: "x", clientId: client.clientId }),
        publishPacket(topic, "1", { retain: true }),
      );
      client.send(publishPacket(topic, "2", { qos: 1 }));
      expect((await client.closed).packetsBefore).toMatchObject([{ type: 2, reasonCode: 4 }]);
      await watcher.subscribe(topic);
      const publisher = await broker.connect(ADMIN);
      await publisher.publish(topic, "end", { qos: 1 });
      expect(await watcher.texts(1)).toEqual(["end"]);
    });

    it("[3.1.1/3.1.4/pipelining] packets sent while the password is still being checked are handled once it is right", async () => {
      const topic = `open/${unique()}`;
      const watcher = await broker.connect(ADMIN);
      await watcher.subscribe(topic);
      const client = await broker.open();
      client.send(connectPacket({ ...ALICE, clientId: client.clientId }));
      for (const payload of ["1", "2", "3"]) client.send(publishPacket(topic, payload));
      expect(await watcher.texts(3)).toEqual(["1", "2", "3"]);
    });

    it("[MQTT311-3.3.5-2] a PUBLISH without the right to it is acknowledged as usual and given to nobody, nor retained", async () => {
      const topic = unique("closed/");
      const watcher = await broker.connect(ADMIN);
      await watcher.subscribe(topic);
      const client = await broker.connect(ALICE);
      for (const qos of [0, 1, 2] as const) await client.publish(topic, "", { qos, retain: true });
      await client.publish(`open/${topic}`, "", { qos: 1 });
      await watcher.silence();
      await watcher.subscribe(topic);
      await watcher.silence(watcher);
    });

    it("[MQTT311-3.3.5-2] [MQTT311-4.3.3-2] a QoS 2 PUBLISH without the right to it can be repeated and released", async () => {
      const topic = unique("closed/");
      const client = await broker.connect({ ...ALICE, autoAck: false });
      const publish = publishPacket(topic, "", { qos: 2, packetId: 9 });
      client.send(publish, { ...publish, dup: true });
      expect(await client.expect(PUBREC)).toMatchObject({ packetId: 9 });
      expect(await client.expect(PUBREC)).toMatchObject({ packetId: 9 });
      const released = client.acknowledged(7, 9);
      client.send({ type: 6, packetId: 9, reasonCode: 0, properties: {} });
      expect(await released).toMatchObject({ packetId: 9 });
      client.send(publishPacket(topic, "", { qos: 1, packetId: 9 }));
      expect(await client.expect(PUBACK)).toMatchObject({ packetId: 9 });
    });

    it("[MQTT311-3.9.3-1] [MQTT311-3.9.3-2] [MQTT311-3.8.4-5] SUBACK has one code for each filter, in order, 0x80 for those that are refused", async () => {
      const client = await broker.connect(ALICE);
      const filters = [request("open/a", 2), request("closed", 1), request("open/#", 0), request("#", 2), request("open/b", 1)];
      const suback = await client.subscribe(filters);
      expect(suback.reasonCodes).toEqual([2, 0x80, 0, 0x80, 1]);
      expect(client.rawOf(suback).slice(4)).toEqual(Uint8Array.of(2, 0x80, 0, 0x80, 1));
    });

    it("[MQTT311-3.2.2-5] a will without the right to it is answered with code 5, then closed", async () => {
      const client = await broker.open();
      expect(await client.connect({ ...ALICE, will: { topic: "closed" } })).toMatchObject({ reasonCode: 5 });
      await expectClosed(client, CLOSE_POLICY);
    });
  },
  { USERS: users, ALLOW_ANONYMOUS: "false" },
  { shapes: ["compact", "sharded", "handed over"] },
);

describeTopologies(
  (broker) => {
    it("[3.1.1/3.1.4/auth] [MQTT311-3.2.2-5] a broker that lets nobody in answers code 5, then closes", async () => {
      const client = await broker.open();
      expect(client.rawOf(await client.connect())).toEqual(Uint8Array.of(0x20, 2, 0, 5));
      await expectClosed(client, CLOSE_POLICY);
    });
  },
  { ALLOW_ANONYMOUS: "false" },
);
