/** What `subscribe` gives its caller: what was granted, the messages as an async iterable, and the end. */

import type { QoS } from "../mqtt/packet.ts";
import type { Arrival } from "./arrival.ts";
import type { Inbox } from "./inbox.ts";
import type { Message } from "./message.ts";

/** What a server has granted. */
export interface Granted {
  /** The Topic Filter as it was asked for, `$share/NAME/` included. */
  readonly filter: string;
  /** Messages come at this QoS at most; it may be lower than what was asked for. */
  readonly qos: QoS;
}

/**
 * The filters of one `subscribe`. Without a handler the messages are in it, one after the other: `for await (const message of subscription)`.
 */
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

  /** Nothing comes any more: it was ended, or the server has refused it after a lost session, or the client was closed. */
  get isClosed(): boolean {
    return this.#inbox.isClosed;
  }

  /** QoS 0 messages that were dropped because too many waited. */
  get dropped(): number {
    return this.#inbox.dropped;
  }

  /**
   * Unsubscribes. Loops end, messages that wait are let go of.
   * @returns when the server has answered; at once when it was ended before
   * @throws MqttError when the server refused, or did not answer within 30 s; it is ended nevertheless
   */
  end(): Promise<void> {
    return this.#end();
  }

  /**
   * The messages, one after the other. A QoS 1 or 2 message is acknowledged when the next one is asked for; leaving the loop ends the
   * Subscription. Throws when the client was closed by an error.
   */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    let current: Arrival | undefined;
    let asked = 0;
    const ask = (): number => {
      current?.settle();
      current = undefined;
      asked += 1;
      return asked;
    };
    return {
      next: async () => {
        const turn = ask();
        const arrival = await this.#inbox.next();
        // Where several are asked for at once, all but the last are done with when they come.
        if (turn === asked) current = arrival;
        else arrival?.settle();
        return arrival === undefined ? { done: true, value: undefined } : { done: false, value: arrival.message };
      },
      return: async () => {
        ask();
        await this.#end();
        return { done: true, value: undefined };
      },
    };
  }
}
