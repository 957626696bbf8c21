/**
 * A subscription of another Worker: it asks for one message after the other, and by that acknowledges the one before. So a slow reader has
 * nothing acknowledged, and the broker keeps what waits as it does for every client. The other Worker holds a stub of it, and when that is
 * disposed of, or the Worker that had it is gone, so is the subscription.
 */

import { RpcTarget } from "cloudflare:workers";
import type { Client } from "../client/client.ts";
import type { Message } from "../client/message.ts";
import type { SubscribeOptions } from "../client/options.ts";
import type { Subscription } from "../client/subscription.ts";
import { SERVICE_CONNECT_MS, SERVICE_SESSION_SECONDS } from "../code-limits.ts";
import type { HookMessage } from "../hooks/contract.ts";
import { connectService, type Destination, endService, messageFor, serviceError } from "./connection.ts";
import type { MessageSubscription } from "./contract.ts";

export class ServiceSubscription extends RpcTarget implements MessageSubscription {
  readonly #client: Client;
  readonly #subscription: Subscription;
  readonly #messages: AsyncIterator<Message, undefined>;
  /** One after the other, however they are asked for: a message is acknowledged by the question for the one behind it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(client: Client, subscription: Subscription) {
    super();
    this.#client = client;
    this.#subscription = subscription;
    this.#messages = subscription[Symbol.asyncIterator]();
  }

  /** Messages of QoS 0 that were dropped because too many waited for the reader. A Worker that has a stub of it can ask for it, too. */
  get dropped(): number {
    return this.#subscription.dropped;
  }

  next(): Promise<IteratorResult<HookMessage, undefined>> {
    const next = this.#turn.then(() => this.#next());
    this.#turn = next.catch(() => {});
    return next;
  }

  async #next(): Promise<IteratorResult<HookMessage, undefined>> {
    try {
      const { done, value } = await this.#messages.next();
      return done ? { done, value: undefined } : { done: false, value: messageFor(value) };
    } catch (error) {
      throw serviceError("subscribe", error);
    }
  }

  /** A loop was left, perhaps by an error: the message that it had last is not acknowledged. */
  async return(): Promise<IteratorResult<HookMessage, undefined>> {
    await endService(this.#client);
    return { done: true, value: undefined };
  }

  /** Nobody has a stub of it any more. */
  [Symbol.dispose](): void {
    void endService(this.#client);
  }
}

export async function subscribe(
  destination: Destination,
  filters: readonly string[],
  options: Pick<SubscribeOptions, "qos" | "retainHandling">,
): Promise<ServiceSubscription> {
  // What is promised nothing needs no rows.
  const sessionExpirySeconds = options.qos === 0 ? 0 : SERVICE_SESSION_SECONDS;
  let client: Client | undefined;
  try {
    client = await connectService(destination, { sessionExpirySeconds, timeoutMs: SERVICE_CONNECT_MS });
    return new ServiceSubscription(client, await client.subscribe(filters, options));
  } catch (error) {
    if (client !== undefined) void endService(client);
    throw serviceError("subscribe", error);
  }
}
