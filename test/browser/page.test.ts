/**
 * The page in a real browser, used as people use it: fields are filled, buttons are pressed, and what it shows is read. The other side
 * is MQTT.js in Node, or a second page. Where no browser can start, the tests fail with a sentence that says so.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { hashPassword } from "../../src/auth/password.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { launchBrowser } from "../support/browser.ts";
import { unique, WAIT_MS } from "../support/mqtt-client.ts";
import { mqttJs, type RealClient } from "../support/real-clients.ts";

/** MQTT.js as a browser loads it without a bundler. */
const MQTT_JS = join(dirname(dirname(createRequire(import.meta.url).resolve("mqtt"))), "dist", "mqtt.min.js");

const QUALITIES: readonly QoS[] = [0, 1, 2];
const QUEUED = 50;

const USERS = JSON.stringify([
  { user: "ada", password: await hashPassword(new TextEncoder().encode("lovelace"), 1000), publish: ["open/#"], subscribe: ["open/#"] },
]);

interface Shown {
  readonly topic: string;
  readonly payload: string;
  readonly qos: string;
  readonly retained: boolean;
}

interface ConnectChoice {
  readonly version: 4 | 5;
  readonly clientId?: string;
  readonly clean?: boolean;
  readonly namespace?: string;
  readonly userName?: string;
  readonly password?: string;
}

/** Somebody who uses the page. */
class Visitor {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  async #submit({ version, clientId, clean, namespace, userName, password }: ConnectChoice): Promise<void> {
    const { page } = this;
    await page.getByTestId("version").selectOption(String(version));
    if (clientId !== undefined) await page.getByTestId("client-id").fill(clientId);
    if (clean !== undefined) await page.getByTestId("clean").setChecked(clean);
    if (namespace !== undefined) await page.getByTestId("namespace").fill(namespace);
    if (userName !== undefined) await page.getByTestId("username").fill(userName);
    if (password !== undefined) await page.getByTestId("password").fill(password);
    await page.getByTestId("connect").click();
  }

  /** @returns what the page says of the connection */
  async connect(choice: ConnectChoice): Promise<string> {
    await this.#submit(choice);
    await this.page.locator("[data-testid=state][data-state=open]").waitFor();
    return this.#text("state");
  }

  /** @returns the sentence that says why not */
  async connectInVain(choice: ConnectChoice): Promise<string> {
    await this.#submit(choice);
    return this.error("error");
  }

  /** @returns what the page says of the connection then */
  async disconnect(): Promise<string> {
    await this.page.getByTestId("disconnect").click();
    await this.page.getByTestId("connect").waitFor();
    return this.#text("state");
  }

  /** Waits for a sentence about something that failed. */
  async error(testId: string): Promise<string> {
    await this.page.getByTestId(testId).waitFor();
    return this.#text(testId);
  }

  async #text(testId: string): Promise<string> {
    return (await this.page.getByTestId(testId).textContent()) ?? "";
  }

  async subscribe(filter: string, qos: QoS = 1): Promise<void> {
    await this.page.getByTestId("subscribe-filter").fill(filter);
    await this.page.getByTestId("subscribe-qos").selectOption(String(qos));
    await this.page.getByTestId("subscribe").click();
    await this.page.locator(`[data-testid=subscription][data-filter="${filter}"]`, { hasText: `QoS ${qos}` }).waitFor();
  }

  /** @returns what is listed, with its QoS */
  async subscriptions(): Promise<string[]> {
    const rows = this.page.getByTestId("subscription");
    return rows.evaluateAll((all) => all.map((row) => `${row.getAttribute("data-filter")} ${row.querySelector(".badge")?.textContent}`));
  }

  async publish(topic: string, payload: string, qos: QoS = 1, retain = false): Promise<void> {
    await this.page.getByTestId("publish-topic").fill(topic);
    await this.page.getByTestId("publish-payload").fill(payload);
    await this.page.getByTestId("publish-qos").selectOption(String(qos));
    await this.page.getByTestId("publish-retain").setChecked(retain);
    await this.page.getByTestId("publish").click();
  }

  /** Waits until so many messages are shown. @returns them in the order in which they came */
  async messages(count: number): Promise<Shown[]> {
    await this.page
      .getByTestId("message")
      .nth(count - 1)
      .waitFor();
    return this.page.getByTestId("message").evaluateAll((rows) =>
      rows.reverse().map((row) => {
        const text = (testId: string): string => row.querySelector(`[data-testid=${testId}]`)?.textContent ?? "";
        return {
          topic: text("message-topic"),
          payload: text("message-payload"),
          qos: text("message-qos"),
          retained: text("message-retained") === "retained",
        };
      }),
    );
  }
}

