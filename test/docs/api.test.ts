/** docs/api.md, docs/presence.md and docs/api-examples.md: every line with curl is sent as it stands there, and is answered with what stands below it. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { tool } from "../package/support.ts";
import { openApi, operationAt } from "../support/contract.ts";

/** A line, and what it is answered with: undefined for a stream, which is that it begins. */
type Line = readonly [line: string, status: number, body: string | undefined];

function pageOf(name: string): { readonly text: string; readonly lines: readonly Line[] } {
  const text = readFileSync(join(ROOT, "docs", name), "utf8");
  const lines = [...text.matchAll(/^(curl -.*)\n(?:# -> (\d+)(?: (.*))?)?/gm)];
  return {
    text,
    lines: lines.map(([, line, status, body]) => [line!, Number(status ?? 200), status === undefined ? undefined : (body ?? "")]),
  };
}

/** Streams of the first page go on beside what it asks next. */
const API = pageOf("api.md");
const EXAMPLES = pageOf("api-examples.md");
const PRESENCE = pageOf("presence.md");

/** What curl would send: -H, -d, --data-binary, -X, -N and a URL are known. */
function requestOf(line: string, url: string, token: string): Request {
  const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain!);
  const headers = new Headers();
  let [body, method, target]: (string | undefined)[] = [];
  for (let index = 1; index < words.length; index += 1) {
    const word = words[index]!;
    if (word === "-H") {
      const [name, value] = words[++index]!.split(": ");
      headers.set(name!, value!.replace("$TOKEN", token));
    } else if (word === "-d" || word === "--data-binary") body = words[++index]!;
    else if (word === "-X") method = words[++index]!;
    else if (word.startsWith("http")) target = word.replace("http://127.0.0.1:8083", url);
    else if (word !== "-N") throw new Error(`${word} is not known: ${line}`);
  }
  return new Request(target!, { method: method ?? (body === undefined ? "GET" : "POST"), headers, body: body ?? null });
}

async function expectAnswer([line, status, body]: Line, url: string, token: string): Promise<void> {
  const response = await fetch(requestOf(line, url, token));
  expect(response.status, line).toBe(status);
  if (body === undefined) {
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    await response.body!.cancel();
    return;
  }
  // A text that is left out ends with its quotation mark, anything else where what follows says so.
  const quoted = body.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll('"\\.\\.\\."', '"(?:[^"\\\\]|\\\\.)+"');
  const pattern = quoted.replaceAll("\\.\\.\\.", "[^]*");
  expect(await response.text()).toMatch(new RegExp(`^${pattern}$`));
}

describe("api.md, presence.md", () => {
  let broker: Broker;
  let token: string;
  beforeAll(async () => {
    // As the page says, and with what it prints.
    const [, call] = /^npx durable-mqtt (api-token .*?) {2,}#/m.exec(API.text)!;
    const printed = await tool("node", [join(ROOT, "scripts/local/durable-mqtt.ts"), ...call!.split(" ")], ROOT);
    const [first, ...rest] = printed.trimEnd().split("\n");
    token = first!;
    broker = await startBroker({ env: { ALLOW_ANONYMOUS: "true", PRESENCE: "true", API_TOKENS: rest.at(-1)! } });
  });
  afterAll(() => broker.dispose());

  test("there are some", () => expect(API.lines.length).toBeGreaterThan(5));
  test.each(API.lines.filter(([, , body]) => body !== undefined))("%s", (...line) => expectAnswer(line, broker.url, token));
  test.each(PRESENCE.lines)("%s", (...line) => expectAnswer(line, broker.url, token));
});

describe("api-examples.md", () => {
  const token = "an-admin-token-of-many-letters";
  let broker: Broker;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    broker = await startBroker({ env: { TOPOLOGY: "compact", ALLOW_ANONYMOUS: "true", ADMIN_TOKEN: token, MONITOR: "true" } });
    const door = await connectAsync(broker.mqttUrl, {
      ...{ clientId: "door", protocolVersion: 5, clean: false, reconnectPeriod: 0 },
      properties: { sessionExpiryInterval: 600 },
    });
    door.on("message", (_topic, payload, { properties }) => {
      const { responseTopic, correlationData } = properties ?? {};
      if (responseTopic !== undefined)
        door.publish(responseTopic, String(payload).toUpperCase(), { qos: 1, properties: { correlationData: correlationData! } });
    });
    await door.subscribeAsync("doors/#", { qos: 1 });
    stop = () => door.endAsync(true);
  });
  afterAll(async () => {
    await stop?.();
    await broker?.dispose();
  });

  test.each(EXAMPLES.lines)("%s", (...line) => expectAnswer(line, broker.url, token));

  test("every request of the API is among them", () => {
    const shown = EXAMPLES.lines.map(([line]) => {
      const { method, url } = requestOf(line, "http://broker", token);
      const { path } = operationAt(method, url.replace("http://broker/api/v5", ""))!;
      return `${method} ${path}`;
    });
    const all = Object.entries(openApi.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect([...new Set(shown)].sort()).toEqual(all.sort());
  });
});
