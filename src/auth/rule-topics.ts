/**
 * The topics of a rule: Topic Filters with placeholders for what a client is called. A placeholder fills a whole level, so that what stands for
 * it can't reach beyond its level: clients choose their Client Identifiers.
 *
 * What can't be filled in (an empty value, or one with `/`, `+` or `#`) fails closed: an allowance then allows nothing, and a denial denies
 * whatever may stand there.
 */

import { DEFAULT_LIMITS } from "../limits.ts";
import { hasWildcard, parseFilter, SHARE_PREFIX } from "../topic/filter.ts";
import { isTopicProblem } from "../topic/name.ts";
import { levelsOf } from "./covers.ts";

/** What a placeholder stands for. */
export interface Placeholder {
  readonly of: "clientid" | "username" | "claim" | "client_attrs";
  /** Of a claim or an attribute; else empty. */
  readonly name: string;
}

/** The levels of a filter; those of `#` as `levelsOf` gives them. */
export type Template = readonly (string | Placeholder)[];

/** Of a client, as far as rules ask for it. */
export interface ClientFacts {
  readonly clientId: string;
  readonly userName: string | undefined;
  /** Empty when it is not known. */
  readonly address: string;
  readonly claims: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A topic of a rule, taken apart. */
type RuleTopic =
  | { readonly kind: "filter"; readonly template: Template }
  /** `eq ` and a filter with wildcards: the SUBSCRIBE with this very text. */
  | { readonly kind: "exact"; readonly filter: string };

const LITERAL_PREFIX = "eq ";

const PLACEHOLDER = /^(?:%([cu])|\$\{(?:(clientid|username)|(claim|client_attrs)\.([^}]+))\})$/;

/** @returns what is wrong with a topic of a rule, as the end of a sentence that repeats nothing of it; undefined when nothing is */
export function topicProblem(text: string): string | undefined {
  const filter = text.startsWith(LITERAL_PREFIX) ? text.slice(LITERAL_PREFIX.length) : text;
  if (filter.startsWith(SHARE_PREFIX)) return "must be written without $share/NAME/: it holds for Shared Subscriptions as well";
  if (isTopicProblem(parseFilter(filter, DEFAULT_LIMITS)))
    return "is not a valid Topic Filter: it must not be empty, + and # must fill a level, # only the last one";
  if (filter !== text) return undefined;
  const odd = filter.split("/").find((level) => /%[cu]|\$\{/.test(level) && !PLACEHOLDER.test(level));
  if (odd === undefined) return undefined;
  return "has a level with a placeholder among other characters, or one that is not known: %c %u ${clientid} ${username} ${claim.NAME} ${client_attrs.NAME} must fill a whole level";
}

/** @param text without a problem */
export function parseRuleTopic(text: string): RuleTopic {
  if (!text.startsWith(LITERAL_PREFIX)) return { kind: "filter", template: levelsOf(text).map(placeholderOrText) };
  const filter = text.slice(LITERAL_PREFIX.length);
  return hasWildcard(filter) ? { kind: "exact", filter } : { kind: "filter", template: levelsOf(filter) };
}

function placeholderOrText(level: string): string | Placeholder {
  const match = PLACEHOLDER.exec(level);
  if (match === null) return level;
  const [, letter, of, named, name = ""] = match;
  if (letter !== undefined) return { of: letter === "c" ? "clientid" : "username", name: "" };
  return { of: (of ?? named) as Placeholder["of"], name };
}

export function hasPlaceholder(template: Template): boolean {
  return template.some((level) => typeof level !== "string");
}

/**
 * @param isDenial what can't be filled in stands for everything
 * @returns the levels for this client; undefined when they are nobody's
 */
export function fill(template: Template, client: ClientFacts, isDenial: boolean): readonly string[] | undefined {
  const levels: string[] = [];
  for (const level of template) {
    const value = typeof level === "string" ? level : textOf(level, client);
    if (typeof level === "string" || isFit(value)) levels.push(value!);
    else if (isDenial) levels.push("+");
    else return undefined;
  }
  // The broker's own topics are given to nobody by a name that somebody chose.
  const reaches = typeof template[0] !== "string" && levels[0]!.startsWith("$");
  return reaches && !isDenial ? undefined : levels;
}

function isFit(value: string | undefined): boolean {
  return value !== undefined && value !== "" && !/[/+#]/.test(value);
}

function textOf({ of, name }: Placeholder, { clientId, userName, claims, attributes }: ClientFacts): string | undefined {
  if (of === "clientid") return clientId;
  if (of === "username") return userName;
  const values = of === "claim" ? claims : attributes;
  return Object.hasOwn(values, name) ? values[name] : undefined;
}
