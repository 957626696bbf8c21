/** Clients that do not read, in objects that would sleep: what they were asked is not forgotten. */

import { expect, test } from "vitest";
import { UNREAD_MS_MAX } from "../../src/memory-limits.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNECT, NO_PROPERTIES, type Packet, PUBCOMP, PUBLISH, PUBREL, SUBSCRIBE } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import type { Line } from "../simulation/socket.ts";
import { utf8 } from "../support/core-harness.ts";
import { Broker, SHAPES } from "./support.ts";

const KIB = 1024;
/** What is on its way in the simulation may take so long. */
const SLACK_MS = 5_000;

/** A client that answers nothing by itself. */
class SilentClient {
  readonly packets: Packet[] = [];
  closed: number | undefined;
  readonly #line: Line;

  constructor({ world }: Broker, clientId: string) {
    const stream = new PacketStream(1 << 20);
    this.#line = world.connect(clientId, clientId, false, {
      receive: (bytes) => {
        stream.push(bytes);
        for (let frame = stream.next(); frame instanceof Uint8Array; frame = stream.next())
          this.packets.push(decodePacket(frame, 5) as Packet);
      },
      closed: (code) => {
        this.closed = code;
      },
    });
    const properties = { sessionExpiryInterval: 3600 };
    const nobody = { will: undefined, userName: undefined, password: undefined };
    this.send({ type: CONNECT, version: 5, clean: false, keepAliveSeconds: 0, clientId, ...nobody, properties });
  }

  send(packet: Packet): void {
    this.#line.send(encodePacket(packet, 5));
  }

  subscribe(filter: string): void {
    const request = { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.send({ type: SUBSCRIBE, packetId: 1, subscriptions: [request], properties: NO_PROPERTIES });
  }

  publish(topic: string, qos: 0 | 1, payload: Uint8Array): void {
    const fixed = { dup: false, retain: false, properties: NO_PROPERTIES, propertyBytes: new Uint8Array(0) };
    this.send({ type: PUBLISH, ...fixed, qos, topic, packetId: qos, payload });
  }

  /** Answers what it was asked. @returns how many questions */
  answer(): number {
    const questions = this.packets.filter(({ type }) => type === PUBREL) as { readonly packetId: number }[];
    for (const { packetId } of questions) this.send({ type: PUBCOMP, packetId, reasonCode: 0, properties: NO_PROPERTIES });
    return questions.length;
  }

  get texts(): string[] {
    return this.packets.flatMap((packet) =>
      packet.type === PUBLISH && packet.qos === 1 ? [new TextDecoder().decode(packet.payload)] : [],
    );
  }
}

const awake = ({ world }: Broker): number => world.objects.filter(({ isAwake }) => isAwake).length;

test.each(SHAPES)(
  "who never answers is disconnected at his time, who does so late has read what came before, %s, %i Session objects",
  async (...shape) => {
    const broker = new Broker(shape);
    const [silent, late, publisher] = ["silent", "late", "publisher"].map((clientId) => new SilentClient(broker, clientId)) as [
      SilentClient,
      SilentClient,
      SilentClient,
    ];
    await broker.pass(SLACK_MS);
    for (const client of [silent, late]) client.subscribe("t");
    await broker.pass(SLACK_MS);
    for (let count = 0; count < 45; count += 1) publisher.publish("t", 0, new Uint8Array(400 * KIB));
    publisher.publish("t", 1, utf8("waits"));
    await broker.pass(UNREAD_MS_MAX / 2);
    publisher.publish("t", 1, utf8("also"));
    await broker.pass(SLACK_MS);
    expect([late.texts, silent.texts]).toEqual([[], []]);
    expect(late.answer()).toBeGreaterThan(0);
    await broker.pass(SLACK_MS);
    expect([late.texts, silent.texts]).toEqual([["waits", "also"], []]);
    expect(silent.closed).toBeUndefined();
    await broker.pass(UNREAD_MS_MAX / 2 - SLACK_MS);
    expect([silent.closed, late.closed]).toEqual([1013, undefined]);
    await broker.pass(3 * SLACK_MS);
    expect(awake(broker)).toBe(0);
  },
);
