/**
 * `/api/v5/authentication/password_based:built_in_database/users`: the users of the directory, in the form of EMQX, with their rights beside
 * them. Passwords come as hashes or as they are, which costs the Worker a hash; no answer here has either.
 */

import { Hono } from "hono";
import { isMosquittoHash } from "../auth/mosquitto-hash.ts";
import { hashPassword, isPasswordHash } from "../auth/password.ts";
import type { PutMode, PutResult, UserEntry } from "../directory/core.ts";
import { DIRECTORY_USERS_PER_CALL } from "../login-limits.ts";
import type { UserView } from "../objects/calls.ts";
import { bodyFields, bodyList, type Fields, fieldsOf, requiredText, textOf } from "./body.ts";
import type { ApiContext } from "./context.ts";
import { pageAsk } from "./pages.ts";
import { problem, refuse } from "./problem.ts";
import { RIGHTS_FIELDS, rightsOf, rightsView } from "./rights.ts";

const PASSWORD_FIELDS = ["password", "password_hash"];
const FIELDS = ["user_id", ...PASSWORD_FIELDS, ...RIGHTS_FIELDS];
const MODES: readonly PutMode[] = ["add", "change", "put"];

export const users = new Hono<ApiContext>()
  .get("/", async (context) => {
    const { page, limit, cursor } = pageAsk((name) => context.req.query(name));
    const from = (page - 1) * limit;
    const found = await context.get("directory").users(cursor ?? from, limit + 1);
    const data = found.users.slice(0, limit);
    const hasnext = found.users.length > limit;
    const next = hasnext ? { cursor: data.at(-1)!.user } : {};
    return context.json({ data: data.map(viewOf), meta: { page, limit, count: found.count, hasnext, ...next } });
  })
  .post("/", async (context) => {
    const entry = await entryOf(await bodyFields(context.req.raw, FIELDS), "The body");
    return answer(context.get("directory"), entry, "add");
  })
  .post("/import", async (context) => {
    const mode = context.req.query("mode") ?? "put";
    if (!MODES.includes(mode as PutMode)) refuse("BAD_REQUEST", `mode must be one of ${MODES.join(", ")}.`);
    const list = await bodyList(context.req.raw);
    if (list.length > DIRECTORY_USERS_PER_CALL) refuse("BAD_REQUEST", `One request brings at most ${DIRECTORY_USERS_PER_CALL} users.`);
    const entries = [];
    for (const [index, each] of list.entries()) entries.push(await entryOf(fieldsOf(each, FIELDS, `[${index}]`), `[${index}]`, false));
    return context.json(report(entries, await context.get("directory").putUsers(entries, mode as PutMode)));
  })
  .get("/:user", async (context) => {
    const user = await context.get("directory").user(context.req.param("user"));
    return user === undefined ? problem("NOT_FOUND", "There is no such user.") : context.json(viewOf(user));
  })
  .put("/:user", async (context) => {
    const fields = await bodyFields(context.req.raw, FIELDS.slice(1));
    return answer(context.get("directory"), await entryOf({ ...fields, user_id: context.req.param("user") }, "The body"), "change");
  })
  .delete("/:user", async (context) => {
    const wasThere = await context.get("directory").removeUser(context.req.param("user"));
    return wasThere ? context.body(null, 204) : problem("NOT_FOUND", "There is no such user.");
  });

async function answer(directory: ApiContext["Variables"]["directory"], entry: UserEntry, mode: PutMode): Promise<Response> {
  const [result] = await directory.putUsers([entry], mode);
  if (typeof result === "object") return problem(result.code, `${result.problem[0]!.toUpperCase()}${result.problem.slice(1)}.`);
  const user = await directory.user(entry.user);
  if (user === undefined) return problem("NOT_FOUND", "There is no such user any more.");
  return Response.json(viewOf(user), { status: mode === "add" ? 201 : 200 });
}

/** @param hashes whether a password may come as it is: where many come, that would cost too much here */
async function entryOf(fields: Fields, what: string, hashes = true): Promise<UserEntry> {
  return { user: requiredText(fields, "user_id"), password: await hashOf(fields, what, hashes), rights: rightsOf(fields, what) };
}

async function hashOf(fields: Fields, what: string, hashes: boolean): Promise<string | undefined> {
  const [password, hash] = PASSWORD_FIELDS.map((name) => textOf(fields, name));
  if (password !== undefined && hash !== undefined) return refuse("BAD_REQUEST", `${what} has both password and password_hash.`);
  if (hash !== undefined && !isPasswordHash(hash) && !isMosquittoHash(hash)) {
    return refuse("BAD_REQUEST", `${what}: password_hash must be a hash by npm run hash-password, or one of mosquitto ($6$ or $7$).`);
  }
  if (password === undefined) return hash;
  if (!hashes) return refuse("BAD_REQUEST", `${what} has a password as it is: many users come with password_hash.`);
  if (password === "") return refuse("BAD_REQUEST", "password must not be empty.");
  return hashPassword(new TextEncoder().encode(password));
}

function report(entries: readonly UserEntry[], results: readonly PutResult[]): object {
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

function viewOf({ user, rights, createdAt, changedAt }: UserView): object {
  const text = (time: number): string => new Date(time).toISOString();
  return { user_id: user, ...rightsView(rights), created_at: text(createdAt), updated_at: text(changedAt) };
}
