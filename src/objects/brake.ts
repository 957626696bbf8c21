/**
 * Holds back a packet, until it is in time (of a client of 3.x that sends faster than it may) or until something is known that it needs; what
 * came behind it waits as well. That packet is only in memory: the timer or the question that runs meanwhile keeps the object awake.
 */

import type { Runtime, Timer } from "../runtime.ts";

export class Brake {
  readonly #runtime: Runtime;
  #timer: Timer | undefined;
  #packet: Uint8Array | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** A packet waits. */
  get isOn(): boolean {
    return this.#timer !== undefined;
  }

  /** Bytes of the packet that is held back, or was and has not been taken. */
  get bytes(): number {
    return this.#packet?.length ?? 0;
  }

  /** @param goOn called when the packet is in time */
  hold(packet: Uint8Array, waitMs: number, goOn: () => void): void {
    this.#packet = packet;
    this.#timer = this.#runtime.after(waitMs, () => {
      this.#timer = undefined;
      goOn();
    });
  }

  /**
   * @param known settles when the packet may be handled
   * @param goOn called then
   */
  holdUntil(packet: Uint8Array, known: Promise<unknown>, goOn: () => void): void {
    this.#packet = packet;
    const held: Timer = { cancel: () => {} };
    this.#timer = held;
    const settled = (): void => {
      // Nobody waits for it any longer.
      if (this.#timer !== held) return;
      this.#timer = undefined;
      goOn();
    };
    void known.then(settled, settled);
  }

  /** Nothing is held back any longer; the packet may be taken. */
  release(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** @returns the packet that was held back, once */
  take(): Uint8Array | undefined {
    const packet = this.#packet;
    this.#packet = undefined;
    return packet;
  }
}
