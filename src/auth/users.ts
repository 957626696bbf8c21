/**
 * Who may connect and do what: the secret USERS, parsed. Keeps one law above all: no sentence that comes out of here repeats anything
 * that the secret contains, neither values nor the names of unknown fields; a place is named by index and field.
 *
 * zod/mini, as its own sentences are not used: the whole of zod would make the Worker 400 kB larger.
 */

import * as z from "zod/mini";
import { DEFAULT_LIMITS } from "../limits.ts";
import { parseFilter } from "../topic/filter.ts";
import { isTopicProblem } from "../topic/name.ts";
import { ITERATIONS_MAX, ITERATIONS_MIN, isPasswordHash } from "./password.ts";

/** A user of the broker. Filters may hold `%c` (Client Identifier) and `%u` (user name) as a whole level. */
export interface User {
  readonly user: string;
  /** `pbkdf2-sha256$iterations$salt$hash`, see password.ts. */
  readonly password: string;
  /** Topic Filters of the topics that may be published to; empty: none. */
  readonly publish: readonly string[];
  /** Topic Filters that may be subscribed to, and whatever lies within them; empty: none. */
  readonly subscribe: readonly string[];
}

const CLIENT_ID = "%c";
const USER_NAME = "%u";

const FILTER_RULES: readonly [broken: (filter: string) => boolean, sentence: string][] = [
  [(filter) => filter.startsWith("$share/"), "must be written without $share/NAME/: it holds for Shared Subscriptions as well"],
  [
    (filter) => isTopicProblem(parseFilter(filter, DEFAULT_LIMITS)),
    "is not a valid Topic Filter: it must not be empty, + and # must fill a level, # only the last one",
  ],
  [
    (filter) => filter.split("/").some((level) => /%[cu]/.test(level) && level !== CLIENT_ID && level !== USER_NAME),
    "has a level with %c or %u among other characters: they must fill a whole level",
  ],
];

const FILTER = z.string().check((context) => {
  const rule = FILTER_RULES.find(([broken]) => broken(context.value));
  if (rule !== undefined) context.issues.push({ code: "custom", message: rule[1], input: undefined });
});

const USER = z.strictObject({
  user: z.string().check((context) => {
    if (context.value === "") context.issues.push({ code: "custom", message: "must not be empty", input: undefined });
  }),
  password: z.string().check((context) => {
    const message = `must be a hash made by "npm run hash-password": pbkdf2-sha256$iterations$salt$hash with ${ITERATIONS_MIN} to ${ITERATIONS_MAX} iterations`;
    if (!isPasswordHash(context.value)) context.issues.push({ code: "custom", message, input: undefined });
  }),
  publish: z._default(z.array(FILTER), []),
  subscribe: z._default(z.array(FILTER), []),
});

/**
 * Parses the secret USERS.
 * @param text a JSON array of `{"user", "password", "publish": [filters], "subscribe": [filters]}`
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
  if (!result.success) return { users: [], problems: result.error.issues.map(describe) };
  const problems = repeated(result.data);
  return problems.length > 0 ? { users: [], problems } : { users: result.data, problems };
}

/**
 * A rule of a user for one client: `%c` and `%u` replaced by exactly what they stand for.
 * @returns undefined when the rule applies to nothing: a value with `/`, `+` or `#` would reach beyond itself, a first level that
 *   begins with `$` would reach the broker's own topics, and an empty one stands for nobody
 */
export function substitute(filter: string, userName: string, clientId: string): string | undefined {
  if (!filter.includes("%")) return filter;
  const levels = filter.split("/");
  for (const [index, level] of levels.entries()) {
    if (level !== CLIENT_ID && level !== USER_NAME) continue;
    const value = level === CLIENT_ID ? clientId : userName;
    if (value === "" || /[/+#]/.test(value) || (index === 0 && value.startsWith("$"))) return undefined;
    levels[index] = value;
  }
  return levels.join("/");
}

/** Only sentences of this file and names of known fields: zod's own messages may quote what they found. */
function describe(issue: z.core.$ZodIssue): string {
  const place = issue.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  const subject = `USERS${place}`;
  if (issue.code === "custom") return `${subject} ${issue.message}.`;
  if (issue.code === "unrecognized_keys") return `${subject} has an unknown field: user, password, publish and subscribe are known.`;
  if (issue.code === "invalid_type") return `${subject} must be ${expected(issue.expected)}.`;
  return `${subject} is not valid.`;
}

function expected(type: string): string {
  if (type === "array") return "an array";
  return type === "object" ? "an object with user, password, publish and subscribe" : `a ${type}`;
}

function repeated(users: readonly User[]): string[] {
  return users.flatMap(({ user }, index) => {
    const first = users.findIndex((other) => other.user === user);
    return first === index ? [] : [`USERS[${index}].user is the same as USERS[${first}].user: a user has one entry.`];
  });
}
