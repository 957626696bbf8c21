/** Batches between objects and their answers: round trips, versions, damage. */

import { describe, expect, test } from "vitest";
import {
  type BatchRecord,
  BatchWriter,
  decodeBatch,
  RECORD_ASK,
  RECORD_AWAITED,
  RECORD_BARRIER,
  RECORD_CAUGHT_UP,
  RECORD_LIVE,
  RECORD_PAGE,
  RECORD_PUBLISH,
  RECORD_REDISTRIBUTE,
  RECORD_SHARE,
  RECORD_SHARED,
  RECORD_SUBSCRIBE,
  RECORD_UNSUBSCRIBE,
  RECORD_WATCH,
  sentAgain,
} from "../../src/mqtt/batch.ts";
import { decodeDeliveryAnswer, encodeDeliveryAnswer } from "../../src/mqtt/delivery-answer.ts";
import { decodeExchangeAnswer, encodeExchangeAnswer } from "../../src/mqtt/exchange-answer.ts";
import { Message } from "../../src/mqtt/message.ts";
import { Receipt } from "../../src/mqtt/receipt.ts";
import { RecordError } from "../../src/mqtt/record.ts";
import { recordBytes } from "../../src/mqtt/record-bytes.ts";
import { ANY_QUEUE, AT_ONCE, IF_GIVEN, SHORT_QUEUE } from "../../src/mqtt/share-target.ts";

const FIELDS = {
  topic: "a/ä",
  qos: 2 as const,
  retain: true,
  payload: new Uint8Array(300),
  propertyBytes: new Uint8Array([3, 0, 1, 0x61]),
  expiresAt: 1_800_000_000_000,
  publisher: "ada",
  origin: "session/default/3@x",
  sequence: 1_800_000_000_000_001,
  repeated: true,
  settledBelow: 1_800_000_000_000_000,
};
const message = new Message(FIELDS);

const RECORDS: readonly BatchRecord[] = [
  { kind: RECORD_PUBLISH, message },
  { kind: RECORD_PUBLISH, message, owner: 2 ** 52 + 1 },
  { kind: RECORD_LIVE, message },
  { kind: RECORD_ASK, clientId: "cläent", filter: "a/+", id: 7, from: "a/b" },
  { kind: RECORD_PAGE, clientId: "cläent", id: 7, from: "a/b", next: "a/c", messages: [message, message] },
  { kind: RECORD_PAGE, clientId: "", id: 0, from: "", next: undefined, messages: [] },
  { kind: RECORD_SUBSCRIBE, filter: "#", qos: 0, version: 1, lasting: false },
  { kind: RECORD_SUBSCRIBE, filter: "a/#", qos: 2, version: Number.MAX_SAFE_INTEGER, lasting: true },
  { kind: RECORD_UNSUBSCRIBE, filter: "a/#", version: 2 },
  { kind: RECORD_SHARE, filter: "$share/g/a/#", members: 300, online: 0, version: 7 },
  { kind: RECORD_REDISTRIBUTE, message, filter: "$share/g/a/#" },
  { kind: RECORD_SHARED, message, live: true, shares: [] },
  {
    kind: RECORD_SHARED,
    message,
    live: false,
    shares: [
      { filter: "$share/g/a/#", key: 0, demand: ANY_QUEUE },
      { filter: "$share/h/+/ä", key: 4_294_967_295, demand: SHORT_QUEUE },
      { filter: "$share/i/a/#", key: 1, demand: AT_ONCE },
      { filter: "$share/j/a/#", key: 2, demand: IF_GIVEN },
    ],
  },
  { kind: RECORD_CAUGHT_UP, batch: 300, record: 70_000 },
];

function batch(records: readonly BatchRecord[], sender = "topic/default/1"): Uint8Array {
  const writer = new BatchWriter(sender, 1_800_000_000_000, 4, 0);
  for (const record of records) writer.add(record);
  return writer.finish();
}

