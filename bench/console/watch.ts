/** What somebody feels who watches topics in a browser: how long frames take, and what the page holds. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { CDPSession, Page } from "playwright-core";
import { startBroker } from "../../scripts/local/local-broker.ts";
import { launchBrowser } from "../../test/support/browser.ts";

export interface WatchOptions {
  readonly topics: number;
  /** Messages a second. */
  readonly rate: number;
  /** Of each part that is measured. */
  readonly seconds: number;
}

export interface Felt {
  readonly part: string;
  /** Milliseconds between two frames. */
  readonly frames: { readonly count: number; readonly p50: number; readonly p99: number; readonly most: number };
  /** What the page's own code took in one go, longest, ms. */
  readonly longestTask: number;
  /** Messages a second that the page has shown. */
  readonly rate: number;
}

export interface Watched {
  readonly parts: readonly Felt[];
  readonly topics: number;
  /** Elements of the document. */
  readonly elements: number;
  /** Of JavaScript, after a collection, bytes. */
  readonly heapBytes: number;
}

/** What the foot of the view says; as a source, because it runs in the page, whose policy lets no function be made of a text there. */
const SHOWN_TOPICS = 'Number((document.querySelector(".foot")?.textContent ?? "0").split(" ")[0].replaceAll(",", ""))';

/** How long topics may take to be there, ms. */
const SHOWN_MS_MAX = 120_000;

const LOAD = join(import.meta.dirname, "load.ts");

/** What is done while it is measured. */
const PARTS: readonly { readonly name: string; readonly act: (page: Page) => Promise<void> }[] = [
  { name: "all levels shut", act: async () => {} },
  {
    name: "all levels open",
    act: async (page) => {
      await page.getByRole("button", { name: "More about topics" }).click();
      await page.getByRole("button", { name: "Open all levels" }).click();
    },
  },
  {
    name: "scrolled, one topic looked at",
    act: async (page) => {
      await page
        .locator(".scroller")
        .first()
        .evaluate((element) => {
          element.scrollTop = element.scrollHeight / 2;
        });
      await page.getByRole("treeitem").nth(12).click();
    },
  },
  { name: "searched for", act: async (page) => page.getByLabel("Search topics").fill("device-99") },
];

export async function watchTopics({ topics, rate, seconds }: WatchOptions): Promise<Watched> {
  const broker = await startBroker({ env: { ALLOW_ANONYMOUS: "true" } });
  const browser = await launchBrowser();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const debuggerOf = await page.context().newCDPSession(page);
  const load = spawn(process.execPath, [LOAD, broker.mqttUrl, String(topics), String(rate)], { stdio: "inherit" });
  try {
    await page.goto(broker.url);
    for (const end = Date.now() + SHOWN_MS_MAX; (await page.evaluate<number>(SHOWN_TOPICS)) < topics; await setTimeout(500))
      if (Date.now() > end) throw new Error(`After ${SHOWN_MS_MAX / 1000} s the page does not show ${topics} topics.`);
    const parts: Felt[] = [];
    for (const { name, act } of PARTS) {
      await act(page);
      parts.push({ part: name, ...(await felt(page, seconds)) });
    }
    return { parts, topics: await page.evaluate<number>(SHOWN_TOPICS), ...(await held(page, debuggerOf)) };
  } finally {
    load.kill();
    await browser.close();
    await broker.dispose();
  }
}

interface Raw {
  readonly deltas: number[];
  readonly tasks: number[];
  readonly messages: number;
}

/** Runs in the page, as a source: for so many ms it takes the times of frames, and of what took long. */
const LOOK = `(ms) => new Promise((resolve) => {
  const [deltas, tasks] = [[], []];
  const count = () => Number(/([\\d,]+) messages/.exec(document.querySelector(".foot").textContent)[1].replaceAll(",", ""));
  const before = count();
  const observer = new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => tasks.push(duration)));
  observer.observe({ type: "longtask" });
  const begun = performance.now();
  let last = begun;
  const frame = (now) => {
    deltas.push(now - last);
    last = now;
    if (now - begun < ms) return requestAnimationFrame(frame);
    observer.disconnect();
    resolve({ deltas: deltas.slice(1), tasks, messages: count() - before });
  };
  requestAnimationFrame(frame);
})`;

async function felt(page: Page, seconds: number): Promise<Omit<Felt, "part">> {
  const { deltas, tasks, messages } = await page.evaluate<Raw>(`(${LOOK})(${seconds * 1000})`);
  const sorted = [...deltas].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return {
    frames: { count: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) },
    longestTask: Math.max(0, ...tasks),
    rate: messages / seconds,
  };
}

async function held(page: Page, debuggerOf: CDPSession): Promise<Pick<Watched, "elements" | "heapBytes">> {
  await debuggerOf.send("HeapProfiler.collectGarbage");
  const { usedSize } = await debuggerOf.send("Runtime.getHeapUsage");
  return { elements: await page.evaluate<number>('document.querySelectorAll("*").length'), heapBytes: usedSize };
}
