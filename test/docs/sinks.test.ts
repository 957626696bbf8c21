/** The recipe of docs/embed.md that brings messages to a Queue, D1 and R2, as it stands there, with all three of them. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { bundleWorker, ROOT } from "../../scripts/build/bundle.ts";
import { COMPATIBILITY_DATE } from "../../scripts/local/local-broker.ts";
import { MqttTestClient } from "../support/mqtt-client.ts";

/** Type-checked, and what the recipe is. */
const FIXTURE = "test/fixtures/embed/sinks.ts";

/** Takes what comes through the Queue, and tells it. */
const TAKER = `
  const taken = [];
  export default {
    async queue({ messages }) { taken.push(...messages.map(({ body }) => body)); },
    fetch: () => Response.json(taken),
  };`;

let miniflare: Miniflare;
let url: string;
beforeAll(async () => {
  const objects = {
    SESSIONS: { className: "SessionObject", useSQLite: true },
    TOPICS: { className: "TopicObject", useSQLite: true },
    DIRECTORY: { className: "DirectoryObject", useSQLite: true },
  };
  miniflare = new Miniflare({
    workers: [
      {
        name: "broker",
        modules: [{ type: "ESModule", path: "worker.js", contents: await bundleWorker(FIXTURE) }],
        compatibilityDate: COMPATIBILITY_DATE,
        bindings: { ALLOW_ANONYMOUS: "true", TOPOLOGY: "compact" },
        durableObjects: objects,
        queueProducers: { JOBS: "jobs" },
        d1Databases: { READINGS: "readings" },
        r2Buckets: { ARCHIVE: "archive" },
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      },
      {
        name: "taker",
        modules: true,
        script: TAKER,
        compatibilityDate: COMPATIBILITY_DATE,
        queueConsumers: { jobs: { maxBatchTimeout: 0 } },
      },
    ],
    cf: false,
    log: new Log(LogLevel.NONE),
  });
  await miniflare.ready;
  url = `ws://127.0.0.1:${(await miniflare.unsafeGetDirectURL("broker")).port}/mqtt`;
});
afterAll(() => miniflare.dispose());

test("the page has the code that is type-checked and run", () => {
  const page = readFileSync(join(ROOT, "docs/embed.md"), "utf8").split("### Recipe: a Queue, D1 and R2\n")[1]!;
  const block = /```ts\n([\s\S]*?)```/.exec(page)![1]!;
  expect(block.replace('"durable-mqtt"', '"../../../src/index.ts"')).toBe(readFileSync(join(ROOT, FIXTURE), "utf8"));
});

test("messages come to the Queue, the database and the bucket", async () => {
  const readings = await miniflare.getD1Database("READINGS", "broker");
  await readings.exec("CREATE TABLE reading (id TEXT PRIMARY KEY, topic TEXT NOT NULL, value REAL NOT NULL)");
  const archive = await miniflare.getR2Bucket("ARCHIVE", "broker");
  const client = await MqttTestClient.open(url);
  await client.connect({ version: 5 });
  await client.publish("jobs/print", "a page", { qos: 1 });
  await client.publish("sensors/attic/temperature", "21.5", { qos: 1 });
  await client.publish("sensors/cellar/temperature", "12", { qos: 2 });
  const image = new Uint8Array([0xff, 0xd8, 0xff]);
  await client.publish("images/door", image, { qos: 1, properties: { contentType: "image/jpeg" } });

  const taker = await miniflare.getWorker("taker");
  await vi.waitFor(
    async () =>
      expect(await (await taker.fetch("http://taker/")).json()).toEqual([{ id: expect.any(String), topic: "jobs/print", text: "a page" }]),
    { timeout: 20_000 },
  );
  await vi.waitFor(
    async () => {
      const { results } = await readings.prepare("SELECT topic, value FROM reading ORDER BY topic").all();
      expect(results).toEqual([
        { topic: "sensors/attic/temperature", value: 21.5 },
        { topic: "sensors/cellar/temperature", value: 12 },
      ]);
    },
    { timeout: 20_000 },
  );
  const listed = await vi.waitFor(
    async () => {
      const { objects } = await archive.list({ prefix: "images/door/" });
      expect(objects.length).toBe(1);
      return objects[0]!;
    },
    { timeout: 20_000 },
  );
  const stored = (await archive.get(listed.key))!;
  expect([new Uint8Array(await stored.arrayBuffer()), stored.httpMetadata?.contentType]).toEqual([image, "image/jpeg"]);
  client.terminate();
});
