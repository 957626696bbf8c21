/** Who is there, as those who watch it hear it: what was done, by way of several objects, of which some are reset or out of reach. */

import { describe, expect, test } from "vitest";
import { SUBACK, UNSUBACK } from "../../src/mqtt/packet.ts";
import { sessionObjectName, topicObjectName, topicShard } from "../../src/objects/names.ts";
import { isPresenceRow } from "../../src/session/presence.ts";
import { PRESENCE_ASK_MS, PRESENCE_FRESH_MS, PRESENCE_LISTED_MAX } from "../../src/share-limits.ts";
import { Random } from "./random.ts";
import { Stage, type StageClient } from "./stage.ts";

const ACL = JSON.stringify([{ permission: "allow", action: "all", topics: ["#", "$presence/#"] }]);
const COMPACT = { TOPOLOGY: "compact", ACL, PRESENCE: "true" };
const SHARDED = { TOPOLOGY: "sharded", SESSION_SHARDS: "3", TOPIC_SHARDS: "2", ACL, PRESENCE: "true" };
const OF_ONE = { TOPOLOGY: "sharded", SESSION_SHARDS: "0", TOPIC_SHARDS: "2", ACL, PRESENCE: "true" };

interface Told {
  readonly event: "state" | "join" | "leave";
  readonly filter: string;
  readonly clientid: string;
  readonly count: number;
  readonly complete: boolean;
  readonly members: readonly { readonly clientid: string }[];
}

function told(watcher: StageClient): Told[] {
  return watcher.messages.filter(({ topic }) => topic.startsWith("$presence/")).map(({ text }) => JSON.parse(text) as Told);
}

/** In few words. */
function words(all: readonly Told[]): string[] {
  return all.map(({ event, clientid, members, count }) =>
    event === "state"
      ? `state ${members
          .map((member) => member.clientid)
          .sort()
          .join(",")} ${count}`
      : `${event} ${clientid} ${count}`,
  );
}

/** What a reader makes of it who does as he is told. */
function seen(all: readonly Told[], filter: string): { readonly members: string[]; readonly count: number | undefined } {
  const members = new Set<string>();
  let count: number | undefined;
  for (const each of all.filter((one) => one.filter === filter)) {
    count = each.count;
    if (each.event === "join") members.add(each.clientid);
    else if (each.event === "leave") members.delete(each.clientid);
    else {
      members.clear();
      for (const { clientid } of each.members) members.add(clientid);
    }
  }
  return { members: [...members].sort(), count };
}

async function subscribed(stage: Stage, client: StageClient, filter: string): Promise<void> {
  const before = client.count(SUBACK);
  client.subscribe(filter, 1);
  await stage.advanceUntil(() => client.count(SUBACK) > before);
  await stage.advance(20);
}

async function unsubscribed(stage: Stage, client: StageClient, filter: string): Promise<void> {
  const before = client.count(UNSUBACK);
  client.unsubscribeFrom([filter]);
  await stage.advanceUntil(() => client.count(UNSUBACK) > before);
  await stage.advance(20);
}

const objectOf = (stage: Stage, clientId: string): string => sessionObjectName(stage.settings, "default", clientId);
const topicObjectOf = (stage: Stage, filter: string): string => topicObjectName("default", topicShard(stage.settings, filter));

