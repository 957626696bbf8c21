/** A client of bench/durable.ts: MQTT 3.1.1 over WebSocket, QoS 1, with or without a session that outlives its connection. */

import { once } from "node:events";
import WebSocket from "ws";
import { encodePacket } from "../src/mqtt/encode.ts";
import { CONNACK, CONNECT, NO_PROPERTIES, PINGREQ, PINGRESP, PUBACK, PUBLISH, SUBACK, SUBSCRIBE } from "../src/mqtt/packet.ts";
import { PacketStream } from "../src/mqtt/packet-stream.ts";

export class DurableClient {
  published = 0;
  acknowledged = 0;
  received = 0;
  readonly closed: Promise<unknown>;
  readonly #socket: WebSocket;
  readonly #stream = new PacketStream(1 << 24);
  readonly #waiting = new Map<number, () => void>();
  #packetId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = once(socket, "close");
    socket.on("message", (data: Buffer) => this.#receive(data));
  }

  static async connect(url: string, handOver: boolean, clientId: string, clean: boolean): Promise<DurableClient> {
    const socket = new WebSocket(handOver ? `${url}?clientId=${clientId}` : url, ["mqtt"], { perMessageDeflate: false });
    const client = new DurableClient(socket);
    await once(socket, "open");
    const connect = { type: CONNECT, version: 4, clean, keepAliveSeconds: 0, clientId, properties: NO_PROPERTIES } as const;
    socket.send(encodePacket({ ...connect, will: undefined, userName: undefined, password: undefined }, 4));
    await client.#expect(CONNACK);
    return client;
  }

  async subscribe(filter: string): Promise<void> {
    const request = { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.#socket.send(encodePacket({ type: SUBSCRIBE, packetId: 1, subscriptions: [request], properties: NO_PROPERTIES }, 4));
    await this.#expect(SUBACK);
  }

  /** Everything sent before has been handled when this resolves. */
  async roundTrip(): Promise<void> {
    this.#socket.send(encodePacket({ type: PINGREQ }, 4));
    await this.#expect(PINGRESP);
  }

  /** Sends so many messages as one frame. */
  publish(topic: string, payload: Uint8Array, count: number): void {
    const packets: Uint8Array[] = [];
    for (let each = 0; each < count; each += 1) {
      this.#packetId = (this.#packetId % 60_000) + 1;
      const shape = { type: PUBLISH, dup: false, qos: 1, retain: false, topic, packetId: this.#packetId, payload } as const;
      packets.push(encodePacket({ ...shape, properties: NO_PROPERTIES, propertyBytes: new Uint8Array(0) }, 4));
    }
    this.published += count;
    this.#socket.send(Buffer.concat(packets));
  }

  /** Ends without DISCONNECT. */
  close(): void {
    this.#socket.close();
  }

  #expect(type: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(type, resolve));
  }

  #receive(data: Buffer): void {
    this.#stream.push(data);
    const answers: Uint8Array[] = [];
    for (let bytes = this.#stream.next(); bytes instanceof Uint8Array; bytes = this.#stream.next()) {
      const type = bytes[0]! >> 4;
      if (type === PUBLISH) {
        this.received += 1;
        // A Remaining Length of one byte, then the topic: the packets of this benchmark are short.
        const topicEnd = 4 + ((bytes[2]! << 8) | bytes[3]!);
        const packetId = (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!;
        answers.push(encodePacket({ type: PUBACK, packetId, reasonCode: 0, properties: NO_PROPERTIES }, 4));
      } else if (type === PUBACK) this.acknowledged += 1;
      else this.#waiting.get(type)?.();
    }
    if (answers.length > 0) this.#socket.send(Buffer.concat(answers));
  }
}
