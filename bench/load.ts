/**
 * The load program: MQTT 3.1.1 clients over WebSocket that publish as fast as what they sent is delivered, for a fixed time. One process,
 * the same for every broker; it prints one JSON line. Started by bench/brokers.ts.
 */

import WebSocket from "ws";
import { decodePacket } from "../src/mqtt/decode.ts";
import { encodePacket } from "../src/mqtt/encode.ts";
import {
  CONNACK,
  CONNECT,
  NO_PROPERTIES,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type Publish,
  type QoS,
  SUBACK,
  SUBSCRIBE,
} from "../src/mqtt/packet.ts";
import { PacketStream } from "../src/mqtt/packet-stream.ts";

export interface LoadOptions {
  readonly url: string;
  /** Names the client ID in the URL, so that the socket is handed to its object. */
  readonly handOver: boolean;
  readonly qos: QoS;
  readonly publishers: number;
  readonly subscribers: number;
  /** `pairs`: the n-th subscriber wants what the n-th publisher sends; `all`: every subscriber wants everything. */
  readonly wants: "pairs" | "all";
  /** Messages that may be on their way at once, all publishers together. */
  readonly outstanding: number;
  readonly payloadBytes: number;
  readonly seconds: number;
}

const WARM_UP_SECONDS = 1;

/** Unacknowledged messages of one publisher: no broker's Receive Maximum is exceeded. */
const UNACKNOWLEDGED_MAX = 100;

class LoadClient {
  readonly socket: WebSocket;
  unacknowledged = 0;
  readonly #stream = new PacketStream(1 << 24);
  readonly #delivered: () => void;
  #connected: () => void = () => {};
  #subscribed: () => void = () => {};
  #packetId = 0;

  constructor(url: string, delivered: () => void) {
    this.#delivered = delivered;
    this.socket = new WebSocket(url, ["mqtt"], { perMessageDeflate: false });
    this.socket.on("message", (data: Buffer) => this.#receive(data));
  }

  async connect(clientId: string): Promise<void> {
    await new Promise((resolve, reject) => this.socket.once("open", resolve).once("error", reject));
    const connack = new Promise<void>((resolve) => {
      this.#connected = resolve;
    });
    const connect = { type: CONNECT, version: 4, clean: true, keepAliveSeconds: 0, clientId, properties: NO_PROPERTIES } as const;
    this.socket.send(encodePacket({ ...connect, will: undefined, userName: undefined, password: undefined }, 4));
    await connack;
  }

  async subscribe(filter: string, qos: QoS): Promise<void> {
    const suback = new Promise<void>((resolve) => {
      this.#subscribed = resolve;
    });
    const request = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.socket.send(encodePacket({ type: SUBSCRIBE, packetId: 1, subscriptions: [request], properties: NO_PROPERTIES }, 4));
    await suback;
  }

  publish(topic: string, qos: QoS, payload: Uint8Array, count: number): void {
    const packets: Uint8Array[] = [];
    for (let each = 0; each < count; each += 1) {
      this.#packetId = (this.#packetId % 60_000) + 1;
      const packetId = qos === 0 ? 0 : this.#packetId;
      const publish: Publish = {
        type: PUBLISH,
        dup: false,
        qos,
        retain: false,
        topic,
        packetId,
        properties: NO_PROPERTIES,
        propertyBytes: new Uint8Array(0),
        payload,
      };
      packets.push(encodePacket(publish, 4));
    }
    if (qos > 0) this.unacknowledged += count;
    this.socket.send(Buffer.concat(packets));
  }

  #receive(data: Buffer): void {
    this.#stream.push(data);
    const answers: Uint8Array[] = [];
    for (let bytes = this.#stream.next(); bytes instanceof Uint8Array; bytes = this.#stream.next()) {
      const type = bytes[0]! >> 4;
      if (type === PUBLISH) {
        this.#delivered();
        const qos = (bytes[0]! >> 1) & 3;
        if (qos === 0) continue;
        const { packetId } = decodePacket(bytes, 4) as Publish;
        answers.push(acknowledge(qos === 1 ? PUBACK : PUBREC, packetId));
      } else if (type === PUBACK || type === PUBCOMP) this.unacknowledged -= 1;
      else if (type === PUBREC) answers.push(acknowledge(PUBREL, (bytes[2]! << 8) | bytes[3]!));
      else if (type === PUBREL) answers.push(acknowledge(PUBCOMP, (bytes[2]! << 8) | bytes[3]!));
      else if (type === CONNACK) this.#connected();
      else if (type === SUBACK) this.#subscribed();
    }
    if (answers.length > 0) this.socket.send(Buffer.concat(answers));
  }
}

function acknowledge(type: typeof PUBACK | typeof PUBREC | typeof PUBREL | typeof PUBCOMP, packetId: number): Uint8Array {
  return encodePacket({ type, packetId, reasonCode: 0, properties: NO_PROPERTIES }, 4);
}

/** Runs the load. @returns deliveries per second after the warm-up */
async function load(options: LoadOptions): Promise<number> {
  const { qos, publishers: publisherCount, subscribers, wants, outstanding, seconds } = options;
  let delivered = 0;
  const connect = async (clientId: string): Promise<LoadClient> => {
    const client = new LoadClient(options.handOver ? `${options.url}?clientId=${clientId}` : options.url, () => {
      delivered += 1;
    });
    await client.connect(clientId);
    return client;
  };
  for (let each = 0; each < subscribers; each += 1) {
    const client = await connect(`subscriber-${each}`);
    await client.subscribe(wants === "pairs" ? `bench/${each}` : "bench/+", qos);
  }
  const publishers: LoadClient[] = [];
  for (let each = 0; each < publisherCount; each += 1) publishers.push(await connect(`publisher-${each}`));
  const copies = wants === "pairs" ? 1 : subscribers;
  const payload = new Uint8Array(options.payloadBytes);
  let sent = 0;
  let measuredFrom = 0;
  let deliveredBefore = 0;
  const start = performance.now();
  for (;;) {
    const elapsed = performance.now() - start;
    if (measuredFrom === 0 && elapsed > WARM_UP_SECONDS * 1000) {
      measuredFrom = performance.now();
      deliveredBefore = delivered;
    }
    if (elapsed > (WARM_UP_SECONDS + seconds) * 1000) break;
    const room = outstanding - (sent - delivered / copies);
    const share = Math.ceil(room / publisherCount);
    for (const [index, publisher] of publishers.entries()) {
      const count = qos === 0 ? share : Math.min(share, UNACKNOWLEDGED_MAX - publisher.unacknowledged);
      if (count <= 0) continue;
      sent += count;
      publisher.publish(`bench/${index}`, qos, payload, count);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return (delivered - deliveredBefore) / ((performance.now() - measuredFrom) / 1000);
}

if (process.argv[2] !== undefined) {
  const deliveriesPerSecond = await load(JSON.parse(process.argv[2]) as LoadOptions);
  console.log(JSON.stringify({ deliveriesPerSecond }));
  process.exit(0);
}
