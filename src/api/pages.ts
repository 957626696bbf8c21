/** Lists of the API in pages: `?page=1&limit=100`, and `?cursor=` where a list is long. */

import * as z from "zod/mini";
import { PAGE_LIMIT_MAX } from "../login-limits.ts";
import { about, FLAG, type Schema, TEXT, told, wholeNumber } from "./schema.ts";

export const LIMIT = about("How many at the most.", z._default(wholeNumber(1, PAGE_LIMIT_MAX), 100));
export const CURSOR = about("What the page before said; without it the first page.", z.optional(TEXT));

/** Pages that go on by cursors alone. */
export const BY_CURSOR = {
  limit: LIMIT,
  cursor: CURSOR,
  page: z._default(z.literal(1, { error: "1: the next page is asked for by the cursor of the one before" }), 1),
};

/** Pages by their numbers, from 1. */
export const BY_NUMBER = { page: z._default(wholeNumber(1, 1_000_000), 1), limit: LIMIT };

const COUNT = z.int();

/** A page by its number. */
export const NUMBERED = { page: COUNT, limit: COUNT, count: about("Of all pages.", COUNT), hasnext: FLAG };

/** Where a page goes on that was asked for by a cursor. */
export const NEXT = { hasnext: FLAG, cursor: about("Of the next page, where there is one.", z.optional(TEXT)) };

export function pageOf<Item extends Schema, Meta extends z.core.$ZodLooseShape>(item: Item, meta: Meta) {
  return told(() => ({ data: z.array(item), meta: told(() => meta) }));
}

/** Of what is at hand as a whole. */
export function pageIn<Item>(items: readonly Item[], { page, limit }: { readonly page: number; readonly limit: number }) {
  const from = (page - 1) * limit;
  return { data: items.slice(from, from + limit), meta: { page, limit, count: items.length, hasnext: items.length > from + limit } };
}

export function nextOf(cursor: string | undefined): { readonly hasnext: boolean; readonly cursor?: string } {
  return cursor === undefined ? { hasnext: false } : { hasnext: true, cursor };
}
