/** What the console makes of payloads: which format they have, and where a structure differs from the one before. */

import { describe, expect, it } from "vitest";
import {
  differences,
  dumpOf,
  formatOf,
  isDeep,
  LEVELS_MAX,
  lineOf,
  numberOf,
  openLevels,
  places,
  plottedOf,
  read,
} from "../../src/console/payload/formats.ts";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("the format of a payload", () => {
  it.each([
    ['{"a":1}', "json"],
    [" [1, 2] ", "json"],
    ["{not json", "text"],
    ["null", "text"],
    ["21.5", "number"],
    ["-1e3", "number"],
    ["0x10", "text"],
    ["Infinity", "text"],
    ["1 2", "text"],
    ["grüße\n", "text"],
    ["a\0b", "hex"],
  ])("%j is %s", (text, format) => {
    expect(formatOf(utf8(text))).toBe(format);
  });

  it("is what the Content Type says, where that is known", () => {
    expect(formatOf(utf8("1"), "application/cbor")).toBe("cbor");
    expect(formatOf(utf8("1"), "application/x-msgpack; v=1")).toBe("msgpack");
    expect(formatOf(utf8("1"), "text/plain")).toBe("number");
    expect(formatOf(Uint8Array.of(0xff, 0xfe))).toBe("hex");
  });

  it("that is not there is said in words, and never thrown", async () => {
    const bytes = Uint8Array.of(0xc1, 0xff, 0x00);
    for (const format of ["json", "number", "cbor", "msgpack"] as const)
      expect(await read(bytes, format)).toMatchObject({ kind: "wrong", problem: expect.stringMatching(/^It is not /) });
    expect(await read(new Uint8Array(), "cbor")).toEqual({ kind: "empty" });
    // Of what calls for more memory than there is.
    expect(await read(Uint8Array.of(0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "cbor")).toMatchObject({ kind: "wrong" });
    expect(await read(Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), "msgpack")).toMatchObject({ kind: "wrong" });
  });
});

describe("a payload in one line", () => {
  it("is text in one line, or bytes, and says that it goes on", () => {
    expect(lineOf(utf8("a\n  b"))).toBe("a b");
    expect(lineOf(Uint8Array.of(0, 255))).toBe("00 ff");
    expect(lineOf(utf8("x".repeat(200)), 10)).toBe(`${"x".repeat(10)} …`);
    expect(lineOf(utf8("ü".repeat(200)), 10)).toBe(`${"ü".repeat(10)} …`);
    // The cut is in the middle of a character.
    expect(lineOf(utf8(`x${"🚀".repeat(200)}`), 10)).toMatch(/^x🚀+ …$/u);
  });

  it("and a dump has rows of sixteen bytes", () => {
    expect(dumpOf(utf8("0123456789abcdef\n"))).toBe(
      `000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n000010  0a${" ".repeat(45)}  .`,
    );
  });
});

describe("numbers", () => {
  it("are found in a payload, in its JSON, and in words of switches", () => {
    expect([plottedOf(utf8("21.5"), ""), plottedOf(utf8("ON"), ""), plottedOf(utf8("text"), "")]).toEqual([21.5, 1, undefined]);
    expect(plottedOf(utf8('{"a":{"b":[1,{"c":true}]}}'), "a.b[1].c")).toBe(1);
    expect([...places(JSON.parse('{"a":1,"b":[2,"x",{"c":false}]}')).keys()]).toEqual(["a", "b[0]", "b[2].c"]);
    expect([numberOf("1."), numberOf(".5"), numberOf(""), numberOf(".")]).toEqual([1, 0.5, undefined, undefined]);
  });
});

describe("differences", () => {
  it("are what changed, with what it was, what is new, and what is gone", () => {
    const found = differences({ a: 1, b: { c: [1, 2], "x/y": 1 }, d: null }, { a: 2, b: { c: [1], "x/y": 2 }, e: 0 });
    expect([...found.changed]).toEqual([
      ["/a", 1],
      ["/b/x~1y", 1],
    ]);
    expect([...found.added]).toEqual(["/e"]);
    expect([...found.removed]).toEqual([
      ["/b/c", [["1", 2]]],
      ["", [["d", null]]],
    ]);
  });

  it("are the whole where one is no structure, or another kind of one", () => {
    expect([...differences([1], { 0: 1 }).changed.keys()]).toEqual([""]);
    expect([...differences({ a: [1] }, { a: 1 }).changed.keys()]).toEqual(["/a"]);
    expect([...differences({ a: 1 }, { a: 1 }).changed.keys()]).toEqual([]);
  });
});

/** So many levels, and what is in the innermost of them. */
const nested = (levels: number, inner: string): unknown => JSON.parse(`${"[".repeat(levels)}${inner}${"]".repeat(levels)}`);

describe("a structure of very many levels", () => {
  it("is looked at as far as it is shown, and no further", () => {
    const [deep, other] = [nested(200_000, "1"), nested(200_000, "2")];
    expect(places(deep).size).toBe(0);
    expect(differences(deep, other)).toEqual({ changed: new Map(), added: new Set(), removed: new Map() });
    expect([isDeep(deep), isDeep(nested(LEVELS_MAX + 1, "")), isDeep(nested(LEVELS_MAX, "1")), isDeep(1)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(places(nested(LEVELS_MAX, "1")).size).toBe(1);
    expect(differences(nested(LEVELS_MAX, "1"), nested(LEVELS_MAX, "2")).changed.size).toBe(1);
  });
});

describe("levels that are open at first", () => {
  const square = (count: number, of: unknown): unknown[] => Array.from({ length: count }, () => of);

  it.each([
    ["a value alone", 1, 3],
    ["what has few members", { a: { b: { c: { d: 1 } } } }, 3],
    ["a long list", square(100_000, 1), 3],
    ["lists in a list", square(51, square(100, square(100, 0))), 1],
    ["lists in lists in a list", square(5, square(5, square(100, 0))), 2],
  ])("of %s", (_, value, levels) => {
    expect(openLevels(value)).toBe(levels);
  });
});
