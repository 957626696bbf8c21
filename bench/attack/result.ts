/** What one attack on one shape of the broker gave, as it is kept in a file. */

import type { AttackerReport, PairReport, Shape } from "./options.ts";

export interface Memory {
  /** Resident bytes of the runtime's process; undefined where there is no /proc. */
  readonly before: number | undefined;
  readonly highest: number | undefined;
  readonly after: number | undefined;
}

export interface AttackResult extends AttackerReport {
  readonly key: string;
  readonly shape: Shape;
  /** When it began, ISO 8601. */
  readonly at: string;
  /** Its version and commit. */
  readonly broker: string;
  /** The machine's load average over a minute, before it began. */
  readonly loadAverage: number;
  readonly seconds: number;
  /** How often it was measured, of which the best counts. */
  readonly tries: number;
  readonly before: PairReport;
  readonly during: PairReport;
  readonly after: PairReport;
  readonly memory: Memory;
  /** Processor seconds of the runtime during the attack, for each second of it. */
  readonly load: number | undefined;
  /** Lines that the broker logged during the attack, and after it. */
  readonly logged: number;
}