/** Messages as plain fields: they are instances with caches. */
function plain(records: readonly BatchRecord[]): unknown[] {
  return records.map((record) => ("message" in record ? { ...record, message: { ...record.message } } : record));
}

const COUNTS = [
  [],
  [
    { record: 0, sessions: 70_000, awaited: 300, away: 1 },
    { record: 300, sessions: 0, awaited: 0, away: 0 },
  ],
];

describe("a batch", () => {
  test("comes back with its sender and all records in their order", () => {
    const { sender, epoch, records } = decodeBatch(batch(RECORDS, "sänder"));
    expect([sender, epoch]).toEqual(["sänder", 1_800_000_000_000]);
    expect(plain(records)).toEqual(plain(RECORDS));
  });

  test("takes as many bytes for each kind of record as that is said to weigh, or few less", () => {
    const long = "ü€x".repeat(10_000);
    const formerly = { origin: long, sequence: Number.MAX_SAFE_INTEGER };
    const renamed = new Message({ ...FIELDS, expiresAt: Number.MAX_SAFE_INTEGER, publisher: long, formerly });
    const receipted = new Message(FIELDS);
    receipted.receipt = new Receipt({ object: long, number: Number.MAX_SAFE_INTEGER, waitMs: Number.MAX_SAFE_INTEGER });
    const large: readonly BatchRecord[] = [
      { kind: RECORD_PUBLISH, message: renamed, owner: Number.MAX_SAFE_INTEGER },
      { kind: RECORD_LIVE, message: receipted },
      { kind: RECORD_ASK, clientId: long, filter: long, id: Number.MAX_SAFE_INTEGER, from: long },
      { kind: RECORD_PAGE, clientId: long, id: 1, from: long, next: long, messages: [renamed, receipted, message] },
      { kind: RECORD_SUBSCRIBE, filter: long, qos: 0, version: Number.MAX_SAFE_INTEGER, lasting: false },
      { kind: RECORD_UNSUBSCRIBE, filter: long, version: Number.MAX_SAFE_INTEGER },
      { kind: RECORD_SHARE, filter: long, members: Number.MAX_SAFE_INTEGER, online: 2 ** 40, version: Number.MAX_SAFE_INTEGER },
      { kind: RECORD_REDISTRIBUTE, message: renamed, filter: long },
      {
        kind: RECORD_SHARED,
        message: receipted,
        live: true,
        shares: [1, 2, 3].map(() => ({ filter: long, key: Number.MAX_SAFE_INTEGER, demand: IF_GIVEN })),
      },
      { kind: RECORD_BARRIER, sessionObject: long },
      { kind: RECORD_AWAITED, life: long, batches: [1, 2 ** 40, Number.MAX_SAFE_INTEGER] },
      { kind: RECORD_WATCH, filter: long },
    ];
    const came = decodeBatch(batch([...RECORDS, ...large])).records;
    const kinds = new Set(came.map(({ kind }) => kind));
    const empty = batch([]).length;
    for (const record of [...RECORDS, ...large, ...came]) {
      const written = batch([record]).length - empty;
      const items = record.kind === RECORD_PAGE ? record.messages.length : record.kind === RECORD_SHARED ? record.shares.length : 3;
      const weight = recordBytes(record);
      expect([record.kind, weight >= written, weight <= written + 64 * (1 + items)]).toEqual([record.kind, true, true]);
    }
    const all = [RECORD_PUBLISH, RECORD_SUBSCRIBE, RECORD_UNSUBSCRIBE, RECORD_LIVE, RECORD_SHARE, RECORD_REDISTRIBUTE, RECORD_SHARED];
    const others = [RECORD_BARRIER, RECORD_AWAITED, RECORD_ASK, RECORD_PAGE, RECORD_CAUGHT_UP, RECORD_WATCH];
    expect([...kinds].toSorted((a, b) => a - b)).toEqual([...all, ...others]);
  });

  test("may be empty", () => {
    expect(decodeBatch(batch([]))).toEqual({
      sender: "topic/default/1",
      epoch: 1_800_000_000_000,
      shape: 4,
      number: 1,
      records: [],
      again: false,
      events: 0,
      receipts: [],
    });
  });

  test("says which events its sender knows, and nothing where there are none", () => {
    const writer = new BatchWriter("topic/default/1", 1_800_000_000_000, 4, 0);
    for (const record of RECORDS) writer.add(record);
    writer.events(0);
    expect(writer.finish()).toEqual(batch(RECORDS));
    writer.begin();
    writer.events(21);
    for (const record of RECORDS) writer.add(record);
    const { events, records } = decodeBatch(sentAgain(writer.finish()));
    expect([events, plain(records)]).toEqual([21, plain(RECORDS)]);
  });

  test("says that it is sent again, by its writer or as it is, and is the same otherwise", () => {
    const first = batch(RECORDS);
    const writer = new BatchWriter("topic/default/1", 1_800_000_000_000, 4, 0);
    for (const record of RECORDS) writer.add(record);
    writer.again();
    for (const bytes of [sentAgain(first), writer.finish()]) {
      const { again, records, number } = decodeBatch(bytes);
      expect([again, number, plain(records)]).toEqual([true, 1, plain(RECORDS)]);
    }
  });

  test("has the receipts of those messages that have one, whatever says where they go", () => {
    const receipted = (number: number): Message => {
      const own = new Message(FIELDS);
      own.receipt = new Receipt({ object: "n/session/ä", number, waitMs: number % 2 === 0 ? 0 : 60_000 });
      own.receipt.add({ sessions: 3, awaited: 2, away: 1 });
      return own;
    };
    const kinds: readonly BatchRecord[] = [
      { kind: RECORD_PUBLISH, message: receipted(1) },
      { kind: RECORD_SUBSCRIBE, filter: "#", qos: 0, version: 1, lasting: false },
      { kind: RECORD_PUBLISH, message: receipted(2), owner: 7 },
      { kind: RECORD_LIVE, message },
      { kind: RECORD_LIVE, message: receipted(Number.MAX_SAFE_INTEGER) },
      { kind: RECORD_SHARED, message: receipted(4), live: true, shares: [{ filter: "$share/g/a", key: 0, demand: ANY_QUEUE }] },
      // Whoever takes it over from another one is not followed.
      { kind: RECORD_REDISTRIBUTE, message: receipted(5), filter: "$share/g/a/#" },
    ];
    const { records, receipts } = decodeBatch(batch(kinds));
    expect(records.map(({ kind }) => kind)).toEqual(kinds.map(({ kind }) => kind));
    // What is counted elsewhere is not sent along.
    const none = { object: "n/session/ä", sessions: 0, awaited: 0, away: 0 };
    expect(receipts).toEqual([
      { record: 0, receipt: { ...none, number: 1, waitMs: 60_000 } },
      { record: 2, receipt: { ...none, number: 2, waitMs: 0 } },
      { record: 4, receipt: { ...none, number: Number.MAX_SAFE_INTEGER, waitMs: 60_000 } },
      { record: 5, receipt: { ...none, number: 4, waitMs: 0 } },
    ]);
    const found = records.map((record) => ("message" in record ? record.message.receipt : undefined));
    expect(found).toEqual(records.map((_, index) => receipts.find(({ record }) => record === index)?.receipt));
    for (const wrong of [batch([{ kind: RECORD_UNSUBSCRIBE, filter: "#", version: 1 }]), batch([])]) {
      const start = batch([]).length;
      const prefix = batch([kinds[0]!]).slice(start, start + 1 + 1 + new TextEncoder().encode("n/session/ä").length + 1 + 3);
      const bytes = new Uint8Array([...wrong.slice(0, start), ...prefix, ...wrong.slice(start)]);
      expect(() => decodeBatch(bytes)).toThrow(/a receipt of no message/);
    }
  });

  test("does not share its bytes with the next one of its writer", () => {
    const writer = new BatchWriter("s", 0, 1, 0);
    writer.add(RECORDS[5]!);
    const first = writer.finish();
    writer.begin();
    writer.add(RECORDS[3]!);
    writer.add(RECORDS[0]!);
    writer.finish();
    expect(decodeBatch(first).records).toEqual([RECORDS[5]]);
  });

  test("of another version, or with a record of an unknown kind, is refused as a whole", () => {
    const foreign = batch(RECORDS);
    foreign[0] = 9;
    expect(() => decodeBatch(foreign)).toThrow(/version 9/);
    expect(() => decodeBatch(new Uint8Array([...batch([RECORDS[3]!]), 77]))).toThrow(/kind 77/);
    expect(() => decodeBatch(new Uint8Array([...batch([RECORDS[3]!]), 77]))).toThrow(RecordError);
  });

  test("cut anywhere within a record is a RecordError", () => {
    for (const record of RECORDS) {
      const empty = batch([]).length;
      const whole = batch([record]);
      for (let length = empty + 1; length < whole.length; length += 1) {
        expect(() => decodeBatch(whole.slice(0, length))).toThrow(RecordError);
      }
    }
  });
});

