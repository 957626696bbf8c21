/** What the directory's object does beyond its decisions: whom it calls, when it wakes, and what that reads. */

import { expect, test, vi } from "vitest";
import { DEFAULT_CHOICES } from "../../src/choices.ts";
import type { Ban } from "../../src/directory/bans.ts";
import type { News } from "../../src/directory/news.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { PRESENCE_SLOT_MS, PRESENCE_SLOTS, PRESENCES_PER_ALARM } from "../../src/login-limits.ts";
import { DirectoryHost } from "../../src/objects/directory-host.ts";
import { Meter } from "../../src/objects/meter.ts";
import type { Runtime } from "../../src/runtime.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { hash } from "../../src/topic/hash.ts";
import { SqliteRows } from "../simulation/rows.ts";
import { World } from "../simulation/world.ts";

type Learn = (object: string, news: News) => Promise<boolean>;

/** A directory whose Session objects answer so. */
function directory(learn: Learn, settings: Record<string, string>) {
  const meter = new Meter();
  const { directory: store } = new SqliteRows(meter);
  const state = { now: 1_800_000_000_000, alarmAt: null as number | null };
  const runtime: Runtime = { now: () => state.now, after: () => ({ cancel: () => {} }), incarnation: () => "1" };
  const begin = (): DirectoryHost =>
    new DirectoryHost({
      store,
      settings: parseSettings({ TOPOLOGY: "sharded", ADMIN_TOKEN: "an-admin-token-of-tests", ...settings }) as Settings,
      name: "default/directory",
      storage: {
        getAlarm: async () => state.alarmAt,
        setAlarm: async (at) => {
          state.alarmAt = at;
        },
      },
      sessions: (name) => ({ learn: (news: News) => learn(name, news) }),
      meter,
      runtime,
    });
  return { store, state, meter, begin, host: begin() };
}

function ban(who: string, more: Partial<Ban> = {}): Ban {
  return { kind: "clientid", who, by: "ada", reason: "", at: 0, until: Number.POSITIVE_INFINITY, ...more };
}

function presence(clientId: string, more: { readonly userName?: string; readonly address?: string } = {}) {
  return { object: `default/client/${clientId}`, clientId, userName: undefined, address: "203.0.113.9", ...more };
}

test("to tell ten times as many objects reads ten times as many rows", async () => {
  const cost = async (objects: number): Promise<number> => {
    const told: string[] = [];
    const { host, meter, store } = directory(async (object) => told.push(object) > 0, { SESSION_SHARDS: "0" });
    for (let index = 0; index < objects; index += 1) host.enter(presence(`c${index}`));
    const before = meter.rowsRead;
    await host.putBan(ban("203.0.113.0/24", { kind: "peerhost_net" }));
    expect([new Set(told).size, told.length, store.hasUntold()]).toEqual([objects, objects, false]);
    return meter.rowsRead - before;
  };
  expect((await cost(1000)) / (await cost(100))).toBeLessThan(11);
});

test("who connects while nobody is said to be there is not forgotten", async () => {
  const answers: ((isPresent: boolean) => void)[] = [];
  const { host, store } = directory(() => new Promise((answer) => void answers.push(answer)), { SESSION_SHARDS: "0" });
  host.enter(presence("c"));
  for (const comes of [true, false]) {
    const told = host.putBan(ban("c"));
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    if (comes) host.enter(presence("c"));
    answers.shift()!(false);
    await told;
    expect(store.presence("default/client/c") !== undefined).toBe(comes);
  }
});

test("an object says that somebody is there while a client is about to be let in, though there is no session yet", async () => {
  const choices = DEFAULT_CHOICES;
  const world = new World({ seed: 1, topology: "sharded", sessionShards: 0, limits: DEFAULT_LIMITS, choices, banning: true });
  const line = world.connect("c", "c", false, { receive: () => {}, closed: () => {} });
  const learn = async (): Promise<boolean> => {
    const until = world.now + 1000;
    while (await world.step(until));
    const answer = world.object("n/client/c").sessionHost!.learn({ version: 1, bans: undefined, users: [] });
    while (await world.step(until + 1000));
    return answer;
  };
  expect(await learn()).toBe(true);
  line.drop();
  expect(await learn()).toBe(false);
});

