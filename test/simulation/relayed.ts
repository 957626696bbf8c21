/** The real relay of the edge between a client and its object, in a Worker that may vanish. */

import { type RelayedSocket, relaySocket } from "../../src/edge/relay.ts";
import { unknownCaller } from "../../src/handshake/handover.ts";
import type { Runtime } from "../../src/runtime.ts";
import { Lane, type Line, type Peer, SimulatedSocket } from "./socket.ts";
import type { World } from "./world.ts";

/** The code by which a client sees that the Worker is gone: the same as none, but the object was not reset. */
export const RELAY_GONE = 4006;

type Listener = (event: { data: ArrayBuffer; code: number; reason: string }) => void;

/** A socket as a Worker has it. */
class WorkerSocket {
  binaryType = "blob";
  readonly #listeners: [type: string, listener: Listener][] = [];
  readonly #send: (bytes: Uint8Array) => void;
  readonly #close: (code: number) => void;
  #open = true;

  constructor(send: (bytes: Uint8Array) => void, close: (code: number) => void) {
    this.#send = send;
    this.#close = close;
  }

  accept(): void {}

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push([type, listener]);
  }

  send(data: ArrayBuffer | Uint8Array): void {
    if (!this.#open) throw new Error("the socket is closed");
    this.#send(data instanceof Uint8Array ? data.slice() : new Uint8Array(data.slice(0)));
  }

  close(code: number): void {
    if (!this.#open) throw new Error("the socket is closed");
    this.#open = false;
    this.#close(code);
  }

  came(bytes: Uint8Array): void {
    this.#tell("message", bytes.slice().buffer, 0);
  }

  closed(code: number): void {
    if (!this.#open) return;
    this.#open = false;
    this.#tell("close", new ArrayBuffer(0), code);
  }

  #tell(type: string, data: ArrayBuffer, code: number): void {
    for (const [of, listener] of this.#listeners) if (of === type) listener({ data, code, reason: "" });
  }
}

/** Opens a Network Connection whose object is found by CONNECT. */
export function connectRelayed(world: World, name: string, peer: Peer): Line {
  let alive = true;
  const down = new Lane(world, `the edge to ${name}`);
  const up = new Lane(world, `${name} to the edge`);
  const outer = new WorkerSocket(
    (bytes) => down.send(() => (alive ? peer.receive(bytes) : undefined)),
    (code) => down.send(() => peer.closed(code)),
  );
  let socket: SimulatedSocket | undefined;
  const reach = async (objectName: string, handover: { relayed: boolean }): Promise<RelayedSocket> => {
    const inner = new WorkerSocket(
      (bytes) => socket!.receive(bytes),
      () => socket!.peerGone(),
    );
    const end: Peer = {
      receive: (bytes) => (alive ? inner.came(bytes) : undefined),
      closed: (code) => (alive ? inner.closed(code) : undefined),
    };
    socket = new SimulatedSocket(world, world.object(objectName), name, end, true);
    if (!(await socket.open(handover))) throw new Error("the object was reset");
    return inner as unknown as RelayedSocket;
  };
  const runtime = edgeRuntime(world, () => alive);
  const { settings, edgeDirectory: directory } = world;
  relaySocket(outer as unknown as RelayedSocket, { settings, namespace: "n", directory, caller: unknownCaller("n"), reach, runtime });
  return {
    send: (bytes) => up.send(() => (alive ? outer.came(bytes) : undefined)),
    drop: () => {
      const { chance, faults } = world;
      if (chance.happens("close lost", `${name} to the edge`, faults.closeLost, () => `the edge does not hear that ${name} is gone`))
        return;
      up.send(() => (alive ? outer.closed(1006) : undefined));
    },
    breakRelay: () => {
      world.note(`the Worker of ${name} is gone`);
      alive = false;
      socket?.peerGone();
      down.send(() => peer.closed(RELAY_GONE));
      return true;
    },
  };
}

export function edgeRuntime(world: World, alive: () => boolean): Runtime {
  return {
    now: () => world.now,
    after: (ms, run) => {
      let waiting = true;
      world.after(
        ms,
        () => {
          waiting = false;
          run();
        },
        () => !waiting || !alive(),
      );
      const cancel = (): void => {
        waiting = false;
      };
      return { cancel };
    },
    incarnation: () => "",
  };
}
