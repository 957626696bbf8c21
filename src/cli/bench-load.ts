/**
 * The load of `bench`: makes connections, then does the paced thing of its plan for the time that was asked for, and waits a little for what is
 * still on its way. Measures; knows nothing of how it is told. All clients are in this process, so that one clock tells how long a message took.
 */

import { type Client, connect } from "../client/client.ts";
import { MqttError } from "../client/error.ts";
import type { Message } from "../client/message.ts";
import { systemClock } from "../client/platform.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { Plan } from "./bench-plan.ts";
import type { Ending } from "./ending.ts";
import { Histogram } from "./histogram.ts";
import { Pace } from "./pace.ts";
import { Problem } from "./problem.ts";
import { connectTo, type Server, sentenceOf } from "./server.ts";

/** A message begins with when it was published, a double. EMQ's have 16 bytes. */
export const STAMP_BYTES = 8;

/** Messages that are not acknowledged yet; above it the next are not published. */
const UNDER_WAY_MAX = 10_000;

/** How long what is on its way at the end is waited for, ms. */
const LAST_MS = 5000;
const LOOK_MS = 20;

/** Connections that are ended at a time. */
const ENDING_MAX = 100;

/** A session ends with its one connection: nothing is left behind, whatever becomes of this process. */
const ALONE = { reconnect: false, sessionExpirySeconds: 0 } as const;

export interface LoadOptions {
  readonly qos: QoS;
  /** Of a payload, bytes. */
  readonly size: number;
  readonly seconds: number;
  /** Connections in a second, before the load. */
  readonly connectRate: number;
  /** Below which its topics are. */
  readonly topic: string;
  /** What the Client Identifiers begin with. */
  readonly prefix: string;
}

/** What was done, each with how long it took. */
export interface Measured {
  readonly connected: Histogram;
  readonly subscribed: Histogram;
  readonly acknowledged: Histogram;
  readonly received: Histogram;
  published: number;
  /** What was due and could not be done in time. */
  missed: number;
  /** Of connections, subscriptions and messages. */
  failed: number;
  /** The first of them. */
  error: string | undefined;
  /** How long the paced part took, ms. */
  loadMs: number;
}

export class Load {
  readonly measured: Measured = {
    connected: new Histogram(),
    subscribed: new Histogram(),
    acknowledged: new Histogram(),
    received: new Histogram(),
    published: 0,
    missed: 0,
    failed: 0,
    error: undefined,
    loadMs: 0,
  };
  readonly #server: Server;
  readonly #plan: Plan;
  readonly #options: LoadOptions;
  readonly #ending: Ending;
  readonly #publishers: Client[] = [];
  readonly #subscribers: Client[] = [];
  #underWay = 0;
  #isOver = false;

  constructor(server: Server, plan: Plan, options: LoadOptions, ending: Ending) {
    this.#server = server;
    this.#plan = plan;
    this.#options = options;
    this.#ending = ending;
  }

