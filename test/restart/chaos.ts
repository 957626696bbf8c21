/**
 * Real clients on a real broker whose runtime is killed again and again, or which is started with other numbers of objects: MQTT.js
 * publishes at QoS 1 and 2 and reconnects by itself, subscribers with and without a durable session listen. Afterwards every
 * acknowledged message is accounted for.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt, { type MqttClient } from "mqtt";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import type { ProtocolVersion } from "../../src/mqtt/packet.ts";
import { PACKET_IDENTIFIER_NOT_FOUND } from "../../src/mqtt/reason-code.ts";
import { mqttJsOptions, within } from "../support/real-clients.ts";

export interface ChaosOptions {
  readonly topology: "compact" | "sharded";
  /** How often the runtime is killed in one shape. */
  readonly kills: number;
  /** How long clients publish in one shape; kills are spread over it. */
  readonly seconds: number;
  /** The shapes that the broker has one after the other, as "2+2" or "2+2+TOPIC"; without them it has the default one. */
  readonly shapes?: readonly string[];
}

export interface ChaosResult {
  /** A sentence for each message that is missing, doubled or out of order. */
  readonly problems: readonly string[];
  readonly kills: number;
  readonly acknowledged: { readonly 1: number; readonly 2: number };
  /** QoS 1 messages that came again, which they may. */
  readonly repeats: number;
  /** What subscribers without a durable session got. */
  readonly toClean: number;
}

const VERSIONS = [4, 5] as const;
const TOPICS = ["left", "right"] as const;
/** Messages that a publisher has under way at once on each topic. */
const UNDER_WAY = 4;
/** Between two messages of a topic, so that a run is about kills and not about load. */
const PAUSE_MS = 5;
const DRAIN_MS = 30_000;
/** A full queue drops its oldest message, which is no matter of crashes: here none is ever full. */
const QUEUE_MESSAGES_MAX = "60000";
/** Of a longer list only so many numbers are told. */
const LISTED_MAX = 20;

/** What was published to one topic at one QoS, in order. */
interface Stream {
  readonly topic: string;
  readonly qos: 1 | 2;
  /** How many numbers were given. */
  count: number;
  readonly acknowledged: Set<number>;
}

