/** How a message is to be delivered to one session, wherever the two are. */

import type { Retain } from "./retain.ts";

export interface Due {
  readonly qos: 1 | 2;
  readonly retain: Retain;
  readonly identifiers: readonly number[] | undefined;
  /** The shared subscription that it came through, `$share/` included; empty for none. */
  readonly share: string;
  /** A retained message that its subscription is owed: it counts against no bound of the queue, and is not dropped. */
  readonly owed: boolean;
}
