/**
 * `/api/v5/authentication/password_based:built_in_database/users`: the users of the directory, in the form of EMQX, with their rights beside
 * them. Passwords come as hashes or as they are, which costs the Worker a hash; no answer here has either.
 */

import * as z from "zod/mini";
import { isMosquittoHash } from "../auth/mosquitto-hash.ts";
import { hashPassword, isPasswordHash } from "../auth/password.ts";
import type { PutMode, PutResult, UserEntry } from "../directory/core.ts";
import { DIRECTORY_USERS_PER_CALL } from "../login-limits.ts";
import type { UserView } from "../objects/calls.ts";
import { json, lines } from "./body.ts";
import { BY_NUMBER, CURSOR, NEXT, NUMBERED, nextOf, pageOf } from "./pages.ts";
import { refuse } from "./problem.ts";
import { RIGHTS, RIGHTS_VIEW, rightsOf, rightsView } from "./rights.ts";
import { type Asked, NOTHING, route } from "./route.ts";
import { about, fields, type Given, oneOf, TEXT, type Told, told } from "./schema.ts";

const PATH = "/authentication/password_based:built_in_database/users";
const MODES = ["add", "change", "put"] as const satisfies readonly PutMode[];

const CHANGES = {
  password: about("As it is, which costs the Worker a hash.", z.optional(TEXT)),
  password_hash: about("By npm run hash-password, or of mosquitto ($6$, $7$).", z.optional(TEXT)),
  ...RIGHTS,
};
const CHANGE = fields(() => CHANGES);
const USER = fields(() => ({ user_id: TEXT, ...CHANGES }));
const VIEW = told(() => ({ user_id: TEXT, ...RIGHTS_VIEW, created_at: TEXT, updated_at: TEXT }));

const COUNT = z.int();
const REPORT = told(() => ({
  total: COUNT,
  success: about("Those that are new.", COUNT),
  override: about("Those that were there and are as they came.", COUNT),
  skipped: about("Those that were so already.", COUNT),
  failed: COUNT,
  problems: z.array(
    told(() => ({ index: COUNT, user_id: TEXT, code: oneOf(["ALREADY_EXISTS", "NOT_FOUND", "BAD_REQUEST"]), message: TEXT })),
  ),
}));

export const USERS = [
  route({
    method: "GET",
    path: PATH,
    scope: "admin",
    needsDirectory: true,
    summary: "Users that the broker keeps, in the order of their names",
    query: { ...BY_NUMBER, cursor: CURSOR },
    answers: { 200: pageOf(VIEW, { ...NUMBERED, cursor: NEXT.cursor }) },
    handle: async ({ directory, query: { page, limit, cursor } }) => {
      const { users, count } = await directory.users(cursor ?? (page - 1) * limit, limit + 1);
      const data = users.slice(0, limit);
      const next = nextOf(users.length > limit ? data.at(-1)!.user : undefined);
      return { status: 200, body: { data: data.map(viewOf), meta: { page, limit, count, ...next } } };
    },
  }),
  route({
    method: "POST",
    path: PATH,
    scope: "admin",
    needsDirectory: true,
    summary: "Adds a user",
    body: json(USER),
    answers: { 201: VIEW },
    problems: ["ALREADY_EXISTS"],
    handle: async ({ directory, body }) => ({ status: 201, body: await put(directory, await entryOf(body, "The body"), "add") }),
  }),
  route({
    method: "POST",
    path: `${PATH}/import`,
    scope: "admin",
    needsDirectory: true,
    summary: "Brings many users with the hashes of their passwords",
    query: { mode: about("Whether users are added, changed, or whichever it takes.", z._default(oneOf(MODES), "put")) },
    body: lines(USER, DIRECTORY_USERS_PER_CALL, "users"),
    answers: { 200: REPORT },
    handle: async ({ directory, query: { mode }, body }) => {
      const entries = [];
      for (const [index, each] of body.entries()) entries.push(await entryOf(each, `[${index}]`, false));
      return { status: 200, body: report(entries, await directory.putUsers(entries, mode)) };
    },
  }),
  route({
    method: "GET",
    path: `${PATH}/:user_id`,
    scope: "admin",
    needsDirectory: true,
    summary: "One user",
    params: { user_id: TEXT },
    answers: { 200: VIEW },
    handle: async ({ directory, params }) => ({ status: 200, body: viewOf((await directory.user(params.user_id)) ?? noUser()) }),
  }),
  route({
    method: "PUT",
    path: `${PATH}/:user_id`,
    scope: "admin",
    needsDirectory: true,
    summary: "Changes a user; what is said of rights takes the place of all that was",
    params: { user_id: TEXT },
    body: json(CHANGE),
    answers: { 200: VIEW },
    handle: async ({ directory, params, body }) => {
      const entry = await entryOf({ ...body, user_id: params.user_id }, "The body");
      return { status: 200, body: await put(directory, entry, "change") };
    },
  }),
  route({
    method: "DELETE",
    path: `${PATH}/:user_id`,
    scope: "admin",
    needsDirectory: true,
    summary: "Removes a user, and ends its connections",
    params: { user_id: TEXT },
    answers: { 204: NOTHING },
    handle: async ({ directory, params }) => ((await directory.removeUser(params.user_id)) ? { status: 204 } : noUser()),
  }),
];

