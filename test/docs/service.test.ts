/** The Worker of docs/embed.md that is bound to a broker, as it stands there. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleWorker, ROOT } from "../../scripts/build/bundle.ts";
import { COMPATIBILITY_DATE } from "../../scripts/local/local-broker.ts";
import { block } from "../package/support.ts";
import { MqttTestClient, request } from "../support/mqtt-client.ts";

/** Type-checked, and what the page has. */
const FIXTURE = "test/fixtures/service/own.ts";

let miniflare: Miniflare;
let lamp: MqttTestClient;
beforeAll(async () => {
  const worker = async (name: string, source: string) => ({
    name,
    modules: [{ type: "ESModule" as const, path: `${name}.js`, contents: await bundleWorker(source) }],
    compatibilityDate: COMPATIBILITY_DATE,
  });
  miniflare = new Miniflare({
    cf: false,
    log: new Log(LogLevel.NONE),
    workers: [
      { ...(await worker("own", FIXTURE)), serviceBindings: { MQTT: { name: "my-broker", entrypoint: "MqttService" } } },
      {
        ...(await worker("my-broker", "src/worker.ts")),
        bindings: { TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true" },
        durableObjects: {
          SESSIONS: { className: "SessionObject", useSQLite: true },
          TOPICS: { className: "TopicObject", useSQLite: true },
        },
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      },
    ],
  });
  await miniflare.ready;
  lamp = await MqttTestClient.open(`${(await miniflare.unsafeGetDirectURL("my-broker")).href.replace("http", "ws")}mqtt`);
  await lamp.connect({ version: 5 });
});
afterAll(async () => {
  lamp.terminate();
  await miniflare.dispose();
});

async function ask(path: string): Promise<readonly [status: number, text: string]> {
  const answer = await miniflare.dispatchFetch(`http://own${path}`);
  return [answer.status, await answer.text()];
}

test("the page has the code that is type-checked and run", () => {
  expect(block("docs/embed.md", "## Other Workers", "ts").replace('"durable-mqtt"', '"../../../src/index.ts"')).toBe(
    readFileSync(join(ROOT, FIXTURE), "utf8"),
  );
});

test("it switches, asks, waits and reads", async () => {
  expect(await ask("/switch")).toEqual([404, "there is no lamp"]);
  expect(await ask("/state")).toEqual([502, "request to lamps/hall/state: nobody is subscribed to it"]);
  await lamp.subscribe([request("lamps/hall", 1), request("lamps/hall/state", 1)]);
  await lamp.message();
  expect(await ask("/switch")).toEqual([200, "the lamp has heard it"]);
  await lamp.message();
  const state = ask("/state");
  const { responseTopic, correlationData } = (await lamp.message()).properties;
  await lamp.publish(responseTopic!, "on", { qos: 1, properties: { correlationData: correlationData! } });
  expect(await state).toEqual([200, "on"]);
  expect(await ask("/state")).toEqual([504, "request to lamps/hall/state: no response within 1000 ms"]);
  await lamp.publish("sensors/a/temperature", "21", { qos: 1, retain: true });
  const next = ask("/next");
  // It comes again and again until somebody has subscribed and had two.
  let isOver = false;
  void next.finally(() => {
    isOver = true;
  });
  while (!isOver) await lamp.publish("sensors/b/temperature", "22", { qos: 1 });
  expect(await next).toEqual([200, "sensors/a/temperature: 21\nsensors/b/temperature: 22"]);
  expect(JSON.parse((await ask("/"))[1]).sort()).toEqual(["lamps/hall", "sensors/a/temperature"]);
});
