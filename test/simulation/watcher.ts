/**
 * A client that listens to the events of the broker through all of a run. What faults have done to who tells them is over when there is peace: then
 * each Session object tells it who comes and goes.
 */

import { sessionObjectName } from "../../src/objects/names.ts";
import { LONG_SECONDS, SimulatedClient } from "./client.ts";
import type { Random } from "./random.ts";
import type { Published } from "./records.ts";
import { calm, type World } from "./world.ts";

const FILTER = "$events/#";

export function watcherOf(world: World, random: Random, published: Published[]): SimulatedClient {
  const options = {
    id: "watcher",
    version: random.pick([4, 5] as const),
    expirySeconds: random.chance(0.5) ? LONG_SECONDS : 0,
    keepAliveSeconds: 20,
    slowMs: random.chance(0.3) ? 300 : 0,
    receiveMaximum: undefined,
    will: undefined,
    long: false,
    relayed: random.chance(0.5),
    user: "alice",
  } as const;
  return new SimulatedClient(world, options, published);
}

/** What it does now and then. */
export function actWatcher(watcher: SimulatedClient, random: Random): void {
  if (!watcher.connected) watcher.connect();
  else if (random.chance(0.1)) watcher.drop();
  else if (random.chance(0.2)) watcher.unsubscribe(FILTER);
  else watcher.subscribe(FILTER, 1);
}

/**
 * There is peace. It hears of somebody in each Session object, and goes for good.
 * @param present all others who are there, and are to stay
 */
export async function checkWatcher(
  world: World,
  watcher: SimulatedClient,
  present: readonly SimulatedClient[],
  published: Published[],
): Promise<string[]> {
  const pass = async (seconds: number): Promise<void> => {
    for (const client of present) client.ping();
    await calm(world, seconds * 1000);
  };
  watcher.subscribe(FILTER, 1);
  await pass(6);
  const problems = watcher.problems.map((problem) => `watcher: ${problem}`);
  const guests = guestsOf(world);
  for (const id of guests) {
    const guest = new SimulatedClient(world, { ...watcher.options, id, expirySeconds: 0, slowMs: 0 }, published);
    watcher.ping();
    guest.connect();
    await pass(3);
    // Where each client has an object of its own, that hears of the watcher with this.
    guest.subscribe("nothing/of/importance", 0);
    await pass(6);
    guest.disconnect();
    await pass(6);
  }
  for (const id of guests) {
    for (const topic of ["$events/client/connected", "$events/client/disconnected"]) {
      const count = watcher.events.filter((event) => event.topic === topic && event.clientid === id).length;
      if (count === 0) problems.push(`the watcher was not told of ${id} at ${topic}`);
    }
  }
  watcher.endSession();
  await pass(6);
  watcher.disconnect();
  await pass(6);
  return problems;
}

/** One for each Session object, as far as there are several. */
function guestsOf({ settings }: World): string[] {
  const guests = new Map<string, string>();
  for (let number = 0; number < 40; number += 1) guests.set(sessionObjectName(settings, "n", `guest-${number}`), `guest-${number}`);
  return [...guests.values()].slice(0, 3);
}