interface Subscriber {
  readonly name: string;
  readonly client: MqttClient;
  /** Numbers by topic, in the order of arrival. */
  readonly got: Map<string, number[]>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function connect(broker: Broker, version: ProtocolVersion, clientId: string, clean: boolean): MqttClient {
  const client = mqtt.connect(broker.mqttUrl, {
    ...mqttJsOptions(version, { clientId, clean }),
    reconnectPeriod: 50,
    connectTimeout: 5_000,
    // Nothing else makes a session of this kind whole again.
    resubscribe: clean,
  });
  // A broker that is away is what this is about.
  client.on("error", () => {});
  return client;
}

async function subscriber(broker: Broker, version: ProtocolVersion, clean: boolean): Promise<Subscriber> {
  const name = `${clean ? "clean" : "durable"} subscriber of version ${version}`;
  const client = connect(broker, version, name, clean);
  const got = new Map<string, number[]>();
  client.on("message", (topic, payload) => {
    const numbers = got.get(topic);
    if (numbers === undefined) got.set(topic, [Number(payload)]);
    else numbers.push(Number(payload));
  });
  await within(client.subscribeAsync("chaos/#", { qos: 2 }), "SUBSCRIBE");
  return { name, client, got };
}

/** Publishes the next message of a stream. */
async function publish(client: MqttClient, stream: Stream): Promise<void> {
  const number = stream.count;
  stream.count += 1;
  try {
    await client.publishAsync(stream.topic, String(number), { qos: stream.qos });
  } catch (error) {
    const { code, message } = error as { code?: number; message: string };
    // MQTT.js gives up what it had not sent yet when it loses the connection while it still repeats what it had sent before.
    if (message === "Connection closed") return;
    // The answer to a PUBREL that was repeated because its PUBCOMP was lost: no error in recovery, but MQTT.js reports it as one.
    if (code !== PACKET_IDENTIFIER_NOT_FOUND) throw error;
  }
  stream.acknowledged.add(number);
}

/** Publishes until it is told to stop, and waits for all answers. */
async function pour(client: MqttClient, stream: Stream, stopped: () => boolean): Promise<void> {
  const waiting = new Set<Promise<void>>();
  while (!stopped()) {
    const sent = publish(client, stream).then(() => void waiting.delete(sent));
    waiting.add(sent);
    if (waiting.size >= UNDER_WAY) await Promise.race(waiting);
    await pause(PAUSE_MS);
  }
  await Promise.all(waiting);
}

/** Settings of a shape, when the broker had these others before. */
function shapeSettings(shape: string, previous: readonly string[]): Record<string, string> {
  const [SESSION_SHARDS, TOPIC_SHARDS, ...topics] = shape.split("+") as [string, string, ...string[]];
  return { SESSION_SHARDS, TOPIC_SHARDS, TOPICS_WITH_OBJECT: topics.join(","), PREVIOUS_SHAPES: previous.join(",") };
}

/** For each kill so many are acknowledged at each QoS at least, however long that takes on a machine that is busy with others. */
const EACH_KILL_MIN = 35;

async function killRepeatedly(broker: Broker, { kills, seconds }: ChaosOptions, streams: readonly Stream[]): Promise<void> {
  const every = (seconds * 1000) / (kills + 1);
  for (let kill = 0; kill < kills; kill += 1) {
    const begin = Date.now();
    const enough = Math.min(total(streams, 1), total(streams, 2)) + EACH_KILL_MIN;
    await pause(every * (0.25 + 0.75 * Math.random()));
    await broker.crash();
    await pause(Math.max(0, every - (Date.now() - begin)));
    while (Math.min(total(streams, 1), total(streams, 2)) < enough && Date.now() - begin < DRAIN_MS) await pause(50);
  }
}

/** Publishes while the runtime is killed, then waits until all is quiet, and accounts. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const data = await mkdtemp(join(tmpdir(), "durable-mqtt-chaos-"));
  const env = { TOPOLOGY: options.topology, ALLOW_ANONYMOUS: "true", QUEUE_MESSAGES_MAX };
  const [first, ...later] = options.shapes ?? [];
  let broker = await startBroker({ env: first === undefined ? env : { ...env, ...shapeSettings(first, []) }, data, log: () => {} });
  const clients: MqttClient[] = [];
  try {
    const durable = await Promise.all(VERSIONS.map((version) => subscriber(broker, version, false)));
    const clean = await Promise.all(VERSIONS.map((version) => subscriber(broker, version, true)));
    clients.push(...[...durable, ...clean].map(({ client }) => client));
    const streams: Stream[] = [];
    let isOver = false;
    const pouring: Promise<void>[] = [];
    for (const version of VERSIONS) {
      const client = connect(broker, version, `publisher of version ${version}`, false);
      clients.push(client);
      for (const topic of TOPICS) {
        for (const qos of [1, 2] as const) {
          const stream: Stream = { topic: `chaos/${version}/${topic}/${qos}`, qos, count: 0, acknowledged: new Set() };
          streams.push(stream);
          pouring.push(pour(client, stream, () => isOver));
        }
      }
    }
    await killRepeatedly(broker, options, streams);
    const previous = first === undefined ? [] : [first];
    for (const shape of later) {
      const { port } = broker;
      await broker.dispose();
      broker = await startBroker({ env: { ...env, ...shapeSettings(shape, previous) }, data, port, log: () => {} });
      previous.unshift(shape);
      await killRepeatedly(broker, options, streams);
    }
    isOver = true;
    await within(Promise.all(pouring), "acknowledging what was published", DRAIN_MS);
    await drained(durable, streams);
    return {
      problems: [
        ...durable.flatMap((each) => streams.flatMap((stream) => account(each, stream))),
        ...clean.flatMap((each) => streams.flatMap((stream) => accountClean(each, stream))),
      ],
      kills: options.kills,
      acknowledged: { 1: total(streams, 1), 2: total(streams, 2) },
      repeats: sum(durable.map(({ got }) => sum([...got.values()].map((numbers) => numbers.length - new Set(numbers).size)))),
      toClean: sum(clean.map(({ got }) => sum([...got.values()].map((numbers) => numbers.length)))),
    };
  } finally {
    await Promise.all(clients.map((client) => client.endAsync(true)));
    await broker.dispose();
    await rm(data, { recursive: true, force: true });
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

function total(streams: readonly Stream[], qos: 1 | 2): number {
  return sum(streams.filter((stream) => stream.qos === qos).map(({ acknowledged }) => acknowledged.size));
}

function missing({ got }: Subscriber, { topic, acknowledged }: Stream): number[] {
  const there = new Set(got.get(topic));
  return [...acknowledged].filter((number) => !there.has(number));
}

/** Waits until every durable subscriber has all, or for so long that what is missing is lost; then for what might come again. */
async function drained(durable: readonly Subscriber[], streams: readonly Stream[]): Promise<void> {
  const until = Date.now() + DRAIN_MS;
  const isOpen = (): boolean => durable.some((each) => streams.some((stream) => missing(each, stream).length > 0));
  while (isOpen() && Date.now() < until) await pause(50);
  await pause(500);
}

/** First copies out of order. */
function turned(numbers: readonly number[]): number[] {
  const firsts = [...new Set(numbers)];
  return firsts.filter((number, index) => index > 0 && number < firsts[index - 1]!);
}

function list(what: string, numbers: readonly number[], { name }: Subscriber, { topic }: Stream): string[] {
  if (numbers.length === 0) return [];
  const more = numbers.length > LISTED_MAX ? " ..." : "";
  return [`${name}: ${numbers.length} ${what} on ${topic}: ${numbers.slice(0, LISTED_MAX).join(", ")}${more}`];
}

function account(subscriber: Subscriber, stream: Stream): string[] {
  const numbers = subscriber.got.get(stream.topic) ?? [];
  const doubled = stream.qos === 2 ? numbers.filter((number, index) => numbers.indexOf(number) !== index) : [];
  return [
    ...list("missing", missing(subscriber, stream), subscriber, stream),
    ...list("doubled", doubled, subscriber, stream),
    ...list("out of order", turned(numbers), subscriber, stream),
  ];
}

/** A session that ends with its connection misses what comes meanwhile, and no more is promised than order. */
function accountClean(subscriber: Subscriber, stream: Stream): string[] {
  return list("out of order", turned(subscriber.got.get(stream.topic) ?? []), subscriber, stream);
}
