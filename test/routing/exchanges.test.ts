/** Whom a Topic object remembers where very many Session objects call it, as with one for each client. */

import { expect, test } from "vitest";
import { type Batch, type BatchRecord, BatchWriter, RECORD_AWAITED, RECORD_BARRIER } from "../../src/mqtt/batch.ts";
import { decodeExchangeAnswer, type ExchangeAnswer, PENDING } from "../../src/mqtt/exchange-answer.ts";
import { SUCCESS } from "../../src/mqtt/reason-code.ts";
import { Exchange } from "../../src/objects/exchange.ts";
import { Exchanges, SENDERS_MAX } from "../../src/objects/exchanges.ts";
import { stillRuntime } from "../simulation/still-runtime.ts";

const LIFE = "1";

/** A Topic object that handles each batch at once, but for those of senders whose outcome is open. */
function topicObject() {
  const runtime = stillRuntime();
  const handled: string[] = [];
  const open = new Map<string, (reasonCode: number) => void>();
  const handle = ({ sender, records }: Batch): Exchange => {
    handled.push(sender);
    const exchange = new Exchange(records.length, []);
    if (sender.startsWith("open") && records[0]!.kind !== RECORD_AWAITED) {
      open.set(sender, exchange.expect(0));
      exchange.leave(0);
    }
    exchange.begun();
    return exchange;
  };
  const exchanges = new Exchanges({ shape: 1, life: LIFE, runtime, handle, handled: () => {} });
  const take = async (bytes: Uint8Array): Promise<ExchangeAnswer> => decodeExchangeAnswer(await exchanges.take(bytes));
  const fill = async (count: number, name: string): Promise<void> => {
    for (let number = 0; number < count; number += 1) await take(batch(writerOf(`${name}-${number}`)));
  };
  return { take, fill, handled, open };
}

function writerOf(sender: string): BatchWriter {
  return new BatchWriter(sender, 1, 1, 1);
}

function batch(writer: BatchWriter, record: BatchRecord = { kind: RECORD_BARRIER, sessionObject: "s" }): Uint8Array {
  writer.begin();
  writer.add(record);
  return writer.finish().slice();
}

test("who calls is remembered, and who was heard longest ago forgotten", async () => {
  const { take, fill, handled } = topicObject();
  const [busy, idle] = [writerOf("busy"), writerOf("idle")];
  await take(batch(busy));
  const lastOfIdle = batch(idle);
  await take(lastOfIdle);
  await fill(SENDERS_MAX - 2, "one");
  const lastOfBusy = batch(busy);
  await take(lastOfBusy);
  await fill(SENDERS_MAX - 1, "another");
  handled.length = 0;
  await take(lastOfBusy);
  expect(handled).toEqual([]);
  await take(lastOfIdle);
  expect(handled).toEqual(["idle"]);
});

test("outcomes that somebody waits for are kept before those of who waits for none", async () => {
  const { take, fill, open } = topicObject();
  const writer = writerOf("open");
  expect((await take(batch(writer))).codes).toEqual(new Uint8Array([PENDING]));
  const asked = writer.number;
  await fill(2 * SENDERS_MAX, "one");
  open.get("open")!(SUCCESS);
  const answer = await take(batch(writer, { kind: RECORD_AWAITED, life: LIFE, batches: [asked] }));
  expect(answer.late).toEqual([{ batch: asked, codes: new Uint8Array([SUCCESS]), counts: [] }]);
});

test("where somebody waits for all of them it is not looked for long", async () => {
  const { take, fill } = topicObject();
  const first = writerOf("open");
  await take(batch(first));
  const asked = first.number;
  await fill(SENDERS_MAX, "open");
  expect((await take(batch(first, { kind: RECORD_AWAITED, life: LIFE, batches: [asked] }))).codes).toBeUndefined();
});
