/** What requests of the API bring: their bodies with a bound, and the fields of JSON objects, each with the form that it must have. */

import { API_BODY_BYTES_MAX } from "../login-limits.ts";
import { concatenate } from "../mqtt/bytes.ts";
import { refuse } from "./problem.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** A body. What is too large is read and thrown away: whoever sends it hears the answer only then. */
export async function bodyBytes(request: Request, bytesMax: number = API_BODY_BYTES_MAX): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes <= bytesMax) chunks.push(chunk as Uint8Array);
  }
  if (bytes > bytesMax) return refuse("PAYLOAD_TOO_LARGE", `A body has at most ${bytesMax} bytes.`);
  return concatenate(chunks);
}

async function bodyText(request: Request, bytesMax?: number): Promise<string> {
  return new TextDecoder().decode(await bodyBytes(request, bytesMax));
}

/** The JSON of a body. */
export async function bodyJson(request: Request): Promise<unknown> {
  return parse(await bodyText(request), "The body");
}

/** The JSON object of a body, with no other fields than these. */
export async function bodyFields(request: Request, known: readonly string[]): Promise<Fields> {
  return fieldsOf(await bodyJson(request), known, "The body");
}

/** The objects of a body: a JSON array, or one object on each line. */
export async function bodyList(request: Request, bytesMax?: number): Promise<unknown[]> {
  const text = (await bodyText(request, bytesMax)).trim();
  if (text.startsWith("[")) return parse(text, "The body") as unknown[];
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line, index) => parse(line, `Line ${index + 1}`));
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse("BAD_REQUEST", `${what} is not valid JSON.`);
  }
}

export function fieldsOf(value: unknown, known: readonly string[], what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse("BAD_REQUEST", `${what} must be a JSON object.`);
  if (Object.keys(value).some((name) => !known.includes(name))) {
    return refuse("BAD_REQUEST", `${what} has an unknown field; known are ${known.join(", ")}.`);
  }
  return value as Fields;
}

export function textOf(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : refuse("BAD_REQUEST", `${name} must be a text.`);
}

export function requiredText(fields: Fields, name: string): string {
  return textOf(fields, name) ?? refuse("BAD_REQUEST", `${name} is missing.`);
}
