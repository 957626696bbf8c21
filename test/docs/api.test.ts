/** docs/api.md: every line with curl is sent as it stands there, and is answered with what stands below it; docs/events.md: its line is a stream of events. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { tool } from "../package/support.ts";
import { MqttTestClient } from "../support/mqtt-client.ts";

const TEXT = readFileSync(join(ROOT, "docs/api.md"), "utf8");
const LINES = [...TEXT.matchAll(/^(curl .*)\n# -> (\d+) (.*)$/gm)].map(([, line, status, body]) => [line!, Number(status), body!] as const);

let broker: Broker;
let token: string;
const adminToken = "a-token-for-everything";

beforeAll(async () => {
  // As the page says, and with what it prints.
  const [, call] = /^npx durable-mqtt (api-token .*?) {2,}#/m.exec(TEXT)!;
  const printed = await tool("node", [join(ROOT, "scripts/local/durable-mqtt.ts"), ...call!.split(" ")], ROOT);
  const [first, ...rest] = printed.trimEnd().split("\n");
  token = first!;
  const operator = { name: "operator", sha256: createHash("sha256").update(adminToken).digest("hex"), scopes: ["admin"] };
  const tokens = JSON.stringify([...(JSON.parse(rest.at(-1)!) as object[]), operator]);
  broker = await startBroker({ env: { ALLOW_ANONYMOUS: "true", API_TOKENS: tokens } });
});
afterAll(() => broker.dispose());

/** What curl would send: -N, -H, -d, --data-binary and a URL are known. */
function requestOf(line: string, shown = token): Request {
  const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain!);
  const headers = new Headers();
  let [body, url]: (string | undefined)[] = [];
  for (let index = 1; index < words.length; index += 1) {
    const word = words[index]!;
    if (word === "-H") {
      const [name, value] = words[++index]!.split(": ");
      headers.set(name!, value!.replace("$TOKEN", shown));
    } else if (word === "-d" || word === "--data-binary") body = words[++index]!;
    else if (word.startsWith("http")) url = word.replace("http://127.0.0.1:8083", broker.url);
    else if (word !== "-N") throw new Error(`${word} is not known: ${line}`);
  }
  return new Request(url!, { method: body === undefined ? "GET" : "POST", headers, body: body ?? null });
}

test("docs/events.md: events come as a stream", async () => {
  const [line] = /^curl .*$/m.exec(readFileSync(join(ROOT, "docs/events.md"), "utf8"))!;
  const response = await fetch(requestOf(line, adminToken));
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? "";
  const client = await MqttTestClient.open(broker.mqttUrl, {});
  await client.connect({ clientId: "somebody" });
  while (!text.includes("somebody")) text += (await reader.read()).value ?? "";
  client.terminate();
  expect(text).toContain('"topic":"$events/client/connected"');
  await reader.cancel();
});

test("there are some", () => expect(LINES.length).toBeGreaterThan(5));

test.each(LINES)("%s", async (line, status, body) => {
  const response = await fetch(requestOf(line));
  const pattern = body.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("\\.\\.\\.", '[^"]+');
  expect(response.status).toBe(status);
  expect(await response.text()).toMatch(new RegExp(`^${pattern}$`));
});
