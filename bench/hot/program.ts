/** The load program of bench/hot.ts. QoS 1, a frame for each packet, as clients send them. Its first argument is HotOptions or ColdOptions. */

import { setTimeout as sleep } from "node:timers/promises";
import { LoadClient } from "../load/client.ts";
import { PublishTemplate } from "../load/frames.ts";
import type { ColdOptions, ColdResult, Delays, HotOptions } from "./options.ts";

const QOS = 1;

/** What is to leave at a rate leaves in ticks of so many milliseconds. */
const TICK_MS = 2;

/** How long what is still on its way in the end is waited for. */
const REST_MS = 2000;

async function connect(url: string, names: readonly string[], kept = false): Promise<LoadClient[]> {
  const clients: LoadClient[] = [];
  for (const name of names) {
    const client = await LoadClient.connect({ url, idInUrl: false }, name, 4, kept);
    client.framing = "packet";
    clients.push(client);
  }
  return clients;
}

const namesOf = (role: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${role}-${index}`);

/** Calls `send` so often, evenly. */
function paced(perSecond: number, send: () => void): NodeJS.Timeout {
  const began = performance.now();
  let sent = 0;
  return setInterval(() => {
    const due = ((performance.now() - began) / 1000) * perSecond;
    for (; sent < due; sent += 1) send();
  }, TICK_MS);
}

async function hot(options: HotOptions): Promise<void> {
  const { url, topic, publishers: count, subscribers, kept, window, messagesPerSecond, payloadBytes } = options;
  for (const subscriber of await connect(url, namesOf("hot-subscriber", subscribers), kept)) await subscriber.subscribe([topic], QOS);
  const publishers = await connect(url, namesOf("hot-publisher", count));
  const template = new PublishTemplate(topic, QOS, payloadBytes, 4);
  let sent = 0;
  const send = (publisher: LoadClient): void => {
    if (publisher.unacknowledged >= window) return;
    publisher.publish(template, QOS, 1);
    sent += 1;
  };
  if (messagesPerSecond === undefined) {
    for (const publisher of publishers) {
      publisher.received = () => {
        while (publisher.unacknowledged < window) send(publisher);
      };
      publisher.received();
    }
  } else {
    let next = 0;
    paced(messagesPerSecond, () => send(publishers[next++ % count]!));
  }
  for (;;) {
    const before = sent;
    await sleep(1000);
    console.log(JSON.stringify(sent - before));
  }
}

function delaysOf(delays: readonly number[]): Delays {
  const sorted = Float64Array.from(delays).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), count: sorted.length };
}

async function cold(options: ColdOptions): Promise<void> {
  const { url, topics, clients: count, messagesPerSecond, warmUpSeconds, seconds, payloadBytes } = options;
  const subscribers = await connect(url, namesOf("cold-subscriber", count));
  const publishers = await connect(url, namesOf("cold-publisher", count));
  const templates = topics.map((topic) => new PublishTemplate(topic, QOS, payloadBytes, 4));
  const beside = new Set(options.beside);
  /** When what is under way was sent, by topic: no topic has two at once, or the later one is left out. */
  const underWay = new Map<string, number>();
  const delays = { beside: [] as number[], elsewhere: [] as number[] };
  let begun = Number.POSITIVE_INFINITY;
  for (const [index, subscriber] of subscribers.entries()) {
    subscriber.wantTopics();
    subscriber.delivered = (topic) => {
      const at = underWay.get(topic!);
      if (at === undefined) return;
      underWay.delete(topic!);
      if (at >= begun) delays[beside.has(topic!) ? "beside" : "elsewhere"].push(performance.now() - at);
    };
    await subscriber.subscribe(
      topics.filter((_, number) => number % count === index),
      QOS,
    );
  }
  let next = 0;
  const timer = paced(messagesPerSecond, () => {
    const number = next++ % topics.length;
    const topic = topics[number]!;
    if (underWay.has(topic)) return;
    underWay.set(topic, performance.now());
    // Not by the same client that wants it, nor always by one of the same object.
    publishers[(number * 7 + 3) % count]!.publish(templates[number]!, QOS, 1);
  });
  await sleep(warmUpSeconds * 1000);
  begun = performance.now();
  await sleep(seconds * 1000);
  clearInterval(timer);
  for (const until = performance.now() + REST_MS; underWay.size > 0 && performance.now() < until; ) await sleep(20);
  const result: ColdResult = { beside: delaysOf(delays.beside), elsewhere: delaysOf(delays.elsewhere), missing: underWay.size };
  console.log(JSON.stringify(result));
  process.exit(0);
}

const asked = JSON.parse(process.argv[2]!) as HotOptions | ColdOptions;
await (asked.role === "hot" ? hot(asked) : cold(asked));