/** Started by the first test that needs it: where it cannot start, each test says so. */
let browser: Promise<Browser> | undefined;

afterAll(async () => (await browser?.catch(() => undefined))?.close());

describe.each([
  { topology: "compact", version: 5 },
  { topology: "sharded", version: 4 },
] as const)("$topology, protocol version $version", ({ topology, version }) => {
  let broker: Broker;
  let pages: Page[] = [];
  let clients: RealClient[] = [];

  beforeAll(async () => {
    broker = await startBroker({ env: { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true", NAMESPACES: "default", USERS } });
  });
  afterAll(() => broker.dispose());
  /** What the Content-Security-Policy has kept pages from. */
  const forbidden: string[] = [];
  afterEach(async () => {
    await Promise.all([...pages.map((page) => page.close()), ...clients.map((client) => client.disconnect())]);
    pages = [];
    clients = [];
    // What the page itself does, its headers allow.
    expect(forbidden).toEqual([]);
  });

  const visit = async (): Promise<Visitor> => {
    browser ??= launchBrowser();
    const page = await (await browser).newPage();
    pages.push(page);
    page.setDefaultTimeout(WAIT_MS);
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) forbidden.push(message.text());
    });
    await page.goto(broker.url);
    return new Visitor(page);
  };
  const otherClient = async (): Promise<RealClient> => {
    const client = await mqttJs(5).connect(broker.mqttUrl);
    clients.push(client);
    return client;
  };

  it("connects, with the right password too, and disconnects", async () => {
    const visitor = await visit();
    expect(await visitor.connect({ version })).toBe("Connected");
    expect(await visitor.disconnect()).toBe("Disconnected");
    expect(await visitor.connect({ version, userName: "ada", password: "lovelace" })).toBe("Connected");
    expect(await visitor.page.getByTestId("error").isVisible()).toBe(false);
  });

  it("says in words why it was refused", async () => {
    const visitor = await visit();
    const wrong = await visitor.connectInVain({ version, userName: "ada", password: "wrong" });
    expect(wrong).toMatch(/^The server refused the connection: bad user name or password .*\.$/);
    const nowhere = await visitor.connectInVain({ version, namespace: "nowhere" });
    expect(nowhere).toMatch(/^There is no namespace "nowhere" here\./);
    await visitor.connect({ version, namespace: "default", password: "lovelace" });
    await visitor.page.getByTestId("subscribe-filter").fill("closed/#");
    await visitor.page.getByTestId("subscribe").click();
    expect(await visitor.error("subscribe-error")).toMatch(/^closed\/# was not subscribed: /);
  });

  it("receives what its wildcards match until it unsubscribes", async () => {
    const home = unique();
    const visitor = await visit();
    const other = await otherClient();
    await visitor.connect({ version });
    await visitor.subscribe(`${home}/+/temperature`);
    await visitor.subscribe(`${home}/cellar/#`);
    const topics = ["/cellar", "/kitchen/temperature", "/kitchen/light", "/cellar/temperature", "/cellar/light"];
    for (const topic of topics) await other.publish(home + topic, topic, 1);
    const wanted = topics.filter((topic) => topic !== "/kitchen/light");
    expect((await visitor.messages(4)).map(({ payload }) => payload)).toEqual(wanted);

    await visitor.page.getByLabel(`Unsubscribe ${home}/cellar/#`).click();
    await visitor.page.locator(`[data-filter="${home}/cellar/#"]`).waitFor({ state: "detached" });
    await other.publish(`${home}/cellar/light`, "unwanted", 1);
    await other.publish(`${home}/cellar/temperature`, "end", 1);
    expect((await visitor.messages(5)).map(({ payload }) => payload)).toEqual([...wanted, "end"]);
  });

  it("publishes and receives at every QoS", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await other.subscribe(`${topic}/from-page`, 2);
    await visitor.connect({ version });
    await visitor.subscribe(`${topic}/to-page`, 2);
    for (const qos of QUALITIES) {
      await visitor.publish(`${topic}/from-page`, `from the page at ${qos}`, qos);
      expect(await other.inbox.next()).toMatchObject({ text: `from the page at ${qos}`, qos });
      await other.publish(`${topic}/to-page`, `to the page at ${qos}`, qos);
      expect((await visitor.messages(qos + 1))[qos]).toMatchObject({ payload: `to the page at ${qos}`, qos: `QoS ${qos}` });
    }
  });

  it("shows which messages were retained, and clears them", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await visitor.connect({ version });
    await visitor.publish(topic, "kept", 1, true);
    await other.subscribe(topic, 1);
    expect(await other.inbox.next()).toMatchObject({ text: "kept" });
    await visitor.subscribe(topic);
    expect(await visitor.messages(1)).toEqual([{ topic, payload: "kept", qos: "QoS 1", retained: true }]);
    await visitor.publish(topic, "live", 1, true);
    expect((await visitor.messages(2))[1]).toMatchObject({ payload: "live", retained: false });
    await visitor.publish(topic, "", 1, true);
    await visitor.messages(3);
    const late = await otherClient();
    await late.subscribe(topic, 1);
    await other.publish(topic, "end", 1);
    expect(await late.inbox.until("end")).toEqual([]);
  });

  it("shows the will of a page that was closed without goodbye", async () => {
    const topic = unique();
    const watcher = await visit();
    await watcher.connect({ version });
    await watcher.subscribe(topic);
    // This page sets no will: another one on the same broker does, with MQTT.js as browsers load it.
    const { page } = await visit();
    // By the debugger: the page itself lets no script in that is not its own.
    await page.evaluate(`${readFileSync(MQTT_JS, "utf8")}\nglobalThis.mqtt = mqtt;`);
    await page.evaluate(
      ([url, willTopic, protocolVersion]) => {
        const { mqtt } = globalThis as unknown as { mqtt: typeof import("mqtt") };
        const will = { topic: willTopic, payload: "the page was closed" as unknown as Buffer, qos: 1, retain: false } as const;
        return mqtt.connectAsync(url, { will, protocolVersion, reconnectPeriod: 0 }).then(() => undefined);
      },
      [broker.mqttUrl, topic, version] as const,
    );
    await page.close();
    expect(await watcher.messages(1)).toEqual([{ topic, payload: "the page was closed", qos: "QoS 1", retained: false }]);
  });

  it("resumes its session with what was queued meanwhile, in order and once", async () => {
    const topic = unique();
    const clientId = unique("page");
    const before = await visit();
    const other = await otherClient();
    expect(await before.connect({ version, clientId, clean: false })).toBe("Connected");
    await before.subscribe(topic, 2);
    await before.page.close();
    const texts = Array.from({ length: QUEUED }, (_, index) => String(index));
    await Promise.all(texts.map((text) => other.publish(topic, text, 2)));

    const after = await visit();
    expect(await after.connect({ version, clientId, clean: false })).toBe("Connected, session resumed");
    await other.publish(topic, "end", 2);
    expect((await after.messages(QUEUED + 1)).map(({ payload }) => payload)).toEqual([...texts, "end"]);
  });

  it("lists the subscriptions of a session that it resumes after a reload, until they are ended", async () => {
    const topic = unique();
    const clientId = unique("page");
    const visitor = await visit();
    await visitor.connect({ version, clientId, clean: false });
    await visitor.subscribe(`${topic}/a`, 2);
    await visitor.subscribe(`${topic}/b`, 0);
    await visitor.page.reload();
    expect(await visitor.subscriptions()).toEqual([]);
    expect(await visitor.connect({ version, clientId, clean: false })).toBe("Connected, session resumed");
    expect(await visitor.subscriptions()).toEqual([`${topic}/a QoS 2`, `${topic}/b QoS 0`]);
    await visitor.page.getByLabel(`Unsubscribe ${topic}/a`).click();
    await visitor.page.locator(`[data-filter="${topic}/a"]`).waitFor({ state: "detached" });
    await visitor.page.reload();
    await visitor.connect({ version, clientId, clean: false });
    expect(await visitor.subscriptions()).toEqual([`${topic}/b QoS 0`]);
    await visitor.disconnect();
    await visitor.connect({ version, clientId, clean: true });
    expect(await visitor.subscriptions()).toEqual([]);
  });

  it("says of each publish what became of it, and sends none that would end the connection", async () => {
    const topic = unique();
    const visitor = await visit();
    await visitor.connect({ version });
    for (const [qos, became] of [
      [0, "was sent"],
      [1, "was published"],
      [2, "was published"],
    ] as const) {
      await visitor.publish(`${topic}/${qos}`, "x", qos);
      await visitor.page
        .getByTestId("published")
        .filter({ hasText: `${topic}/${qos} ${became}.` })
        .waitFor();
    }
    for (const wrong of ["a/#", "a/+/b", "a#"]) {
      await visitor.publish(wrong, "x");
      expect(await visitor.error("publish-error")).toContain(`${wrong} was not published: `);
    }
    await visitor.page.getByTestId("subscribe-filter").fill("$share//a");
    await visitor.page.getByTestId("subscribe").click();
    expect(await visitor.error("subscribe-error")).toContain("$share//a was not subscribed: ");
    await visitor.publish(topic, "still there");
    await visitor.page
      .getByTestId("published")
      .filter({ hasText: `${topic} was published.` })
      .waitFor();
  });

  it("is told when another page takes over its client ID", async () => {
    const topic = unique();
    const clientId = unique("page");
    const [older, newer] = [await visit(), await visit()];
    await older.connect({ version, clientId, clean: false });
    await older.subscribe(topic);
    expect(await newer.connect({ version, clientId, clean: false })).toBe("Connected, session resumed");
    const why = version === 5 ? /^The server ended the connection: session taken over/ : /^The connection was lost/;
    expect(await older.error("error")).toMatch(why);
    await newer.publish(topic, "for the newer page");
    expect((await newer.messages(1)).map(({ payload }) => payload)).toEqual(["for the newer page"]);
  });

  it("shows any payload as what it is and never as markup", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await visitor.connect({ version });
    await visitor.subscribe(topic);
    const markup = "<img src=x onerror=\"document.title='broken'\"> & grüße 🚀";
    await other.publish(topic, markup, 1);
    await other.publish(topic, Uint8Array.of(0, 1, 255), 1);
    await other.publish(topic, "", 1);
    await other.publish(topic, "x".repeat(200 * 1024), 1);
    const [text, bytes, empty, large] = await visitor.messages(4);
    expect([text!.payload, bytes!.payload, empty!.payload]).toEqual([markup, "00 01 ff", "empty"]);
    expect(large!.payload).toMatch(/^x{4096} … \(204,800 bytes\)$/);
    expect(await visitor.page.title()).toBe("durable-mqtt");
  });
});
