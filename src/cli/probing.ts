/** One probe of a server: the way of a message at each QoS, step by step, each within its time. Knows nothing of how it is told. */

import { randomUUID } from "node:crypto";
import { type Client, connect } from "../client/client.ts";
import { MqttError } from "../client/error.ts";
import { systemClock } from "../client/platform.ts";
import type { Socket } from "../client/socket.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { Ending } from "./ending.ts";
import { Problem } from "./problem.ts";
import { type Server, sentenceOf } from "./server.ts";

/** `open` is the way to the server, TLS and HTTP included; `connect` is CONNECT to CONNACK. `receive` counts from the beginning of `publish`. */
export const STEPS = ["open", "connect", "subscribe", "publish", "receive", "disconnect"] as const;

export type Step = (typeof STEPS)[number];

export interface Round {
  readonly qos: QoS;
  /** Milliseconds of the steps that went well. */
  readonly steps: { readonly [Name in Step]?: number };
  /** The step that failed, and why. */
  readonly failed?: Step;
  readonly error?: string;
}

export interface Probed {
  readonly ok: boolean;
  readonly rounds: readonly Round[];
  /** Of the first round that failed. */
  readonly error?: string;
}

export interface ProbeOptions {
  readonly qos: readonly QoS[];
  readonly topic?: string;
  /** For each step, milliseconds. */
  readonly timeout: number;
}

/** @returns undefined when the end came before it was through; never rejects */
export async function probeOnce(server: Server, options: ProbeOptions, ending: Ending): Promise<Probed | undefined> {
  const rounds: Round[] = [];
  for (const qos of options.qos) {
    rounds.push(await new Probe(server, options, ending, qos).run());
    if (ending.isReached) return undefined;
  }
  const failed = rounds.find(({ error }) => error !== undefined);
  if (failed === undefined) return { ok: true, rounds };
  return { ok: false, rounds, error: `QoS ${failed.qos}, ${failed.failed}: ${failed.error}` };
}

class Probe {
  readonly #server: Server;
  readonly #options: ProbeOptions;
  readonly #ending: Ending;
  readonly #qos: QoS;
  readonly #steps: { [Name in Step]?: number } = {};
  #step: Step = "open";
  #began = systemClock.now();

  constructor(server: Server, options: ProbeOptions, ending: Ending, qos: QoS) {
    this.#server = server;
    this.#options = options;
    this.#ending = ending;
    this.#qos = qos;
  }

  async run(): Promise<Round> {
    const qos = this.#qos;
    let client: Client | undefined;
    try {
      client = await this.#connect();
      await this.#exchange(client);
      await this.#within("disconnect", client.end());
      return { qos, steps: this.#steps };
    } catch (error) {
      await client?.end({ timeoutMs: 0 });
      const sentence = error instanceof MqttError ? sentenceOf(error) : (error as Error).message;
      return { qos, steps: this.#steps, failed: this.#step, error: sentence.replace(/\.$/, "") };
    }
  }

  async #connect(): Promise<Client> {
    const { timeout } = this.#options;
    const { login, open } = this.#server;
    this.#begin("open");
    const opening = (): Socket => {
      const socket = open();
      socket.addEventListener("open", () => {
        this.#done();
        this.#begin("connect");
      });
      return socket;
    };
    const client = await connect(opening, { ...login, connectTimeoutMs: timeout, reconnect: false, signal: this.#ending.signal });
    this.#done();
    return client;
  }

  async #exchange(client: Client): Promise<void> {
    const qos = this.#qos;
    const { topic = `probe/${randomUUID()}` } = this.#options;
    // It says which message it is: others may publish there, and one may be retained.
    const payload = randomUUID();
    let received = (_at: number): void => {};
    const receiving = new Promise<number>((resolve) => {
      received = resolve;
    });
    const onMessage = (message: { text(): string }): void => {
      if (message.text() === payload) received(systemClock.now());
    };
    await this.#within("subscribe", client.subscribe(topic, { qos, onMessage }));
    const published = systemClock.now();
    await this.#within("publish", client.publish(topic, payload, { qos }));
    await this.#within("receive", receiving);
    this.#steps.receive = (await receiving) - published;
  }

  #begin(step: Step): void {
    this.#step = step;
    this.#began = systemClock.now();
  }

  #done(): void {
    this.#steps[this.#step] = systemClock.now() - this.#began;
  }

  /** A step that has its time. @throws Problem when it does not go well within that */
  async #within(step: Step, running: Promise<unknown>): Promise<void> {
    const { timeout } = this.#options;
    this.#begin(step);
    let cancel = (): void => {};
    const late = new Promise<never>((_resolve, reject) => {
      cancel = systemClock.after(timeout, () => reject(new Problem(`Nothing came within ${timeout / 1000} s.`)));
    });
    try {
      await this.#ending.or(Promise.race([running, late]));
      if (this.#ending.isReached) throw new Problem("It was stopped.");
      this.#done();
    } finally {
      cancel();
    }
  }
}
