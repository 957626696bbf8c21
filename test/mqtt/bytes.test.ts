import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeUtf8,
  encodeVariableByteInteger,
  framesOf,
  INCOMPLETE,
  NOT_MINIMAL,
  readVariableByteInteger,
  TOO_LONG,
  utf8Encode,
  utf8Length,
  variableByteIntegerLength,
  writeUtf8,
  writeVariableByteInteger,
} from "../../src/mqtt/bytes.ts";
import { bytesOf } from "../vectors/vector.ts";

const lenient = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/** Whether bytes are well-formed UTF-8 without U+0000, as the Unicode standard has it: what the platform is held to. */
function isValidUtf8(bytes: Uint8Array): boolean {
  let offset = 0;
  while (offset < bytes.length) {
    const lead = bytes[offset];
    if (lead < 0x80) {
      // [MQTT5-1.5.4-2] [MQTT311-1.5.3-2]
      if (lead === 0) return false;
      offset += 1;
      continue;
    }
    // [MQTT5-1.5.4-1] [MQTT311-1.5.3-1]: the ranges of the second byte (Unicode, table 3-7) exclude overlong forms and surrogates.
    const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || offset + length > bytes.length) return false;
    const second = bytes[offset + 1];
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return false;
    for (let i = 2; i < length; i++) {
      if ((bytes[offset + i] & 0xc0) !== 0x80) return false;
    }
    offset += length;
  }
  return true;
}

function expected(bytes: Uint8Array): string | undefined {
  return isValidUtf8(bytes) ? lenient.decode(bytes) : undefined;
}

describe("UTF-8", () => {
  test("[MQTT5-1.5.4-1] [MQTT311-1.5.3-1] every sequence of two bytes is judged as the Unicode standard does", () => {
    for (let n = 0; n <= 0xffff; n++) {
      const bytes = Uint8Array.of(n >> 8, n & 0xff);
      if (decodeUtf8(bytes) !== expected(bytes)) throw new Error(n.toString(16));
    }
  });

  test("[MQTT5-1.5.4-1] [MQTT311-1.5.3-1] longer sequences at every boundary are judged as the Unicode standard does", () => {
    const edges = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff];
    for (const a of edges) {
      for (const b of edges) {
        for (const c of edges) {
          for (const d of edges) {
            const bytes = Uint8Array.of(a, b, c, d);
            if (decodeUtf8(bytes) !== expected(bytes)) throw new Error(Buffer.from(bytes).toString("hex"));
          }
        }
      }
    }
  });

  test("[MQTT5-1.5.4-2] [MQTT311-1.5.3-2] random bytes of any length are judged as the Unicode standard and the rule on U+0000 do", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(decodeUtf8(bytes)).toBe(expected(bytes));
      }),
    );
  });

  test("every character goes both ways", () => {
    for (let point = 1; point <= 0x10ffff; point += point < 0x3000 ? 1 : 61) {
      if (point >= 0xd800 && point < 0xe000) continue;
      const text = String.fromCodePoint(point);
      const bytes = utf8Encode(text);
      if (decodeUtf8(bytes) !== text || utf8Length(text) !== bytes.length) throw new Error(point.toString(16));
    }
  });

  test.each([0, 1, 63, 64, 65, 66, 1000, 65_535])("ASCII of %i bytes", (length) => {
    const text = "x".repeat(length);
    const bytes = new Uint8Array(length + 2);
    expect(writeUtf8(bytes, 1, text)).toBe(1 + length);
    expect(decodeUtf8(bytes, 1, 1 + length)).toBe(text);
    expect([bytes[0], bytes[length + 1]]).toEqual([0, 0]);
  });

  test("[MQTT5-1.5.4-3] [MQTT311-1.5.3-3] a byte order mark is a character like any other", () => {
    expect(decodeUtf8(bytesOf("efbbbf 41"))).toBe("\ufeffA");
    expect(decodeUtf8(bytesOf("efbbbf"))).toBe("\ufeff");
    expect(decodeUtf8(bytesOf("41 efbbbf efbbbf"))).toBe("A\ufeff\ufeff");
  });

  test("any string is written as the platform writes it, unpaired surrogates included", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.constantFrom("", "\ud800", "\udc00", "\ud800a", "\udc00\ud800"), (text, more) => {
        const bytes = utf8Encode(text + more);
        expect(utf8Length(text + more)).toBe(bytes.length);
        const target = new Uint8Array(bytes.length);
        expect(writeUtf8(target, 0, text + more)).toBe(bytes.length);
        expect(target).toEqual(bytes);
      }),
    );
  });
});

