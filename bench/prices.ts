/** List prices in US dollars, as of 2026-11, without taxes. Who changes one changes the date. */

export const PRICES_AS_OF = "2026-11";

/** Cloudflare Durable Objects on the Workers Paid plan: beyond what is included, and what is included a month. */
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
  includedGigabyteSeconds: 400_000,
} as const;

/** What the free plan allows a day. */
export const FREE_A_DAY = { requests: 100_000, rowsWritten: 100_000, rowsRead: 5e6, gigabyteSeconds: 13_000 } as const;

/** AWS IoT Core, first tier: a message is up to 5 KB; a publish, each delivery and each PUBACK of a device is one. No QoS 2. */
export const AWS_IOT = { millionMessages: 1, messageBytes: 5 * 1024, millionConnectionMinutes: 0.08 } as const;

/** EMQX Serverless. */
export const EMQX_SERVERLESS = { millionSessionMinutes: 2, gigabyte: 0.15 } as const;
