/** One line of JSON for people who run the broker. Facts only: no payloads, no passwords, no stack traces; long ones are cut. */

import { problemOf } from "../fault.ts";
import { LOG_FACT_CHARACTERS_MAX } from "../limits.ts";

type Facts = Readonly<Record<string, string | number | boolean>>;

export function log(event: string, facts: Facts): void {
  console.log(JSON.stringify({ event, ...facts }, cut));
}

/** What clients name may be long, and a line of the log must not be. */
function cut(_fact: string, value: unknown): unknown {
  if (typeof value !== "string" || value.length <= LOG_FACT_CHARACTERS_MAX) return value;
  return `${value.slice(0, LOG_FACT_CHARACTERS_MAX)}...`;
}

/** Opens a store; one that refuses what it finds is told of before its object fails. */
export function opened<Store>(object: string, open: () => Store): Store {
  try {
    return open();
  } catch (error) {
    log("stored data refused", { object, problem: problemOf(error) });
    throw error;
  }
}
