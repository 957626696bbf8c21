/** When what a frame brings leaves, and when it is attached to sockets: for one message at a time, and for many. */

import { beforeEach, describe, expect, test } from "vitest";
import { sessionObjectName } from "../../src/objects/names.ts";
import { decodeAttachment } from "../../src/session/attachment.ts";
import { decodeSessionState } from "../../src/session/state.ts";
import { ATTACHMENT_GATHER_MS } from "../../src/storage-limits.ts";
import { ALONE_FLUSHES } from "../../src/work-limits.ts";
import { Stage, type StageClient } from "./stage.ts";

let stage: Stage;
let publisher: StageClient;
let subscriber: StageClient;

async function begin(env: Record<string, string>): Promise<void> {
  stage = new Stage(env);
  publisher = await stage.connect("publisher", true);
  subscriber = await stage.connect("subscriber", true);
  subscriber.subscribe("t", 1);
  await stage.advance(1000);
}

/** What is not attached yet. */
const unattached = (): number => stage.session(sessionObjectName(stage.settings, "default", "subscriber")).core.changes.lateAttachments;

describe("compact", () => {
  beforeEach(() => begin({ TOPOLOGY: "compact" }));

  test("a message that comes alone leaves in its own event, and no timer keeps the object awake", async () => {
    for (let number = 1; number <= 5; number += 1) {
      publisher.publish("t", 0, 0, `${number}`);
      expect([subscriber.texts.length, stage.timers]).toEqual([number, 0]);
      await stage.advance(1);
    }
  });

  test("of many that come at once a few leave alone, the others share a frame, and so do those after them", async () => {
    const before = subscriber.frames;
    for (let number = 0; number < 100; number += 1) publisher.publish("t", 0, 0, `${number}`);
    await stage.advance(1);
    expect(subscriber.texts.length).toBe(100);
    expect(subscriber.frames - before).toBeLessThanOrEqual(ALONE_FLUSHES + 1);
    const after = subscriber.frames;
    for (let number = 0; number < 100; number += 1) publisher.publish("t", 0, 0, `${number}`);
    await stage.advance(1);
    expect([subscriber.texts.length, subscriber.frames - after]).toEqual([200, 1]);
  });

  test("who goes on alone is asked now and then to wait for others", async () => {
    let waited = 0;
    for (let number = 1; number <= 10 * ALONE_FLUSHES; number += 1) {
      publisher.publish("t", 0, 0, "x");
      if (subscriber.texts.length < number) waited += 1;
      await stage.advance(1);
    }
    expect(waited).toBeGreaterThanOrEqual(8);
    expect(waited).toBeLessThanOrEqual(10);
  });

  test("what changes now and then waits for nothing", async () => {
    for (let packetId = 1; packetId <= 20; packetId += 1) {
      publisher.publish("t", 1, packetId);
      await stage.advance(ATTACHMENT_GATHER_MS);
      await stage.advance(ATTACHMENT_GATHER_MS);
      expect([subscriber.texts.length, unattached(), stage.timers]).toEqual([packetId, 0, 0]);
    }
  });
});

describe.each([
  ["compact", { TOPOLOGY: "compact" }],
  ["sharded", { TOPOLOGY: "sharded", SESSION_SHARDS: "1", TOPIC_SHARDS: "1" }],
])("%s", (_name, env) => {
  beforeEach(() => begin(env));

  test("what changes again at once is attached once, and the object sleeps only with all of it", async () => {
    const [before, messages, stepMs] = [subscriber.attached, 500, 0.1];
    for (let packetId = 1; packetId <= messages; packetId += 1) {
      publisher.publish("t", 1, packetId);
      await stage.advance(stepMs);
      if (unattached() > 0) expect(stage.timers).toBeGreaterThan(0);
    }
    await stage.advance(1000);
    expect(subscriber.texts.length).toBe(messages);
    expect(subscriber.attached - before).toBeLessThanOrEqual((messages * stepMs) / ATTACHMENT_GATHER_MS + 3);
    expect([unattached(), stage.timers]).toEqual([0, 0]);
  });

  test("of a session with rows what is attached is never older than its row", async () => {
    const object = sessionObjectName(stage.settings, "default", "kept");
    const kept = await stage.connect("kept", false);
    kept.completes = true;
    const { core } = stage.session(object);
    const attached = (): number[] => {
      const states = [...stage.socketsOf(object)].map((socket) => decodeAttachment(socket.deserializeAttachment() as Uint8Array));
      return states.find(({ clientId }) => clientId === "kept")!.session!.received.map(({ packetId }) => packetId);
    };
    const stored = (): number[] => {
      const row = core.store.sessions().find(({ clientId }) => clientId === "kept")!;
      return decodeSessionState(row.state).received.map(({ packetId }) => packetId);
    };
    let seen = 0;
    for (let packetId = 1; packetId <= 50; packetId += 1) {
      kept.publish("t", 2, packetId);
      for (let step = 0; step < 10; step += 1) {
        publisher.publish("t", 1, 1 + 10 * packetId + step);
        await stage.advance(0.5);
        expect(attached()).toEqual(stored());
        seen += stored().length;
      }
    }
    expect(seen).toBeGreaterThan(0);
  });
});
