/** What Cloudflare bills for Durable Objects on the Workers Paid plan: list prices in US dollars, without taxes. Who changes one changes the date. */

export const PRICES_AS_OF = "2026-11";

/** Beyond what is included, and what is included a month. */
export const PAID = {
  /** HTTP requests, calls between objects, alarms; WebSocket messages that come in count a twentieth. */
  millionRequests: 0.15,
  socketMessagesForRequest: 20,
  millionRowsWritten: 1,
  millionRowsRead: 0.001,
  /** An object counts as 128 MB while it runs, or is idle and must not hibernate. */
  millionGigabyteSeconds: 12.5,
  gigabytesOfObject: 0.128,
  includedRequests: 1e6,
  includedRowsWritten: 50e6,
  includedRowsRead: 25e9,
  includedGigabyteSeconds: 400_000,
  /** The plan itself. */
  month: 5,
} as const;

/** What the free plan allows a day. */
export const FREE_A_DAY = { requests: 100_000, rowsWritten: 100_000, rowsRead: 5e6, gigabyteSeconds: 13_000 } as const;
