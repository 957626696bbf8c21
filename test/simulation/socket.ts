/** What a host thinks is a WebSocket, and the way from it to whoever is at the other end. */

import type { Handover } from "../../src/handshake/handover.ts";
import { attachmentOfBefore } from "./builds.ts";
import type { SimulatedObject } from "./object.ts";
import { mayFail } from "./unlucky.ts";
import type { World } from "./world.ts";

/** Whoever is at the other end of a socket. */
export interface Peer {
  receive(bytes: Uint8Array): void;
  /** @param code 1006 = without a word */
  closed(code: number): void;
}

/** A client's end of its Network Connection. */
export interface Line {
  send(bytes: Uint8Array): void;
  /** The client is gone, without a word. */
  drop(): void;
  /** The Worker between the client and its object, if there is one, is gone. @returns whether there was */
  breakRelay(): boolean;
}

/** One direction: first in, first out. */
export class Lane {
  readonly #world: World;
  readonly #name: string;
  #last = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
  }

  send(run: () => void | Promise<void>): void {
    const at = Math.max(this.#last, this.#world.now + this.#world.delay(this.#name));
    this.#last = at;
    this.#world.after(at - this.#world.now, run);
  }
}

/** Opens a socket to an object that is known at the upgrade. */
export function connectDirectly(world: World, object: SimulatedObject, name: string, peer: Peer): Line {
  const socket = new SimulatedSocket(world, object, name, peer, false);
  void socket.open({ relayed: false });
  return { send: (bytes) => socket.receive(bytes), drop: () => socket.peerGone(), breakRelay: () => false };
}

export class SimulatedSocket {
  readonly object: SimulatedObject;
  readonly name: string;
  readyState = 1;
  #attachment: Uint8Array | null = null;
  readonly #world: World;
  readonly #peer: Peer;
  readonly #isHeard: boolean;
  readonly #toPeer: Lane;
  readonly #toObject: Lane;

  /** @param isHeard the other end is a Worker, which always hears that its socket is gone */
  constructor(world: World, object: SimulatedObject, name: string, peer: Peer, isHeard: boolean) {
    this.#world = world;
    this.#isHeard = isHeard;
    this.object = object;
    this.name = name;
    this.#peer = peer;
    this.#toPeer = new Lane(world, `${object.name} to ${name}`);
    this.#toObject = new Lane(world, `${name} to ${object.name}`);
  }

  // What the object does.
  serializeAttachment(value: Uint8Array | null): void {
    if (value !== null) mayFail(this.#world, "attaching", this.name);
    const isOfBefore = value !== null && this.#world.isOlder(this.object.name);
    this.#attachment = isOfBefore ? attachmentOfBefore(value) : (value?.slice() ?? null);
  }

  deserializeAttachment(): Uint8Array | null {
    return this.#attachment;
  }

  /** A frame is being gathered for it. */
  gathering(): void {
    mayFail(this.#world, "gathering", this.name);
  }

  send(bytes: Uint8Array): void {
    if (this.readyState !== 1) throw new Error("the socket is closed");
    mayFail(this.#world, "sending", this.name);
    const copy = bytes.slice();
    this.object.output(() => this.#toPeer.send(() => this.#peer.receive(copy)));
  }

  close(code: number): void {
    if (this.readyState !== 1) return;
    this.readyState = 2;
    this.object.output(() => {
      this.#toPeer.send(() => this.#peer.closed(code));
      this.#toObject.send(() => this.object.lost(this));
    });
  }

  // What the other end does.

  /** Gives the socket to its object. @returns false when that was reset meanwhile */
  open(handover: Handover): Promise<boolean> {
    return new Promise((resolve) => {
      this.#toObject.send(async () => {
        await this.object.accept(this, handover);
        resolve(this.readyState === 1);
      });
    });
  }

  receive(bytes: Uint8Array): void {
    const copy = bytes.slice().buffer;
    this.#toObject.send(() => this.object.receive(this, copy));
  }

  peerGone(): void {
    const { chance, faults } = this.#world;
    if (chance.happens("close lost", this.name, faults.closeLost, () => `${this.object.name} does not hear that ${this.name} is gone`))
      return;
    this.#toObject.send(() => this.object.lost(this));
  }

  /** The object was reset: the other end hears of it, or finds out. */
  cut(code: number): void {
    this.readyState = 3;
    const { chance, faults } = this.#world;
    const unheard = this.#isHeard ? 0 : faults.closeLost;
    if (chance.happens("cut unheard", this.name, unheard, () => `${this.name} does not hear that its socket is gone`)) return;
    this.#toPeer.send(() => this.#peer.closed(code));
  }
}