describe.each([
  ["compact", COMPACT],
  ["sharded", SHARDED],
  ["an object for each client", OF_ONE],
])("%s", (_name, env) => {
  test("who is there is told at once, and then who comes and goes; else, before and behind, it costs nothing", async () => {
    const stage = new Stage(env);
    const costs = async (): Promise<number[]> => {
      const [calls, rows] = [stage.calls, stage.rowsWritten];
      const client = await stage.connect("d", true);
      await subscribed(stage, client, "room");
      client.vanish();
      await stage.advance(5_000);
      return [stage.calls - calls, stage.rowsWritten - rows];
    };
    const [a, b] = [await stage.connect("a", true), await stage.connect("b", false)];
    await subscribed(stage, a, "room");
    await subscribed(stage, b, "room");
    await stage.advance(5_000);
    await costs();
    const before = await costs();
    const watcher = await stage.connect("w", true);
    await subscribed(stage, watcher, "$presence/room");
    expect(words(told(watcher))).toEqual(["state a,b 2"]);
    const c = await stage.connect("c", true);
    await subscribed(stage, c, "room");
    // Neither is what they are subscribed to.
    await subscribed(stage, c, "room/+");
    await subscribed(stage, c, "$share/g/room");
    await unsubscribed(stage, a, "room");
    b.vanish();
    await stage.advance(1_000);
    // Its session was kept, and another connection takes over.
    for (let times = 0; times < 2; times += 1) {
      await stage.connect("b", false);
      await stage.advance(1_000);
    }
    expect(words(told(watcher)).slice(1)).toEqual(["join c 3", "leave a 2", "leave b 1", "join b 2"]);
    await unsubscribed(stage, watcher, "$presence/room");
    await stage.advance(5_000);
    // The first who comes finds out, in each object that was asked.
    for (let number = 0; number < 3; number += 1) await costs();
    c.vanish();
    await subscribed(stage, a, "room");
    await stage.advance(5_000);
    await costs();
    expect(await costs()).toEqual(before);
    const rows = stage.storing.flatMap((name) => stage.session(name).core.store.sessions().filter(isPresenceRow));
    const asked = new Set(["a", "b"].map((clientId) => objectOf(stage, clientId)));
    expect(rows.length).toBeLessThanOrEqual(asked.size);
  });

  test("what is told equals what was done, however objects are reset meanwhile", async () => {
    // With some that have found mistakes.
    for (const seed of [1, 2, 4, 18, 25, 28, 127, 186]) {
      const chance = new Random(seed);
      const stage = new Stage(env);
      const rooms = ["one", "two", "a/b"];
      const ids = ["a", "b", "c", "d", "e", "f"];
      const clients = new Map<string, { client: StageClient; isOn: boolean; rooms: Set<string> }>();
      const watcher = await stage.connect("watcher", true);
      for (const room of rooms) await subscribed(stage, watcher, `$presence/${room}`);
      await stage.advance(2_000);
      const here = objectOf(stage, "watcher");
      const act = async (id: string): Promise<void> => {
        const known = clients.get(id);
        if (!known?.isOn) {
          const client = await stage.connect(id, false);
          clients.set(id, { client, isOn: true, rooms: known?.rooms ?? new Set() });
          return;
        }
        const room = chance.pick(rooms);
        if (chance.chance(0.2)) {
          known.client.vanish();
          known.isOn = false;
        } else if (known.rooms.has(room)) {
          known.rooms.delete(room);
          await unsubscribed(stage, known.client, room);
        } else {
          known.rooms.add(room);
          await subscribed(stage, known.client, room);
        }
      };
      for (let step = 0; step < 60; step += 1) {
        await act(chance.pick(ids));
        if (chance.chance(0.3)) await stage.advance(chance.below(2_000));
        if (stage.settings.topology === "compact") continue;
        if (chance.chance(0.1)) stage.reset(topicObjectOf(stage, chance.pick(rooms)));
        if (!chance.chance(0.1)) continue;
        const ended = objectOf(stage, chance.pick(ids));
        if (ended === here) continue;
        stage.end(ended);
        for (const [id, known] of clients) if (objectOf(stage, id) === ended) known.isOn = false;
        // Something wakes it: an alarm, a message, or who comes back.
        await stage.advance(100);
        stage.session(ended);
        await stage.advance(3_000);
      }
      await stage.advance(5_000);
      for (const room of rooms) {
        const members = [...clients].filter(([, { isOn, rooms: own }]) => isOn && own.has(room)).map(([id]) => id);
        const there = { members: members.sort(), count: members.length };
        const late = await stage.connect(`late-${room}`, true);
        await subscribed(stage, late, `$presence/${room}`);
        const first = seen(told(late), room);
        expect([seed, room, first]).toEqual([seed, room, there]);
        const told1 = seen(told(watcher), room);
        expect([seed, room, told1.members, told1.count ?? 0]).toEqual([seed, room, there.members, there.count]);
      }
    }
  });
});

