/** Lists of the API in pages: `?page=1&limit=100`, and `?cursor=` where a list is long. */

import { PAGE_LIMIT_MAX } from "../login-limits.ts";
import { refuse } from "./problem.ts";

export interface PageAsk {
  /** From 1. */
  readonly page: number;
  readonly limit: number;
  /** What the page before said; undefined where pages are asked for by their numbers. */
  readonly cursor: string | undefined;
}

export function pageAsk(query: (name: string) => string | undefined): PageAsk {
  const number = (name: string, value: number, max: number): number => {
    const text = query(name) ?? String(value);
    const parsed = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    return parsed >= 1 && parsed <= max ? parsed : refuse("BAD_REQUEST", `${name} must be a whole number from 1 to ${max}.`);
  };
  return { page: number("page", 1, 1_000_000), limit: number("limit", 100, PAGE_LIMIT_MAX), cursor: query("cursor") };
}

/** A page of what is at hand as a whole. */
export function pageOf<Item>(items: readonly Item[], { page, limit }: PageAsk): object {
  const from = (page - 1) * limit;
  return { data: items.slice(from, from + limit), meta: { page, limit, count: items.length, hasnext: items.length > from + limit } };
}
