/** What is published where the object that does it does not start, because a newer version has written its database. */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { API_ENV, call } from "../support/api.ts";

const data = mkdtempSync(join(tmpdir(), "durable-mqtt-unreachable-"));
const start = (): Promise<Broker> =>
  startBroker({ data, env: { ...API_ENV, TOPOLOGY: "sharded", SESSION_SHARDS: "1", TOPIC_SHARDS: "1" }, log: () => {} });
let broker: Broker;

beforeAll(async () => {
  broker = await start();
  expect((await call(broker, "/publish", { body: { topic: "t", payload: "x", qos: 1 } })).status).toBe(202);
  await broker.dispose();
  const folder = join(data, "objects/durable-mqtt-SessionObject");
  for (const file of readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name))) {
    const database = new DatabaseSync(join(folder, file));
    database.exec("CREATE TABLE IF NOT EXISTS migration (role TEXT PRIMARY KEY, applied TEXT NOT NULL) WITHOUT ROWID");
    const ofTheFuture = JSON.stringify(Array.from({ length: 1000 }, (_, index) => `migration ${index}`));
    database.prepare("INSERT OR REPLACE INTO migration VALUES ('session', ?)").run(ofTheFuture);
    database.close();
  }
  broker = await start();
});
afterAll(async () => {
  await broker.dispose();
  rmSync(data, { recursive: true, force: true });
});

const message = { topic: "t", payload: "x", qos: 1 };
const unavailable = { reason_code: 0x88, message: expect.stringContaining("its object could not be reached") };

test.each<readonly [path: string, body: unknown, answer: unknown]>([
  ["/publish", message, unavailable],
  ["/publish/bulk", [message], [unavailable]],
  ["/topics/t?qos=1", "x", unavailable],
  ["/request", { request: { topic: "t", payload: "x" } }, { reason_code: 0x88, message: expect.any(String) }],
  ["/connections/c/messages?topic=t", "x", { code: "SERVICE_UNAVAILABLE", message: expect.stringContaining("could not be reached") }],
])("%s is answered that it may be tried again", async (path, body, answer) => {
  expect(await call(broker, path, { body })).toEqual({ status: 503, body: answer });
});
