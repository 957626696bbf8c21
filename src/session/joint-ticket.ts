/** One outcome of several: settled once all of them are; the worst counts. */

import type { Ticket } from "./ports.ts";

export class JointTicket implements Ticket {
  readonly #ticket: Ticket;
  #waiting: number;
  #worst = 0;

  constructor(ticket: Ticket, count: number) {
    this.#ticket = ticket;
    this.#waiting = count;
  }

  settled(reasonCode: number): void {
    this.#worst = Math.max(this.#worst, reasonCode);
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#ticket.settled(this.#worst);
  }
}
