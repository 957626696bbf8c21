/** A user of the directory as the HTTP API tells of it. */
import { partOf } from "../../api/path-part.ts";
import type { Rule } from "./rule-lines.ts";

export const USERS = "/authentication/password_based:built_in_database/users";

export interface UserFacts {
  readonly user_id: string;
  readonly is_superuser: boolean;
  readonly acl: readonly Rule[];
  readonly created_at: string;
  readonly updated_at: string;
}

/** @returns where the HTTP API has it */
export function pathOf(name: string): string {
  const { part, query } = partOf("user_id", name);
  return `${USERS}/${part}${query}`;
}
