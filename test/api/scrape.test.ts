/** Objects that can't be asked, and labels that need care: what no real broker does when it is told to. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { exposition } from "../../src/api/metrics.ts";
import { scrape } from "../../src/api/scrape.ts";
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

test("labels are escaped", () => {
  const { samples } = readExposition(exposition([{ object: 'n/a "b"\\n\nc', figures: undefined }]));
  expect(samples).toEqual([{ metric: "durable_mqtt_object_up", labels: { namespace: "n", object: 'a "b"\\n\nc' }, value: 0 }]);
});
