/**
 * The program of the pair: in a process of its own a publisher and a subscriber exchange messages at QoS 1 on the broker that is
 * attacked, and another pair does the same on one that is left alone. What both feel is the machine; what only the first feels is the
 * attack. Takes PairOptions, then a PairOrder a line, and answers each with a PairReport. Started by bench/attack/run.ts.
 */

import { createInterface } from "node:readline";
import { sleep } from "../load/measure.ts";
import { Client, publishBytes } from "./client.ts";
import {
  PAIR,
  PAIR_MESSAGES_PER_SECOND,
  type PairFigures,
  type PairOptions,
  type PairOrder,
  type PairReport,
  type Target,
} from "./options.ts";

/** A message that has not come so long after its phase is lost. */
const LOST_MS = 30_000;

/** Between two tries to connect again. */
const RETURN_MS = 100;

const PAYLOAD_BYTES = 64;

class Pair {
  readonly #target: Target;
  #publisher: Client | undefined;
  /** When each message that did not come yet was sent, by its number. */
  readonly #underWay = new Map<number, number>();
  #number = 0;
  #unacknowledged = 0;
  #ended = 0;
  #delays: number[] = [];

  constructor(target: Target) {
    this.#target = target;
  }

  async start(): Promise<void> {
    await Promise.all([this.#stay(PAIR.subscriber), this.#stay(PAIR.publisher)]);
  }

  /** Connects, and connects again whenever the broker ends the connection. Resolves when it has connected for the first time. */
  async #stay(clientId: string): Promise<void> {
    const client = await this.#arrive(clientId);
    void client.closed.then(() => {
      this.#ended += 1;
      return this.#stay(clientId);
    });
  }

  async #arrive(clientId: string): Promise<Client> {
    for (;;) {
      const client = await Client.connect(this.#target, { clientId });
      if (client !== undefined && (await this.#begin(client, clientId))) return client;
      await sleep(RETURN_MS);
    }
  }

  async #begin(client: Client, clientId: string): Promise<boolean> {
    if (clientId === PAIR.subscriber) {
      client.received = ({ payload }) => this.#arrived(Number.parseInt(new TextDecoder().decode(payload), 10));
      return client.subscribe([{ filter: PAIR.topic, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }]);
    }
    client.acknowledged = () => {
      this.#unacknowledged -= 1;
    };
    this.#publisher = client;
    return true;
  }

  #arrived(number: number): void {
    const sentAt = this.#underWay.get(number);
    if (sentAt === undefined) return;
    this.#underWay.delete(number);
    this.#delays.push(performance.now() - sentAt);
  }

  publish(): void {
    this.#number += 1;
    this.#underWay.set(this.#number, performance.now());
    const payload = String(this.#number).padEnd(PAYLOAD_BYTES);
    const packetId = (this.#number % 65_535) + 1;
    if (this.#publisher?.send(publishBytes(PAIR.topic, payload, { qos: 1, packetId }))) this.#unacknowledged += 1;
  }

  begin(): void {
    this.#underWay.clear();
    this.#delays = [];
    this.#unacknowledged = 0;
    this.#ended = 0;
  }

  get isSettled(): boolean {
    return this.#underWay.size === 0 && this.#unacknowledged <= 0;
  }

  figures(): PairFigures {
    const now = performance.now();
    const delays = [...this.#delays, ...[...this.#underWay.values()].map((sentAt) => now - sentAt)].sort((a, b) => a - b);
    const at = (share: number): number => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? Number.NaN;
    const lost = this.#underWay.size;
    const unacknowledged = Math.max(0, this.#unacknowledged);
    return { sent: delays.length, p50: at(0.5), p99: at(0.99), max: at(1), lost, unacknowledged, ended: this.#ended };
  }
}

/** Publishes at the rate, whatever comes back, and waits for what is under way. */
async function measure(pairs: readonly Pair[], { seconds }: PairOrder): Promise<PairReport> {
  for (const pair of pairs) pair.begin();
  const start = performance.now();
  const end = start + seconds * 1000;
  for (let sent = 0; performance.now() < end; sent += 1) {
    for (const pair of pairs) pair.publish();
    await sleep(Math.max(0, start + ((sent + 1) * 1000) / PAIR_MESSAGES_PER_SECOND - performance.now()));
  }
  const late = performance.now() + LOST_MS;
  while (performance.now() < late && !pairs.every((pair) => pair.isSettled)) await sleep(5);
  const [attacked, calm] = pairs.map((pair) => pair.figures());
  return { attacked: attacked!, calm: calm! };
}

const { attacked, calm } = JSON.parse(process.argv[2]!) as PairOptions;
const pairs = [new Pair(attacked), new Pair(calm)];
await Promise.all(pairs.map((pair) => pair.start()));
for await (const line of createInterface(process.stdin)) {
  console.log(JSON.stringify(await measure(pairs, JSON.parse(line) as PairOrder)));
}
process.exit(0);
