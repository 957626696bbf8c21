/** The way between two objects without the call: gathering messages in an outbox, writing a batch, reading it at the other end. */

import { BatchWriter, decodeBatch, RECORD_PUBLISH } from "../../src/mqtt/batch.ts";
import { Message } from "../../src/mqtt/message.ts";
import { Outbox, type Outgoing } from "../../src/routing/outbox.ts";
import { type MicroRow, median } from "../results.ts";

const MESSAGES = 200_000;
const ROUNDS = 7;

interface Item extends Outgoing {
  readonly message: Message;
}

function itemOf(sequence: number): Item {
  const message = new Message({
    topic: "home/kitchen/sensor7",
    qos: 1,
    retain: false,
    payload: new Uint8Array(64),
    propertyBytes: new Uint8Array(0),
    expiresAt: 0,
    publisher: "publisher-7",
    origin: "default/session/0@bench",
    sequence,
    repeated: false,
    settledBelow: 0,
  });
  return { message, size: 160, abandoned: () => {} };
}

/** @returns nanoseconds for each message */
function pass(items: readonly Item[], batchSize: number): number {
  const outbox = new Outbox<Item>();
  const writer = new BatchWriter("default/session/0", 1, 0, 0);
  let read = 0;
  const start = process.hrtime.bigint();
  for (let from = 0; from < items.length; from += batchSize) {
    for (let index = from; index < from + batchSize; index += 1) outbox.add(items[index]!);
    const taken = outbox.take(0)!;
    writer.begin();
    for (const { message } of taken) writer.add({ kind: RECORD_PUBLISH, message });
    read += decodeBatch(writer.finish()).records.length;
    outbox.succeeded();
  }
  const nanoseconds = Number(process.hrtime.bigint() - start) / items.length;
  if (read !== items.length) throw new Error(`${read} of ${items.length} messages came out of the outbox`);
  return nanoseconds;
}

export function measureOutbox(): MicroRow[] {
  const items = Array.from({ length: MESSAGES }, (_, sequence) => itemOf(sequence));
  return [1, 100].map((batchSize) => {
    pass(items, batchSize);
    const value = median(Array.from({ length: ROUNDS }, () => pass(items, batchSize)));
    return { what: `a message through an outbox and a batch, ${batchSize} at a time`, value, unit: "ns", other: "" };
  });
}
