/** Objects that can't be asked, and labels that need care: what no real broker does when it is told to. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { exposition } from "../../src/api/metrics.ts";
import type { Route } from "../../src/api/route.ts";
import { scrape } from "../../src/api/scrape.ts";
import { STATS } from "../../src/api/stats.ts";
import { USAGE } from "../../src/api/usage.ts";
import { Ledger } from "../../src/ledger.ts";
import type { BrokerEnv } from "../../src/objects/env.ts";
import { type Figures, Meter } from "../../src/objects/meter.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { readExposition } from "../support/exposition.ts";

const memory = new Ledger(1).figures();
const FIGURES: Figures = {
  usage: new Meter().usage(),
  memory,
  session: undefined,
  retainedMessages: undefined,
  outbox: undefined,
  routed: undefined,
};

function envOf(figures: (name: string) => Promise<Figures>): BrokerEnv {
  const objects = { idFromName: (name: string) => name, get: (name: string) => ({ figures: () => figures(name) }) };
  return { SESSIONS: objects, TOPICS: objects } as unknown as BrokerEnv;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("objects that fail or never answer are not up, after a few seconds, and the others are told of", async () => {
  const settings = parseSettings({ SESSION_SHARDS: 2, TOPIC_SHARDS: 2 }) as Settings;
  const env = envOf((name) => {
    if (name === "default/session/1") return Promise.reject(new Error("it does not start"));
    return name === "default/topic/0" ? new Promise(() => {}) : Promise.resolve(FIGURES);
  });
  const response = scrape(env, settings, ["default"]);
  await vi.advanceTimersByTimeAsync(0);
  // Who has answered, or failed, is not waited for any longer.
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(5000);
  const { samples } = readExposition(await (await response).text());
  const of = (metric: string) => samples.filter((sample) => sample.metric === metric).map(({ labels, value }) => [labels.object, value]);
  expect(of("durable_mqtt_object_up")).toEqual([
    ["session/0", 1],
    ["session/1", 0],
    ["topic/0", 0],
    ["topic/1", 1],
  ]);
  expect(of("durable_mqtt_calls_total")).toEqual([
    ["session/0", 0],
    ["topic/1", 0],
  ]);
});

test("what is billed, and was counted, is told of those that answer", async () => {
  const settings = parseSettings({ SESSION_SHARDS: 2, TOPIC_SHARDS: 2, MONITOR: true }) as Settings;
  const counted = { month: 2026 * 12 + 10, requests: 1, calls: 2, socketMessages: 0, alarms: 0, rowsRead: 0, rowsWritten: 0, awakeMs: 0 };
  const sample = { received: 60, sent: 0, dropped: 0, connections: 1, sessions: 1, subscriptions: 0 };
  const objects = {
    idFromName: (name: string) => name,
    get: (name: string) => {
      const unknown = (): never => {
        throw new TypeError("The RPC receiver does not implement the method");
      };
      const answers = { billed: async () => [counted], samplesSince: async (minute: number) => [{ minute, ...sample }] };
      if (name === "default/session/1") return { billed: unknown, samplesSince: async () => unknown() };
      return name === "default/topic/0" ? { billed: () => new Promise(() => {}) } : answers;
    },
  };
  const env = { SESSIONS: objects, TOPICS: objects };
  const ask = async (routes: readonly Route[], path: string, query: object): Promise<unknown> => {
    const asked = { env, settings, namespace: "default", query } as unknown as Parameters<Route["handle"]>[0];
    const answer = routes.find((route) => route.path === path)!.handle(asked);
    await vi.advanceTimersByTimeAsync(5000);
    return (await answer).body;
  };
  expect(await ask(USAGE, "/usage", {})).toMatchObject([{ month: "2026-11", requests: 2, calls: 4, objects_missing: 2 }]);
  const curve = (await ask(STATS, "/monitor", { latest: 60 })) as { received: number }[];
  expect(curve.map(({ received }) => received)).toEqual([60]);
});

test("labels are escaped", () => {
  const { samples } = readExposition(exposition([{ object: 'n/a "b"\\n\nc', figures: undefined }]));
  expect(samples).toEqual([{ metric: "durable_mqtt_object_up", labels: { namespace: "n", object: 'a "b"\\n\nc' }, value: 0 }]);
});
