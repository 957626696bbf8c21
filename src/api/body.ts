/** The bodies of requests: read with a bound, and what they must be. */

import { API_BODY_BYTES_MAX } from "../login-limits.ts";
import { concatenate } from "../mqtt/bytes.ts";
import { refuse } from "./problem.ts";
import { expect, type Given, list, type Schema } from "./schema.ts";

/** What a route takes as its body. */
export interface Body<Value = unknown> {
  /** Undefined for bytes as they are. */
  readonly schema: Schema | undefined;
  /** Whether it may also be objects one on each line instead of a list. */
  readonly isLines: boolean;
  readonly read: (request: Request) => Promise<Value>;
}

/** A payload as it is. */
export const BYTES: Body<Uint8Array> = { schema: undefined, isLines: false, read: (request) => readBytes(request) };

export function json<Of extends Schema>(schema: Of): Body<Given<Of>> {
  const read = async (request: Request): Promise<Given<Of>> =>
    expect(schema, parse(await textOf(request, API_BODY_BYTES_MAX), "The body"), "The body");
  return { schema, isLines: false, read };
}

/** Many objects: a JSON list, or one of them on each line. @param what they are, in the plural */
export function lines<Item extends Schema>(item: Item, most: number, what: string, bytesMax: number = API_BODY_BYTES_MAX) {
  const schema = list(item, `a list of ${what}, or one on each line`);
  const read = async (request: Request): Promise<Given<typeof schema>> => {
    const text = (await textOf(request, bytesMax)).trim();
    const values = text.startsWith("[") ? (parse(text, "The body") as unknown[]) : linesOf(text);
    if (values.length > most) return refuse("BAD_REQUEST", `One request brings at most ${most} ${what}.`);
    return expect(schema, values, "The body");
  };
  return { schema, isLines: true, read } satisfies Body<Given<typeof schema>>;
}

function linesOf(text: string): unknown[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line, index) => parse(line, `Line ${index + 1}`));
}

/** A body. What is too large is read and thrown away: whoever sends it hears the answer only then. */
export async function readBytes(request: Request, bytesMax: number = API_BODY_BYTES_MAX): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes <= bytesMax) chunks.push(chunk as Uint8Array);
  }
  if (bytes > bytesMax) return refuse("PAYLOAD_TOO_LARGE", `A body has at most ${bytesMax} bytes.`);
  return concatenate(chunks);
}

async function textOf(request: Request, bytesMax: number): Promise<string> {
  const bytes = await readBytes(request, bytesMax);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return refuse("BAD_REQUEST", "The body is not valid UTF-8.");
  }
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse("BAD_REQUEST", `${what} is not valid JSON.`);
  }
}
