/**
 * A client's SUBSCRIBE and UNSUBSCRIBE packets as they are taken: filter by filter, a share of work at a time, and with a bounded number
 * of filters on their way to Topic objects. What the client sends after such a packet waits until its last filter has been taken, so
 * that the order of its packets is kept; its host sees to that. Only in memory: a packet that was not answered is the client's to
 * repeat. What was taken of one whose connection ends stays, as if each filter had come alone, and of the rest nothing is done.
 */

import { MEMORY } from "../memory-limits.ts";
import { FILTER_WORK, FILTER_WORK_CHARACTERS, FILTERS_UNDER_WAY_WORK } from "../work-limits.ts";

/** What it costs to take a filter, in packets without anything. */
export function filterWork(filter: string): number {
  return FILTER_WORK + Math.floor(filter.length / FILTER_WORK_CHARACTERS);
}

/** What it costs to see that one is invalid, or refused. */
export function checkWork(filter: string): number {
  return Math.ceil(filterWork(filter) / FILTER_WORK);
}

export class Taking {
  /** Takes one filter of the packet with each step and tells what that has cost; undefined when no packet is half taken. */
  #steps: Iterator<number> | undefined;
  #bytes = 0;
  /** What those filters weigh whose outcome is not known, of whatever packet. */
  #underWay = 0;
  #goOn: (() => void) | undefined;

  /** A packet has been taken in part. */
  get isOpen(): boolean {
    return this.#steps !== undefined;
  }

  /** Its next filter waits until more is known of those before. */
  get waits(): boolean {
    return this.isOpen && this.#underWay >= FILTERS_UNDER_WAY_WORK;
  }

  /** What the packet takes while it is half taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param packetBytes of the packet
   * @param filters how many it has
   */
  begin(packetBytes: number, filters: number, steps: Iterator<number>): void {
    this.#bytes = packetBytes + MEMORY.requestBytes * filters;
    this.#steps = steps;
  }

  /**
   * Takes what costs about so much, as far as it need not wait.
   * @returns what it has cost
   */
  take(work: number): number {
    let done = 0;
    while (done < work && this.#steps !== undefined && !this.waits) {
      const step = this.#steps.next();
      if (step.done) this.#close();
      else done += step.value;
    }
    return done;
  }

  /** A filter is on its way. */
  sent(work: number): void {
    this.#underWay += work;
  }

  /** What became of it is known. */
  settled(work: number): void {
    this.#underWay -= work;
    if (!this.waits) this.#ready();
  }

  /** @param goOn called once, when the packet need not wait any longer or is given up */
  whenReady(goOn: () => void): void {
    this.#goOn = goOn;
  }

  /** The connection is over. */
  end(): void {
    this.#close();
    this.#ready();
  }

  #close(): void {
    this.#steps = undefined;
    this.#bytes = 0;
  }

  #ready(): void {
    const goOn = this.#goOn;
    this.#goOn = undefined;
    goOn?.();
  }
}
