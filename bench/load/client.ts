/** An MQTT client of the load program: connects, subscribes, publishes, acknowledges what comes. Keeps every rule of QoS 1 and 2. */

import { once } from "node:events";
import mqttPacket from "mqtt-packet";
import type { QoS } from "../../src/mqtt/packet.ts";
import { connectFrame, farewell, frame, MASK, type PublishTemplate, subscribeFrame } from "./frames.ts";
import type { Target } from "./options.ts";
import { type PacketListener, PacketSocket } from "./socket.ts";

/** Unacknowledged messages of one publisher, if the broker does not ask for fewer. */
const UNACKNOWLEDGED_MAX = 100;

/** PUBACK, PUBREC, PUBREL and PUBCOMP have this length. */
const ANSWER_BYTES = 4;

const PUBACK = 0x40;
const PUBREC = 0x50;
const PUBREL = 0x62;
const PUBCOMP = 0x70;

export class LoadClient implements PacketListener {
  unacknowledged = 0;
  /** A message came. @param topic only where topics are wanted */
  delivered: (topic: string | undefined) => void = () => {};
  /** All that came at once was read. */
  received: () => void = () => {};
  unacknowledgedMax = UNACKNOWLEDGED_MAX;
  /** Whether acknowledgements of what came in one frame leave in one, or each in its own. */
  framing: "burst" | "packet" = "burst";
  readonly #version: 4 | 5;
  readonly #socket: PacketSocket;
  #connected: () => void = () => {};
  #subscribed: () => void = () => {};
  #failed: (error: Error) => void = fatal;
  #packetId = 0;
  /** Acknowledgements of the frame that is read, masked. */
  #answers: number[] = [];
  readonly #nextId = (): number => {
    this.#packetId = (this.#packetId % 60_000) + 1;
    return this.#packetId;
  };

  private constructor(url: string, version: 4 | 5) {
    this.#version = version;
    this.#socket = new PacketSocket(url, this);
  }

  /** @param kept its session outlives the connection (only in 3.1.1) */
  static async connect({ url, idInUrl }: Target, clientId: string, version: 4 | 5, kept = false): Promise<LoadClient> {
    const client = new LoadClient(idInUrl ? `${url}?clientId=${clientId}` : url, version);
    await new Promise<void>((resolve, reject) => {
      client.#connected = resolve;
      client.#failed = reject;
      void client.#socket.opened().then(() => client.#socket.socket.write(connectFrame(clientId, version, kept)));
    });
    client.#failed = fatal;
    return client;
  }

  /** From now on it is told the topic of each message. */
  wantTopics(): void {
    this.#socket.topics = true;
  }

  async subscribe(filters: readonly string[], qos: QoS): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#subscribed = resolve;
      this.#socket.socket.write(subscribeFrame(filters, qos, this.#version));
    });
  }

  /** How many messages may be sent now without more unacknowledged ones than are allowed. */
  get window(): number {
    return this.unacknowledgedMax - this.unacknowledged;
  }

  publish(template: PublishTemplate, qos: QoS, count: number): boolean {
    if (qos > 0) this.unacknowledged += count;
    const { socket } = this.#socket;
    if (this.framing === "burst") return socket.write(template.frame(count, this.#nextId));
    let room = true;
    socket.cork();
    for (let each = 0; each < count; each += 1) room = socket.write(template.frame(1, this.#nextId));
    socket.uncork();
    return room;
  }

  /** Resolves when what was sent has left. */
  async drained(): Promise<void> {
    await once(this.#socket.socket, "drain");
  }

  leave(): void {
    this.#socket.leave(farewell(this.#version));
  }

  packet(first: number, packetId: number, body: Uint8Array | undefined): void {
    switch (first >> 4) {
      case 3: {
        const qos = (first >> 1) & 3;
        if (qos > 0) this.#answer(qos === 1 ? PUBACK : PUBREC, packetId);
        this.delivered(body === undefined ? undefined : Buffer.from(body).toString());
        return;
      }
      case 4:
      case 7:
        this.unacknowledged -= 1;
        return;
      case 5:
        this.#answer(PUBREL, packetId);
        return;
      case 6:
        this.#answer(PUBCOMP, packetId);
        return;
      case 2:
        this.#readConnack(body!);
        return;
      case 9:
        this.#subscribed();
        return;
      default:
        this.#failed(new Error(`the broker sent a packet of type ${first >> 4}`));
    }
  }

  frameEnd(): void {
    if (this.#answers.length === 0) return;
    const answers = Uint8Array.from(this.#answers);
    this.#answers = [];
    const { socket } = this.#socket;
    if (this.framing === "burst") socket.write(frame([answers]));
    else for (let at = 0; at < answers.length; at += ANSWER_BYTES) socket.write(frame([answers.subarray(at, at + ANSWER_BYTES)]));
  }

  idle(): void {
    this.received();
  }

  closed(reason: string): void {
    this.#failed(new Error(reason));
  }

  #answer(firstByte: number, packetId: number): void {
    this.#answers.push(firstByte ^ MASK, 2 ^ MASK, (packetId >> 8) ^ MASK, (packetId & 0xff) ^ MASK);
  }

  #readConnack(bytes: Uint8Array): void {
    const parser = mqttPacket.parser({ protocolVersion: this.#version });
    parser.once("packet", (packet) => {
      const { returnCode, reasonCode, properties } = packet as mqttPacket.IConnackPacket;
      const code = returnCode ?? reasonCode ?? 0;
      if (code !== 0) return this.#failed(new Error(`the broker refused a connection with code ${code}`));
      this.unacknowledgedMax = Math.min(UNACKNOWLEDGED_MAX, properties?.receiveMaximum ?? UNACKNOWLEDGED_MAX);
      this.#connected();
    });
    parser.parse(Buffer.from(bytes));
  }
}

function fatal(error: Error): void {
  console.error(`the load program stops: ${error.message}`);
  process.exit(1);
}
