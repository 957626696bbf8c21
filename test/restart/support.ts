/** A simulated broker for tests of what outlives memory: the real hosts, with a clock that a test moves. */

import { type Choices, DEFAULT_CHOICES } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNECT, NO_PROPERTIES, type Packet, PUBCOMP, PUBLISH, PUBREL, SUBSCRIBE } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { type ClientOptions, SimulatedClient } from "../simulation/client.ts";
import type { Published } from "../simulation/records.ts";
import type { Line } from "../simulation/socket.ts";
import { World } from "../simulation/world.ts";
import { utf8 } from "../support/core-harness.ts";

/** Shapes of the broker: topology and Session objects, 0 = one for each client. */
export const SHAPES: readonly (readonly ["compact" | "sharded", number])[] = [
  ["compact", 1],
  ["sharded", 2],
  ["sharded", 0],
];

export class Broker {
  readonly world: World;
  readonly published: Published[] = [];

  /** @param users the secret USERS; without it everybody is let in */
  constructor([topology, sessionShards]: readonly ["compact" | "sharded", number], users = "", choices: Partial<Choices> = {}) {
    const all = { ...DEFAULT_CHOICES, ...choices };
    this.world = new World({ seed: 1, topology, sessionShards, limits: DEFAULT_LIMITS, choices: all, users });
  }

  /** A client that is connected; by default of 5.0, with a session that lasts long. */
  async connect(id: string, options: Partial<ClientOptions> = {}): Promise<SimulatedClient> {
    const all: ClientOptions = {
      id,
      version: 5,
      expirySeconds: 3600,
      keepAliveSeconds: 60,
      slowMs: 0,
      receiveMaximum: undefined,
      will: undefined,
      long: false,
      ...options,
    };
    const client = new SimulatedClient(this.world, all, this.published);
    client.connect();
    await this.pass(4_000);
    return client;
  }

  /** Time passes; these clients stay alive. */
  async pass(ms: number, ...alive: readonly SimulatedClient[]): Promise<void> {
    const until = this.world.now + ms;
    while (this.world.now < until) {
      for (const client of alive) client.ping();
      const stop = Math.min(until, this.world.now + 10_000);
      while (await this.world.step(stop));
      this.world.now = stop;
    }
  }

  /** Every object loses its memory and its sockets. */
  crash(): void {
    for (const object of this.world.objects) object.reset();
  }
}

/** Numbers of the messages of one topic that a client got. */
export function gotOf({ published }: Broker, client: SimulatedClient, topic: string): number[] {
  return client.got.map(({ number }) => number).filter((number) => published[number]?.topic === topic);
}

/** A client that answers nothing by itself. */
export class SilentClient {
  readonly packets: Packet[] = [];
  closed: number | undefined;
  readonly #line: Line;

  /** @param who a configured user, with its name as its password; without one: anybody @param clean its session ends with its connection */
  constructor({ world }: Broker, clientId: string, who?: string, clean = false) {
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
    const properties = clean ? NO_PROPERTIES : { sessionExpiryInterval: 3600 };
    const login = { userName: who, password: who === undefined ? undefined : utf8(who) };
    this.send({ type: CONNECT, version: 5, clean, keepAliveSeconds: 0, clientId, will: undefined, ...login, properties });
  }

  send(packet: Packet): void {
    this.#line.send(encodePacket(packet, 5));
  }

  subscribe(...filters: readonly string[]): void {
    const subscriptions = filters.map(
      (filter) => ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }) as const,
    );
    this.send({ type: SUBSCRIBE, packetId: 1, subscriptions, properties: NO_PROPERTIES });
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

  drop(): void {
    this.#line.drop();
  }

  /** The payloads of QoS 1 messages that came. */
  get texts(): string[] {
    return this.packets.flatMap((packet) =>
      packet.type === PUBLISH && packet.qos === 1 ? [new TextDecoder().decode(packet.payload)] : [],
    );
  }
}
