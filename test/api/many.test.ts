/** What the API lists of 2,000 sessions over eight objects is what was done: page by page, by filters, and after what is done on their behalf. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { type Answer, API_ENV, type Ask, call } from "../support/api.ts";
import { MqttTestClient } from "../support/mqtt-client.ts";

const SESSIONS = 2000;
const CONNECTED = 60;
const PER_CALL = 16;
const AT_ONCE = 8;

const ADMIN = "an-admin-token-of-many-letters";
const clientIdOf = (number: number): string => `many/${String(number).padStart(4, "0")}`;

/** What there is: filters of each client, in no order. */
const model = new Map<string, Set<string>>();
const connected = new Map<string, MqttTestClient>();
let broker: Broker;

const ask = (path: string, options: Ask = {}): Promise<Answer> => call(broker, path, { token: ADMIN, ...options });

/** Calls a function for each, some at a time. */
async function forEach<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<void> {
  const rest = items.values();
  const work = async (): Promise<void> => {
    for (const item of rest) await act(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function listed(path: string): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  const join = path.includes("?") ? "&" : "?";
  for (let cursor = ""; ; ) {
    const { status, body } = await ask(`${path}${cursor}`);
    expect(status).toBe(200);
    const { data, meta } = body as { data: Record<string, unknown>[]; meta: { limit: number; hasnext: boolean; cursor?: string } };
    expect(data.length).toBeLessThanOrEqual(meta.limit);
    items.push(...data);
    if (!meta.hasnext) return items;
    cursor = `${join}cursor=${encodeURIComponent(meta.cursor!)}`;
  }
}

const pairs = (): string[] => [...model].flatMap(([clientId, filters]) => [...filters].map((filter) => `${clientId} ${filter}`)).sort();
const told = (items: readonly Record<string, unknown>[]): string[] => items.map(({ clientid, topic }) => `${clientid} ${topic}`).sort();

beforeAll(async () => {
  broker = await startBroker({
    env: { ...API_ENV, TOPOLOGY: "sharded", SESSION_SHARDS: "8", TOPIC_SHARDS: "2", ADMIN_TOKEN: ADMIN, API_RATE: "unlimited" },
  });
  for (let number = 0; number < SESSIONS; number += 1) {
    const filters = Array.from({ length: number % 4 }, (_, index) => `many/${number % 50}/${index}/+`);
    model.set(clientIdOf(number), new Set(filters));
  }
  const all = [...model];
  const batches = Array.from({ length: SESSIONS / PER_CALL }, (_, index) => all.slice(index * PER_CALL, (index + 1) * PER_CALL));
  await forEach(batches, async (batch) => {
    const sessions = batch.map(([client_id, filters]) => ({
      ...{ client_id, expiry_seconds: 600, next_packet_id: 1 },
      subscriptions: [...filters].map((filter) => ({ filter, options: 1 })),
    }));
    expect((await ask("/portable/sessions", { body: sessions })).body).toMatchObject({ problems: [] });
  });
  await forEach([...model.keys()].slice(0, CONNECTED), async (clientId) => {
    const client = await MqttTestClient.open(broker.mqttUrl, { version: 5, clientId });
    await client.connect({ clientId, version: 5, clean: false, properties: { sessionExpiryInterval: 600 } });
    connected.set(clientId, client);
  });
}, 120_000);

afterAll(async () => {
  for (const client of connected.values()) client.terminate();
  await broker?.dispose();
});

test("every client once, whatever the pages, and those that are connected", { timeout: 60_000 }, async () => {
  for (const limit of [1000, 170])
    expect((await listed(`/clients?limit=${limit}`)).map(({ clientid }) => clientid).sort()).toEqual([...model.keys()]);
  const there = await listed("/clients?limit=1000&conn_state=connected");
  expect(there.map(({ clientid }) => clientid).sort()).toEqual([...connected.keys()].sort());
  expect((await listed("/clients?limit=1000&like_clientid=/00")).length).toBe(100);
  const { body } = await ask("/stats?aggregate=true");
  expect(body).toMatchObject({ "sessions.count": SESSIONS, "live_connections.count": CONNECTED, "subscriptions.count": pairs().length });
});

test("every subscription and every filter once, also after some were made and ended on behalf of clients", {
  timeout: 60_000,
}, async () => {
  expect(told(await listed("/subscriptions?limit=333"))).toEqual(pairs());
  await forEach([...connected.keys()], async (clientId) => {
    const path = `/clients/${encodeURIComponent(clientId)}`;
    const filters = model.get(clientId)!;
    for (const filter of [...filters].slice(0, 1)) {
      expect((await ask(`${path}/unsubscribe`, { body: { topic: filter } })).status).toBe(204);
      filters.delete(filter);
    }
    for (const topic of ["made/#", `made/${clientId}`]) {
      expect((await ask(`${path}/subscribe`, { body: { topic, qos: 1 } })).status).toBe(200);
      filters.add(topic);
    }
  });
  expect(told(await listed("/subscriptions?limit=1000"))).toEqual(pairs());
  expect((await listed("/subscriptions?limit=1000&match_topic=made/x")).length).toBe(CONNECTED);
  const filters = (await listed("/topics?limit=100")).map(({ topic, node }) => `${topic} ${node}`);
  expect(new Set(filters).size).toBe(filters.length);
  expect([...new Set(filters.map((each) => each.split(" ")[0]))].sort()).toEqual(
    [...new Set([...model.values()].flatMap((each) => [...each]))].sort(),
  );
});

test("who is ended is away, and what comes then waits for him", { timeout: 60_000 }, async () => {
  const [one, ...others] = [...connected.keys()];
  expect((await ask("/clients/kickout/bulk", { body: others.slice(0, 40) })).status).toBe(204);
  expect((await listed("/clients?limit=1000&conn_state=connected")).map(({ clientid }) => clientid).sort()).toEqual(
    [one, ...others.slice(40)].sort(),
  );
  expect((await ask("/publish", { body: { topic: "made/all", payload: "x", qos: 1 } })).status).toBe(200);
  await forEach(others.slice(0, 40), async (clientId) => {
    const { body } = await ask(`/clients/${encodeURIComponent(clientId)}/mqueue_messages?payload=plain`);
    expect(body).toMatchObject({ data: [{ topic: "made/all", payload: "x", qos: 1 }] });
  });
});
