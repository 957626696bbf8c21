/** The rights of a user in requests and answers: `is_superuser` and `acl` as EMQX has them, `publish` and `subscribe` as USERS has them. */

import { DEFAULT_LIMITS } from "../limits.ts";
import { parseFilter } from "../topic/filter.ts";
import { isTopicProblem } from "../topic/name.ts";
import type { Fields } from "./body.ts";
import { refuse } from "./problem.ts";

export const RIGHTS_FIELDS = ["is_superuser", "acl", "publish", "subscribe"];

interface Rights {
  readonly superuser?: boolean;
  readonly acl?: readonly unknown[];
}

/** @returns JSON, as the directory keeps it; undefined where nothing is said of rights */
export function rightsOf(fields: Fields, what: string): string | undefined {
  if (RIGHTS_FIELDS.every((name) => fields[name] === undefined)) return undefined;
  const { is_superuser: superuser = false, acl = [] } = fields;
  if (typeof superuser !== "boolean") refuse("BAD_REQUEST", `${what}: is_superuser must be true or false.`);
  if (!Array.isArray(acl)) return refuse("BAD_REQUEST", `${what}: acl must be a list of rules.`);
  const lists = ["publish", "subscribe"].flatMap((action) => {
    const topics = filtersOf(fields[action], `${what}: ${action}`);
    return topics.length === 0 ? [] : [{ permission: "allow", action, topics }];
  });
  return JSON.stringify({ ...(superuser ? { superuser } : {}), acl: [...acl, ...lists] });
}

function filtersOf(value: unknown, what: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((each) => typeof each === "string"))
    return refuse("BAD_REQUEST", `${what} must be a list of topic filters.`);
  const wrong = value.findIndex((each) => isTopicProblem(parseFilter(each, DEFAULT_LIMITS)));
  return wrong < 0 ? value : refuse("BAD_REQUEST", `${what}[${wrong}] is not a valid topic filter.`);
}

/** What answers say of rights. */
export function rightsView(rights: string): object {
  const { superuser = false, acl = [] } = JSON.parse(rights) as Rights;
  return { is_superuser: superuser, acl };
}
