/** A simulated broker for tests of what outlives memory: the real hosts, with a clock that a test moves. */

import { DEFAULT_CHOICES } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { type ClientOptions, SimulatedClient } from "../simulation/client.ts";
import type { Published } from "../simulation/records.ts";
import { World } from "../simulation/world.ts";

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
  constructor([topology, sessionShards]: readonly ["compact" | "sharded", number], users = "") {
    this.world = new World({ seed: 1, topology, sessionShards, limits: DEFAULT_LIMITS, choices: DEFAULT_CHOICES, users });
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
