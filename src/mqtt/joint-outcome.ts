/** One outcome of several: told once all of them are known; the one that the publisher has to know most counts. */

import { IMPLEMENTATION_SPECIFIC_ERROR, SUCCESS } from "./reason-code.ts";

export class JointOutcome {
  readonly #told: (reasonCode: number) => void;
  #awaited: number;
  #worst: number;

  /**
   * @param told called once, with a 5.0 Reason Code
   * @param awaited how many outcomes there are, as far as it is known: `expect` adds to them
   * @param first an outcome that is known already
   */
  constructor(told: (reasonCode: number) => void, awaited: number, first = SUCCESS) {
    this.#told = told;
    this.#awaited = awaited;
    this.#worst = first;
  }

  /** One more is awaited. */
  expect(): void {
    this.#awaited += 1;
  }

  readonly settled = (reasonCode: number): void => {
    // First that it should be tried again, then that somebody did not take it.
    if (this.#worst !== IMPLEMENTATION_SPECIFIC_ERROR && reasonCode !== SUCCESS) this.#worst = reasonCode;
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#told(this.#worst);
  };
}
