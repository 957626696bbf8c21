/**
 * The client as browsers get it: the bundle of the package in a real Chromium, which loads it from the network and speaks to the broker
 * from there.
 */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleClient } from "../../scripts/build/bundle.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import type { Client, connect, Subscription } from "../../src/client/index.ts";
import { launchBrowser } from "../support/browser.ts";
import { unique } from "../support/mqtt-client.ts";

declare global {
  var durableMqtt: { connect: typeof connect };
}

/** What a test leaves in the page for its next step. */
interface State {
  readonly client: Client;
  readonly lost: Promise<boolean>;
  readonly subscription: Subscription;
}

describe.each(["compact", "sharded"])("in Chromium, %s", (topology) => {
  let broker: Broker;
  let server: Server;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const module = await bundleClient();
    server = createServer((request, response) => {
      const isModule = request.url === "/client.js";
      response.setHeader("Content-Type", isModule ? "text/javascript" : "text/html");
      response.end(isModule ? module : '<script type="module">globalThis.durableMqtt = await import("/client.js");</script>');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    broker = await startBroker({ env: { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true", ALLOWED_ORIGINS: url } });
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => globalThis.durableMqtt !== undefined);
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
    await broker?.dispose();
  });

  it("publishes, subscribes and requests; bytes stay what they are", async () => {
    const found = await page.evaluate(
      async ([url, topic]) => {
        const client = await globalThis.durableMqtt.connect(url);
        const other = await globalThis.durableMqtt.connect(url, { version: 4 });
        const subscription = await client.subscribe(`${topic}/#`, { qos: 2 });
        for (const qos of [0, 1, 2] as const) await other.publish(topic, Uint8Array.of(qos, 0, 255), { qos });
        const came: number[][] = [];
        for await (const { payload, qos } of subscription) {
          came.push([qos, ...payload]);
          if (came.length === 3) break;
        }
        await client.subscribe(`${topic}/ask`, { onMessage: (request) => client.respond(request, `${request.text()}!`) });
        const response = (await client.request(`${topic}/ask`, "grüße 🚀")).text();
        await Promise.all([client.end(), other.end()]);
        return { came, response };
      },
      [broker.mqttUrl, unique()] as const,
    );
    expect(found).toEqual({
      came: [
        [0, 0, 0, 255],
        [1, 1, 0, 255],
        [2, 2, 0, 255],
      ],
      response: "grüße 🚀!",
    });
  });

  it("says that it cannot connect, and with which kind of error", async () => {
    const kind = await page.evaluate(
      async (url) => {
        return globalThis.durableMqtt.connect(url).then(
          () => "connected",
          (error: { kind: string }) => error.kind,
        );
      },
      broker.mqttUrl.replace("/mqtt", "/nothing/here"),
    );
    expect(kind).toBe("lost");
  });

  it("comes back with its subscriptions after the network was gone", async () => {
    const topic = unique();
    await page.evaluate(
      async ([url, name]) => {
        const client = await globalThis.durableMqtt.connect(url, { reconnect: { minMs: 20, maxMs: 100 } });
        const lost = new Promise<boolean>((resolve) => client.on("disconnected", ({ willReconnect }) => resolve(willReconnect)));
        const subscription = await client.subscribe(name, { qos: 1 });
        Object.assign(globalThis, { state: { client, lost, subscription } });
      },
      [broker.mqttUrl, topic] as const,
    );
    await broker.crash();
    const found = await page.evaluate(async (name) => {
      const { client, lost, subscription } = (globalThis as unknown as { state: State }).state;
      await client.publish(name, "back", { qos: 2 });
      const { value } = await subscription[Symbol.asyncIterator]().next();
      await client.end();
      return [value?.text(), await lost];
    }, topic);
    expect(found).toEqual(["back", true]);
  });
});
