/**
 * Messages that no subscription of this client wants. They come where a session is resumed whose subscriptions were made in an earlier
 * life: then they wait a little for `subscribe`, unacknowledged, so that nothing is lost between CONNACK and the first subscription.
 */

import type { Arrival } from "./arrival.ts";
import { UNCLAIMED_MS } from "./limits.ts";
import type { Message } from "./message.ts";
import type { Clock } from "./platform.ts";

export class Unclaimed {
  readonly #clock: Clock;
  readonly #letGo: (message: Message) => void;
  #arrivals: Arrival[] = [];
  #waits = false;
  #cancel: () => void = () => {};

  constructor(clock: Clock, letGo: (message: Message) => void) {
    this.#clock = clock;
    this.#letGo = letGo;
  }

  /** The session of an earlier life was resumed: from now on for a while, messages may have to wait. */
  wait(): void {
    this.#waits = true;
    this.#cancel = this.#clock.after(UNCLAIMED_MS, () => {
      this.#waits = false;
      for (const arrival of this.#arrivals.splice(0)) this.#drop(arrival);
    });
  }

  put(arrival: Arrival): void {
    if (this.#waits) this.#arrivals.push(arrival);
    else this.#drop(arrival);
  }

  #drop(arrival: Arrival): void {
    arrival.settle();
    if (!arrival.isObsolete) this.#letGo(arrival.message);
  }

  /** Takes out all that wait, to be handed on again. */
  claim(): Arrival[] {
    return this.#arrivals.splice(0).filter(({ isObsolete }) => !isObsolete);
  }

  close(): void {
    this.#cancel();
  }
}
