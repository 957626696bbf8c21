/** The recipes for an HTTP service and for another Worker in docs/security.md, as they stand there. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { transform } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { type Broker, type BrokerOptions, startBroker } from "../../scripts/local/local-broker.ts";
import { connectPacket, MqttTestClient, unique } from "../support/mqtt-client.ts";

const PAGE = readFileSync(join(ROOT, "docs/security.md"), "utf8");

/** The first block of code of a language in a recipe. */
function block(recipe: string, language: string): string {
  return new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(PAGE.split(`### Recipe: ${recipe}\n`)[1]!)![1]!;
}

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});

async function start(options: BrokerOptions): Promise<Broker> {
  const broker = await startBroker({ log: () => {}, ...options });
  ends.push(() => broker.dispose());
  return broker;
}

async function login(broker: Broker, userName: string, password: string): Promise<MqttTestClient> {
  const client = await MqttTestClient.open(broker.mqttUrl);
  client.send(connectPacket({ userName, password, version: 5 }));
  const packet = await client.next();
  client.connack = packet as NonNullable<MqttTestClient["connack"]>;
  return client;
}

async function rightsOf(client: MqttTestClient, filters: readonly string[]): Promise<boolean[]> {
  const rights = [];
  for (const filter of filters) rights.push((await client.subscribe(filter)).reasonCodes[0]! < 0x80);
  client.terminate();
  return rights;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

/** Resolves when something listens there. */
async function listening(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const isThere = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (isThere) return;
  }
  throw new Error("the recipe has ended");
}

test("an own HTTP service", async () => {
  const folder = mkdtempSync(join(tmpdir(), "recipe-"));
  ends.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "auth.mjs"), block("an own HTTP service", "js"));
  const port = await freePort();
  const child = spawn(process.execPath, ["auth.mjs"], { cwd: folder, env: { SECRET: "of-the-broker", PORT: `${port}` }, stdio: "inherit" });
  ends.push(() => child.kill());
  await listening(port, child);
  const HTTP_AUTH_HEADERS = block("an own HTTP service", "json");
  const broker = await start({ env: { HTTP_AUTH_URL: `http://127.0.0.1:${port}/`, HTTP_AUTH_HEADERS } });
  const sensor = await login(broker, "sensor-1", "m8kq2vYt0xkq3w7n");
  expect(sensor.connack!.reasonCode).toBe(0);
  expect(await rightsOf(sensor, ["commands/sensor-1/#", "commands/sensor-2/#", "sensors/sensor-1/a"])).toEqual([true, false, false]);
  expect((await login(broker, "sensor-1", "another")).connack!.reasonCode).toBe(0x87);
  expect((await login(broker, "sensor-2", "m8kq2vYt0xkq3w7n")).connack!.reasonCode).toBe(0x86);
  const stranger = await start({ env: { HTTP_AUTH_URL: `http://127.0.0.1:${port}/` } });
  expect((await login(stranger, "sensor-1", "m8kq2vYt0xkq3w7n")).connack!.reasonCode).toBe(0x88);
});

test("another Worker", async () => {
  const key = unique("key");
  const hashed = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(key))).toString("hex");
  const device = JSON.stringify({ key: hashed, site: "s1" });
  const { code } = await transform(block("another Worker", "ts"), { loader: "ts" });
  // Its namespace of KV is one entry here.
  const stored = `{ get: async (name) => (name === "device:sensor-1" ? ${device} : null) }`;
  const broker = await start({ authWorker: code.replace("this.env.DEVICES", stored) });
  const sensor = await login(broker, "sensor-1", key);
  expect(sensor.connack!.reasonCode).toBe(0);
  expect(await rightsOf(sensor, ["sites/s1/#", "sites/s2/#"])).toEqual([true, false]);
  expect((await login(broker, "sensor-1", `${key}.`)).connack!.reasonCode).toBe(0x87);
  expect((await login(broker, "sensor-2", key)).connack!.reasonCode).toBe(0x86);
});
