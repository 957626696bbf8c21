/**
 * MQTT over TCP: another Worker opens a socket to the broker by `connect` of a service binding, to its entrypoint or its default export. The
 * workerd of the tests has it behind a flag, which the deployed platform needs no more.
 */

import { expect, test } from "vitest";
import { decodeServerPacket } from "../../src/mqtt/decode-server.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  CONNACK,
  DISCONNECT,
  NO_PROPERTIES,
  type Packet,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBLISH,
  SUBACK,
  SUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { connectPacket, publishPacket, request, textOf, unique } from "../support/mqtt-client.ts";
import { describeService, type ServiceBroker } from "../support/service-broker.ts";

const GONE = encodePacket({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES }, 4);

interface Step {
  readonly send: Uint8Array;
  readonly expect: number;
  readonly piece?: number;
}

async function speak(broker: ServiceBroker, binding: string, address: string, steps: readonly Step[], closes = false): Promise<Packet[]> {
  const told = steps.map(({ send, expect: bytes, piece = 10_000 }) => ({ send: { bytes: [...send] }, expect: bytes, piece }));
  const { bytes } = await broker.call("tcp", binding, address, told, closes);
  const stream = new PacketStream(1_000_000);
  stream.push(new Uint8Array(bytes));
  const packets: Packet[] = [];
  for (let next = stream.next(); next !== undefined; next = stream.next())
    packets.push(decodeServerPacket(next as Uint8Array, 4) as Packet);
  return packets;
}

const connect = (clientId: string, options: object = {}): Uint8Array =>
  encodePacket(connectPacket({ clientId, version: 4, ...options }), 4);

describeService(
  (broker) => {
    test.each(["MQTT", "BROKER"])("%s: subscribes, publishes and leaves; a byte at a time, too", async (binding) => {
      for (const piece of [10_000, 1]) {
        const topic = unique("t");
        const publish = encodePacket(publishPacket(topic, "over TCP", { qos: 1, packetId: 7 }), 4);
        const ping = encodePacket({ type: PINGREQ }, 4);
        const copy = 2 + 2 + topic.length + "over TCP".length;
        const packets = await speak(broker, binding, "broker:1883", [
          { send: connect(unique("tcp")), expect: 4, piece },
          {
            send: encodePacket({ type: SUBSCRIBE, packetId: 1, subscriptions: [request(topic)], properties: NO_PROPERTIES }, 4),
            expect: 5,
            piece,
          },
          { send: publish, expect: copy + 4, piece },
          { send: ping, expect: 2, piece },
          { send: GONE, expect: 0, piece },
        ]);
        expect(packets.map(({ type }) => type).sort((a, b) => a - b)).toEqual([CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP]);
        expect(textOf(packets.find(({ type }) => type === PUBLISH) as never)).toBe("over TCP");
      }
    });

    test("a megabyte of messages comes whole and in order, faster than it is handled", async () => {
      const topic = unique("t");
      const subscriber = await broker.connect({ version: 5 });
      await subscriber.subscribe(topic, { qos: 1 });
      const texts = Array.from({ length: 256 }, (_, index) => `${index} ${"x".repeat(4096)}`);
      const messages = texts.flatMap((text, index) => [...encodePacket(publishPacket(topic, text, { qos: 1, packetId: index + 1 }), 4)]);
      await speak(broker, "MQTT", "broker:1883", [
        { send: connect(unique("tcp")), expect: 4 },
        { send: new Uint8Array(messages), expect: 256 * 4, piece: 3000 },
        { send: GONE, expect: 0 },
      ]);
      expect(await subscriber.texts(256)).toEqual(texts);
    });

    test("who closes without DISCONNECT leaves a will behind; its namespace is that of the address", async () => {
      const topic = unique("will");
      const here = await broker.connect();
      const there = await broker.connect({ namespace: "other" });
      for (const client of [here, there]) await client.subscribe(topic);
      const will = { topic, payload: "gone" };
      await speak(broker, "MQTT", "other.mqtt:1883", [{ send: connect(unique("tcp"), { will }), expect: 4 }], true);
      expect(textOf(await there.message())).toBe("gone");
      await broker.call("publish", topic, "nothing else", { qos: 1 });
      expect(textOf(await here.message())).toBe("nothing else");
    });

    test("what is no MQTT, is refused, or asks for no namespace is closed", async () => {
      expect(await speak(broker, "MQTT", "broker:1883", [{ send: encodePacket({ type: PINGREQ }, 4), expect: 1 }])).toEqual([]);
      expect(await speak(broker, "MQTT", "nowhere.mqtt:1883", [{ send: new Uint8Array(), expect: 1 }])).toEqual([]);
      const refused = await speak(broker, "MQTT", "broker:1883", [{ send: connect("", { clean: false }), expect: 4 }]);
      expect(refused).toEqual([expect.objectContaining({ type: CONNACK, reasonCode: 2 })]);
    });
  },
  { NAMESPACES: "default,other" },
  ["experimental"],
);
