/** The rights of a user in requests and answers: `is_superuser` and `acl` as EMQX has them, `publish` and `subscribe` as USERS has them. */

import { makeGrants } from "../auth/grants.ts";
import { DIRECTORY_RIGHTS_BYTES_MAX } from "../login-limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
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
  const { is_superuser: superuser, acl = [], publish, subscribe } = fields;
  if (superuser !== undefined && typeof superuser !== "boolean") refuse("BAD_REQUEST", `${what}: is_superuser must be true or false.`);
  if (!Array.isArray(acl)) return refuse("BAD_REQUEST", `${what}: acl must be a list of rules.`);
  const lists = Object.entries({ publish, subscribe }).flatMap(([action, topics]) =>
    topics === undefined || (Array.isArray(topics) && topics.length === 0) ? [] : [{ permission: "allow", action, topics }],
  );
  const { text, problems } = makeGrants({ superuser, acl: [...acl, ...lists] });
  if (problems.length > 0) return refuse("BAD_REQUEST", `${what}: ${problems[0]}`);
  // What the directory adds has room too.
  return utf8Length(text) <= DIRECTORY_RIGHTS_BYTES_MAX
    ? text
    : refuse("BAD_REQUEST", `${what}: the rights have more than ${DIRECTORY_RIGHTS_BYTES_MAX} bytes.`);
}

/** What answers say of rights. */
export function rightsView(rights: string): object {
  const { superuser = false, acl = [] } = JSON.parse(rights) as Rights;
  return { is_superuser: superuser, acl };
}
