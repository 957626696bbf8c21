/** What an object did that is billed, since it woke. Each field is one line of the platform's price list (2026-11). */

import type { RowMeter } from "../storage/row-meter.ts";

export interface Usage {
  /** HTTP requests and upgrades. */
  readonly requests: number;
  /** Calls from other objects. */
  readonly calls: number;
  /** Incoming WebSocket messages: 20 are one request. */
  readonly socketMessages: number;
  readonly alarms: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

export class Meter implements RowMeter {
  requests = 0;
  calls = 0;
  socketMessages = 0;
  alarms = 0;
  rowsRead = 0;
  rowsWritten = 0;

  usage(): Usage {
    const { requests, calls, socketMessages, alarms, rowsRead, rowsWritten } = this;
    return { requests, calls, socketMessages, alarms, rowsRead, rowsWritten };
  }
}
