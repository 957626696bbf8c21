/**
 * Who may connect and do what: the secret USERS, parsed. Keeps one law above all: no sentence that comes out of here repeats anything
 * that the secret contains, neither values nor the names of unknown fields; a place is named by index and field.
 *
 * zod/mini, as its own sentences are not used: the whole of zod would make the Worker 400 kB larger.
 */

import * as z from "zod/mini";
import { ITERATIONS_MAX, ITERATIONS_MIN, isPasswordHash } from "./password.ts";
import { type Acl, allowPublish, allowSubscribe, NO_RULES, parseAcl, sentenceOf, TOPIC } from "./rules.ts";

/** A user of the broker. */
export interface User {
  readonly user: string;
  /** `pbkdf2-sha256$iterations$salt$hash`, see password.ts. */
  readonly password: string;
  /** What the user may do: the rules, then the filters that may be published and subscribed to. */
  readonly acl: Acl;
}

const USER = z.strictObject({
  user: z.string().check((context) => {
    if (context.value === "") context.issues.push({ code: "custom", message: "must not be empty", input: undefined });
  }),
  password: z.string().check((context) => {
    const message = `must be a hash made by "npm run hash-password": pbkdf2-sha256$iterations$salt$hash with ${ITERATIONS_MIN} to ${ITERATIONS_MAX} iterations`;
    if (!isPasswordHash(context.value)) context.issues.push({ code: "custom", message, input: undefined });
  }),
  publish: z._default(z.array(TOPIC), []),
  subscribe: z._default(z.array(TOPIC), []),
  acl: z.optional(z.unknown()),
});

const FIELDS = "user, password, publish, subscribe and acl";

/**
 * Parses the secret USERS.
 * @param text a JSON array of `{"user", "password", "publish": [filters], "subscribe": [filters], "acl": [rules]}`
 * @returns the users, or at least one problem: a sentence that names index and field and quotes nothing
 */
export function parseUsers(text: string): { readonly users: readonly User[]; readonly problems: readonly string[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { users: [], problems: ['USERS is not valid JSON: a JSON array of {"user", "password", "publish", "subscribe"} was expected.'] };
  }
  const result = z.array(USER).safeParse(json);
  if (!result.success) return { users: [], problems: result.error.issues.map((issue) => sentenceOf("USERS", issue, FIELDS)) };
  const read = result.data.map(userOf);
  const problems = [...repeated(result.data), ...read.flatMap((user) => user.problems)];
  return problems.length > 0 ? { users: [], problems } : { users: read.map(({ user }) => user), problems };
}

function userOf(
  { user, password, publish, subscribe, acl }: z.infer<typeof USER>,
  index: number,
): { readonly user: User; readonly problems: readonly string[] } {
  const { acl: own, problems } = acl === undefined ? { acl: NO_RULES, problems: [] } : parseAcl(acl, `USERS[${index}].acl`);
  const place = `USERS[${index}]`;
  const rules = [...own.rules, ...allowPublish(publish, `${place}.publish`), ...allowSubscribe(subscribe, `${place}.subscribe`)];
  return { user: { user, password, acl: { rules, closed: own.closed } }, problems };
}

function repeated(users: readonly { readonly user: string }[]): string[] {
  return users.flatMap(({ user }, index) => {
    const first = users.findIndex((other) => other.user === user);
    return first === index ? [] : [`USERS[${index}].user is the same as USERS[${first}].user: a user has one entry.`];
  });
}
