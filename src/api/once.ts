/**
 * `Idempotency-Key`: a request that is made again with the same key is not done again, and is answered as the first one was
 * (`objects/answers.ts`). A key belongs to whoever it comes from.
 */

import * as z from "zod/mini";
import type { Once } from "../objects/calls.ts";
import type { UnansweredError } from "../service/error.ts";
import { digestOf } from "./bearer.ts";
import { readBytes } from "./body.ts";
import { type ProblemCode, problem, refuse, sentenceOf } from "./problem.ts";
import { about, type Shape } from "./schema.ts";

export const KEY_HEADER = "Idempotency-Key";

const KEY_ERROR = "1 to 255 visible characters of ASCII";

/** The header of routes that know it. */
export const ONCE = {
  [KEY_HEADER]: about(
    "A request that comes again with the same key, within a day, is not done again and is answered as the first.",
    z.optional(z.string({ error: KEY_ERROR }).check(z.regex(/^[!-~]{1,255}$/, { error: KEY_ERROR }))),
  ),
};

const CODES = {
  other: "IDEMPOTENCY_KEY_REUSED",
  unknown: "OUTCOME_UNKNOWN",
  full: "SERVICE_UNAVAILABLE",
} as const satisfies Readonly<Record<UnansweredError["why"], ProblemCode>>;

/**
 * @param caller who makes the request
 * @param known headers of its route, which may be what is asked for as well
 * @returns by what a repeat of the request is recognised, where it has a key, and the request, whose body can still be read
 */
export async function onceOf(
  request: Request,
  caller: string,
  known: Shape,
): Promise<{ readonly once: Once | undefined; readonly request: Request }> {
  const key = request.headers.get(KEY_HEADER);
  if (key === null) return { once: undefined, request };
  // Who sends one relies on it.
  if (!(KEY_HEADER in known)) return refuse("BAD_REQUEST", `${KEY_HEADER} is for what publishes messages, and not for this.`);
  const { url, method, headers } = request;
  const body = await readBytes(request);
  const { pathname, search } = new URL(url);
  const said = Object.keys(known).filter((name) => name !== KEY_HEADER && headers.has(name));
  const texts = said.length === 0 ? "" : ` ${JSON.stringify(said.map((name) => [name, headers.get(name)]))}`;
  const digest = hexOf(await digestOf(`${method} ${pathname}${search} ${hexOf(await digestOf(body))}${texts}`));
  return { once: { key: `${caller} ${key}`, digest }, request: new Request(url, { method, headers, body }) };
}

export function unanswered({ why, message }: UnansweredError): Response {
  return problem(CODES[why], sentenceOf(message));
}

/** Names what was published: the same for a repeat. */
export async function publishedId(of: Once | undefined): Promise<string> {
  if (of === undefined) return crypto.randomUUID().replaceAll("-", "");
  return hexOf(await digestOf(`${of.key} ${of.digest}`)).slice(0, 32);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
