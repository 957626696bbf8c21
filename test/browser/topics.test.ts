/** The console's view of topics in a real browser: the tree, one topic, and everything below it. The other side is MQTT.js in Node. */

import { encode as msgpack } from "@msgpack/msgpack";
import { encode as cbor } from "cborg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { PHONE, type VisitOptions, type Visitor, Visits } from "../support/console.ts";
import { unique } from "../support/mqtt-client.ts";
import { mqttJs, type RealClient } from "../support/real-clients.ts";

const visits = new Visits();
afterAll(() => visits.dispose());

describe("of a sharded broker", () => {
  let broker: Broker;
  let clients: RealClient[] = [];

  beforeAll(async () => {
    broker = await startBroker({ env: { TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true", NAMESPACES: "default" } });
  });
  afterAll(() => broker.dispose());
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.disconnect()));
    clients = [];
    await visits.end();
  });

  const visit = async (options?: VisitOptions): Promise<Visitor> => {
    const visitor = await visits.begin(broker.url, options);
    await visitor.watching();
    return visitor;
  };
  const otherClient = async (): Promise<RealClient> => {
    const client = await mqttJs(5).connect(broker.mqttUrl);
    clients.push(client);
    return client;
  };

  it("shows topics with their values as they come, and retained ones at once", async () => {
    const home = unique();
    const other = await otherClient();
    await other.publish(`${home}/kitchen/lamp`, "on", 1, true);
    const visitor = await visit();
    await visitor.look(`${home}/kitchen/lamp`);
    await expectText(visitor, "on");
    expect(
      await visitor
        .topic(`${home}/kitchen/lamp`)
        .getByTitle(/retained/)
        .isVisible(),
    ).toBe(true);
    await other.publish(`${home}/kitchen/lamp`, "off", 0);
    await visitor.detail.locator("pre", { hasText: "off" }).waitFor();
    // It is still the former message that the broker keeps.
    expect(
      await visitor
        .topic(`${home}/kitchen/lamp`)
        .getByTitle(/retained/)
        .isVisible(),
    ).toBe(true);
    await other.publish(`${home}/kitchen/door`, "open", 1);
    await visitor.topic(`${home}/kitchen/door`).waitFor();
    expect(await visitor.topic(`${home}/kitchen`).locator(".total").textContent()).toBe("3");
  });

  it("shows a value as what it is, and what of a JSON is different", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await other.publish(topic, '{"a": 1, "b": {"c": [1, 2]}, "gone": true}', 1);
    await visitor.look(topic);
    await visitor.detail.getByText("gone: ").waitFor();
    await other.publish(topic, '{"a": 2, "b": {"c": [1, 2, 3]}}', 1);
    const changed = visitor.detail.locator('[data-mark="changed"]');
    await changed.waitFor();
    expect(await changed.textContent()).toBe("a: 21");
    expect(await visitor.detail.locator('[data-mark="added"]').textContent()).toBe("2: 3new");
    expect(await visitor.detail.locator('[data-mark="removed"]').textContent()).toBe("gone: true");

    const markup = "<img src=x onerror=\"document.title='broken'\"> & grüße 🚀";
    await other.publish(topic, markup, 1);
    await expectText(visitor, markup);
    expect(await visitor.page.title()).toBe("Topics · durable-mqtt");
    await other.publish(topic, "21.5", 1);
    await visitor.detail.locator(".figure", { hasText: "21.5" }).waitFor();
    await other.publish(topic, Uint8Array.of(0, 1, 255), 1);
    await expectText(visitor, "000000  00 01 ff");
    for (const [format, bytes] of [
      ["CBOR", cbor({ made: "with", deep: [1, { x: 2 }] })],
      ["MessagePack", msgpack({ made: "with", deep: [1, { x: 2 }] })],
    ] as const) {
      await other.publish(topic, bytes, 1);
      await visitor.field("Format").selectOption({ label: format });
      await visitor.detail.locator(".structure", { hasText: 'made: "with"' }).waitFor();
    }
    await other.publish(topic, "not of that format", 1);
    await visitor.detail.getByRole("alert").filter({ hasText: "It is not MessagePack" }).waitFor();
  });

  it("shows of a JSON of half a million members, or of a hundred thousand levels, what somebody opens", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    const list = (count: number, of: string): string => `[${Array.from({ length: count }, () => of).join()}]`;
    const wide = (leaf: string): string => list(51, list(100, list(99, leaf)));
    await other.publish(topic, wide("0"), 1);
    await visitor.look(topic);
    const members = visitor.detail.locator(".structure .member");
    await visitor.detail.getByText("50: ").waitFor();
    await other.publish(topic, wide("1"), 1);
    await visitor.detail.getByText("2 values").waitFor();
    expect(await members.count()).toBe(52);
    await members.nth(1).locator("summary").click();
    await visitor.detail.getByText("99: ").first().waitFor();
    expect(await members.count()).toBe(152);

    for (const leaf of ["0", "1"]) await other.publish(topic, `${"[".repeat(100_000)}${leaf}${"]".repeat(100_000)}`, 1);
    // The first one has gone: two MiB are kept.
    await visitor.detail.getByText("3 values").waitFor();
    const shut = visitor.detail.locator(".structure details:not([open]) > summary");
    for (let level = 3; level < 100; level += 1) await shut.last().click();
    await visitor.detail.getByText("more than 100 levels: as text it is whole").waitFor();
    await visitor.detail.getByRole("region", { name: "Value" }).getByRole("button", { name: "Copy" }).click();
    expect(await visitor.page.evaluate("navigator.clipboard.readText()")).toHaveLength(200_001);
  });

  it("says so when a view can't be drawn, and draws it again when somebody wants it", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await other.publish(topic, "1", 1);
    await visitor.topic(topic).waitFor();
    await visitor.page.evaluate("was = Date.prototype.toLocaleTimeString; Date.prototype.toLocaleTimeString = () => { throw new Error() }");
    await visitor.topic(topic).click();
    await visitor.page.getByRole("alert").filter({ hasText: "This view could not be drawn." }).waitFor();
    await visitor.page.evaluate("Date.prototype.toLocaleTimeString = was");
    await visitor.button("Try again").click();
    await visitor.detail.getByText("1 value", { exact: true }).waitFor();
  });

  it("keeps payloads whole", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    const text = `${"x".repeat(200 * 1024)}end`;
    await other.publish(topic, text, 1);
    await visitor.look(topic);
    await visitor.detail.getByRole("button", { name: "Show all 204,803 characters" }).click();
    expect(await visitor.detail.locator("pre.text").textContent()).toBe(text);
    await visitor.detail.getByRole("region", { name: "Value" }).getByRole("button", { name: "Copy" }).click();
    expect(await visitor.page.evaluate("navigator.clipboard.readText()")).toBe(text);
  });

  it("is used with keys alone", async () => {
    const home = unique();
    const visitor = await visit();
    const other = await otherClient();
    for (const name of ["a", "b/c"]) await other.publish(`${home}/${name}`, name, 1);
    await visitor.topic(home).waitFor();
    await visitor.page.keyboard.press("/");
    await visitor.page.keyboard.type(home);
    await visitor.topic(`${home}/b/c`).waitFor();
    await visitor.field("Search topics").fill("");
    await visitor.topic(home).click();
    await visitor.page.getByRole("tree").focus();
    for (const key of ["ArrowRight", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown"]) await visitor.page.keyboard.press(key);
    expect(await visitor.topic(`${home}/b/c`).getAttribute("aria-selected")).toBe("true");
    await visitor.page.keyboard.press("ArrowLeft");
    await visitor.page.keyboard.press("ArrowLeft");
    await visitor.topic(`${home}/b/c`).waitFor({ state: "detached" });
  });

  it("finds topics, keeps some in sight, and stands still while it is paused", async () => {
    const home = unique();
    const visitor = await visit();
    const other = await otherClient();
    await other.publish(`${home}/deep/down/needle`, "1", 1);
    await other.publish(`${home}/deep/hay`, "1", 1);
    await visitor.topic(home).waitFor();
    await visitor.field("Search topics").fill("NEEDLE");
    await visitor.topic(`${home}/deep/down/needle`).click();
    expect(await visitor.topic(`${home}/deep/hay`).count()).toBe(0);
    await visitor.button("Pin").click();
    // What is searched for stays while somebody looks at something else.
    await visitor.go("Messages");
    await visitor.go("Topics");
    expect(await visitor.field("Search topics").inputValue()).toBe("NEEDLE");
    expect(await visitor.topic(`${home}/deep/hay`).count()).toBe(0);
    await visitor.field("Search topics").fill("");
    const pinned = visitor.page.getByRole("list", { name: "Pinned topics" });
    await pinned.getByText("1", { exact: true }).waitFor();
    await visitor.button("Pause").click();
    await other.publish(`${home}/deep/down/needle`, "2", 1);
    await visitor.page.getByText(/, 1 more since it is paused/).waitFor();
    expect(await pinned.locator(".value").textContent()).toBe("1");
    await visitor.button("Go on").click();
    await pinned.getByText("2", { exact: true }).waitFor();
    await visitor.page.reload();
    await visitor.page.getByRole("list", { name: "Pinned topics" }).getByText("needle").waitFor();
  });

  it("watches other filters, and says which of them the broker refuses", async () => {
    const home = unique();
    const visitor = await visit();
    const other = await otherClient();
    await visitor.field("Watch a topic filter").fill(`${home}/+`);
    await visitor.page.keyboard.press("Enter");
    await visitor.button("Stop watching #").click();
    await visitor.watching();
    await other.publish(`${unique()}/x`, "not watched", 1);
    await other.publish(`${home}/x`, "watched", 1);
    await visitor.look(`${home}/x`);
    await visitor.field("Watch a topic filter").fill("a#b");
    await visitor.page.keyboard.press("Enter");
    await visitor.page.getByRole("alert").filter({ hasText: "a#b is not watched." }).waitFor();
    await visitor.page.reload();
    await visitor.button(`Stop watching ${home}/+`).waitFor();
  });

  it("counts a message once that several watched filters match, and compares it with the one before", async () => {
    const home = unique();
    const visitor = await visit();
    const other = await otherClient();
    await visitor.field("Watch a topic filter").fill(`${home}/+`);
    await visitor.page.keyboard.press("Enter");
    await visitor.watching();
    await other.publish(`${home}/x`, '{"a": 1}', 1);
    await visitor.look(`${home}/x`);
    await visitor.detail.getByText("a: 1").waitFor();
    await other.publish(`${home}/x`, '{"a": 2}', 1);
    const changed = visitor.detail.locator('[data-mark="changed"]');
    await changed.waitFor();
    expect(await changed.textContent()).toBe("a: 21");
  });

  it("publishes to a topic, and clears it and what is below after a question", async () => {
    const home = unique();
    const visitor = await visit();
    const other = await otherClient();
    await other.subscribe(`${home}/#`, 1);
    for (const name of ["a", "b", "c/d"]) await other.publish(`${home}/${name}`, name, 1, true);
    for (const _ of "abc") await other.inbox.next();
    await visitor.look(`${home}/a`);
    await visitor.field("Payload").fill("from the console");
    await visitor.button("Publish").click();
    expect(await other.inbox.next()).toMatchObject({ topic: `${home}/a`, text: "from the console", qos: 1 });
    await visitor.detail.getByText(`${home}/a was published.`).waitFor();

    await visitor.topic(home).click();
    await visitor.button("Clear 3 retained messages …").click();
    const question = visitor.page.getByRole("dialog", { name: "Clear retained messages?" });
    await question.getByRole("button", { name: "Cancel" }).click();
    await visitor.button("Clear 3 retained messages …").click();
    await question.getByRole("button", { name: "Clear" }).click();
    const cleared = [await other.inbox.next(), await other.inbox.next(), await other.inbox.next()];
    expect(cleared.map(({ topic, text }) => `${topic}=${text}`).sort()).toEqual([`${home}/a=`, `${home}/b=`, `${home}/c/d=`]);
    const late = await otherClient();
    await late.subscribe(`${home}/#`, 1);
    await other.publish(`${home}/end`, "end", 1);
    expect(await late.inbox.until("end")).toEqual([]);
  });

  it("saves everything below a topic as a file, and publishes such a file", async () => {
    const home = unique();
    const visitor = await visit();
    const other = await otherClient();
    await other.publish(`${home}/a`, "grüße", 1, true);
    await other.publish(`${home}/b`, Uint8Array.of(0, 255), 1, true);
    await visitor.topic(home).waitFor();
    await visitor.look(`${home}/b`);
    await visitor.topic(home).click();
    const [download] = await Promise.all([visitor.page.waitForEvent("download"), visitor.button("Save 2 topics as NDJSON").click()]);
    const lines = (await readAll(await download.createReadStream())).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { kind: "retained", topic: `${home}/a`, payload: Buffer.from("grüße").toString("base64"), qos: 0 },
      { kind: "retained", topic: `${home}/b`, payload: "AP8=", qos: 0 },
    ]);
    const moved = lines.map((line) => line.replaceAll(home, `${home}-moved`)).join("\n");
    await visitor.button("More about topics").click();
    const [chooser] = await Promise.all([
      visitor.page.waitForEvent("filechooser"),
      visitor.button("Publish a file of retained messages (NDJSON) …").click(),
    ]);
    await chooser.setFiles({ name: "moved.ndjson", mimeType: "application/x-ndjson", buffer: Buffer.from(`{"kind":"user"}\n${moved}\n`) });
    await visitor.page.getByText("moved.ndjson: published 2 topics.").waitFor();
    const late = await otherClient();
    await late.subscribe(`${home}-moved/a`, 1);
    expect(await late.inbox.next()).toMatchObject({ text: "grüße", retain: true });
  });

  it("shows the past values of a topic as a plot and a list, and any of them again", async () => {
    const topic = unique();
    const visitor = await visit();
    const other = await otherClient();
    await other.publish(topic, '{"t": 1}', 1);
    await visitor.look(topic);
    for (const t of [2, 3]) await other.publish(topic, JSON.stringify({ t }), 1);
    await visitor.page.getByRole("img", { name: "Values over time: t 3" }).waitFor();
    const values = visitor.page.getByRole("list", { name: "Values, the newest first" });
    await values.getByRole("button", { name: '{"t":2}' }).click();
    await visitor.detail.locator(".structure", { hasText: "t: 2" }).waitFor();
    await visitor.button("Back to the last value").click();
    await visitor.detail.locator(".structure", { hasText: "t: 3" }).waitFor();
  });

  it("says that the broker has gone, and goes on when it is back", async () => {
    const topic = unique();
    const visitor = await visit();
    await visitor.look((await publishRetained(topic)).topic);
    const told = visitor.page.getByText(/It is tried again/).first();
    // It may be back soon, so that they are awaited before it is gone.
    const gone = Promise.all([told.waitFor(), visitor.waitingToWatch.waitFor()]);
    await broker.crash();
    await gone;
    await visitor.connected();
    // The connection that watches may come back later than the other one.
    await visitor.watching();
    const other = await otherClient();
    await other.publish(topic, "after", 1);
    await expectText(visitor, "after");
  });

  it("works on a phone: one thing at a time, with a way back", async () => {
    const topic = unique();
    await publishRetained(topic);
    const visitor = await visit({ viewport: PHONE, colorScheme: "dark" });
    await visitor.look(topic);
    await expectText(visitor, "kept");
    expect(await visitor.topic(topic).isVisible()).toBe(false);
    expect(await visitor.fits()).toBe(true);
    await visitor.button("Back to the topics").click();
    await visitor.topic(topic).waitFor();
  });

  it("keeps nobody out, in light and in the dark", async () => {
    const topic = unique();
    await publishRetained(topic);
    const visitor = await visit();
    await visitor.look(topic);
    await visitor.detail.getByText("History").waitFor();
    expect(await visitor.barriers()).toEqual([]);
  });

  async function publishRetained(topic: string): Promise<{ readonly topic: string }> {
    const other = await otherClient();
    await other.publish(topic, "kept", 1, true);
    return { topic };
  }
});

async function expectText(visitor: Visitor, text: string): Promise<void> {
  await visitor.detail.locator("pre", { hasText: text }).waitFor();
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}
