/** The names that a Topic object gives itself: to messages of its own, and to others that may go where they went before. */

import { Message } from "../mqtt/message.ts";
import { EVENT_PROPERTIES } from "../topic/events.ts";

export class OwnNames {
  readonly #origin: string;
  #number: number;

  /**
   * @param origin the object's name, with something after an `@` that no earlier incarnation had
   * @param now milliseconds since the epoch
   */
  constructor(origin: string, now: number) {
    this.#origin = origin;
    this.#number = now * 1000;
  }

  /** A message under another name: it may go where it went before. */
  renamed(message: Message): Message {
    this.#number += 1;
    const renamed = new Message({ ...message, origin: this.#origin, sequence: this.#number, repeated: false, settledBelow: 0 });
    renamed.receipt = message.receipt;
    return renamed;
  }

  /** A message of this object's own. */
  message(topic: string, payload: Uint8Array, retain: boolean): Message {
    this.#number += 1;
    const fixed = { qos: 1, propertyBytes: EVENT_PROPERTIES, expiresAt: 0, publisher: "", repeated: false, settledBelow: 0 } as const;
    return new Message({ topic, payload, retain, ...fixed, origin: this.#origin, sequence: this.#number });
  }
}
