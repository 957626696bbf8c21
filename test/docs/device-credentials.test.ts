/** The recipe for per-device credentials in docs/security.md, as it stands there: its file, its commands, and devices that log in. */

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import mqtt, { type MqttClient } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { ADMIN_TOKEN } from "../support/admin-api.ts";

const recipe = readFileSync(join(ROOT, "docs/security.md"), "utf8").split("### Recipe: per-device credentials")[1]!.split("\n## ")[0]!;
const blocks = [...recipe.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({ language, text: text! }));
const commands = blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => text.trim().split("\n"));

let folder: string;
let broker: Broker;
const clients: MqttClient[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "durable-mqtt-recipe-"));
  broker = await startBroker({ env: { ADMIN_TOKEN } });
});
afterAll(async () => {
  for (const client of clients) client.end(true);
  await broker.dispose();
  rmSync(folder, { recursive: true });
});

/** A line of the recipe, for the broker of this test. */
async function run(line: string): Promise<void> {
  const script = line
    .replace(/npm run --silent (user|ban) --/, (_, name: string) => `"${process.execPath}" "${ROOT}/scripts/local/durable-mqtt.ts" ${name}`)
    .replace("https://mqtt.example.com", () => broker.url);
  expect(script).not.toBe(line);
  await promisify(execFile)("sh", ["-c", script], { cwd: folder, env: { ADMIN_TOKEN } });
}

async function connect(username: string, password: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(broker.mqttUrl, { username, password, protocolVersion: 5, reconnectPeriod: 0 }, false);
  clients.push(client);
  return client;
}

const ended = (client: MqttClient): Promise<number | undefined> =>
  new Promise((resolve) => client.once("disconnect", ({ reasonCode }) => resolve(reasonCode)));

test("devices of the recipe come in with their passwords, do what is theirs, and are shut out when the recipe says so", async () => {
  const [add, ban, password, lift, remove, ...more] = commands;
  expect(more).toEqual([]);
  writeFileSync(join(folder, "devices.csv"), blocks.find(({ language }) => language === "csv")!.text);
  await run(add!);
  const printed = readFileSync(join(folder, "passwords.ndjson"), "utf8").trim().split("\n");
  const passwords = new Map(
    printed.map((line) => JSON.parse(line) as { user: string; password: string }).map((each) => [each.user, each.password]),
  );
  const [one, two] = await Promise.all(["meter-1", "meter-2"].map((name) => connect(name, passwords.get(name)!)));
  await one!.publishAsync("devices/meter-1/telemetry/power", "7", { qos: 1 });
  await one!.subscribeAsync("devices/meter-1/commands/#");
  await expect(one!.publishAsync("devices/meter-2/telemetry/power", "7", { qos: 1 })).rejects.toThrow();
  await expect(one!.subscribeAsync("devices/+/commands/#")).rejects.toThrow();
  await expect(connect("meter-1", passwords.get("meter-2")!)).rejects.toMatchObject({ code: 0x86 });

  const lost = ended(two!);
  await run(ban!);
  expect(await lost).toBe(0x98);
  await expect(connect("meter-2", passwords.get("meter-2")!)).rejects.toMatchObject({ code: 0x8a });
  await run(password!);
  await run(lift!);
  await expect(connect("meter-2", passwords.get("meter-2")!)).rejects.toMatchObject({ code: 0x86 });
  await connect("meter-2", (JSON.parse(readFileSync(join(folder, "password.json"), "utf8")) as { password: string }).password);
  const scrapped = ended(one!);
  await run(remove!);
  expect(await scrapped).toBe(0x87);
});
