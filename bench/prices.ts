/** List prices in US dollars, without taxes: those of Cloudflare are what the console works bills out with. */

export { FREE_A_DAY, PAID, PRICES_AS_OF } from "../src/console/overview/prices.ts";

/** AWS IoT Core, first tier: a message is up to 5 KB; a publish, each delivery and each PUBACK of a device is one. No QoS 2. */
export const AWS_IOT = { millionMessages: 1, messageBytes: 5 * 1024, millionConnectionMinutes: 0.08 } as const;

/** EMQX Serverless. */
export const EMQX_SERVERLESS = { millionSessionMinutes: 2, gigabyte: 0.15 } as const;
