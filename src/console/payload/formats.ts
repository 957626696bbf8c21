/** What a payload is and how it is read: text, JSON, a number, bytes, CBOR, MessagePack. Nothing of it is left out here. */

export const FORMATS = ["auto", "text", "json", "number", "hex", "cbor", "msgpack"] as const;
export type Format = (typeof FORMATS)[number];

export const FORMAT_NAMES: Readonly<Record<Format, string>> = {
  auto: "Automatic",
  text: "Text",
  json: "JSON",
  number: "Number",
  hex: "Hex",
  cbor: "CBOR",
  msgpack: "MessagePack",
};

export type Read =
  | { readonly kind: "empty" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number"; readonly value: number }
  /** JSON, and what has the shape of it. */
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** It is not of the format that was asked for. */
  | { readonly kind: "wrong"; readonly problem: string };

/** A JSON of more bytes is shown as text, unless it is asked for. */
const PARSED_BYTES_MAX = 1024 * 1024;

/** @param contentType of MQTT 5.0, which decides where it is known */
export function formatOf(bytes: Uint8Array, contentType = ""): Exclude<Format, "auto"> {
  if (/\bcbor\b/.test(contentType)) return "cbor";
  if (/\b(x-)?msgpack\b/.test(contentType)) return "msgpack";
  const text = textOf(bytes);
  if (text === undefined) return "hex";
  const trimmed = text.trim();
  if (numberOf(trimmed) !== undefined) return "number";
  const isStructure = /^[[{]/.test(trimmed) && bytes.length <= PARSED_BYTES_MAX;
  return isStructure && jsonOf(trimmed) !== undefined ? "json" : "text";
}

/** @returns the payload as the format reads it */
export async function read(bytes: Uint8Array, format: Format, contentType?: string): Promise<Read> {
  if (bytes.length === 0) return { kind: "empty" };
  const chosen = format === "auto" ? formatOf(bytes, contentType) : format;
  switch (chosen) {
    case "text":
      return { kind: "text", text: new TextDecoder().decode(bytes) };
    case "number": {
      const value = numberOf(new TextDecoder().decode(bytes).trim());
      return value === undefined ? wrong("It is not a number.") : { kind: "number", value };
    }
    case "json": {
      const value = jsonOf(new TextDecoder().decode(bytes));
      return value === undefined ? wrong("It is not JSON.") : { kind: "value", value: value.json };
    }
    case "hex":
      return { kind: "bytes", bytes };
    case "cbor":
      return structured("CBOR", async () => {
        const { decode } = await import("cborg");
        return decode(bytes, { allowBigInt: true, useMaps: false, allowUndefined: true });
      });
    case "msgpack":
      return structured("MessagePack", async () => (await import("@msgpack/msgpack")).decode(bytes));
  }
}

async function structured(name: string, decode: () => Promise<unknown>): Promise<Read> {
  try {
    return { kind: "value", value: await decode() };
  } catch (error) {
    return wrong(`It is not ${name}: ${(error as Error).message}`);
  }
}

function wrong(problem: string): Read {
  return { kind: "wrong", problem };
}

/** @returns undefined: it is no text; controls other than tab and line ends are in none */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    return /[\0-\x08\x0b\x0c\x0e-\x1f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

export function numberOf(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

function jsonOf(text: string): { readonly json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** A payload in one line, for a list: not longer than somebody reads there. */
export function lineOf(bytes: Uint8Array, most = 160): string {
  const head = bytes.length > most * 4 ? bytes.subarray(0, most * 4) : bytes;
  const text = textOf(head) ?? (head.length < bytes.length ? textOfCut(head) : undefined);
  // Without the half of a character that is at the end then.
  const line =
    text === undefined
      ? hexOf(head.subarray(0, most / 4))
      : text
          .slice(0, most)
          .replace(/\s+/g, " ")
          .replace(/[\ud800-\udbff]$/, "");
  return (text?.length ?? bytes.length * 4) > most || head.length < bytes.length ? `${line} …` : line;
}

/** A character may have been divided where it was cut. */
function textOfCut(head: Uint8Array): string | undefined {
  for (let cut = 1; cut < 4; cut += 1) {
    const text = textOf(head.subarray(0, head.length - cut));
    if (text !== undefined) return text;
  }
  return undefined;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Rows of sixteen bytes: where, in hexadecimal, and as ASCII. */
export function dumpOf(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const ascii = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    rows.push(`${at.toString(16).padStart(6, "0")}  ${hexOf(row).padEnd(47)}  ${ascii}`);
  }
  return rows.join("\n");
}

/** @returns the payload as a number, where it is one, or one is at that place of its JSON */
export function plottedOf(bytes: Uint8Array, place: string): number | undefined {
  const text = textOf(bytes)?.trim();
  if (text === undefined) return undefined;
  if (place === "") return numberOf(text) ?? SWITCHES.get(text.toLowerCase());
  const value = jsonOf(text);
  const found = value === undefined ? undefined : places(value.json).get(place);
  return found;
}

/** What many devices say of a switch. */
const SWITCHES = new Map([
  ["on", 1],
  ["true", 1],
  ["open", 1],
  ["online", 1],
  ["off", 0],
  ["false", 0],
  ["closed", 0],
  ["offline", 0],
]);

const PLACES_MAX = 100;
/** Levels of a structure that are looked at: the parser takes more than there is of stack. */
export const LEVELS_MAX = 100;

/** The numbers of a JSON, each with the way to it: `a.b[2]`. */
export function places(json: unknown): Map<string, number> {
  const found = new Map<string, number>();
  const walk = (value: unknown, way: string, level: number): void => {
    if (found.size >= PLACES_MAX || level > LEVELS_MAX) return;
    if (typeof value === "number") found.set(way, value);
    else if (typeof value === "boolean") found.set(way, Number(value));
    else if (Array.isArray(value)) for (const [index, each] of value.entries()) walk(each, `${way}[${index}]`, level + 1);
    else if (typeof value === "object" && value !== null)
      for (const [name, each] of Object.entries(value)) walk(each, way === "" ? name : `${way}.${name}`, level + 1);
  };
  walk(json, "", 0);
  return found;
}

/** Where a structure differs from the one before: the ways to what is new or other. What is gone is told beside it, by the way to what it was in. */
export interface Differences {
  readonly changed: ReadonlyMap<string, unknown>;
  readonly added: ReadonlySet<string>;
  readonly removed: ReadonlyMap<string, readonly Gone[]>;
}

export type Gone = readonly [name: string, value: unknown];

export function differences(before: unknown, after: unknown): Differences {
  const changed = new Map<string, unknown>();
  const added = new Set<string>();
  const removed = new Map<string, readonly Gone[]>();
  const walk = (old: unknown, now: unknown, way: string, level: number): void => {
    if (Object.is(old, now) || level > LEVELS_MAX) return;
    if (!isStructure(old) || !isStructure(now) || Array.isArray(old) !== Array.isArray(now)) {
      changed.set(way, old);
      return;
    }
    for (const [name, value] of Object.entries(now)) {
      if (Object.hasOwn(old, name)) walk(old[name], value, stepTo(way, name), level + 1);
      else added.add(stepTo(way, name));
    }
    const gone = Object.entries(old).filter(([name]) => !Object.hasOwn(now, name));
    if (gone.length > 0) removed.set(way, gone);
  };
  walk(before, after, "", 0);
  return { changed, added, removed };
}

/** Members that are shown of one structure before somebody asks for more. */
export const MEMBERS_SHOWN = 100;
/** Levels that are open at first, where they have no more members than these. */
const OPEN_LEVELS = 3;
const OPEN_MEMBERS_MAX = 1000;

/** @returns how many levels of a structure are open before somebody opens others */
export function openLevels(value: unknown): number {
  let members = [value];
  let count = 0;
  for (let level = 0; level < OPEN_LEVELS; level += 1) {
    members = members.flatMap((each) => (isStructure(each) ? Object.values(each).slice(0, MEMBERS_SHOWN) : []));
    count += members.length;
    if (count > OPEN_MEMBERS_MAX) return level;
  }
  return OPEN_LEVELS;
}

export function isStructure(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array) && !(value instanceof Date);
}

/** Whether it has more levels than are looked at. */
export function isDeep(value: unknown, level = 0): boolean {
  return isStructure(value) && (level === LEVELS_MAX || Object.values(value).some((each) => isDeep(each, level + 1)));
}

/** The way to a member: in itself of no meaning, but the same for both structures. */
export function stepTo(way: string, name: string): string {
  return `${way}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
