/**
 * A server that is no broker: it acknowledges what is published, sends it back to who is subscribed
 * to that very topic, and to who subscribes to `stream/QOS/WINDOW` it sends messages without end. Whatever belongs to one frame is answered
 * in one, so that it costs little beside the client that is measured.
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { concatenate } from "../../src/mqtt/bytes.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  type AcknowledgementType,
  CONNACK,
  CONNECT,
  NO_PROPERTIES,
  type Packet,
  PINGREQ,
  PINGRESP,
  type ProtocolVersion,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type QoS,
  SUBACK,
  SUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { PAYLOAD_BYTES } from "../client/scenarios.ts";

/** Packets of one frame of a stream at QoS 0, and how many bytes may wait in the socket before it pauses. */
const BURST = 50;
const BUFFERED_BYTES_MAX = 1 << 18;

const NOTHING = new Uint8Array(0);
const PAYLOAD = new Uint8Array(PAYLOAD_BYTES).fill(0x61);

class Connection {
  readonly #socket: WebSocket;
  readonly #stream = new PacketStream(1 << 24);
  #version: ProtocolVersion = 5;
  /** What answers one frame. */
  #answers: Uint8Array[] = [];
  #filter = "";
  #qos: QoS = 0;
  #packetId = 0;
  #flows = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => this.#receive(data));
    socket.on("error", () => socket.terminate());
  }

  #receive(data: Buffer): void {
    this.#stream.push(new Uint8Array(data.buffer, data.byteOffset, data.length));
    for (let bytes = this.#stream.next(); bytes instanceof Uint8Array; bytes = this.#stream.next()) {
      const packet = decodePacket(bytes, this.#version);
      if (packet.type === 0) throw new Error(packet.message);
      this.#take(packet);
    }
    this.#flush();
  }

  #flush(done?: () => void): void {
    if (this.#answers.length === 0) return;
    this.#socket.send(concatenate(this.#answers), done);
    this.#answers = [];
  }

  #say(packet: Packet): void {
    this.#answers.push(encodePacket(packet, this.#version));
  }

  #acknowledge(type: AcknowledgementType, packetId: number): void {
    this.#say({ type, packetId, reasonCode: 0, properties: NO_PROPERTIES });
  }

  #take(packet: Packet): void {
    switch (packet.type) {
      case CONNECT:
        this.#version = packet.version;
        this.#say({ type: CONNACK, sessionPresent: false, reasonCode: 0, properties: NO_PROPERTIES });
        return;
      case SUBSCRIBE:
        this.#subscribe(packet.packetId, packet.subscriptions[0]!);
        return;
      case PUBLISH:
        if (packet.qos > 0) this.#acknowledge(packet.qos === 1 ? PUBACK : PUBREC, packet.packetId);
        if (packet.topic === this.#filter) this.#publish();
        return;
      case PUBREL:
        this.#acknowledge(PUBCOMP, packet.packetId);
        return;
      case PUBREC:
        this.#acknowledge(PUBREL, packet.packetId);
        return;
      case PUBACK:
      case PUBCOMP:
        if (this.#flows) this.#publish();
        return;
      case PINGREQ:
        this.#say({ type: PINGRESP });
    }
  }

  #subscribe(packetId: number, { filter, qos }: { readonly filter: string; readonly qos: QoS }): void {
    this.#filter = filter;
    this.#qos = qos;
    this.#say({ type: SUBACK, packetId, reasonCodes: [qos], properties: NO_PROPERTIES });
    const [word, , window] = filter.split("/");
    this.#flows = word === "stream";
    if (!this.#flows) return;
    if (qos === 0) this.#flood();
    else for (let count = 0; count < Number(window); count += 1) this.#publish();
  }

  /** As fast as the socket takes it. */
  readonly #flood = (): void => {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    for (let count = 0; count < BURST; count += 1) this.#publish();
    if (this.#socket.bufferedAmount < BUFFERED_BYTES_MAX) {
      this.#flush();
      setImmediate(this.#flood);
    } else this.#flush(this.#flood);
  };

  #publish(): void {
    const qos = this.#qos;
    if (qos > 0) this.#packetId = (this.#packetId % 60_000) + 1;
    const common = { dup: false, retain: false, properties: NO_PROPERTIES, propertyBytes: NOTHING, payload: PAYLOAD } as const;
    this.#say({ type: PUBLISH, qos, topic: this.#filter, packetId: qos === 0 ? 0 : this.#packetId, ...common });
  }
}

const server = createServer();
new WebSocketServer({ server, perMessageDeflate: false, handleProtocols: (protocols) => [...protocols][0] ?? false }).on(
  "connection",
  (socket) => {
    new Connection(socket);
  },
);
server.listen(0, "127.0.0.1", 4096, () => console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));