describe("Variable Byte Integer", () => {
  const boundaries: readonly [value: number, hex: string][] = [
    [0, "00"],
    [127, "7f"],
    [128, "8001"],
    [16_383, "ff7f"],
    [16_384, "808001"],
    [2_097_151, "ffff7f"],
    [2_097_152, "80808001"],
    [268_435_455, "ffffff7f"],
  ];

  test.each(boundaries)("[MQTT5-1.5.5-1] %i has the shortest form %s", (value, hex) => {
    const bytes = bytesOf(hex);
    expect(encodeVariableByteInteger(value)).toEqual(bytes);
    expect(variableByteIntegerLength(value)).toBe(bytes.length);
    expect(readVariableByteInteger(bytes, 0, bytes.length)).toBe(value);
  });

  test("is written and read anywhere", () => {
    fc.assert(
      fc.property(fc.nat(268_435_455), fc.nat(10), (value, offset) => {
        const bytes = new Uint8Array(20).fill(0xff);
        const end = writeVariableByteInteger(bytes, offset, value);
        expect(end).toBe(offset + variableByteIntegerLength(value));
        expect(readVariableByteInteger(bytes, offset, bytes.length)).toBe(value);
        expect(readVariableByteInteger(bytes, offset, end - 1)).toBe(INCOMPLETE);
        expect(bytes[end]).toBe(0xff);
      }),
    );
  });

  test.each([
    ["8000", NOT_MINIMAL],
    ["ff00", NOT_MINIMAL],
    ["808000", NOT_MINIMAL],
    ["80808000", NOT_MINIMAL],
    ["ffffff80", TOO_LONG],
    ["8080808001", TOO_LONG],
    ["808080", INCOMPLETE],
    ["80", INCOMPLETE],
    ["", INCOMPLETE],
  ])("[MQTT5-1.5.5-1] [5.0/1.5.5/five-bytes] %s is no value", (hex, answer) => {
    const bytes = bytesOf(hex);
    expect(readVariableByteInteger(bytes, 0, bytes.length)).toBe(answer);
  });
});

describe("frames", () => {
  const packet = (length: number): Uint8Array => new Uint8Array(length).fill(length % 251);
  const lengthsOf = (...lengths: number[]): number[] => framesOf(lengths.map(packet)).map(({ length }) => length);

  test("what is small shares one, what is large has its own, and the order stays", () => {
    expect([lengthsOf(), lengthsOf(5), lengthsOf(5, 6, 7), lengthsOf(20_000)]).toEqual([[], [5], [18], [20_000]]);
    expect(lengthsOf(20_000, 30_000)).toEqual([20_000, 30_000]);
    expect(lengthsOf(1, 2, 20_000, 3, 20_000, 4, 5)).toEqual([3, 20_000, 3, 20_000, 9]);
    expect(lengthsOf(20_000, 4, 5)).toEqual([20_000, 9]);
    const packets = [1, 2, 20_000, 3, 16_384, 16_383, 5].map(packet);
    expect(Buffer.concat(framesOf(packets)).equals(Buffer.concat(packets))).toBe(true);
  });

  test("what is large is not copied", () => {
    const large = packet(20_000);
    expect(framesOf([packet(1), large])[1]).toBe(large);
  });
});
