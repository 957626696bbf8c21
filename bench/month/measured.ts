/**
 * What objects counted for each message at a fixed rate, and for each connection that comes again: what the model of a month is made of.
 * In a file of the repository, so that the tables in the documents can be made again, and are compared with the model, without a run.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How clients reach objects. */
export type CountedWay = "compact" | "handed" | "relayed";

export const COUNTED_WAYS: readonly CountedWay[] = ["compact", "handed", "relayed"];

/** For each published message at QoS 1 with one subscriber. */
export interface Paced {
  readonly way: CountedWay;
  /** Subscribers keep their sessions. */
  readonly kept: boolean;
  /** All publishers together. */
  readonly messagesPerSecond: number;
  readonly calls: number;
  readonly socketMessages: number;
  readonly rowsWritten: number;
  /** Processor time of the whole server, all objects and the Worker together. */
  readonly cpuMs: number | undefined;
}

/** For each connection of a client that comes, subscribes to one filter of its own and goes, and had been there before. */
export interface Visit {
  readonly way: CountedWay;
  readonly kept: boolean;
  readonly requests: number;
  readonly calls: number;
  readonly socketMessages: number;
  readonly rowsWritten: number;
}

/** What an object reads when it begins a life with kept sessions. */
export interface Wake {
  readonly rows: number;
  readonly rowsOfSession: number;
}

export interface Measured {
  /** When and of what. */
  readonly at: string;
  readonly broker: string;
  /** Session and Topic objects of the sharded ways. */
  readonly shards: number;
  /** Of publishers and subscribers. */
  readonly pairs: number;
  readonly paced: readonly Paced[];
  readonly visits: readonly Visit[];
  readonly wake: Wake;
}

const FILE = join(import.meta.dirname, "measured.json");

export function readMeasured(): Measured {
  return JSON.parse(readFileSync(FILE, "utf8")) as Measured;
}

export function writeMeasured(measured: Measured): void {
  writeFileSync(FILE, `${JSON.stringify(measured, null, 2)}\n`);
}
