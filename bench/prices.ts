/** List prices in US dollars, without taxes: those of Cloudflare are what the console works bills out with. */

export { FREE_A_DAY, PAID, PRICES_AS_OF } from "../src/console/overview/prices.ts";

/** Cloudflare Workers on the paid plan: what the Worker in front of the objects takes, and what is included a month; and on the free plan, a day. */
export const WORKER = {
  millionRequests: 0.3,
  includedRequests: 10e6,
  millionCpuMs: 0.02,
  includedCpuMs: 30e6,
  freeRequestsADay: 100_000,
} as const;

/** AWS IoT Core, first tier: a message is up to 5 KB; a publish, each delivery and each PUBACK of a device is one. No QoS 2. */
export const AWS_IOT = {
  millionMessages: 1,
  /** From so many a month on, for each million beyond. */
  tiers: [
    { from: 1e9, millionMessages: 0.8 },
    { from: 5e9, millionMessages: 0.7 },
  ],
  messageBytes: 5 * 1024,
  millionConnectionMinutes: 0.08,
} as const;

/** EMQX Serverless, what is free a month, and what it takes at most: connections, and messages a second, in and out together. */
export const EMQX_SERVERLESS = {
  millionSessionMinutes: 2,
  gigabyte: 0.15,
  freeSessionMinutes: 1e6,
  freeGigabytes: 1,
  connectionsMax: 1000,
  messagesASecondMax: 1000,
} as const;
