/**
 * A client that keeps the rules of MQTT whatever happens to its connection: it connects again at once, resumes its session, repeats what
 * was not acknowledged, in order, and takes a QoS 2 message once. It tells of every packet, so that a test may strike there.
 */

import { NO_PROPERTIES, type Packet, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, type Publish, type QoS } from "../../src/mqtt/packet.ts";
import { type PublishFields, publishPacket, text, type WorkerdClient } from "./workerd-client.ts";

/** Longer than a client waits: connections are lost and calls repeated meanwhile. */
const WAIT_MS = 10_000;

export interface DeviceOptions {
  /** Connects without Clean Session to a session that outlives connections. */
  readonly connect: () => Promise<WorkerdClient>;
  /** What is done on the first connection before anything else. */
  readonly prepare: (client: WorkerdClient) => Promise<unknown>;
  /** Called after every packet that came and every one that was sent. */
  readonly onPacket: () => void;
}

interface Outgoing {
  readonly publish: PublishFields & { readonly packetId: number };
  released: boolean;
  readonly done: () => void;
}

export class Device {
  /** The messages that came, in order; those at QoS 2 once for each exchange. */
  readonly received: { readonly text: string; readonly qos: QoS }[] = [];
  /** How often the connection was lost. */
  losses = 0;
  readonly #options: DeviceOptions;
  readonly #outgoing = new Map<number, Outgoing>();
  /** QoS 2 exchanges between PUBLISH and PUBREL. */
  readonly #begun = new Set<number>();
  #client!: WorkerdClient;
  #stopped = false;
  #waiting: (() => void)[] = [];

  static async start(options: DeviceOptions): Promise<Device> {
    const device = new Device(options);
    device.#client = await options.connect();
    await options.prepare(device.#client);
    void device.#run();
    return device;
  }

  private constructor(options: DeviceOptions) {
    this.#options = options;
  }

  /** @returns a promise that resolves when the message is acknowledged for good */
  publish(fields: PublishFields & { readonly qos: 1 | 2 }): Promise<void> {
    // The lowest that is free: what was acknowledged is used again at once.
    let packetId = 1;
    while (this.#outgoing.has(packetId)) packetId += 1;
    const publish = { ...fields, packetId };
    const acknowledged = new Promise<void>((resolve) => {
      this.#outgoing.set(publish.packetId, { publish, released: false, done: resolve });
      this.#send(publishPacket(publish));
    });
    return inTime(acknowledged, `${fields.payload} was not acknowledged`);
  }

  /** Resolves when this message has come. */
  has(message: string): Promise<void> {
    const come = async (): Promise<void> => {
      while (!this.received.some((each) => each.text === message)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    };
    return inTime(come(), `${message} did not come`);
  }

  /** Ends the connection for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#client.drop();
  }

  /** A packet that can't be sent because the connection is gone is repeated after the next resume. */
  #send(packet: Packet): void {
    if (this.#client.isClosed) return;
    try {
      this.#client.send(packet);
    } catch {
      return;
    }
    this.#options.onPacket();
  }

  #acknowledge(type: typeof PUBACK | typeof PUBREC | typeof PUBREL | typeof PUBCOMP, packetId: number): void {
    this.#send({ type, packetId, reasonCode: 0, properties: NO_PROPERTIES });
  }

  async #run(): Promise<void> {
    for (;;) {
      for (let packet = await this.#next(); packet !== undefined; packet = await this.#next()) {
        this.#options.onPacket();
        this.#handle(packet);
      }
      if (this.#stopped) return;
      this.losses += 1;
      this.#client = await this.#reconnect();
      if (!this.#client.sessionPresent) throw new Error(`${this.#client.clientId}: the session is gone`);
      // [MQTT5-4.4.0-1]
      for (const { publish, released } of [...this.#outgoing.values()]) {
        if (released) this.#acknowledge(PUBREL, publish.packetId);
        else this.#send(publishPacket({ ...publish, dup: true }));
      }
    }
  }

  #next(): Promise<Packet | undefined> {
    return this.#client.next(Number.POSITIVE_INFINITY);
  }

  async #reconnect(): Promise<WorkerdClient> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#options.connect();
      } catch (error) {
        // The object may crash while the client connects.
        if (attempt === 10) throw error;
      }
    }
  }

  #handle(packet: Packet): void {
    switch (packet.type) {
      case PUBLISH:
        this.#take(packet);
        return;
      case PUBREL:
        this.#begun.delete(packet.packetId);
        this.#acknowledge(PUBCOMP, packet.packetId);
        return;
      case PUBREC: {
        const outgoing = this.#outgoing.get(packet.packetId);
        if (outgoing !== undefined) outgoing.released = true;
        this.#acknowledge(PUBREL, packet.packetId);
        return;
      }
      case PUBACK:
      case PUBCOMP:
        this.#outgoing.get(packet.packetId)?.done();
        this.#outgoing.delete(packet.packetId);
        return;
      default:
    }
  }

  #take(packet: Publish): void {
    const { qos, packetId } = packet;
    if (qos === 2 && this.#begun.has(packetId)) {
      this.#acknowledge(PUBREC, packetId);
      return;
    }
    if (qos === 2) this.#begun.add(packetId);
    this.received.push({ text: text(packet), qos });
    if (qos > 0) this.#acknowledge(qos === 1 ? PUBACK : PUBREC, packetId);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

async function inTime(done: Promise<void>, problem: string): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<void>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${problem} within ${WAIT_MS} ms`)), WAIT_MS);
  });
  try {
    await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}
