/** `durable-mqtt/testing` in Node, from its sources; `installed.test.ts` has it from the package. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import type { Subscription } from "../../src/client/index.ts";
import { COMPATIBILITY_DATE, startBroker, type TestBroker, type TestBrokerOptions } from "../../testing/broker.ts";

const started: TestBroker[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((broker) => broker.stop()));
});

/** With a Worker as users have one: the built one of the package is not there in the sources. */
async function start(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = await startBroker({ worker: join(ROOT, "testing/worker.ts"), settings: { ALLOW_ANONYMOUS: true }, ...options });
  started.push(broker);
  return broker;
}

async function first(subscription: Subscription): Promise<string> {
  for await (const message of subscription) return message.text();
  throw new Error("The subscription has ended.");
}

it("two brokers have nothing to do with each other", async () => {
  const [one, other] = await Promise.all([start(), start()]);
  expect(one.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/mqtt$/);
  expect(one.url).not.toBe(other.url);
  const [here, there] = await Promise.all([one.connect(), other.connect()]);
  await here.publish("kept", "one", { qos: 1, retain: true });
  const [fromOne, fromOther] = [await here.subscribe("#"), await there.subscribe("#")];
  await there.publish("kept", "other");
  expect(await Promise.all([first(fromOne), first(fromOther)])).toEqual(["one", "other"]);
});

it("a setting that is wrong is said in its sentence", async () => {
  await expect(start({ settings: { SESSION_SHARDS: "many" } })).rejects.toThrow(/SESSION_SHARDS/);
});

it("a Worker that cannot be built is said", async () => {
  await expect(start({ worker: new URL("./no-such-worker.ts", import.meta.url) })).rejects.toThrow(/no-such-worker/);
});

it("stop ends clients that are connected, and nobody listens any more", async () => {
  const broker = await start();
  const client = await broker.connect();
  const ended = new Promise((resolve) => client.on("closed", resolve));
  await broker.stop();
  expect(await ended).toBeUndefined();
  await expect(fetch(`${broker.httpUrl}/health`)).rejects.toThrow();
});

it("runs with the compatibility date of a deploy", () => {
  expect(readFileSync(join(ROOT, "wrangler.toml"), "utf8")).toContain(`compatibility_date = "${COMPATIBILITY_DATE}"`);
});
