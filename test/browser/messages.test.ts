/** The console's view of messages in a real browser: subscriptions, what comes for them, publishing and asking; and who signs in. */

import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { hashPassword } from "../../src/auth/password.ts";
import { connect } from "../../src/client/index.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { PHONE, type VisitOptions, Visitor, Visits } from "../support/console.ts";
import { unique } from "../support/mqtt-client.ts";
import { mqttJs, type RealClient } from "../support/real-clients.ts";

const QUALITIES: readonly QoS[] = [0, 1, 2];
const JWT_SECRET = "a secret of at least thirty-two bytes";

const USERS = JSON.stringify([
  { user: "ada", password: await hashPassword(new TextEncoder().encode("lovelace"), 1000), publish: ["open/#"], subscribe: ["open/#"] },
]);

const visits = new Visits();
afterAll(() => visits.dispose());

describe("of a sharded broker", () => {
  let broker: Broker;
  let clients: RealClient[] = [];

  beforeAll(async () => {
    broker = await startBroker({
      env: { TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true", NAMESPACES: "default", USERS, JWT_SECRET, JWT_CLOCK_TOLERANCE: "0" },
    });
  });
  afterAll(() => broker.dispose());
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.disconnect()));
    clients = [];
    await visits.end();
  });

  const visit = async (options?: VisitOptions): Promise<Visitor> => {
    const visitor = await visits.begin(broker.url, options);
    await visitor.go("Messages");
    return visitor;
  };
  const otherClient = async (): Promise<RealClient> => {
    const client = await mqttJs(5).connect(broker.mqttUrl);
    clients.push(client);
    return client;
  };
  const subscribe = async ({ page }: Visitor, filter: string, qos: QoS = 1): Promise<void> => {
    const form = page.getByRole("form", { name: "Subscribe" });
    await form.getByLabel("Topic filter").fill(filter);
    await form.getByLabel("QoS").selectOption({ label: `QoS ${qos}` });
    await form.getByRole("button", { name: "Subscribe", exact: true }).click();
    const chip = form.getByRole("listitem").filter({ has: page.getByText(filter, { exact: true }) });
    await chip.getByText(`QoS ${qos}`).waitFor();
  };
  /** Waits for so many. @returns the values that are shown, the oldest first */
  const values = async ({ messages }: Visitor, count: number): Promise<string[]> => {
    await messages.nth(count - 1).waitFor();
    return (await messages.locator(".value").allTextContents()).reverse();
  };
  const publish = async ({ page }: Visitor, topic: string, payload: string, qos: QoS = 1): Promise<void> => {
    const form = page.getByRole("form", { name: "Publish" });
    await form.getByLabel("Topic", { exact: true }).fill(topic);
    await form.getByLabel("Payload", { exact: true }).fill(payload);
    await form.getByLabel("QoS").selectOption({ label: `QoS ${qos}` });
    await form.getByRole("button", { name: "Publish" }).click();
  };

  it("receives what its filters match until it unsubscribes, and keeps them for the next time", async () => {
    const home = unique();
    const visitor = await visit();
    const other = await otherClient();
    await subscribe(visitor, `${home}/+/temperature`);
    await subscribe(visitor, `${home}/cellar/#`);
    const topics = ["/cellar", "/kitchen/temperature", "/kitchen/light", "/cellar/temperature", "/cellar/light"];
    for (const topic of topics) await other.publish(home + topic, topic, 1);
    const wanted = topics.filter((topic) => topic !== "/kitchen/light");
    expect(await values(visitor, 4)).toEqual(wanted);
    await visitor.button(`Unsubscribe ${home}/cellar/#`).click();
    await visitor.button(`Unsubscribe ${home}/cellar/#`).waitFor({ state: "detached" });
    await visitor.page.reload();
    await visitor.page.getByRole("list", { name: "Subscriptions" }).getByText("QoS 1").waitFor();
    await other.publish(`${home}/cellar/light`, "unwanted", 1);
    await other.publish(`${home}/cellar/temperature`, "end", 1);
    expect(await values(visitor, 1)).toEqual(["end"]);
  });

  it("publishes and receives at every QoS, and says what became of it", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await other.subscribe(`${topic}/from`, 2);
    await subscribe(visitor, `${topic}/to`, 2);
    for (const qos of QUALITIES) {
      await publish(visitor, `${topic}/from`, `from ${qos}`, qos);
      expect(await other.inbox.next()).toMatchObject({ text: `from ${qos}`, qos });
      await visitor.page.getByText(`${topic}/from ${qos === 0 ? "was sent" : "was published"}.`).waitFor();
      await other.publish(`${topic}/to`, `to ${qos}`, qos);
      const row = visitor.messages.filter({ hasText: `to ${qos}` });
      await row.getByText(`QoS ${qos}`).waitFor();
    }
    for (const wrong of ["a/#", "a/+/b"]) {
      await publish(visitor, wrong, "x");
      await visitor.page
        .getByRole("alert")
        .filter({ hasText: `${wrong} was not published: ` })
        .waitFor();
    }
    const form = visitor.page.getByRole("form", { name: "Publish" });
    await form.getByLabel("Payload as").selectOption("Hex");
    await publish(visitor, topic, "abc");
    await visitor.page.getByRole("alert").filter({ hasText: "expected hexadecimal digits" }).waitFor();
  });

  it("publishes with every property, and shows those that come", async () => {
    const topic = unique();
    const visitor = await visit();
    await subscribe(visitor, topic);
    const form = visitor.page.getByRole("form", { name: "Publish" });
    await form.getByText("Properties", { exact: true }).click();
    const texts = {
      "Content Type": "application/json",
      "Message Expiry (seconds)": "3600",
      "Response Topic": "answers",
      "Correlation Data (text)": "17",
    };
    for (const [name, value] of Object.entries(texts)) await form.getByLabel(name).fill(value);
    await form.getByLabel(/UTF-8/).check();
    await form.getByRole("button", { name: "Add" }).click();
    await form.getByLabel("Name").fill("room");
    await form.getByLabel("Value").fill("kitchen");
    await publish(visitor, topic, '{"a":1}');
    const came = visitor.messages.filter({ hasNot: visitor.page.getByTitle("Published here") });
    await came.click();
    const facts = await visitor.detail.locator(".properties div").allTextContents();
    expect(facts.map((text) => text.replace(/36\d\d s|35\d\d s/, "3600 s"))).toEqual([
      "Content Typeapplication/json",
      "Payload FormatUTF-8",
      "Message Expiry3600 s",
      "Response Topicanswers",
      "Correlation Data17",
      "roomkitchen",
    ]);
  });

  it("shows a hundred properties, and more when somebody wants them", async () => {
    const topic = unique();
    const visitor = await visit();
    await subscribe(visitor, topic);
    const client = await connect(broker.mqttUrl);
    const userProperties = Array.from({ length: 150 }, (_, index) => [`name ${index}`, "x"] as const);
    await client.publish(topic, "many", { qos: 1, contentType: "text/plain", userProperties });
    await client.end();
    await visitor.messages.getByTitle("Properties").getByText("151").click();
    const shown = visitor.detail.locator(".properties div");
    await visitor.button("51 more properties").click();
    await visitor.detail.getByText("name 149").waitFor();
    expect(await shown.count()).toBe(151);
  });

  it("does not get back what it published where No Local says so", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await visitor.page.getByText("Options").click();
    await visitor.page.getByLabel(/No Local/).check();
    await subscribe(visitor, topic);
    await publish(visitor, topic, "own");
    await visitor.page.getByText(`${topic} was published.`).waitFor();
    await other.publish(topic, "of another", 1);
    await visitor.messages.filter({ hasText: "of another" }).waitFor();
    // Its own is listed once, as what was published.
    expect(await values(visitor, 2)).toEqual(["own", "of another"]);
  });

  it("asks, and shows the response", async () => {
    const topic = unique();
    const [visitor, device] = [await visit(), await visit()];
    await subscribe(device, topic);
    await visitor.page.getByRole("form", { name: "Publish" }).getByLabel("Ask").check();
    const form = visitor.page.getByRole("form", { name: "Publish" });
    await form.getByLabel("Topic", { exact: true }).fill(topic);
    await form.getByLabel("Payload", { exact: true }).fill("how warm?");
    await form.getByRole("button", { name: "Ask" }).click();
    await device.messages.filter({ hasText: "how warm?" }).click();
    await device.button("Respond").click();
    const answer = device.page.getByRole("form", { name: "Respond" });
    await answer.getByLabel("Payload", { exact: true }).fill("21.5");
    await answer.getByRole("button", { name: "Respond" }).click();
    await visitor.page.getByText("21.5").waitFor();
  });

  it("stands still while somebody reads, and finds messages", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await subscribe(visitor, topic);
    for (let index = 0; index < 60; index += 1) await other.publish(topic, `message ${index}.`, 1);
    await visitor.page.getByText("60 messages").waitFor();
    const list = visitor.page.locator(".scroller");
    await list.evaluate((element) => {
      element.scrollTop = 300;
    });
    const read = visitor.messages.filter({ hasText: "message 45." });
    const before = (await read.boundingBox())!.y;
    await other.publish(topic, "message 60.", 1);
    await visitor.page.getByText("61 messages").waitFor();
    expect((await read.boundingBox())!.y).toBe(before);
    // What comes and is not shown moves nothing either.
    await visitor.field("Search messages").fill("message");
    const shown = (await read.boundingBox())!.y;
    for (const text of ["not looked for", "message 61."]) await other.publish(topic, text, 1);
    await visitor.page.getByText("63 messages").waitFor();
    expect((await read.boundingBox())!.y).toBe(shown);
    await visitor.field("Search messages").fill("message 7.");
    expect(await values(visitor, 1)).toEqual(["message 7."]);
  });

  it("goes on trying while the broker is slow to answer", async () => {
    const context = await (await visits.browser).newContext();
    await context.clock.install();
    let isSlow = true;
    await context.routeWebSocket(/mqtt/, (socket) => {
      if (!isSlow) socket.connectToServer();
    });
    const visitor = await Visitor.openIn(context, broker.url);
    await visitor.button(/^Connecting/).waitFor();
    await context.clock.runFor(10_000);
    await visitor.button(/^Not reached, trying again/).waitFor();
    await visitor.page.getByText("The connection could not be made within 10000 ms. It is tried again").waitFor();
    expect(await visitor.page.getByRole("dialog").count()).toBe(0);
    isSlow = false;
    await context.clock.runFor(3000);
    await visitor.connected();
    await visitor.close();
  });

  it("connects as somebody, says why not, and forgets the password with the tab", async () => {
    const visitor = await visit();
    const topic = unique();
    await publish(visitor, topic, "of nobody's");
    await visitor.messages.waitFor();
    await visitor.signIn({ userName: "ada", password: "wrong" });
    await visitor.page
      .getByRole("dialog")
      .getByText(/bad user name or password/)
      .waitFor();
    await visitor.signIn({ password: "lovelace" });
    await visitor.button(/Connected.*ada/).waitFor();
    // What was seen before is another's.
    expect(await visitor.messages.count()).toBe(0);
    await visitor.go("Topics");
    await visitor.page.getByRole("alert").filter({ hasText: "# is not watched." }).waitFor();
    expect(await visitor.topic(topic).count()).toBe(0);
    await visitor.go("Messages");
    await publish(visitor, "open/x", "x", 1);
    // Whether somebody is subscribed depends on how soon the connection of before, which watched all topics, has gone.
    await visitor.page.getByText(/ open\/x was published(; nobody is subscribed)?\.$/).waitFor();
    await visitor.page.reload();
    await visitor.button(/Connected.*ada/).waitFor();
    const kept = await visitor.page.evaluate("JSON.stringify(localStorage) + location.href");
    expect(kept).not.toContain("lovelace");
    const another = await Visitor.openIn(visitor.page.context(), broker.url);
    await another.connected();
    expect(await another.page.getByText("ada").count()).toBe(0);
    await visitor.signIn({ stays: true });
    await visitor.button(/Connected.*ada/).waitFor();
    await another.page.reload();
    await another.button(/Connected.*ada/).waitFor();
    await visitor.page.locator("button.state").click();
    await visitor.page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
    expect(await visitor.page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")).not.toContain("lovelace");
  });

  it("says that there is no such namespace, and awaits nothing of it", async () => {
    const visitor = await visit();
    await visitor.go("Topics");
    await visitor.signIn({ namespace: "nowhere" });
    const refused = visitor.page.getByRole("dialog").getByText(/There is no namespace "nowhere" here/);
    await refused.waitFor();
    await visitor.page.reload();
    await refused.waitFor();
    await visitor.watching();
  });

  it("ends with the token, and goes on with another", async () => {
    const visitor = await visit();
    await visitor.signIn({ token: tokenFor(3) });
    await visitor.connected();
    await visitor.page.getByText(/^Your login ends at/).waitFor();
    await visitor.page
      .getByText(/^The server ended the connection: not authorized/)
      .first()
      .waitFor();
    await visitor.signIn({ token: tokenFor(3600) });
    await visitor.connected();
    expect(await visitor.page.getByText(/Your login/).count()).toBe(0);
  });

  it("keeps nobody out, on a phone too, in light and in the dark", async () => {
    const topic = unique();
    const visitor = await visit({ viewport: PHONE });
    const other = await otherClient();
    await subscribe(visitor, topic);
    await other.publish(topic, "x", 1, true);
    expect(await values(visitor, 1)).toEqual(["x"]);
    expect(await visitor.barriers()).toEqual([]);
    expect(await visitor.fits()).toBe(true);
  });
});

/** A token of an identity provider (JWT). @param seconds until it ends */
function tokenFor(seconds: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: "grace", exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `${body}.${createHmac("sha256", JWT_SECRET).update(body).digest("base64url")}`;
}