test("clients that do not come back are forgotten within a round, those with a session and those that can't be asked are not", async () => {
  const asked: string[] = [];
  const present = new Set([presence("kept").object]);
  const learn: Learn = async (object, { bans, users }) => {
    asked.push(object);
    expect([bans, users]).toEqual([undefined, []]);
    if (object === presence("lost").object) throw new Error("out of reach");
    return present.has(object);
  };
  const { begin, host, meter, store, state } = directory(learn, { SESSION_SHARDS: "0" });
  const clean = Array.from({ length: 100 }, (_, index) => `c${index}`);
  for (const clientId of ["kept", "lost", ...clean]) host.enter(presence(clientId));
  await vi.waitFor(() => expect(state.alarmAt).not.toBe(null));
  const [end, before] = [state.now + PRESENCE_SLOT_MS * PRESENCE_SLOTS, meter.rowsWritten];
  let [alarms, now] = [0, host];
  for (; state.alarmAt !== null && state.alarmAt <= end; alarms += 1) {
    state.now = state.alarmAt;
    state.alarmAt = null;
    // It does not live from one to the next.
    now = begin();
    await now.alarm();
  }
  expect(store.presentAfter("", 9)).toEqual([presence("kept").object, presence("lost").object]);
  expect(asked.sort()).toEqual(["kept", "lost", ...clean].map((clientId) => presence(clientId).object).sort());
  // Each alarm costs a row, and one that says how far it came.
  expect([alarms, meter.rowsWritten - before]).toEqual([PRESENCE_SLOTS, clean.length + 2 * PRESENCE_SLOTS]);
  now.enter(presence("c1"));
  expect(store.presence(presence("c1").object)).toBeDefined();
});

test("of very many some are asked by each alarm, and each once in a round, however often the directory begins anew", async () => {
  const asked: string[] = [];
  const { begin, host, meter, state } = directory(async (object) => asked.push(object) > 0, { SESSION_SHARDS: "0" });
  const count = 2 * PRESENCES_PER_ALARM + 100;
  for (let index = 0; index < count; index += 1) host.enter(presence(`c${index}`));
  await vi.waitFor(() => expect(state.alarmAt).not.toBe(null));
  const at = state.alarmAt!;
  const due = Array.from({ length: count }, (_, index) => presence(`c${index}`).object).filter(
    (object) => hash(object) % PRESENCE_SLOTS === (at / PRESENCE_SLOT_MS) % PRESENCE_SLOTS,
  );
  const parts: number[] = [];
  for (; state.alarmAt! < at + PRESENCE_SLOT_MS && parts.length < 9; parts.push(asked.length)) {
    state.now = state.alarmAt!;
    state.alarmAt = null;
    const read = meter.rowsRead;
    await begin().alarm();
    expect(meter.rowsRead - read).toBeLessThan(1.1 * PRESENCES_PER_ALARM);
  }
  // Each begins with an alarm to go on: the last one has nothing to do.
  expect([asked.toSorted(), parts.length, parts[0]! < due.length / 2 + 20]).toEqual([due.toSorted(), 4, true]);
  // An alarm for something else.
  const read = meter.rowsRead;
  await begin().alarm();
  expect([asked.length, meter.rowsRead - read < 20, state.alarmAt]).toEqual([due.length, true, at + PRESENCE_SLOT_MS]);
});

test("where nobody is any more nobody is asked, and no alarm is set until somebody comes", async () => {
  const { host, state } = directory(async () => false, { SESSION_SHARDS: "0" });
  host.enter(presence("c"));
  for (let slot = 0; slot < PRESENCE_SLOTS; slot += 1) {
    await vi.waitFor(() => expect(state.alarmAt).not.toBe(null));
    state.now = state.alarmAt!;
    state.alarmAt = null;
    await host.alarm();
    if (state.alarmAt === null) break;
  }
  await host.alarm();
  expect(state.alarmAt).toBe(null);
  host.enter(presence("c"));
  await vi.waitFor(() => expect(state.alarmAt).toBeGreaterThan(state.now));
});

test("many changes are told in pieces, and asked for so", async () => {
  const pieces: (readonly string[])[] = [];
  const learn: Learn = async (_object, { users }) => pieces.push(users.map(({ user }) => user)) > 0;
  const { host, store, state } = directory(learn, { SESSION_SHARDS: "1" });
  const names = Array.from({ length: 2500 }, (_, index) => `u${String(index).padStart(4, "0")}`);
  for (let version = 0; version < 2; version += 1) {
    const entries = names.map((user) => ({ user, password: `hash ${version}` }));
    await host.putUsers(entries, "put");
    state.now += 1;
  }
  expect([pieces.map(({ length }) => length), pieces.flat(), store.hasUntold()]).toEqual([[1000, 1000, 500], names, false]);
  expect(host.recent("").users).toHaveLength(1000);
  // A Session object of a build before asks for no page, and does not ask again.
  const { users, next } = host.recent(undefined);
  expect([users.map(({ user }) => user), next]).toEqual([names, undefined]);
});
