/** Requests and their responses, by Response Topic and Correlation Data (MQTT 5.0, 4.10). */

import { NO_MATCHING_SUBSCRIBERS } from "../mqtt/reason-code.ts";
import { MqttError } from "./error.ts";
import type { Message } from "./message.ts";
import type { Receipt } from "./options.ts";
import type { Clock } from "./platform.ts";

interface Waiting {
  readonly resolve: (response: Message) => void;
  readonly reject: (error: MqttError) => void;
  readonly cancel: () => void;
}

const CORRELATION_BYTES = 12;

export class Requests {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #waiting = new Map<string, Waiting>();

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** @param publish sends the request with its Correlation Data */
  ask(topic: string, timeoutMs: number, publish: (correlationData: Uint8Array) => Promise<Receipt>): Promise<Message> {
    const correlationData = Uint8Array.from({ length: CORRELATION_BYTES }, () => Math.floor(this.#random() * 256));
    const key = String(correlationData);
    return new Promise((resolve, reject) => {
      const fail = (error: MqttError): void => this.#taken(key)?.reject(error);
      const late = (): void => fail(new MqttError("timeout", `Request to ${topic}: no response within ${timeoutMs} ms`));
      this.#waiting.set(key, { resolve, reject, cancel: this.#clock.after(timeoutMs, late) });
      publish(correlationData).then(({ reasonCode }) => {
        if (reasonCode !== NO_MATCHING_SUBSCRIBERS) return;
        fail(new MqttError("refused", `Request to ${topic}: nobody is subscribed to it`, { reasonCode }));
      }, fail);
    });
  }

  #taken(key: string): Waiting | undefined {
    const waiting = this.#waiting.get(key);
    waiting?.cancel();
    this.#waiting.delete(key);
    return waiting;
  }

  /** A response; one that nobody waits for is late, or not for us. */
  readonly responded = (response: Message): void => {
    const { correlationData } = response.properties;
    if (correlationData !== undefined) this.#taken(String(correlationData))?.resolve(response);
  };

  close(error: MqttError): void {
    for (const key of [...this.#waiting.keys()]) this.#taken(key)!.reject(error);
  }
}
