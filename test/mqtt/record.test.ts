/** The broker's own bytes: what was written is read, and what is damaged is told. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_BYTES, RecordError, RecordReader, RecordWriter } from "../../src/mqtt/record.ts";

test("strings that were read before are taken for no other ones", () => {
  const texts = Array.from({ length: 5000 }, (_, index) => ["a", "ä", "€", "\0", "x".repeat(60)][index % 5]! + String(index >> 2));
  for (let round = 0; round < 2; round += 1) {
    for (const text of texts) {
      const writer = new RecordWriter();
      writer.string(text);
      expect(new RecordReader(writer.finish()).string()).toBe(text);
    }
  }
});

describe("numbers", () => {
  test("of every size come back, in as few bytes as seven bits each need", () => {
    const cases = [
      [0, 1],
      [127, 1],
      [128, 2],
      [16_383, 2],
      [16_384, 3],
      [2 ** 31, 5],
      [2 ** 32 + 1, 5],
      [1_800_000_000_000_000, 8],
      [Number.MAX_SAFE_INTEGER, 8],
    ] as const;
    for (const [value, length] of cases) {
      const writer = new RecordWriter(1);
      writer.integer(value);
      expect([writer.finish().length, new RecordReader(writer.finish()).integer()]).toEqual([length, value]);
    }
  });

  test("beyond 2^53 are a RecordError, not a wrong number", () => {
    expect(() => new RecordReader(new Uint8Array([...Array(8).fill(0xff), 0x01])).integer()).toThrow(RecordError);
  });
});

type Step = { byte: number } | { integer: number } | { bytes: Uint8Array } | { string: string };

const steps = fc.array(
  fc.oneof(
    fc.record({ byte: fc.nat(255) }),
    fc.record({ integer: fc.maxSafeNat() }),
    fc.record({ bytes: fc.uint8Array({ maxLength: 400 }) }),
    // Large ones stay beside the buffer.
    fc.record({
      bytes: fc.tuple(fc.nat(255), fc.integer({ min: 16_380, max: 16_400 })).map(([byte, length]) => new Uint8Array(length).fill(byte)),
    }),
    fc.record({ string: fc.string({ unit: "grapheme", maxLength: 200 }) }),
  ) as fc.Arbitrary<Step>,
  { maxLength: 30 },
);

function write(writer: RecordWriter, step: Step): void {
  if ("byte" in step) writer.byte(step.byte);
  else if ("integer" in step) writer.integer(step.integer);
  else if ("bytes" in step) writer.bytes(step.bytes);
  else writer.string(step.string);
}

function read(reader: RecordReader, step: Step): Step {
  if ("byte" in step) return { byte: reader.byte() };
  if ("integer" in step) return { integer: reader.integer() };
  if ("bytes" in step) return { bytes: new Uint8Array(reader.bytes()) };
  return { string: reader.string() };
}

test("whatever is written is read in the same order, however small the buffer begins", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const writer = new RecordWriter(1);
      for (const step of all) write(writer, step);
      const finished = writer.finish();
      expect(writer.length).toBe(finished.length);
      const reader = new RecordReader(finished);
      expect(all.map((step) => read(reader, step))).toEqual(
        all.map((step) => ("bytes" in step ? { bytes: new Uint8Array(step.bytes) } : step)),
      );
      expect(reader.more).toBe(false);
    }),
    { numRuns: 200, seed: 3 },
  );
});

test.each([300, 20_000])("lengths that are known later enclose what was written in between, also %i bytes", (size) => {
  const writer = new RecordWriter(4);
  writer.bytes(new Uint8Array(size));
  const outer = writer.beginLength();
  writer.string("a");
  const inner = writer.beginLength();
  writer.bytes(new Uint8Array(size));
  writer.endLength(inner);
  writer.endLength(outer);
  writer.byte(7);
  const reader = new RecordReader(writer.finish());
  expect(reader.bytes().length).toBe(size);
  const enclosed = new RecordReader(reader.lengthPrefixed());
  expect(enclosed.string()).toBe("a");
  expect(new RecordReader(enclosed.lengthPrefixed()).bytes().length).toBe(size);
  expect([enclosed.more, reader.byte(), reader.more]).toEqual([false, 7, false]);
});

test("a writer that was cleared begins anew, and what it finished before stays", () => {
  const writer = new RecordWriter(4);
  writer.bytes(new Uint8Array(20_000));
  writer.clear();
  writer.string("first");
  const first = writer.finish();
  writer.clear();
  writer.string("other");
  expect([new RecordReader(first).string(), new RecordReader(writer.finish()).string()]).toEqual(["first", "other"]);
});

test("strings are kept as they are: byte order mark, characters beyond U+FFFF", () => {
  const writer = new RecordWriter();
  for (const text of ["\ufeffa", "\u{1f600}", ""]) writer.string(text);
  const reader = new RecordReader(writer.finish());
  expect([reader.string(), reader.string(), reader.string()]).toEqual(["\ufeffa", "\u{1f600}", ""]);
});

test("bytes that end too early are a RecordError that says where", () => {
  const writer = new RecordWriter();
  writer.integer(300);
  writer.string("text");
  const place = writer.beginLength();
  writer.byte(1);
  writer.endLength(place);
  const whole = writer.finish();
  for (let length = 0; length < whole.length; length += 1) {
    const reader = new RecordReader(whole.slice(0, length));
    expect(() => {
      reader.integer();
      reader.string();
      reader.lengthPrefixed();
    }).toThrow(/the record ends at byte/);
  }
  expect(() => new RecordReader(NO_BYTES).byte()).toThrow(RecordError);
});

test("a length prefix of four gigabytes is read as such, not as a negative number", () => {
  expect(() => new RecordReader(new Uint8Array([255, 255, 255, 255, 0])).lengthPrefixed()).toThrow(RecordError);
});
