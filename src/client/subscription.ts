/** What `subscribe` gives its caller: what was granted, the messages as an async iterable, and the end. */

import type { QoS } from "../mqtt/packet.ts";
import type { Arrival } from "./arrival.ts";
import type { Inbox } from "./inbox.ts";
import type { Message } from "./message.ts";

export interface Granted {
  readonly filter: string;
  readonly qos: QoS;
}

export class Subscription implements AsyncIterable<Message> {
  /** Each filter with the QoS that the server granted. */
  readonly granted: readonly Granted[];
  readonly #inbox: Inbox;
  readonly #end: () => Promise<void>;

  constructor(granted: readonly Granted[], inbox: Inbox, end: () => Promise<void>) {
    this.granted = granted;
    this.#inbox = inbox;
    this.#end = end;
  }

  /** QoS 0 messages that were dropped because too many waited. */
  get dropped(): number {
    return this.#inbox.dropped;
  }

  /** Unsubscribes. Loops end, messages that wait are let go of. */
  end(): Promise<void> {
    return this.#end();
  }

  /**
   * The messages, one after the other. A QoS 1 or 2 message is acknowledged when the next one is asked for; leaving the loop ends the
   * Subscription. Throws when the client was closed by an error.
   */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    let current: Arrival | undefined;
    return {
      next: async () => {
        current?.settle();
        current = undefined;
        current = await this.#inbox.next();
        return current === undefined ? { done: true, value: undefined } : { done: false, value: current.message };
      },
      return: async () => {
        current?.settle();
        current = undefined;
        await this.#end();
        return { done: true, value: undefined };
      },
    };
  }
}
