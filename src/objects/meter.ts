/** What an object counts since it woke: what is billed, and how its calls to other objects went. */

import type { MemoryFigures } from "../ledger.ts";
import type { SessionFigures } from "../session/figures.ts";
import type { RowMeter } from "../storage/row-meter.ts";

/** What is billed: each field is one line of the platform's price list (2026-11). */
export interface Usage {
  /** HTTP requests and upgrades. */
  readonly requests: number;
  /** Calls from other objects, and questions for figures. */
  readonly calls: number;
  /** Incoming WebSocket messages: 20 are one request. */
  readonly socketMessages: number;
  readonly alarms: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** How calls to other objects went. */
export interface CallMeter {
  /** Calls that failed and were made again. */
  repeated: number;
  /** Calls that failed for so long that what they carried was given up. */
  givenUp: number;
}

export function createCallMeter(): CallMeter {
  return { repeated: 0, givenUp: 0 };
}

/** What an object tells of itself to `/metrics`. */
export interface Figures {
  readonly usage: Usage;
  readonly memory: MemoryFigures;
  /** Of one that owns sessions. */
  readonly session: SessionFigures | undefined;
  /** Retained messages, of one that owns topics and has few, or has counted them in this life. */
  readonly retainedMessages: number | undefined;
  /** Of one that calls others. */
  readonly outbox: OutboxFigures | undefined;
  /** Of one that owns topics and no sessions. */
  readonly routed: RoutedFigures | undefined;
}

/** What an object that owns topics has and has done. */
export interface RoutedFigures {
  /** Messages that came from Session objects. */
  readonly messages: number;
  /** How often one of them, or of the object's own, went to a Session object. */
  readonly deliveries: number;
  /** Filters that Session objects want, each once for each of them. */
  readonly routes: number;
}

export interface OutboxFigures {
  readonly calls: CallMeter;
  /** What waits for the calls under way to end. */
  readonly bytes: number;
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
