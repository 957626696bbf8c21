/** Somebody who uses the console in a real browser: what he does and what he reads, by roles and names as a screen reader has them. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { launchBrowser } from "./browser.ts";
import { WAIT_MS } from "./mqtt-client.ts";

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

export interface VisitOptions {
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: "light" | "dark";
}

/** The browser of a test file, which the first test that needs it starts, and those who use it. */
export class Visits {
  #browser: Promise<Browser> | undefined;
  readonly #visitors: Visitor[] = [];

  get browser(): Promise<Browser> {
    this.#browser ??= launchBrowser();
    return this.#browser;
  }

  /** Opens the console as somebody who was never there, and is let in. */
  async begin(url: string, options?: VisitOptions): Promise<Visitor> {
    const visitor = await Visitor.open(await this.browser, url, options);
    this.#visitors.push(visitor);
    await visitor.connected();
    return visitor;
  }

  /** Everybody goes; nothing that a page must not do was done. */
  async end(): Promise<void> {
    for (const visitor of this.#visitors.splice(0)) await visitor.close();
  }

  async dispose(): Promise<void> {
    await (await this.#browser?.catch(() => undefined))?.close();
  }
}

export interface SignInAs {
  readonly userName?: string;
  readonly password?: string;
  readonly token?: string;
  readonly namespace?: string;
  readonly stays?: boolean;
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export class Visitor {
  readonly page: Page;
  /** What the Content-Security-Policy has kept the page from, and what it threw. */
  readonly faults: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(WAIT_MS);
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) this.faults.push(message.text());
    });
    page.on("pageerror", (error) => this.faults.push(error.message));
  }

  /** Opens the console as somebody who was never there. */
  static async open(browser: Browser, url: string, options: VisitOptions = {}): Promise<Visitor> {
    const { viewport = DESKTOP, colorScheme = "light" } = options;
    const context = await browser.newContext({
      locale: "en-US",
      viewport,
      colorScheme,
      permissions: ["clipboard-read", "clipboard-write"],
    });
    return Visitor.openIn(context, url);
  }

  /** Another tab of the same browser. */
  static async openIn(context: BrowserContext, url: string): Promise<Visitor> {
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(url);
    return visitor;
  }

  async close(): Promise<void> {
    await this.page.context().close();
    expect(this.faults).toEqual([]);
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name, exact: typeof name === "string" });
  }

  field(name: string): Locator {
    return this.page.getByLabel(name, { exact: true });
  }

  async connected(): Promise<void> {
    await this.button(/^Connected/).waitFor();
  }

  /** Awaits that the broker has granted what the view of topics watches: what is published from then on is seen. */
  async watching(): Promise<void> {
    await this.#watched.first().waitFor();
    await this.waitingToWatch.waitFor({ state: "detached" });
  }

  get #watched(): Locator {
    return this.page.getByRole("list", { name: "Watched filters" }).getByRole("listitem");
  }

  /** The first of the watched filters that is still to be granted. */
  get waitingToWatch(): Locator {
    return this.#watched.and(this.page.locator("[aria-busy=true]")).first();
  }

  /** Fills the form in and sends it; it is open, or is opened. */
  async signIn({ userName, password, token, namespace, stays }: SignInAs): Promise<void> {
    const dialog = this.page.getByRole("dialog", { name: "Sign in to the broker" });
    if (!(await dialog.isVisible())) await this.page.locator("button.state").click();
    if (userName !== undefined) await dialog.getByLabel("User name").fill(userName);
    if (password !== undefined) await dialog.getByLabel("Password").fill(password);
    if (token !== undefined) await dialog.getByLabel("Token").fill(token);
    if (stays !== undefined) await dialog.getByLabel("Stay signed in").setChecked(stays);
    if (namespace !== undefined) {
      await dialog.locator("summary").click();
      await dialog.getByLabel("Namespace").fill(namespace);
    }
    await dialog.locator("button[type=submit]").click();
  }

  async go(view: "Topics" | "Messages" | "Clients" | "Overview" | "Access"): Promise<void> {
    await this.page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: view }).click();
  }

  /** The row of a topic in the tree, or of a level above topics. */
  topic(topic: string): Locator {
    return this.page.getByRole("treeitem", { name: new RegExp(`^${topic.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(\\s|$)`) });
  }

  /** Opens the levels above a topic, and looks at it. */
  async look(topic: string): Promise<void> {
    const levels = topic.split("/");
    for (let depth = 1; depth < levels.length; depth += 1) {
      const row = this.topic(levels.slice(0, depth).join("/"));
      await row.waitFor();
      if ((await row.getAttribute("aria-expanded")) === "true") continue;
      if (this.isNarrow) await row.click();
      else await row.dblclick();
    }
    await this.topic(topic).click();
  }

  /** The messages that are listed, the newest first. */
  get messages(): Locator {
    return this.page.getByRole("listbox", { name: /^Messages/ }).getByRole("option");
  }

  /** The detail of what is chosen. */
  get detail(): Locator {
    return this.page.getByRole("region", { name: /^(Topic|Message)$/ });
  }

  get isNarrow(): boolean {
    return this.page.viewportSize()!.width < 768;
  }

  /** Whether all of it can be seen without scrolling sideways. */
  fits(): Promise<boolean> {
    return this.page.evaluate("document.documentElement.scrollWidth <= innerWidth");
  }

  /** What axe-core finds that would keep somebody from using the page, in light and in the dark, each as a sentence. */
  async barriers(): Promise<string[]> {
    await this.page.evaluate(AXE);
    const found: string[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      await this.page.emulateMedia({ colorScheme });
      found.push(...(await this.#barriersNow()));
    }
    return found;
  }

  #barriersNow(): Promise<string[]> {
    return this.page.evaluate(async () => {
      interface Found {
        readonly violations: readonly { id: string; impact: string; nodes: readonly { html: string; failureSummary: string }[] }[];
      }
      const { axe } = globalThis as unknown as { axe: { run(): Promise<Found> } };
      const { violations } = await axe.run();
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`));
    });
  }
}