function noUser(): never {
  return refuse("NOT_FOUND", "There is no such user.");
}

async function put(directory: Asked["directory"], entry: UserEntry, mode: PutMode): Promise<Told<typeof VIEW>> {
  const [result] = await directory.putUsers([entry], mode);
  if (typeof result === "object") return refuse(result.code, `${result.problem[0]!.toUpperCase()}${result.problem.slice(1)}.`);
  return viewOf((await directory.user(entry.user)) ?? refuse("NOT_FOUND", "There is no such user any more."));
}

/** @param hashes whether a password may come as it is: where many come, that would cost too much here */
async function entryOf(given: Given<typeof USER>, what: string, hashes = true): Promise<UserEntry> {
  return { user: given.user_id, password: await hashOf(given, what, hashes), rights: rightsOf(given, what) };
}

async function hashOf({ password, password_hash: hash }: Given<typeof CHANGE>, what: string, hashes: boolean): Promise<string | undefined> {
  if (password !== undefined && hash !== undefined) return refuse("BAD_REQUEST", `${what} has both password and password_hash.`);
  if (hash !== undefined && !isPasswordHash(hash) && !isMosquittoHash(hash)) {
    return refuse("BAD_REQUEST", `${what}: password_hash must be a hash by npm run hash-password, or one of mosquitto ($6$ or $7$).`);
  }
  if (password === undefined) return hash;
  if (!hashes) return refuse("BAD_REQUEST", `${what} has a password as it is: many users come with password_hash.`);
  if (password === "") return refuse("BAD_REQUEST", "password must not be empty.");
  return hashPassword(new TextEncoder().encode(password));
}

function report(entries: readonly UserEntry[], results: readonly PutResult[]): Told<typeof REPORT> {
  const count = (kind: PutResult): number => results.filter((result) => result === kind).length;
  const problems = results.flatMap((result, index) =>
    typeof result === "object" ? [{ index, user_id: entries[index]!.user, code: result.code, message: result.problem }] : [],
  );
  return {
    total: entries.length,
    success: count("added"),
    override: count("changed"),
    skipped: count("unchanged"),
    failed: problems.length,
    problems,
  };
}

function viewOf({ user, rights, createdAt, changedAt }: UserView): Told<typeof VIEW> {
  const text = (time: number): string => new Date(time).toISOString();
  return { user_id: user, ...rightsView(rights), created_at: text(createdAt), updated_at: text(changedAt) };
}
