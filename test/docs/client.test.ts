/** docs/client.md: each of its programs runs against a broker and prints what the page says; what is from a test stands there. */

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";

const page = readFileSync(join(ROOT, "docs/client.md"), "utf8");

const blocksOf = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, code]) => code!);

const programs = blocksOf("ts");

let broker: Broker;
let folder: string;

beforeAll(async () => {
  broker = await startBroker({ env: { ALLOW_ANONYMOUS: "true" } });
  folder = mkdtempSync(join(tmpdir(), "durable-mqtt-docs-"));
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await broker.dispose();
});

it.each(programs.map((code, index) => [index, code] as const))("program %s prints what it says", async (index, code) => {
  const file = join(folder, `${index}.mts`);
  const client = JSON.stringify(join(ROOT, "src/client/index.ts"));
  writeFileSync(
    file,
    code.replaceAll('"durable-mqtt/client"', () => client).replaceAll("wss://broker.example/mqtt", () => broker.mqttUrl),
  );
  const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
  expect(stdout.trim().split("\n")).toEqual([...code.matchAll(/\/\/ -> (.*)/g)].map(([, line]) => line));
});

it("there are programs, and what is from a test is there, word for word", () => {
  expect(programs.length).toBeGreaterThan(4);
  const test = readFileSync(join(ROOT, "test/objects/client.test.ts"), "utf8");
  for (const code of blocksOf("js")) expect(test).toContain(code);
});
