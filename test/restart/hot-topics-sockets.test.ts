/** A topic with an object of its own on a real broker: everything that looks at all topics sees it, and it comes and goes with what it has. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, SUCCESS } from "../../src/mqtt/reason-code.ts";
import { ADMIN_TOKEN, done } from "../support/admin-api.ts";
import { type ConnectOptions, MqttTestClient } from "../support/mqtt-client.ts";

const data = mkdtempSync(join(tmpdir(), "durable-mqtt-hot-"));
const lines: string[] = [];
let broker: Broker;

afterAll(async () => {
  await broker.dispose();
  rmSync(data, { recursive: true });
});

async function start(topics: string, previous: string): Promise<void> {
  const shape = { TOPOLOGY: "sharded", SESSION_SHARDS: "2", TOPIC_SHARDS: "2", TOPICS_WITH_OBJECT: topics, PREVIOUS_SHAPES: previous };
  const env = { ...shape, ADMIN_TOKEN, ALLOW_ANONYMOUS: "true" };
  broker = await startBroker({ data, env, log: (line) => void lines.push(line) });
}

async function connect(clientId: string, options: ConnectOptions = {}): Promise<MqttTestClient> {
  const client = await MqttTestClient.open(broker.mqttUrl, { version: 5, clientId });
  expect((await client.connect({ version: 5, ...options })).reasonCode).toBe(SUCCESS);
  return client;
}

interface RetainedPage {
  readonly data: readonly { readonly topic: string }[];
  readonly meta: { readonly cursor?: string };
}

const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } } as const;

async function objects(): Promise<string[]> {
  return ((await done(broker.url, "GET", "/metrics")) as { node: string }[])
    .map(({ node }) => node)
    .filter((node) => node.startsWith("topic/"));
}

async function retained(): Promise<string[]> {
  const topics: string[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined; ) {
    const query: string = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const page = (await done(broker.url, "GET", `/mqtt/retainer/messages${query}`)) as RetainedPage;
    topics.push(...page.data.map(({ topic }) => topic));
    cursor = page.meta.cursor;
  }
  return topics.sort();
}

test("a hot topic has its object, gives it up and is refused it, with what it retains and who wants it", async () => {
  await start("ticker", "");
  const [kept, watcher, publisher] = [await connect("kept", KEPT), await connect("watcher"), await connect("publisher")];
  await kept.subscribe("ticker", { qos: 2 });
  await watcher.subscribe("#", { qos: 1 });
  const present = (await done(broker.url, "GET", "/presence?filter=ticker")) as { data: { clientid: string }[] };
  expect(present.data.map(({ clientid }) => clientid)).toEqual(["kept"]);
  await publisher.publish("cold", "1", { qos: 1, retain: true });
  await publisher.publish("ticker", "1", { qos: 2, retain: true });
  expect(await kept.texts(1)).toEqual(["1"]);
  expect((await watcher.messages(2)).map(({ topic }) => topic)).toEqual(["cold", "ticker"]);
  expect(await retained()).toEqual(["cold", "ticker"]);
  expect(await objects()).toEqual(["topic/0", "topic/1", "topic/own/ticker"]);
  const late = await connect("late");
  await late.subscribe("+", { qos: 0 });
  expect((await late.messages(2)).map(({ topic }) => topic).sort()).toEqual(["cold", "ticker"]);
  await kept.close();
  await publisher.publish("ticker", "2", { qos: 2, retain: true });
  await broker.dispose();
  await start("", "2+2+ticker");
  const again = await connect("kept", KEPT);
  expect([again.connack!.sessionPresent, await again.texts(1)]).toEqual([true, ["2"]]);
  const other = await connect("publisher");
  await other.publish("ticker", "3", { qos: 1 });
  expect(await again.texts(1)).toEqual(["3"]);
  expect(await retained()).toEqual(["cold", "ticker"]);
  expect(await objects()).toEqual(["topic/0", "topic/1"]);
  await broker.dispose();
  await start("ticker", "");
  const refused = await connect("publisher");
  expect(await refused.publish("ticker", "4", { qos: 1 })).toMatchObject({ reasonCode: IMPLEMENTATION_SPECIFIC_ERROR });
  expect(lines.join("\n")).toContain("PREVIOUS_SHAPES must name that shape");
});
