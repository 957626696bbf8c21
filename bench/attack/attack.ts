/** What an attack is. */

import type { Field } from "./field.ts";

export interface Attack {
  readonly key: string;
  /** What it does, with its rates, as the table says it. */
  readonly title: string;
  /** What has to be there before: it belongs to what memory is compared with. */
  prepare?(field: Field): Promise<unknown>;
  /** Goes on until `field.over`. */
  run(field: Field): Promise<unknown>;
  /** Takes away what outlives its connections, so that memory can go back. Also what `prepare` brought. */
  clean?(field: Field): Promise<unknown>;
  /** Its sockets stay after it: whether the broker gets rid of them by itself is what is looked at. */
  readonly stays?: boolean;
  /** Seconds that the broker's own rules give before memory can be back. */
  readonly restSeconds?: number;
}
