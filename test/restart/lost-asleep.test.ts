/** Clients that leave while their objects sleep: those who watch hear of it, whatever was left of their sessions. */

import { expect, test } from "vitest";
import { AWAKE_MS_MAX, RETRY_MS_TOTAL } from "../../src/limits.ts";
import { passwordHash } from "../simulation/users.ts";
import { Broker, SHAPES, SilentClient } from "./support.ts";

const USERS = JSON.stringify([
  { user: "watcher", password: passwordHash("watcher"), publish: ["#"], subscribe: ["$events/#", "$presence/#"] },
  { user: "alice", password: passwordHash("alice"), publish: ["#"], subscribe: ["#"] },
]);
/** What is on its way in the simulation may take so long. */
const SLACK_MS = 5_000;

interface Told {
  readonly event?: string;
  readonly members?: readonly { readonly clientid: string }[];
  readonly clientid: string;
  readonly username: string | null;
}

test.each(SHAPES)("clean sessions that had rows, too: %s, %i Session objects", async (...shape) => {
  const broker = new Broker(shape, USERS, { presence: true });
  const connect = (clientId: string, user: string): SilentClient => new SilentClient(broker, clientId, user, true);
  const [small, large, slow, stays] = ["small", "large", "slow", "stays"].map((clientId) => connect(clientId, "alice")) as [
    SilentClient,
    SilentClient,
    SilentClient,
    SilentClient,
  ];
  const watcher = connect("watcher", "watcher");
  await broker.pass(SLACK_MS);
  watcher.subscribe("$events/client/disconnected", "$presence/t");
  for (const client of [small, stays]) client.subscribe("t");
  slow.subscribe("t", "slow");
  large.subscribe("t", ...Array.from({ length: 300 }, (_, index) => `${"x".repeat(60)}/${index}`));
  await broker.pass(SLACK_MS);
  // More than is in flight at once: what waits in memory alone has rows before its object sleeps.
  for (let count = 0; count < 5; count += 1) stays.publish("slow", 1, new Uint8Array(600 * 1024));
  await broker.pass(AWAKE_MS_MAX + 6 * SLACK_MS);
  expect(broker.world.objects.filter(({ isAwake }) => isAwake)).toEqual([]);
  const told = (): string[] =>
    watcher.texts
      .map((text) => JSON.parse(text) as Told)
      .filter(({ event }) => event === undefined || event === "leave")
      .map(({ event = "disconnected", clientid, username }) => `${event} ${clientid} ${username}`);
  expect(told()).toEqual([]);
  for (const client of [small, large, slow]) {
    client.drop();
    await broker.pass(3 * SLACK_MS);
  }
  const expected = ["small", "large", "slow"].flatMap((clientId) => [`disconnected ${clientId} alice`, `leave ${clientId} alice`]);
  expect(told().sort()).toEqual(expected.sort());
});

test.each([[["gone"]], [["gone", "stays"]]])(
  "who has left is told after a sleep, where the Topic object was out of reach: of %j",
  async (ids) => {
    const broker = new Broker(["sharded", 1], USERS, { presence: true });
    const [gone, other] = [...ids, "other"].map((clientId) => new SilentClient(broker, clientId, "alice", true)) as [
      SilentClient,
      SilentClient,
    ];
    const watcher = new SilentClient(broker, "watcher", "watcher", true);
    await broker.pass(SLACK_MS);
    watcher.subscribe("$presence/t");
    gone.subscribe("t");
    if (ids.length > 1) other.subscribe("t");
    await broker.pass(SLACK_MS);
    for (const object of broker.world.objects) if (object.isTopic) object.beOut(RETRY_MS_TOTAL + SLACK_MS);
    gone.drop();
    await broker.pass(RETRY_MS_TOTAL + 6 * SLACK_MS);
    expect(broker.world.objects.filter(({ isAwake }) => isAwake)).toEqual([]);
    expect(watcher.texts.filter((text) => (JSON.parse(text) as Told).event === "leave")).toEqual([]);
    // It wakes for something else.
    other.publish("x", 0, new Uint8Array(1));
    await broker.pass(2 * SLACK_MS);
    const last = JSON.parse(watcher.texts.at(-1)!) as Told;
    expect([last.event, last.members?.map(({ clientid }) => clientid)]).toEqual(["state", ids.slice(1)]);
  },
);
