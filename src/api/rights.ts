/** The rights of a user in requests and answers: `is_superuser` and `acl` as EMQX has them, `publish` and `subscribe` as USERS has them. */

import * as z from "zod/mini";
import { makeGrants } from "../auth/grants.ts";
import { DIRECTORY_RIGHTS_BYTES_MAX } from "../login-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { refuse } from "./problem.ts";
import { about, FLAG, type Given, list, TEXT, type Told } from "./schema.ts";

/** What a rule must be is known where all rules are. */
export const RULES = list(z.unknown(), "a list of rules");
const FILTERS = list(TEXT, "a list of Topic Filters");

/** Of a user in requests. */
export const RIGHTS = {
  is_superuser: about("May do everything.", z.optional(FLAG)),
  acl: z.optional(RULES),
  publish: about("Topic Filters of what may be published, behind the rules.", z.optional(FILTERS)),
  subscribe: about("Topic Filters of what may be subscribed to, behind the rules.", z.optional(FILTERS)),
};

/** And in answers. */
export const RIGHTS_VIEW = { is_superuser: FLAG, acl: RULES };

type Rights = { readonly [Name in keyof typeof RIGHTS]?: Given<(typeof RIGHTS)[Name]> };

/** @returns JSON, as the directory keeps it; undefined where nothing is said of rights */
export function rightsOf({ is_superuser: superuser, acl, publish, subscribe }: Rights, what: string): string | undefined {
  if ([superuser, acl, publish, subscribe].every((each) => each === undefined)) return undefined;
  const lists = Object.entries({ publish, subscribe }).flatMap(([action, topics]) =>
    topics === undefined || topics.length === 0 ? [] : [{ permission: "allow", action, topics }],
  );
  const { text, problems } = makeGrants({ superuser, acl: [...(acl ?? []), ...lists] });
  if (problems.length > 0) return refuse("BAD_REQUEST", `${what}: ${problems[0]}`);
  // What the directory adds has room too.
  return utf8Length(text) <= DIRECTORY_RIGHTS_BYTES_MAX
    ? text
    : refuse("BAD_REQUEST", `${what}: the rights have more than ${DIRECTORY_RIGHTS_BYTES_MAX} bytes.`);
}

/** What answers say of rights. */
export function rightsView(rights: string): { readonly [Name in keyof typeof RIGHTS_VIEW]: Told<(typeof RIGHTS_VIEW)[Name]> } {
  const { superuser = false, acl = [] } = JSON.parse(rights) as { readonly superuser?: boolean; readonly acl?: readonly unknown[] };
  return { is_superuser: superuser, acl };
}
