/**
 * The projects of `examples/`, as strangers have them: copied to a place outside this one in which the package is installed, type-checked, run by
 * `wrangler dev`, and used with what each of them says of itself.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { launchBrowser } from "../support/browser.ts";
import { longTest } from "../support/long.ts";
import { type ConnectOptions, MqttTestClient, textOf } from "../support/mqtt-client.ts";
import { underWrangler } from "../support/wrangler-dev.ts";
import { emptyFolder, install, link, pack, tool, write } from "./support.ts";

/** Most of it is wrangler's start, on a machine that does much else. */
const TEST_MS = 120_000;
const PHONE = { width: 390, height: 844 };

const folder = emptyFolder();
const at = (...path: string[]): string => join(folder, ...path);
let browser: Browser;

beforeAll(async () => {
  await install(folder, await pack(folder));
  link(folder, ["mqtt", "uplot", "@cloudflare/workers-types"]);
  cpSync(join(ROOT, "examples"), folder, {
    recursive: true,
    filter: (path) => !/node_modules|\.wrangler|\.dev\.vars$|page\.(js|css)$/.test(path),
  });
  browser = await launchBrowser();
}, TEST_MS);

const children: ChildProcess[] = [];
const contexts: BrowserContext[] = [];

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
  for (const child of children.splice(0)) await stop(child);
});

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exited;
}