test("very many are counted, some are listed; a storm is told as one list", async () => {
  const stage = new Stage(SHARDED);
  const many = PRESENCE_LISTED_MAX + 50;
  const clients: StageClient[] = [];
  const watcher = await stage.connect("w", true);
  await subscribed(stage, watcher, "$presence/room");
  for (let number = 0; number < many; number += 1) {
    const client = await stage.connect(`m-${number}`, true);
    client.subscribe("room", 0);
    clients.push(client);
  }
  await stage.advance(5_000);
  const last = told(watcher).at(-1)!;
  expect(told(watcher).length).toBeLessThan(many);
  const late = await stage.connect("late", true);
  await subscribed(stage, late, "$presence/room");
  const [state] = told(late);
  expect([last.count, state!.count, state!.members.length, state!.complete]).toEqual([many, many, PRESENCE_LISTED_MAX, false]);
  clients[many - 1]!.vanish();
  await stage.advance(120_000);
  expect(told(late).at(-1)!.count).toBe(many - 1);
});

test("an object that is out of reach holds up for no longer than that who asks, and those that it has come when it is back", async () => {
  const stage = new Stage(SHARDED);
  let id = "a";
  while (objectOf(stage, id) === objectOf(stage, "w")) id += "a";
  const a = await stage.connect(id, true);
  await subscribed(stage, a, "room");
  await stage.advance(5_000);
  const watcher = await stage.connect("w", true);
  stage.unreachable.add(objectOf(stage, id));
  await subscribed(stage, watcher, "$presence/room");
  await stage.advance(PRESENCE_ASK_MS);
  expect(told(watcher)).toMatchObject([{ event: "state", count: 0, complete: false }]);
  stage.unreachable.clear();
  await stage.advance(20_000);
  expect(words(told(watcher)).slice(1)).toEqual([`join ${id} 1`]);
});

test("whom nobody has told to be gone is gone for who asks later: his object was reset, and nothing has woken it", async () => {
  const stage = new Stage(SHARDED);
  let id = "a";
  while (objectOf(stage, id) === objectOf(stage, "w")) id += "a";
  const a = await stage.connect(id, true);
  await subscribed(stage, a, "room");
  const watcher = await stage.connect("w", true);
  await subscribed(stage, watcher, "$presence/room");
  await stage.advance(5_000);
  stage.end(objectOf(stage, id));
  await stage.advance(PRESENCE_FRESH_MS + 1_000);
  await subscribed(stage, watcher, "$presence/room");
  await stage.advance(1_000);
  expect(seen(told(watcher), "room")).toEqual({ members: [], count: 0 });
});

test("an object in which nobody wants the filter any more has no row of it, though nobody was there to go", async () => {
  const stage = new Stage(OF_ONE);
  const away = await stage.connect("a", false);
  await subscribed(stage, away, "room");
  const watcher = await stage.connect("w", true);
  await subscribed(stage, watcher, "$presence/room");
  const rows = (): number => stage.session(objectOf(stage, "a")).core.store.sessions().filter(isPresenceRow).length;
  expect(rows()).toBe(1);
  away.vanish();
  await stage.advance(1_000);
  expect([rows(), words(told(watcher)).at(-1)]).toEqual([1, "leave a 0"]);
  const anew = await stage.connect("a", true);
  await stage.advance(1_000);
  expect(rows()).toBe(0);
  await subscribed(stage, anew, "room");
  expect(words(told(watcher)).slice(-2)).toEqual(["leave a 0", "join a 1"]);
});
