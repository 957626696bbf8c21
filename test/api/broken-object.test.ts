/** `/metrics` of a real broker one of whose objects does not start because a newer version has written its database. */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { type Exposition, readExposition } from "../support/exposition.ts";
import { MqttTestClient } from "../support/mqtt-client.ts";

const TOKEN = "a-token-of-the-tests";
const data = mkdtempSync(join(tmpdir(), "durable-mqtt-"));
const start = (): Promise<Broker> =>
  startBroker({
    data,
    env: { TOPOLOGY: "sharded", SESSION_SHARDS: "1", TOPIC_SHARDS: "1", ALLOW_ANONYMOUS: "true", METRICS_TOKEN: TOKEN },
    log: () => {},
  });
let broker: Broker | undefined;

afterAll(async () => {
  await broker?.dispose();
  rmSync(data, { recursive: true, force: true });
});

async function read({ url }: Broker): Promise<Exposition> {
  const response = await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${TOKEN}` } });
  expect(response.status).toBe(200);
  return readExposition(await response.text());
}

const upOf = ({ samples }: Exposition) =>
  samples.filter(({ metric }) => metric === "durable_mqtt_object_up").map(({ labels, value }) => [labels.object, value]);

const repeatedOf = ({ samples }: Exposition): number | undefined =>
  samples.find(({ metric, labels }) => metric === "durable_mqtt_calls_repeated_total" && labels.object === "session/0")?.value;

it("it is not up, the other one is, and counts the calls that it makes again", async () => {
  broker = await start();
  expect(upOf(await read(broker))).toEqual([
    ["session/0", 1],
    ["topic/0", 1],
  ]);
  await broker.dispose();
  const folder = join(data, "objects/durable-mqtt-TopicObject");
  const [file] = readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  const database = new DatabaseSync(join(folder, file!));
  database.exec("CREATE TABLE IF NOT EXISTS migration (role TEXT PRIMARY KEY, applied TEXT NOT NULL) WITHOUT ROWID");
  const ofTheFuture = JSON.stringify(Array.from({ length: 1000 }, (_, index) => `migration ${index}`));
  database.prepare("INSERT OR REPLACE INTO migration VALUES ('routing', ?)").run(ofTheFuture);
  database.close();

  broker = await start();
  const before = await read(broker);
  expect(upOf(before)).toEqual([
    ["session/0", 1],
    ["topic/0", 0],
  ]);
  expect(before.samples.filter(({ labels }) => labels.object === "topic/0")).toHaveLength(1);
  expect(repeatedOf(before)).toBe(0);
  const client = await MqttTestClient.open(broker.mqttUrl);
  await client.connect();
  void client.publish("t", "", { qos: 1 }).catch(() => {});
  await expect.poll(async () => repeatedOf(await read(broker!))).toBeGreaterThan(0);
  client.terminate();
});
