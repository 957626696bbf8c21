/** The Worker of docs/embed.md that shows what `defineBroker` takes, as it stands there, with its database. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleWorker, ROOT } from "../../scripts/build/bundle.ts";
import { COMPATIBILITY_DATE } from "../../scripts/local/local-broker.ts";
import { block } from "../package/support.ts";
import { MqttTestClient, request, textOf } from "../support/mqtt-client.ts";

/** Type-checked, and what the page has. */
const FIXTURE = "test/fixtures/embed/own.ts";
const SECRET = "a-long-and-random-secret";

let miniflare: Miniflare;
let url: string;
beforeAll(async () => {
  miniflare = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.js", contents: await bundleWorker(FIXTURE) }],
    compatibilityDate: COMPATIBILITY_DATE,
    durableObjects: {
      SESSIONS: { className: "SessionObject", useSQLite: true },
      TOPICS: { className: "TopicObject", useSQLite: true },
    },
    d1Databases: { DB: "devices" },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    cf: false,
    log: new Log(LogLevel.NONE),
  });
  await miniflare.ready;
  url = `ws://127.0.0.1:${(await miniflare.unsafeGetDirectURL()).port}/mqtt`;
  const devices = await miniflare.getD1Database("DB");
  await devices.exec("CREATE TABLE device (name TEXT PRIMARY KEY, secret TEXT NOT NULL, site TEXT NOT NULL)");
  const secret = createHash("sha256").update(SECRET).digest("base64");
  for (const name of ["lamp", "door"]) await devices.prepare("INSERT INTO device VALUES (?, ?, 's1')").bind(name, secret).run();
});
afterAll(() => miniflare.dispose());

async function login(userName: string, password: string): Promise<{ client: MqttTestClient; reasonCode: number }> {
  const client = await MqttTestClient.open(url, { clientId: userName });
  const { reasonCode } = await client.connect({ version: 5, userName, password });
  return { client, reasonCode };
}

test("the page has the code that is type-checked and run", () => {
  expect(block("docs/embed.md", "## What it takes", "ts").replace('"durable-mqtt"', '"../../../src/index.ts"')).toBe(
    readFileSync(join(ROOT, FIXTURE), "utf8"),
  );
});

test("devices come in by the database, are in their site, and what they say is looked at", async () => {
  expect((await login("lamp", "wrong")).reasonCode).toBe(0x87);
  const { client: door } = await login("door", SECRET);
  expect((await door.subscribe([request("sites/s1/#", 1), request("sites/s2/#", 1)])).reasonCodes).toEqual([1, 0x87]);
  const { client: lamp } = await login("lamp", SECRET);
  expect((await lamp.publish("sites/s1/lamp", "x".repeat(1001), { qos: 1 }))?.reasonCode).toBe(0x97);
  await lamp.publish("sites/s1/raw", "21.5", { qos: 1 });
  const message = await door.message();
  expect([message.topic, textOf(message), message.properties]).toEqual(["sites/s1/reading", "21.5", { contentType: "text/plain" }]);
  await lamp.disconnect(0, { reasonString: "good night" });
  expect(textOf(await door.message())).toBe("lamp: good night");
  door.terminate();
});

test("what is no path of the broker is the Worker's own", async () => {
  const answer = await fetch(url.replace("ws:", "http:").replace("/mqtt", "/else"));
  expect([answer.status, await answer.text()]).toEqual([404, "Not found"]);
});
