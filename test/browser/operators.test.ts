/**
 * What operators do in the console, in a real browser: look at clients and their packets, end connections, shut somebody out, add users, and try out
 * rights. The other side is MQTT.js in Node.
 */

import { createHash } from "node:crypto";
import type { Locator } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { API_TOKENS } from "../../src/auth/api-settings.ts";
import { done, USERS } from "../support/admin-api.ts";
import { PHONE, type VisitOptions, Visitor, Visits } from "../support/console.ts";
import { unique } from "../support/mqtt-client.ts";
import { mqttJs, type RealConnectOptions } from "../support/real-clients.ts";

const ADMIN_TOKEN = "an-admin-token-of-tests";

const visits = new Visits();
afterAll(() => visits.dispose());

describe.each(["compact", "sharded"])("%s", (topology) => {
  let broker: Broker;

  beforeAll(async () => {
    const env = {
      TOPOLOGY: topology,
      ALLOW_ANONYMOUS: "true",
      NAMESPACES: "default",
      ADMIN_TOKEN,
      ADDRESS_LOGIN_FAILURE_RATE: "unlimited",
    };
    broker = await startBroker({ env });
  });
  afterAll(() => broker.dispose());
  afterEach(() => visits.end());

  const client = (options?: RealConnectOptions) => mqttJs(5).connect(broker.mqttUrl, options);

  async function visit(view: "Clients" | "Access", options?: VisitOptions): Promise<Visitor> {
    const visitor = await visits.begin(broker.url, options);
    await visitor.go(view);
    await visitor.page.getByText(/needs a token with the scope/).waitFor();
    await visitor.signIn({ token: ADMIN_TOKEN });
    await visitor.page.getByRole("dialog").waitFor({ state: "hidden" });
    return visitor;
  }

  const part = ({ page }: Visitor, name: string) => page.getByRole("region", { name, exact: true });

  /** Clicks what asks before it does something, and says yes. */
  async function act(visitor: Visitor, button: string, yes: string): Promise<void> {
    await visitor.button(button).click();
    await visitor.page.locator("dialog.question").getByRole("button", { name: yes, exact: true }).click();
  }

  it("finds a client, shows what it is subscribed to, what waits for it and its packets, ends its connection and shuts it out", async () => {
    const [awayId, lampId] = [unique("door"), unique("lamp")];
    const away = await client({ clientId: awayId, clean: false });
    await away.subscribe(`${awayId}/+`, 1);
    await away.disconnect();
    const lamp = await client({ clientId: lampId });
    for (const text of ["one", "two"]) await lamp.publish(`${awayId}/x`, text, 1);

    const visitor = await visit("Clients");
    await visitor.field("Search client IDs").fill(awayId.slice(0, -1));
    await visitor.page.getByText("1 client, 1 away").waitFor();
    await visitor.page.getByRole("option", { name: `${awayId} away` }).click();
    await part(visitor, "Client").getByText("it said DISCONNECT").waitFor();
    const subscriptions = visitor.page.getByRole("list", { name: "Subscriptions" });
    await subscriptions.getByText(`${awayId}/+`).waitFor();
    const waiting = visitor.page.locator("details", { hasText: "Waiting 2" });
    await waiting.locator("summary").first().click();
    await waiting.getByText("two").click();
    await waiting.getByText(`published by ${lampId}`).waitFor();

    await visitor.page.goto(`${broker.url}/#/clients/${lampId}`);
    const added = `${lampId}-more`;
    await visitor.field("Topic filter").fill(added);
    await visitor.button("Subscribe").click();
    await subscriptions.getByText(added).waitFor();
    await lamp.publish(added, "by an operator", 1);
    expect(await lamp.inbox.next()).toMatchObject({ topic: added, text: "by an operator" });
    await act(visitor, `Unsubscribe ${added}`, "Unsubscribe");
    await subscriptions.getByText(added).waitFor({ state: "detached" });

    await visitor.button("Watch packets").click();
    await visitor.page.getByText("No packet has come or gone yet.").waitFor();
    const packets = visitor.page.getByRole("listbox", { name: "Packets, the newest first" });
    await lamp.publish(`${lampId}/state`, "on", 1);
    await packets.getByRole("option", { name: `PUBLISH ${lampId}/state · QoS 1` }).click();
    await part(visitor, "What PUBLISH says").getByText("payload_size").waitFor();
    await packets.getByRole("option", { name: "PUBACK" }).waitFor();
    await visitor.button("Pause").click();
    await lamp.publish(`${lampId}/state`, "off", 0);
    await visitor.page.getByText("1 more since it is paused").waitFor();
    await visitor.button("Go on").click();
    expect(await visitor.barriers()).toEqual([]);

    await act(visitor, "Kick …", "Kick");
    expect(await lamp.closed).toBe(0x98);
    await packets.getByRole("option", { name: "administrative action (0x98)" }).waitFor();

    await visitor.button("Ban …").click();
    await visitor.page.getByRole("dialog", { name: "Ban a client" }).getByRole("button", { name: "Ban", exact: true }).click();
    await visitor.page.getByText(`${lampId} is banned.`).waitFor();
    await expect(client({ clientId: lampId })).rejects.toMatchObject({ code: 0x8a });
    await visitor.go("Access");
    await visitor.page.getByRole("link", { name: "Bans" }).click();
    await act(visitor, `Lift the ban of ${lampId}`, "Lift");
    await visitor.page.getByText(`${lampId} may connect again.`).waitFor();
    await (await client({ clientId: lampId })).disconnect();
  });

  // What follows does not look at sessions.
  if (topology === "sharded") return;

  it("adds a user who can log in then, with rights as lines, which are tried out and hold; makes a token, once, with its entry", async () => {
    const name = unique("ada");
    const visitor = await visit("Access");
    await visitor.page.getByRole("link", { name: "Add a user" }).click();
    await visitor.field("User name").fill(name);
    await visitor.field("Password").fill("lovelace");
    const rules = visitor.page.getByLabel(/^Rules/);
    await rules.fill("allow publish %u/#\nallow nothing");
    await visitor.button("Add").click();
    await visitor.page.getByRole("alert").filter({ hasText: "Line 2 must have publish" }).waitFor();
    await rules.fill(`allow publish ${name}/#\ndeny subscribe a/#/b`);
    await visitor.button("Add").click();
    await visitor.page.getByRole("alert").filter({ hasText: "line 2" }).waitFor();
    await rules.fill("allow publish %u/#\nallow subscribe #");
    await visitor.button("Add").click();
    await visitor.page.getByText(`${name} was added.`).waitFor();

    await visitor.page.getByRole("link", { name: "Try them out" }).click();
    const answer = visitor.page.getByRole("status", { name: "Answer" });
    for (const [topic, verdict, why] of [
      [`${name}/x`, "allowed", `The rule acl[0] of the user ${name} allows it.`],
      ["other/x", "denied", "No rule allows it."],
    ] as const) {
      await visitor.field("Topic").fill(topic);
      await visitor.button("May it?").click();
      await answer.getByText(why).waitFor();
      expect(await answer.locator(".badge").textContent()).toBe(verdict);
    }
    const ada = await client({ userName: name, password: "lovelace" });
    await ada.subscribe("#", 0);
    await ada.publish("other/x", "denied", 1).catch(() => {});
    await ada.publish(`${name}/x`, "allowed", 1);
    expect(await ada.inbox.next()).toMatchObject({ text: "allowed" });

    await visitor.page.getByRole("navigation", { name: "Access" }).getByRole("link", { name: "Users" }).click();
    await visitor.field("From a user name on").fill(name);
    await visitor.page.getByRole("link", { name: new RegExp(name) }).click();
    await act(visitor, "Remove user …", "Remove");
    await visitor.page.getByText(`${name} was removed.`).waitFor();
    expect(await ada.closed).toBe(0x87);

    await visitor.page.getByRole("link", { name: "Tokens" }).click();
    await visitor.field("Name").fill("backend");
    await visitor.page.getByRole("checkbox", { name: /^publish/ }).check();
    await visitor.button("Make a token").click();
    const token = await visitor.field("Token").inputValue();
    const entry = await visitor.field("Its entry for API_TOKENS").inputValue();
    const [key] = API_TOKENS.parse(`[${entry}]`)!;
    expect(key).toMatchObject({ name: "backend", scopes: ["publish", "read"], namespaces: ["default"] });
    expect(Buffer.from(key!.digest).toString("hex")).toBe(createHash("sha256").update(token).digest("hex"));
    await visitor.button("I have it: forget it here").click();
    expect(await visitor.field("Token").count()).toBe(0);

    // As a broker without ADMIN_TOKEN answers.
    const message = "This broker keeps no users and bans. The operator lets it by the secret ADMIN_TOKEN.";
    await visitor.page.route("**/banned?*", (route) => route.fulfill({ status: 404, json: { code: "NOT_FOUND", message } }));
    await visitor.page.getByRole("link", { name: "Bans" }).click();
    await visitor.page.getByText(message).waitFor();
    await visitor.page.getByText("npx wrangler secret put ADMIN_TOKEN").waitFor();
  });

  it("shows nobody what another has seen", async () => {
    const [clientId, ban] = [unique("seen"), unique("banned")];
    const other = await client({ clientId });
    await done(broker.url, "POST", "/banned", { as: "clientid", who: ban, reason: "why" });
    const visitor = await visit("Clients");
    // From now on nothing is answered: what was is gone all the same.
    const leave = async (): Promise<void> => {
      await visitor.page.route("**/api/v5/**", () => {});
      await visitor.page.locator("button.state").click();
      await visitor.page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
    };
    const comeBack = async (): Promise<void> => {
      await visitor.page.unroute("**/api/v5/**");
      await visitor.page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      await visitor.signIn({ token: ADMIN_TOKEN });
      await visitor.page.getByRole("dialog").waitFor({ state: "hidden" });
    };
    const there = async (what: Locator): Promise<void> => {
      await what.waitFor();
      await leave();
      await what.waitFor({ state: "detached" });
      await comeBack();
    };
    const { page } = visitor;
    await page.getByRole("option", { name: clientId }).click();
    await visitor.button("Watch packets").click();
    await other.publish(`${clientId}/x`, "y", 1);
    await there(page.getByRole("option", { name: `PUBLISH ${clientId}/x` }));
    await visitor.go("Overview");
    await there(page.getByText(/^\d+ of \d+$/));
    await visitor.go("Access");
    await done(broker.url, "POST", USERS, { user_id: clientId, password: "x" });
    await page.getByRole("link", { name: "Bans" }).click();
    await there(page.getByText(ban));
    await page.getByRole("navigation", { name: "Access" }).getByRole("link", { name: "Users" }).click();
    await there(page.getByRole("link", { name: clientId }));
    await done(broker.url, "DELETE", `${USERS}/${clientId}`);
    await visitor.go("Messages");
    const form = page.getByRole("form", { name: "Publish" });
    await form.getByLabel("Topic", { exact: true }).fill(clientId);
    await form.getByLabel("Payload", { exact: true }).fill("told to nobody else");
    await form.getByRole("button", { name: "Publish" }).click();
    await visitor.messages.first().click();
    await there(page.getByRole("region", { name: "Message", exact: true }).getByText("told to nobody else"));
    await other.disconnect();
  });

  it("reaches what is called . or .., which a path can't have", async () => {
    const dots = await client({ clientId: "." });
    const visitor = await visit("Clients");
    const { page } = visitor;
    await page.getByRole("option", { name: /^\. connected/ }).click();
    await visitor.field("Topic filter").fill("dots/#");
    await visitor.button("Subscribe").click();
    await page.getByRole("list", { name: "Subscriptions" }).getByText("dots/#").waitFor();
    await visitor.button("Watch packets").click();
    await page.getByText("No packet has come or gone yet.").waitFor();
    await act(visitor, "Kick …", "Kick");
    expect(await dots.closed).toBe(0x98);
    await done(broker.url, "POST", "/banned", { as: "username_re", who: ".." });
    await done(broker.url, "POST", USERS, { user_id: "..", password: "x" });
    await visitor.go("Access");
    await page.getByRole("link", { name: /^\.\./ }).click();
    await act(visitor, "Remove user …", "Remove");
    await page.getByText(".. was removed.").waitFor();
    await page.getByRole("link", { name: "Bans" }).click();
    await act(visitor, "Lift the ban of ..", "Lift");
    await page.getByText(".. may connect again.").waitFor();
  });

  it("does not show a token again and again that is wrong: the broker counts guesses", async () => {
    const context = await (await visits.browser).newContext();
    await context.clock.install();
    const visitor = await Visitor.openIn(context, broker.url);
    const asked: string[] = [];
    visitor.page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    const of = (path: string): number => asked.filter((each) => each.startsWith(`/api/v5${path}`)).length;
    await visitor.connected();
    await visitor.signIn({ token: "a-token-that-is-wrong" });
    await visitor.page.getByRole("dialog").waitFor({ state: "hidden" });
    for (const [view, path] of [
      ["Clients", "/clients"],
      ["Overview", "/stats"],
      ["Access", "/authentication"],
    ] as const) {
      // The view before says the same: that this one has asked is what is waited for.
      await Promise.all([visitor.page.waitForResponse((response) => response.url().includes(`/api/v5${path}`)), visitor.go(view)]);
      await visitor.page.getByText(/needs a token with the scope/).waitFor();
      await context.clock.runFor(60_000);
      expect([view, of(path)]).toEqual([view, 1]);
    }
    await visitor.close();
  });

  it("keeps nobody out, on a phone, in light and dark", async () => {
    const clientId = unique("phone");
    const other = await client({ clientId, clean: false });
    await other.subscribe(`${clientId}/with/a/long/name/of/a/topic/that/does/not/fit/into/a/line`, 1);
    await done(broker.url, "POST", "/banned", { as: "clientid", who: unique("banned"), reason: "why" });
    const visitor = await visit("Clients", { viewport: PHONE });
    const looks = async (): Promise<void> => {
      for (const colorScheme of ["light", "dark"] as const) {
        await visitor.page.emulateMedia({ colorScheme });
        expect(await visitor.barriers()).toEqual([]);
      }
      expect(await visitor.fits()).toBe(true);
    };
    await visitor.page.getByRole("option", { name: new RegExp(`^${clientId}`) }).waitFor();
    await looks();
    await visitor.page.getByRole("option", { name: new RegExp(`^${clientId}`) }).click();
    await visitor.button("Watch packets").click();
    await other.publish(`${clientId}/x`, "y", 0);
    await visitor.page.getByRole("option", { name: /^.* PUBLISH / }).waitFor();
    await looks();
    await visitor.page.getByRole("link", { name: "Back to the clients" }).click();
    await visitor.page.getByRole("option", { name: new RegExp(`^${clientId}`) }).waitFor();
    await visitor.go("Access");
    for (const [link, there] of [
      ["Users", "Add a user"],
      ["Bans", "Ban somebody"],
      ["Tokens", "What it is for"],
      ["Rights tried out", "May it?"],
    ] as const) {
      await visitor.page.getByRole("navigation", { name: "Access" }).getByRole("link", { name: link }).click();
      await visitor.page.getByText(there).first().waitFor();
      await looks();
    }
  });
});