  /** Messages that subscribers should have got when nothing is under way any more. */
  get expected(): number {
    const { published, acknowledged } = this.measured;
    return (this.#options.qos === 0 ? published : acknowledged.count) * this.#plan.copies;
  }

  /** @param tell is told what it is at, again and again @throws Problem when the connections that the load needs can't be made */
  async run(tell: (state: string) => void): Promise<void> {
    const { kind, publishers, subscribers } = this.#plan;
    // Whoever is not let in is refused once, not a thousand times.
    const first = await this.#ending.or(connectTo(this.#server, { ...ALONE, signal: this.#ending.signal }), (late) => late.end());
    await first?.end();
    if (this.#ending.isReached) return;
    try {
      if (kind !== "conn") await this.#prepare(publishers + subscribers, tell);
      if (kind === "conn") await this.#load(subscribers, (index) => this.#connect(this.#subscribers, index), tell);
      else if (kind === "sub") await this.#load(subscribers, (index) => this.#subscribe(index), tell);
      else await this.#load(Number.POSITIVE_INFINITY, (index) => this.#publish(index), tell);
    } finally {
      this.#isOver = true;
      await this.#endAll();
    }
  }

  /** Connects all, and subscribes those that are to get messages. After one that can't, no more are begun. */
  async #prepare(count: number, tell: (state: string) => void): Promise<void> {
    const { kind, subscribers } = this.#plan;
    const one = async (index: number): Promise<void> => {
      if (this.measured.failed > 0) return;
      if (index >= subscribers) return this.#connect(this.#publishers, index - subscribers);
      await this.#connect(this.#subscribers, index);
      if (kind !== "sub") await this.#subscribe(index);
    };
    const told = (): void => tell(`${this.measured.connected.count} of ${count} are connected`);
    await this.#atRate(this.#options.connectRate, count, Number.POSITIVE_INFINITY, one, told);
    await this.#until(() => this.#underWay === 0, Number.POSITIVE_INFINITY, told);
    if (this.measured.failed > 0) throw new Problem(`${this.#server.name}: ${this.measured.error}`);
  }

  /** The paced part, for all of its time. @param most of what is paced, beside what the rate and the time allow */
  async #load(most: number, run: (index: number) => Promise<void>, tell: (state: string) => void): Promise<void> {
    const { measured } = this;
    if (this.#ending.isReached) return;
    const began = systemClock.now();
    const lastMs = this.#options.seconds * 1000;
    const elapsed = (): number => systemClock.now() - began;
    const told = (): void => tell(this.#stateAt(Math.min(elapsed(), lastMs)));
    measured.missed = await this.#atRate(this.#plan.rate, Math.min(most, Math.floor((this.#plan.rate * lastMs) / 1000)), lastMs, run, told);
    // Connections and subscriptions are held.
    await this.#until(() => elapsed() >= lastMs, Number.POSITIVE_INFINITY, told);
    measured.loadMs = Math.min(elapsed(), lastMs);
    await this.#until(() => this.#underWay === 0 && measured.received.count >= this.expected, LAST_MS, told);
  }

  /**
   * Begins so many of something in a second, and so many in all where there is time for that.
   * @returns how many of those that were due were not begun
   */
  async #atRate(rate: number, total: number, ms: number, run: (index: number) => Promise<void>, tell: () => void): Promise<number> {
    const pace = new Pace(rate);
    const began = systemClock.now();
    let [begun, skipped] = [0, 0];
    for (let now = 0; begun < total && now < ms && !this.#ending.isReached; now = systemClock.now() - began) {
      for (let due = Math.min(pace.due(now), total - begun); due > 0; due -= 1) {
        if (this.#underWay >= UNDER_WAY_MAX) skipped += 1;
        else void this.#begin(run, begun++);
      }
      tell();
      const next = Math.min(pace.wait(systemClock.now() - began), LOOK_MS, ms - (systemClock.now() - began));
      await this.#ending.pause(Math.max(0, next));
    }
    return this.#ending.isReached ? pace.missed + skipped : total - begun;
  }

  async #begin(run: (index: number) => Promise<void>, index: number): Promise<void> {
    this.#underWay += 1;
    try {
      await run(index);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#underWay -= 1;
    }
  }

  #failed(error: unknown): void {
    if (this.#isOver || this.#ending.isReached) return;
    this.measured.failed += 1;
    this.measured.error ??= error instanceof MqttError ? sentenceOf(error) : String(error);
  }

  /** Looks again and again, for so long at most, ms, or until it is stopped. */
  async #until(isOver: () => boolean, ms: number, tell: () => void): Promise<void> {
    const began = systemClock.now();
    while (!isOver() && systemClock.now() - began < ms && !this.#ending.isReached) {
      tell();
      await this.#ending.pause(LOOK_MS);
    }
  }

  async #connect(clients: Client[], index: number): Promise<void> {
    const { open, login } = this.#server;
    const began = systemClock.now();
    const clientId = `${this.#options.prefix}-${clients === this.#publishers ? "p" : "s"}${index}`;
    const client = await connect(open, { ...login, ...ALONE, clientId, signal: this.#ending.signal });
    this.measured.connected.add(systemClock.now() - began);
    clients[index] = client;
    client.on("closed", (error) => error && this.#failed(error));
  }

  /** Of all messages, of a part of them, or of one topic, as the plan has it. */
  #filterOf(index: number): string {
    const { kind, topics } = this.#plan;
    const { topic } = this.#options;
    if (kind === "fanout") return `${topic}/+`;
    return kind === "sharedsub" ? `$share/bench/${topic}/+` : `${topic}/${index % topics}`;
  }

  async #subscribe(index: number): Promise<void> {
    const client = this.#subscribers[index];
    if (client === undefined) return;
    const onMessage = (message: Message): void => this.#receive(message);
    const began = systemClock.now();
    await client.subscribe(this.#filterOf(index), { qos: this.#options.qos, onMessage });
    this.measured.subscribed.add(systemClock.now() - began);
  }

  #receive({ payload }: Message): void {
    const published = new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getFloat64(0);
    this.measured.received.add(systemClock.now() - published);
  }

  async #publish(index: number): Promise<void> {
    const { publishers, topics } = this.#plan;
    const { topic, qos, size } = this.#options;
    const payload = new Uint8Array(size);
    const began = systemClock.now();
    new DataView(payload.buffer).setFloat64(0, began);
    const publisher = index % publishers;
    this.measured.published += 1;
    await this.#publishers[publisher]!.publish(`${topic}/${publisher % topics}`, payload, { qos });
    if (qos > 0) this.measured.acknowledged.add(systemClock.now() - began);
  }

  #stateAt(ms: number): string {
    const { connected, subscribed, received, published } = this.measured;
    const { kind } = this.#plan;
    const done =
      kind === "conn" ? `${connected.count} connected` : kind === "sub" ? `${subscribed.count} subscribed` : `${published} published`;
    const got = this.#plan.copies === 0 ? "" : `, ${received.count} received`;
    return `${Math.floor(ms / 1000)} s of ${this.#options.seconds}: ${done}${got}`;
  }

  async #endAll(): Promise<void> {
    const clients = [...this.#publishers, ...this.#subscribers].filter((client) => client !== undefined);
    const one = async (): Promise<void> => {
      for (let client = clients.pop(); client !== undefined; client = clients.pop()) await client.end({ timeoutMs: 0 });
    };
    await Promise.all(Array.from({ length: ENDING_MAX }, one));
  }
}
