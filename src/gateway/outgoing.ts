/**
 * What goes to a client: written in slices, so that it is seen whether the client takes any of it, and never more than a slice ahead. While
 * something waits here the broker is not read, so that a client that reads nothing costs one frame.
 */

import type { Socket } from "node:net";
import type { Clock } from "../client/platform.ts";
import { SLICE_BYTES } from "./limits.ts";
import { Stall } from "./stall.ts";

export interface OutgoingListener {
  /** More waits than may be written now. */
  behind(): void;
  /** All is written. */
  caughtUp(): void;
  /** The client takes nothing. */
  stalled(): void;
}

export class Outgoing {
  readonly #socket: Socket;
  readonly #listener: OutgoingListener;
  readonly #stall: Stall;
  #waiting: Uint8Array[] = [];
  #isBehind = false;
  #whenAllWritten: (() => void) | undefined;

  constructor(socket: Socket, clock: Clock, listener: OutgoingListener) {
    this.#socket = socket;
    this.#listener = listener;
    this.#stall = new Stall(clock, () => listener.stalled());
    socket.on("drain", () => this.#drained());
  }

  /** Nothing of what was to be written waits here. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  write(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    if (!this.#isBehind) this.#pump();
  }

  /** Has something done when all is written. */
  whenAllWritten(run: () => void): void {
    if (this.#isBehind) this.#whenAllWritten = run;
    else run();
  }

  /** Whatever waits is written to nobody. */
  drop(): void {
    this.#waiting = [];
    this.#stall.over();
  }

  #drained(): void {
    this.#stall.over();
    this.#pump();
  }

  #pump(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.length > SLICE_BYTES) {
        this.#waiting.unshift(next.subarray(SLICE_BYTES));
        next = next.subarray(0, SLICE_BYTES);
      }
      if (this.#socket.write(next)) continue;
      this.#stall.moved();
      if (!this.#isBehind) this.#listener.behind();
      this.#isBehind = true;
      return;
    }
    if (!this.#isBehind) return;
    this.#isBehind = false;
    this.#listener.caughtUp();
    this.#whenAllWritten?.();
  }
}
