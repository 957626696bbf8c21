/**
 * Messages on their way to whoever wants them: a handler, or a loop that asks for the next one. One after the other, each settled when
 * whoever has it is done with it: the handler's promise has settled, or the loop asks for the next.
 */

import { PUBACK } from "../mqtt/packet.ts";
import { REASON_CODES, SUCCESS, UNSPECIFIED_ERROR } from "../mqtt/reason-code.ts";
import type { Arrival } from "./arrival.ts";
import { MqttError } from "./error.ts";
import { Fifo } from "./fifo.ts";
import { INBOX_QOS_0_BYTES_MAX, INBOX_QOS_0_MAX } from "./limits.ts";
import type { Message } from "./message.ts";
import type { MessageHandler } from "./options.ts";

/** Somebody who asked for the next one. */
interface Pull {
  readonly resolve: (arrival: Arrival | undefined) => void;
  readonly reject: (error: MqttError) => void;
}

export class Inbox {
  /** QoS 0 messages that were dropped because too many waited. */
  dropped = 0;
  readonly #handler: MessageHandler | undefined;
  readonly #failed: (error: unknown, message: Message) => void;
  readonly #queue = new Fifo<Arrival>();
  readonly #pulls = new Fifo<Pull>();
  #qos0 = 0;
  #qos0Bytes = 0;
  #isBusy = false;
  #isClosed = false;
  #error: MqttError | undefined;

  /** @param handler undefined: the messages are asked for */
  constructor(handler: MessageHandler | undefined, failed: (error: unknown, message: Message) => void) {
    this.#handler = handler;
    this.#failed = failed;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  put(arrival: Arrival): void {
    if (this.#isClosed) {
      arrival.settle();
      return;
    }
    if (arrival.message.qos === 0) {
      if (this.#qos0 >= INBOX_QOS_0_MAX || this.#qos0Bytes >= INBOX_QOS_0_BYTES_MAX) {
        this.dropped += 1;
        arrival.settle();
        return;
      }
      this.#qos0 += 1;
      this.#qos0Bytes += arrival.bytes;
    }
    this.#queue.push(arrival);
    if (this.#handler !== undefined) this.#work(this.#handler);
    else this.#pulls.shift()?.resolve(this.#take());
  }

  /** The next one that is still to be handled here. */
  #take(): Arrival | undefined {
    for (let arrival = this.#queue.shift(); arrival !== undefined; arrival = this.#queue.shift()) {
      if (arrival.message.qos === 0) {
        this.#qos0 -= 1;
        this.#qos0Bytes -= arrival.bytes;
      }
      if (!arrival.isObsolete) return arrival;
    }
    return undefined;
  }

  #work(handler: MessageHandler): void {
    while (!this.#isBusy) {
      const arrival = this.#take();
      if (arrival === undefined) return;
      this.#isBusy = true;
      try {
        const result = handler(arrival.message) as PromiseLike<unknown> | undefined;
        if (typeof result?.then === "function") {
          result.then(
            () => this.#done(handler, arrival, SUCCESS),
            (error: unknown) => this.#done(handler, arrival, this.#codeOf(error, arrival)),
          );
          return;
        }
        this.#isBusy = false;
        arrival.settle();
      } catch (error) {
        this.#isBusy = false;
        arrival.settle(this.#codeOf(error, arrival));
      }
    }
  }

  #done(handler: MessageHandler, arrival: Arrival, reasonCode: number): void {
    this.#isBusy = false;
    arrival.settle(reasonCode);
    this.#work(handler);
  }

  /** What the server is told of a message whose handler failed: the handler's own Reason Code where PUBACK has it. */
  #codeOf(error: unknown, { message }: Arrival): number {
    this.#failed(error, message);
    const reasonCode = error instanceof MqttError ? (error.reasonCode ?? 0) : 0;
    return reasonCode >= UNSPECIFIED_ERROR && REASON_CODES[PUBACK]!.has(reasonCode) ? reasonCode : UNSPECIFIED_ERROR;
  }

  /** @returns undefined when there will be none; to be settled by whoever gets it */
  next(): Promise<Arrival | undefined> {
    return new Promise((resolve, reject) => {
      const arrival = this.#take();
      if (arrival !== undefined) resolve(arrival);
      else if (!this.#isClosed) this.#pulls.push({ resolve, reject });
      else if (this.#error === undefined) resolve(undefined);
      else reject(this.#error);
    });
  }

  /** Nothing comes any more; what waits is let go of. */
  close(error?: MqttError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#error = error;
    for (const arrival of this.#queue.drain()) arrival.settle();
    for (const { resolve, reject } of this.#pulls.drain()) {
      if (error === undefined) resolve(undefined);
      else reject(error);
    }
  }
}
