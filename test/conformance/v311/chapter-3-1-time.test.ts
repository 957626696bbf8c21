/** What MQTT 3.1.1 says about time: Keep Alive, the wait for CONNECT, how long sessions last, no repeats by timer. One wait serves many. */

import { setTimeout as elapsed } from "node:timers/promises";
import { expect, it } from "vitest";
import { describeTopologies } from "../../support/brokers.ts";
import { publishPacket, unique } from "../../support/mqtt-client.ts";
import { rawPacket } from "../../support/raw-packet.ts";
import { CLOSE_POLICY, keptSession, observer } from "./support.ts";

describeTopologies(
  (broker) => {
    it("[MQTT311-3.1.2-24] [3.1.1/3.1.2.10/zero] [3.1.1/4.4/timer] silence of 1.5 times Keep Alive ends the connection and publishes the will; any packet counts; 0 never; nothing is repeated by timer", async () => {
      const topic = unique();
      const watcher = await observer(broker, `${topic}/will`);
      const slow = await broker.connect({ keepAliveSeconds: 0, autoAck: false });
      await slow.subscribe(`${topic}/slow`, { qos: 2 });
      await slow.publish(`${topic}/slow`, "", { qos: 1 });
      await slow.publish(`${topic}/slow`, "", { qos: 2 });
      await slow.messages(2);
      const will = { topic: `${topic}/will`, payload: "active" };
      const pinging = await broker.connect({ keepAliveSeconds: 1, will });
      const publishing = await broker.connect({ keepAliveSeconds: 1, will });
      const subscribing = await broker.connect({ keepAliveSeconds: 1, will });
      const startedAt = performance.now();
      const silent = await broker.connect({ keepAliveSeconds: 1, will: { ...will, payload: "silent" } });
      const trickling = await broker.connect({ keepAliveSeconds: 1 });
      trickling.sendBytes("30c801");
      let ended = false;
      const closing = silent.closed.then((how) => {
        ended = true;
        return { ...how, after: performance.now() - startedAt };
      });
      let rounds = 0;
      while (!ended || rounds < 5) {
        rounds += 1;
        await elapsed(450);
        if (trickling.isOpen) trickling.sendBytes("00");
        pinging.sendBytes(rawPacket(0xc0));
        publishing.send(publishPacket(`${topic}/x`));
        await subscribing.subscribe(`${topic}/y`);
      }
      const { code, packetsBefore, after } = await closing;
      expect({ code, packetsBefore }).toEqual({ code: CLOSE_POLICY, packetsBefore: [] });
      expect(after).toBeGreaterThanOrEqual(1450);
      // A part of a packet is none.
      expect((await trickling.closed).code).toBe(CLOSE_POLICY);
      expect(performance.now() - startedAt).toBeLessThan(8000);
      expect(await watcher.texts(1)).toEqual(["silent"]);
      for (const client of [publishing, subscribing, slow]) await client.silence();
      await pinging.unsubscribe("x");
      await watcher.silence(publishing);
    });

    it("[MQTT311-4.1.0-2] [MQTT311-4.1.0-1] [MQTT311-3.2.2-3] a kept session lasts as long as its connection, and then for as long as the broker keeps it, here a second", async () => {
      const topic = unique();
      const [staying, leaving] = [unique("kept"), unique("kept")];
      const client = await keptSession(broker, staying);
      await client.subscribe(topic, { qos: 1 });
      await (await keptSession(broker, leaving)).disconnect();
      await elapsed(1300);
      await client.publish(topic, "after more than a second", { qos: 1 });
      expect(await client.texts(1)).toEqual(["after more than a second"]);
      await client.disconnect();
      expect((await keptSession(broker, staying)).connack).toMatchObject({ sessionPresent: true });
      expect((await keptSession(broker, leaving)).connack).toMatchObject({ sessionPresent: false });
    });

    it("[3.1.1/3.1.4/timeout] [MQTT311-4.8.0-1] a connection without CONNECT, with half of one, or with half of another packet is closed after a time, here a second", async () => {
      // workerd, not the broker, leaves TCP open when an object closes a socket that never received anything.
      const silent = await broker.open({ closeTimeoutMs: 200 });
      const half = await broker.open();
      half.sendBytes([0x10, 0x0c, 0x00, 0x04]);
      const connected = await broker.connect();
      connected.sendBytes([0x30, 0x10, 0x00]);
      for (const client of [silent, half, connected]) {
        expect(await client.closed).toMatchObject({ code: CLOSE_POLICY, packetsBefore: [] });
      }
    });
  },
  { PACKET_SECONDS_MAX: "1", SESSION_EXPIRY_SECONDS_V3: "1" },
);
