/** Figures below `$SYS`: their sum over all objects, how often they are told, and that nobody is kept awake or woken for nothing. */

import { describe, expect, test } from "vitest";
import { SUBACK } from "../../src/mqtt/packet.ts";
import { sessionObjectName } from "../../src/objects/names.ts";
import { isSystemRow } from "../../src/session/system-totals.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { Stage, type StageClient } from "./stage.ts";

const ACL = JSON.stringify([{ permission: "allow", action: "all", topics: ["#", "$SYS/#"] }]);
const MINUTE = 60_000;

function figures(watcher: StageClient): Record<string, string> {
  return Object.fromEntries(watcher.messages.map(({ topic, text }) => [topic.replace("$SYS/broker/", ""), text]));
}

/** One after the other in all objects. */
function clientOf({ settings }: Stage, number: number): string {
  let clientId = `c${number}`;
  while (settings.topology === "sharded" && !sessionObjectName(settings, "default", clientId).endsWith(`/${number % 3}`)) clientId += "c";
  return clientId;
}

describe.each([
  ["compact", { TOPOLOGY: "compact" }],
  ["sharded", { TOPOLOGY: "sharded", SESSION_SHARDS: "3", TOPIC_SHARDS: "2" }],
])("%s", (_name, shape) => {
  const env = { ...shape, ACL, SYS_SECONDS: "60" };

  test("they are those of all objects, over their resets, told no more often than that, and when nothing happens not at all", async () => {
    const stage = new Stage(env);
    const watcher = await stage.connect("watcher", true);
    watcher.subscribe("$SYS/broker/#", 0);
    const clients: StageClient[] = [];
    for (let number = 0; number < 8; number += 1) clients.push(await stage.connect(clientOf(stage, number), number % 2 === 0));
    for (const client of clients) client.publish("t", 0, 0);
    for (const client of clients.slice(0, 4)) client.vanish();
    // Figures are retained messages themselves, and counted when they are there.
    await stage.advance(4 * MINUTE);
    // Four have gone, two of them with sessions that are kept.
    const expected = { "clients/connected": "5", "clients/disconnected": "2", "clients/total": "7", "subscriptions/count": "1" };
    expect(figures(watcher)).toMatchObject({ ...expected, "messages/received": "8", "publish/messages/received": "8" });
    const told = watcher.messages.length;
    const [calls, rows] = [stage.calls, stage.rowsWritten];
    await stage.advance(60 * MINUTE);
    // Nothing happens: nothing is told, nobody is called, and nothing keeps an object awake.
    expect([watcher.messages.length, stage.calls, stage.rowsWritten, stage.timers]).toEqual([told, calls, rows, 0]);
    for (let minute = 0; minute < 10; minute += 1) {
      for (const client of clients.slice(4)) {
        client.publish("t", 0, 0);
        await stage.advance(MINUTE / 4);
      }
    }
    await stage.advance(2 * MINUTE);
    expect(figures(watcher)).toMatchObject({ "messages/received": "48" });
    // Of some fourteen minutes.
    const received = watcher.messages.filter(({ topic }) => topic === "$SYS/broker/messages/received").length;
    expect(received).toBeLessThanOrEqual(15);
    // A reset takes the counters of an object, not what it has told.
    stage.end(sessionObjectName(stage.settings, "default", clientOf(stage, 0)));
    const again = await stage.connect(clientOf(stage, 0), true);
    again.publish("t", 0, 0);
    await stage.advance(2 * MINUTE);
    const late = await stage.connect("late", true);
    late.subscribe("$SYS/broker/messages/received", 0);
    await stage.advance(1_000);
    expect(figures(late)["messages/received"]).toBe("49");
  });

  test("what an object has lost in its sleep or by a reset is told when it is awake again, and nothing when that is nothing", async () => {
    const stage = new Stage(env);
    const watcher = await stage.connect(clientOf(stage, 0), true);
    watcher.subscribe("$SYS/broker/#", 0);
    const clients: StageClient[] = [];
    for (const number of [1, 4, 7]) clients.push(await stage.connect(clientOf(stage, number), number > 1));
    for (const client of clients) client.subscribe("t", 0);
    await stage.advance(4 * MINUTE);
    expect(figures(watcher)).toMatchObject({ "clients/connected": "4", "clients/total": "4", "subscriptions/count": "4" });
    const object = sessionObjectName(stage.settings, "default", clientOf(stage, 1));
    const nothingIsTold = async (wake: () => void): Promise<void> => {
      const told = [watcher.messages.length, stage.calls, stage.rowsWritten];
      wake();
      await stage.advance(2 * MINUTE);
      expect([watcher.messages.length, stage.calls, stage.rowsWritten, stage.timers]).toEqual([...told, 0]);
    };
    const wakes = (): void => void stage.session(object);

    stage.sleep(object);
    clients[1]!.vanish();
    await stage.advance(2 * MINUTE);
    expect(figures(watcher)).toMatchObject({ "clients/connected": "3", "clients/total": "3", "subscriptions/count": "3" });
    stage.sleep(object);
    await nothingIsTold(wakes);
    // Who has a session leaves while the object sleeps, too.
    stage.sleep(object);
    clients[0]!.vanish();
    await stage.advance(2 * MINUTE);
    const expected = { "clients/connected": "2", "clients/disconnected": "1", "clients/total": "3", "subscriptions/count": "3" };
    expect(figures(watcher)).toMatchObject(expected);
    if (stage.settings.topology === "compact") return;
    stage.end(object);
    await nothingIsTold(() => {});
    wakes();
    await stage.advance(2 * MINUTE);
    expect(figures(watcher)).toMatchObject({ ...expected, "clients/connected": "1", "clients/total": "2", "subscriptions/count": "2" });
    stage.end(object);
    await nothingIsTold(wakes);
  });

  test("without SYS_SECONDS nothing is told, and what was there is gone", async () => {
    const stage = new Stage(env);
    const client = await stage.connect("c", true);
    client.publishTogether("kept", ["x"], true);
    await stage.advance(2 * MINUTE);
    // A life that has not counted retained messages leaves alone what is said of them.
    for (const name of stage.storing) stage.sleep(name);
    client.publish("t", 0, 0);
    await stage.advance(2 * MINUTE);
    const first = sessionObjectName(stage.settings, "default", "c");
    stage.settings = parseSettings({ ALLOW_ANONYMOUS: "true", ...env, SYS_SECONDS: "0" }) as Settings;
    for (const name of stage.storing) stage.end(name);
    for (const name of stage.storing) stage.session(name);
    await stage.advance(MINUTE);
    for (const name of [first, ...stage.storing]) expect(stage.session(name).core.store.sessions().filter(isSystemRow)).toEqual([]);
    const watcher = await stage.connect("watcher", true);
    watcher.subscribe("$SYS/broker/#", 0);
    await stage.advance(5 * MINUTE);
    expect([watcher.count(SUBACK), watcher.messages, stage.timers]).toEqual([1, [], 0]);
  });
});
