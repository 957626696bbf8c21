/** Clients that do not read, in objects that would sleep: what they were asked is not forgotten. */

import { expect, test } from "vitest";
import { UNREAD_MS_MAX } from "../../src/memory-limits.ts";
import { utf8 } from "../support/core-harness.ts";
import { Broker, SHAPES, SilentClient } from "./support.ts";

const KIB = 1024;
/** What is on its way in the simulation may take so long. */
const SLACK_MS = 5_000;

const awake = ({ world }: Broker): number => world.objects.filter(({ isAwake }) => isAwake).length;

test.each(SHAPES)(
  "who never answers is disconnected at his time, who does so late has read what came before, %s, %i Session objects",
  async (...shape) => {
    const broker = new Broker(shape);
    const [silent, late, publisher] = ["silent", "late", "publisher"].map((clientId) => new SilentClient(broker, clientId)) as [
      SilentClient,
      SilentClient,
      SilentClient,
    ];
    await broker.pass(SLACK_MS);
    for (const client of [silent, late]) client.subscribe("t");
    await broker.pass(SLACK_MS);
    for (let count = 0; count < 45; count += 1) publisher.publish("t", 0, new Uint8Array(400 * KIB));
    publisher.publish("t", 1, utf8("waits"));
    await broker.pass(UNREAD_MS_MAX / 2);
    publisher.publish("t", 1, utf8("also"));
    await broker.pass(SLACK_MS);
    expect([late.texts, silent.texts]).toEqual([[], []]);
    expect(late.answer()).toBeGreaterThan(0);
    await broker.pass(SLACK_MS);
    expect([late.texts, silent.texts]).toEqual([["waits", "also"], []]);
    expect(silent.closed).toBeUndefined();
    await broker.pass(UNREAD_MS_MAX / 2 - SLACK_MS);
    expect([silent.closed, late.closed]).toEqual([1013, undefined]);
    await broker.pass(3 * SLACK_MS);
    expect(awake(broker)).toBe(0);
  },
);