describe("an answer", () => {
  test("tells the version of interests and what nobody wanted", () => {
    for (const unwanted of [
      [],
      [{ record: 0, share: undefined, full: true }],
      [
        { record: 300, share: "$share/g/ä", full: false },
        { record: 300, share: undefined, full: false },
        { record: 70_000, share: "$share/h/#", full: true },
      ],
    ]) {
      for (const slow of [[], [0, 300]]) {
        for (const counts of COUNTS) {
          const answer = { version: 1_800_000_000_000_009, unwanted, slow, counts };
          expect(decodeDeliveryAnswer(encodeDeliveryAnswer(answer))).toEqual(answer);
        }
      }
    }
  });

  test("of another version or cut short is a RecordError", () => {
    const bytes = encodeDeliveryAnswer({ version: 300, unwanted: [{ record: 1, share: "$share/g/a", full: false }], slow: [], counts: [] });
    expect(() => decodeDeliveryAnswer(new Uint8Array([9, ...bytes.slice(1)]))).toThrow(/version 9/);
    expect(() => decodeDeliveryAnswer(bytes.slice(0, -1))).toThrow(RecordError);
    expect(() => decodeDeliveryAnswer(bytes.slice(0, 2))).toThrow(RecordError);
    expect(() => decodeDeliveryAnswer(new Uint8Array(0))).toThrow(RecordError);
  });
});

describe("an answer of a Topic object", () => {
  test("has codes, what is counted, and the same of earlier batches", () => {
    for (const counts of COUNTS) {
      for (const late of [
        [],
        [
          { batch: 7, codes: new Uint8Array([0, 0x10]), counts },
          { batch: 300, codes: new Uint8Array(0), counts: [] },
        ],
      ]) {
        for (const codes of [undefined, new Uint8Array([0, 0xff, 0x97])]) {
          const answer = { life: "löng", codes, counts, late };
          expect(decodeExchangeAnswer(encodeExchangeAnswer(answer))).toEqual(answer);
        }
      }
    }
  });

  test("of another version or cut short is a RecordError; without counts it is of the version that had none", () => {
    const bytes = encodeExchangeAnswer({ life: "a", codes: new Uint8Array(1), counts: COUNTS[1]!, late: [] });
    expect([bytes[0], encodeExchangeAnswer({ life: "a", codes: undefined, counts: [], late: [] })[0]]).toEqual([2, 1]);
    expect(() => decodeExchangeAnswer(new Uint8Array([9, ...bytes.slice(1)]))).toThrow(/version 9/);
    expect(() => decodeExchangeAnswer(bytes.slice(0, -1))).toThrow(RecordError);
  });
});