/** Runs a program of an example. @returns once it has printed that */
async function run(
  name: string,
  program: readonly string[],
  printed: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const child = spawn(process.execPath, program, { cwd: at(name), env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let text = "";
  await new Promise<void>((resolve, reject) => {
    const look = (more: Buffer): void => {
      text += more;
      if (printed.test(text)) resolve();
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.once("exit", () => reject(new Error(`${program.join(" ")} ended:\n${text}`)));
  });
  return child;
}

/** Runs the Worker of an example as its `npm run dev` does. @param vars variables besides */
async function worker(
  name: string,
  vars: Readonly<Record<string, string>>,
  body: (url: string, mqttUrl: string) => Promise<void>,
): Promise<void> {
  const args = Object.entries(vars).flatMap(([key, value]) => ["--var", `${key}:${value}`]);
  await underWrangler({ configs: [at(name, "wrangler.toml")], folder: at(name), args }, (url) =>
    body(url, `${url.replace("http", "ws")}/mqtt`),
  );
}

async function connect(url: string, options: ConnectOptions & { readonly clientId: string }): Promise<MqttTestClient> {
  const client = await MqttTestClient.open(url, options);
  const { reasonCode } = await client.connect({ version: 5, ...options });
  expect(reasonCode).toBe(0);
  return client;
}

async function open(url: string, viewport = PHONE): Promise<Page> {
  const context = await browser.newContext({ viewport, locale: "en-GB" });
  contexts.push(context);
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(url);
  return page;
}

const fits = (page: Page): Promise<boolean> => page.evaluate<boolean>("document.documentElement.scrollWidth <= innerWidth");

const eventually = <Value>(ask: () => Promise<Value>): ReturnType<typeof expect.poll<Value>> => expect.poll(ask, { timeout: 30_000 });

test("their types are right", { timeout: TEST_MS }, async () => {
  const options = {
    target: "ES2024",
    module: "ESNext",
    moduleResolution: "bundler",
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
  };
  write(folder, {
    "workers.json": JSON.stringify({
      compilerOptions: { ...options, lib: ["ES2024"], types: ["@cloudflare/workers-types"] },
      include: ["*/src/worker.ts"],
    }),
    "pages.json": JSON.stringify({
      compilerOptions: { ...options, lib: ["ES2024", "DOM", "DOM.Iterable"], types: [] },
      include: ["*/src/page.ts", "css.d.ts"],
    }),
    "css.d.ts": 'declare module "*.css";\n',
  });
  await tool("tsc", ["-p", "workers.json"], folder);
  await tool("tsc", ["-p", "pages.json"], folder);
});

test("worker: who published stands in each message, and who leaves is told", { timeout: TEST_MS }, async () => {
  await worker("worker", { ALLOW_ANONYMOUS: "true" }, async (_url, mqttUrl) => {
    const ada = await connect(mqttUrl, { clientId: "ada" });
    await ada.subscribe("#", { qos: 1 });
    const bob = await connect(mqttUrl, { clientId: "bob" });
    await bob.publish("hello", "hi", { qos: 1 });
    const message = await ada.message();
    expect([message.topic, message.properties.userProperties]).toEqual(["hello", [["from", "bob"]]]);
    await bob.disconnect(0, { reasonString: "good night" });
    const gone = await ada.message();
    expect([gone.topic, textOf(gone)]).toEqual(["gone/bob", "good night"]);
    ada.terminate();
  });
});

longTest("request: a device answers over HTTP, and who is not there does not", { timeout: TEST_MS }, async () => {
  await worker("request", { ALLOW_ANONYMOUS: "true", API_TOKEN: "a-token-of-your-own" }, async (url, mqttUrl) => {
    const ask = async (path: string, init: RequestInit = {}, token = "a-token-of-your-own"): Promise<readonly [number, string]> => {
      const answer = await fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${token}` } });
      return [answer.status, await answer.text()];
    };
    await run("request", ["device.mjs", mqttUrl, "kitchen"], /kitchen listens/);
    const [status, temperature] = await ask("/devices/kitchen/temperature");
    expect([status, temperature]).toEqual([200, expect.stringMatching(/^\d\d\.\d$/)]);
    expect(await ask("/devices/kitchen/light", { method: "POST", body: "on" })).toEqual([200, "on"]);
    expect(await ask("/devices/kitchen/light")).toEqual([200, "on"]);
    expect(await ask("/devices/cellar/light")).toEqual([404, '{"error":"nobody answers for devices/cellar/light"}']);
    expect((await ask("/devices/kitchen/+"))[0]).toBe(404);
    expect((await ask("/devices/kitchen/light", {}, "another"))[0]).toBe(401);
    const mute = await connect(mqttUrl, { clientId: "mute" });
    await mute.subscribe("devices/mute/light", { qos: 1 });
    expect((await ask("/devices/mute/light"))[0]).toBe(504);
    mute.terminate();
  });
});

longTest("fleet: a truck has the rights of its token, and its alarms go through the Queue", { timeout: TEST_MS }, async () => {
  const token = (await tool("node", ["token.mjs", "truck-7"], at("fleet"))).trim();
  const vars = Object.fromEntries(
    readFileSync(at("fleet", ".dev.vars"), "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split("=") as [string, string]),
  );
  await worker("fleet", vars, async (url, mqttUrl) => {
    const stranger = await MqttTestClient.open(mqttUrl, { clientId: "truck-8" });
    expect((await stranger.connect({ version: 5, userName: "truck-8", password: `${token}x` })).reasonCode).toBe(0x86);
    await run("fleet", ["truck.mjs", mqttUrl, "truck-7", "the tank is empty", "a tyre is flat"], /truck-7 is on the road/, {
      MQTT_TOKEN: token,
    });
    const kept = async (): Promise<readonly { readonly truck: string; readonly text: string }[]> =>
      (await fetch(`${url}/alarms`, { headers: { authorization: `Bearer ${vars.API_TOKEN}` } })).json() as never;
    await vi.waitFor(
      async () => {
        const alarms = (await kept()).map(({ truck, text }) => `${truck}: ${text}`).sort();
        expect(alarms).toEqual(["truck-7: a tyre is flat", "truck-7: the tank is empty"]);
      },
      { timeout: 30_000, interval: 200 },
    );
    expect((await fetch(`${url}/alarms`)).status).toBe(401);
    for (const child of children.splice(0)) await stop(child);
    const truck = await connect(mqttUrl, { clientId: "truck-7", userName: "truck-7", password: token });
    expect((await truck.publish("fleet/truck-8/alarm", "mine", { qos: 1 }))?.reasonCode).toBe(0x87);
    expect((await truck.subscribe("fleet/#", { qos: 1 })).reasonCodes).toEqual([0x87]);
    expect((await truck.subscribe("fleet/truck-7/orders/#", { qos: 1 })).reasonCodes).toEqual([1]);
    truck.terminate();
  });
});

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server: Server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("in a browser", () => {
  longTest("home: sensors over TCP are plotted, asked, and gone when they end", { timeout: TEST_MS }, async () => {
    await worker("home", { ALLOW_ANONYMOUS: "true" }, async (url, mqttUrl) => {
      const port = await freePort();
      const command = at("node_modules", "durable-mqtt", "dist", "package", "durable-mqtt.js");
      await run("home", [command, "gateway", "--to", mqttUrl, "--tcp", `${port}`], /The gateway is running/);
      const rooms = ["kitchen", "bedroom", "living-room"];
      const sensors = await run("home", ["sensors.mjs", `mqtt://127.0.0.1:${port}`, ...rooms], /(.* is online\n){3}/);
      const page = await open(url);
      const cards = page.locator("article");
      await eventually(() => cards.count()).toBe(3);
      expect(await page.locator("h2").allTextContents()).toEqual(["bedroom", "kitchen", "living room"]);
      await eventually(() => page.locator(".value").first().textContent()).toMatch(/^\d\d\.\d °C$/);
      const kitchen = page.locator("article[data-room=kitchen]");
      await kitchen.getByRole("button", { name: "Measure now" }).click();
      await eventually(() => kitchen.locator(".answer").textContent()).toMatch(/^it says \d\d\.\d °C$/);
      const shown = await kitchen.locator(".value").textContent();
      await eventually(() => kitchen.locator(".value").textContent()).not.toBe(shown);
      expect([await page.locator("article canvas").count(), await fits(page)]).toEqual([3, true]);
      await look(page, "home");
      await stop(sensors);
      await eventually(() => page.locator("article.offline").count()).toBe(3);
    });
  });

  test("chat: what is said comes to all, with who said it, and who is there is seen", { timeout: TEST_MS }, async () => {
    await worker("chat", {}, async (url, mqttUrl) => {
      const enter = async (name: string): Promise<Page> => {
        const page = await open(url);
        await page.getByLabel("Your name").fill(name);
        await page.getByRole("button", { name: "Come in" }).click();
        await page.locator("#room").waitFor();
        return page;
      };
      const people = (page: Page): Promise<string[]> => page.locator("#people li").allTextContents();
      const said = async (page: Page): Promise<string[]> =>
        (await page.locator("#lines li").all()).length === 0
          ? []
          : page
              .locator("#lines li")
              .evaluateAll((lines) =>
                lines.map((line) => [...line.querySelectorAll("b, span")].map((part) => part.textContent).join(": ")),
              );
      const say = async (page: Page, text: string): Promise<void> => {
        await page.getByLabel("Say something").fill(text);
        await page.getByRole("button", { name: "Send" }).click();
      };
      const ada = await enter("Ada");
      const bob = await enter("Bob");
      await eventually(() => people(ada)).toEqual(["Ada", "Bob"]);
      await say(bob, "Good morning <b>Ada</b>");
      await say(ada, "Good morning!");
      for (const page of [ada, bob])
        await eventually(() => said(page).then((lines) => lines.sort())).toEqual(["Ada: Good morning!", "Bob: Good morning <b>Ada</b>"]);
      await look(ada, "chat");
      expect(await fits(ada)).toBe(true);

      // Nobody speaks for another one, or takes his place.
      const mallory = await connect(mqttUrl, { clientId: "m", userName: "Mallory" });
      expect((await mallory.subscribe("#", { qos: 1 })).reasonCodes).toEqual([0x87]);
      expect((await mallory.publish("chat/here/0123456789abcdef", "", { qos: 1, retain: true }))?.reasonCode).toBe(0x87);
      expect((await mallory.publish("chat/said", "x".repeat(3000), { qos: 1 }))?.reasonCode).toBe(0x97);
      await mallory.publish("chat/said", "I am Ada", { qos: 1, properties: { userProperties: [["from", "Ada"]] } });
      await eventually(() => said(ada).then((lines) => lines.at(-1))).toBe("Mallory: I am Ada");
      mallory.terminate();

      // A reload is no departure, and what was said meanwhile comes.
      await bob.goto("about:blank");
      await say(ada, "Are you there?");
      await bob.goto(url);
      await eventually(() => said(bob)).toEqual(["Ada: Are you there?"]);
      expect(await people(ada)).toEqual(["Ada", "Bob"]);
      await bob.getByRole("button", { name: "Leave" }).click();
      await eventually(() => people(ada)).toEqual(["Ada"]);
      // By the will, some seconds after a tab was closed.
      const eve = await enter("Eve");
      await eventually(() => people(ada)).toEqual(["Ada", "Eve"]);
      await eve.close();
      await eventually(() => people(ada)).toEqual(["Ada"]);
    });
  });
});

/** Somebody may want to see it: SCREENSHOTS names a folder. */
async function look(page: Page, name: string): Promise<void> {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}
