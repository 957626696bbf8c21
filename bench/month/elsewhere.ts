/** The same month at list prices of others (prices.ts). */

import { AWS_IOT, EMQX_SERVERLESS } from "../prices.ts";
import { type Fleet, MONTH_SECONDS } from "./model.ts";

/** Payload, topic, fixed header and the frame's header of a small message. */
const MESSAGE_BYTES = 64 + 24;

/** Of a message: its publish, its delivery, and the PUBACK of who it was delivered to. */
const AWS_MESSAGES = 3;

export function awsMonth({ clients, messagesPerSecond }: Fleet): number {
  const messages = messagesPerSecond * AWS_MESSAGES * MONTH_SECONDS;
  const minutes = (clients * MONTH_SECONDS) / 60;
  let dollars = (messages / 1e6) * AWS_IOT.millionMessages;
  let price: number = AWS_IOT.millionMessages;
  for (const { from, millionMessages } of AWS_IOT.tiers) {
    dollars -= (Math.max(0, messages - from) / 1e6) * (price - millionMessages);
    price = millionMessages;
  }
  return dollars + (minutes / 1e6) * AWS_IOT.millionConnectionMinutes;
}

/** @returns undefined beyond what it takes */
export function emqxMonth({ clients, messagesPerSecond }: Fleet): number | undefined {
  const { connectionsMax, messagesASecondMax, freeSessionMinutes, freeGigabytes, millionSessionMinutes, gigabyte } = EMQX_SERVERLESS;
  if (clients > connectionsMax || 2 * messagesPerSecond > messagesASecondMax) return undefined;
  const minutes = (clients * MONTH_SECONDS) / 60;
  const gigabytes = (2 * messagesPerSecond * MESSAGE_BYTES * MONTH_SECONDS) / 2 ** 30;
  return (Math.max(0, minutes - freeSessionMinutes) / 1e6) * millionSessionMinutes + Math.max(0, gigabytes - freeGigabytes) * gigabyte;
}
