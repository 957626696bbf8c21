/**
 * The directory of a run, of which bans are simulated: how Session objects and Workers of the edge ask it, an operator who bans clients for
 * some time, and what everybody was told of that and when.
 */

import type { Ban } from "../../src/directory/bans.ts";
import type { DirectoryHost } from "../../src/objects/directory-host.ts";
import { type Asked, DirectoryMemory } from "../../src/objects/directory-memory.ts";
import type { DirectoryService } from "../../src/objects/directory-watch.ts";
import type { Runtime } from "../../src/runtime.ts";
import type { World } from "./world.ts";

export const DIRECTORY = "n/directory";

/** The secret ADMIN_TOKEN. */
export const ADMIN_TOKEN = "an-admin-token-of-the-simulation";

/** Between two looks at what the directory has told, and two tries of the operator. */
const LOOK_MS = 500;

/** An object that was told has ended its connections, and a client has heard that, after so long. */
const HEARD_MS = 10_000;

/** A call to the directory, however it is made. */
type CallDirectory = <Answer>(call: (host: DirectoryHost) => Answer | Promise<Answer>) => Promise<Answer>;

/** How an isolate reaches the directory. */
export function directoryService(world: World, runtime: Runtime, call: CallDirectory): DirectoryService | undefined {
  const { directory: settings } = world.settings;
  if (settings.adminToken === "") return undefined;
  const asked: Asked = { look: (userName, knownBans) => call((host) => host.look(userName, knownBans)) };
  const of: DirectoryService["of"] = () => ({
    recent: (after) => call((host) => host.recent(after)),
    enter: (presence) => call((host) => host.enter(presence)),
    putBan: (ban) => call((host) => host.putBan(ban)),
  });
  return { settings, memory: new DirectoryMemory(() => asked, runtime), of };
}

/** A call from outside of all objects. */
export function callFromOutside<Answer>(
  world: World,
  from: string,
  call: (host: DirectoryHost) => Answer | Promise<Answer>,
): Promise<Answer> {
  const { chance, faults } = world;
  const way = `${from} to ${DIRECTORY}`;
  return new Promise((resolve, reject) => {
    const fail = (): void => world.after(world.delay(way), () => reject(new Error("the call failed")));
    if (chance.happens("call lost", way, faults.callLost, () => `a call from ${way} does not arrive`)) {
      fail();
      return;
    }
    const answered = (answer: Answer): void => world.after(world.delay(way), () => resolve(answer));
    world.after(world.delay(way), () => world.object(DIRECTORY).answer(async (host) => call(host as DirectoryHost), answered, fail));
  });
}

interface SimulatedBan {
  readonly clientId: string;
  readonly until: number;
  /** The directory has it. */
  isTaken: boolean;
  /** Another ban of the same client has taken its place. */
  isReplaced: boolean;
  /** When every Session object had been told; Infinity until then. */
  toldAt: number;
}

/** Bans clients, and knows what they may not do. */
export class Operator {
  readonly #world: World;
  readonly #bans: SimulatedBan[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  ban(clientId: string, ms: number): void {
    // Of two that are on their way the earlier might come last.
    if (this.#bans.some((each) => each.clientId === clientId && !each.isTaken)) return;
    const { now } = this.#world;
    const ban: Ban = { kind: "clientid", who: clientId, by: "operator", reason: "", at: now, until: now + ms };
    const known: SimulatedBan = { clientId, until: ban.until, isTaken: false, isReplaced: false, toldAt: Number.POSITIVE_INFINITY };
    for (const each of this.#bans) each.isReplaced ||= each.clientId === clientId;
    this.#bans.push(known);
    void this.#put(ban, known);
  }

  /** Until it is taken: the directory may be out of reach. */
  async #put(ban: Ban, known: SimulatedBan): Promise<void> {
    const world = this.#world;
    try {
      const problem = await callFromOutside(world, "the operator", (host) => host.putBan(ban));
      if (problem !== undefined) world.problem(`a ban is refused: ${problem}`);
      known.isTaken = true;
      this.#awaitTold(known);
    } catch {
      if (world.now >= ban.until) known.isTaken = true;
      else world.after(LOOK_MS, () => void this.#put(ban, known));
    }
  }

  #awaitTold(known: SimulatedBan): void {
    const world = this.#world;
    if (world.now >= known.until) return;
    if (world.object(DIRECTORY).directoryStore.hasUntold() === false) known.toldAt = world.now;
    else world.after(LOOK_MS, () => this.#awaitTold(known));
  }

  /** The client may have been banned since a time: it may be refused, and its connection be ended. */
  mayBan(clientId: string, since: number): boolean {
    return this.#bans.some((ban) => ban.clientId === clientId && since < ban.until + HEARD_MS);
  }

  /** Whether nobody may let the client in who got its CONNECT at some time and answers now. */
  mustRefuse(clientId: string, since: number): boolean {
    const { now } = this.#world;
    return this.#inForce(clientId).some(({ toldAt, until }) => since > toldAt && now < until);
  }

  /** Whether a connection of before must have been ended, so that nothing comes over it any more. */
  mustHaveEnded(clientId: string): boolean {
    const { now } = this.#world;
    return this.#inForce(clientId).some(({ toldAt, until }) => now > toldAt + HEARD_MS && now < until);
  }

  #inForce(clientId: string): readonly SimulatedBan[] {
    return this.#bans.filter((ban) => ban.clientId === clientId && !ban.isReplaced);
  }
}
