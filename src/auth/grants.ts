/**
 * Rights that come with a login (of a token, a hook, the directory): a value on one side, a text on the other that the rest of the broker
 * stores and passes on without looking into it. A login without rights has a text too, `{}`: empty is the text of who has none that came
 * with the login, and whose rights are those of the settings.
 *
 * Values of placeholders stand beside the rules and not in them: a claim whose value looks like a placeholder stays what it is.
 */

import * as z from "zod/mini";
import { CREDENTIAL } from "../directory/grants.ts";
import { GRANTS_BYTES_MAX } from "../login-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import type { Placeholder } from "./rule-topics.ts";
import { type Acl, NO_RULES, parseAcl, sentenceOf } from "./rules.ts";

export interface Grants {
  /** May do everything. */
  readonly superuser: boolean;
  readonly acl: Acl;
  /** What `${client_attrs.NAME}` stands for. */
  readonly attributes: Readonly<Record<string, string>>;
  /** What `${claim.NAME}` stands for. */
  readonly claims: Readonly<Record<string, string>>;
}

/** What a login brings, as it came: JSON that nobody has looked at. */
export interface GivenGrants {
  readonly superuser?: unknown;
  readonly acl?: unknown;
  readonly attributes?: unknown;
  /** All that is known of the login; only those that rules name are kept, of them texts, numbers and true and false. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** Names of claims that other rules than its own ask for. */
  readonly claimNames?: readonly string[];
}

const TEXTS = z.optional(z.record(z.string(), z.string()));
const GRANTS = z.strictObject({ superuser: z.optional(z.boolean()), acl: z.optional(z.unknown()), attributes: TEXTS, claims: TEXTS });
const FIELDS = "superuser, acl, attributes and claims";

/**
 * @param given `undefined` and missing are the same
 * @returns the text; or what is wrong, in sentences that name the place (`acl[0].topic`) and quote nothing
 */
export function makeGrants({ superuser, acl, attributes, claims = {}, claimNames = [] }: GivenGrants): {
  readonly text: string;
  readonly problems: readonly string[];
} {
  const rules = acl === undefined ? { acl: NO_RULES, problems: [] } : parseAcl(acl, "acl");
  const named = namedClaims([...claimNames, ...claimNamesOf(rules.acl)], claims);
  const value = {
    ...(superuser === undefined || superuser === false ? {} : { superuser }),
    ...(acl === undefined ? {} : { acl }),
    ...(attributes === undefined ? {} : { attributes }),
    ...(Object.keys(named).length === 0 ? {} : { claims: named }),
  };
  const result = GRANTS.safeParse(value);
  const forged = result.success && Object.hasOwn(result.data.attributes ?? {}, CREDENTIAL);
  const problems = [
    ...rules.problems,
    ...(result.success ? [] : result.error.issues.map(describe)),
    // It would pass for a login of the directory's user with the same name.
    ...(forged ? [`rights.attributes must not have ${CREDENTIAL}, which is the broker's own.`] : []),
  ];
  if (problems.length > 0) return { text: "", problems };
  const text = JSON.stringify(value);
  if (utf8Length(text) > GRANTS_BYTES_MAX) return { text: "", problems: [`The rights have more than ${GRANTS_BYTES_MAX} bytes.`] };
  return { text, problems: [] };
}

/** @returns undefined for a text that is none: whoever has it has no rights */
export function parseGrants(text: string): Grants | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const result = GRANTS.safeParse(json);
  if (!result.success) return undefined;
  const { superuser = false, acl, attributes = {}, claims = {} } = result.data;
  const rules = acl === undefined ? { acl: NO_RULES, problems: [] } : parseAcl(acl, "acl");
  return rules.problems.length > 0 ? undefined : { superuser, acl: rules.acl, attributes, claims };
}

function describe(issue: z.core.$ZodIssue): string {
  // Names of attributes are the login's own.
  const known = { ...issue, path: issue.path.slice(0, 1) };
  return sentenceOf("rights", known as z.core.$ZodIssue, FIELDS);
}

/** The claims that a list of rules asks for. */
export function claimNamesOf({ rules }: Acl): readonly string[] {
  const placeholders = rules.flatMap(({ filters }) => filters.flat()).filter((level): level is Placeholder => typeof level !== "string");
  return placeholders.filter(({ of }) => of === "claim").map(({ name }) => name);
}

function namedClaims(names: readonly string[], claims: Readonly<Record<string, unknown>>): Record<string, string> {
  const named: [string, string][] = [];
  for (const name of new Set(names)) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (["string", "number", "boolean"].includes(typeof value)) named.push([name, String(value)]);
  }
  return Object.fromEntries(named);
}
