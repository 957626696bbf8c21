/** The API of users and bans: to whom it is open, what it takes and says, and what it never says. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { API_BODY_BYTES_MAX, DIRECTORY_USERS_PER_CALL } from "../../src/login-limits.ts";
import { quickHash } from "../auth/support.ts";
import { ADMIN_TOKEN, type ApiAnswer, api, USERS } from "../support/admin-api.ts";

let broker: Broker;
let hash: string;
const lines: string[] = [];

beforeAll(async () => {
  hash = await quickHash("a planted password");
  broker = await startBroker({ env: { ADMIN_TOKEN, NAMESPACES: "default,acme" }, log: (line) => lines.push(line) });
});
afterAll(() => broker.dispose());

const call = (method: string, path: string, body?: unknown): Promise<ApiAnswer> => api(broker.url, method, path, body);

const refused = (code: string, message: unknown = expect.any(String)) => ({ code, message });

describe("who may", () => {
  test("nobody without the token, and nobody at all where none is set", async () => {
    for (const token of ["", "x", ADMIN_TOKEN.slice(0, -1), `${ADMIN_TOKEN}x`]) {
      for (const path of ["/banned", USERS, "/nothing"]) {
        const { status, body } = await api(broker.url, "GET", path, undefined, token);
        expect([status, body]).toEqual([401, refused("UNAUTHORIZED")]);
      }
    }
    const closed = await startBroker({ env: { ALLOW_ANONYMOUS: "true" } });
    try {
      expect(await api(closed.url, "GET", "/banned")).toEqual({
        status: 404,
        body: refused("NOT_FOUND", expect.stringContaining("ADMIN_TOKEN")),
      });
    } finally {
      await closed.dispose();
    }
  });

  test("a namespace that exists; a path that does", async () => {
    expect((await call("GET", "/banned?namespace=acme")).status).toBe(200);
    expect(await call("GET", "/banned?namespace=other")).toEqual({ status: 404, body: refused("NOT_FOUND") });
    expect(await call("GET", "/nothing")).toEqual({ status: 404, body: refused("NOT_FOUND") });
  });
});

describe("users", () => {
  test("are added, read, changed and removed in the shapes of EMQX; no answer has a password or a hash", async () => {
    const rule = { permission: "deny", action: "all", topic: "a/secret/#" };
    const added = await call("POST", USERS, {
      user_id: "ada/1",
      password_hash: hash,
      is_superuser: false,
      acl: [rule],
      publish: ["a/#"],
      subscribe: [],
    });
    const view = {
      user_id: "ada/1",
      is_superuser: false,
      acl: [rule, { permission: "allow", action: "publish", topics: ["a/#"] }],
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.any(String),
    };
    expect(added).toEqual({ status: 201, body: view });
    const path = `${USERS}/${encodeURIComponent("ada/1")}`;
    expect(await call("GET", path)).toEqual({ status: 200, body: view });
    expect(await call("POST", USERS, { user_id: "ada/1", password: "x" })).toEqual({ status: 409, body: refused("ALREADY_EXISTS") });
    expect(await call("PUT", path, { is_superuser: true })).toMatchObject({ status: 200, body: { is_superuser: true, acl: [] } });
    expect(await call("GET", path.replace("password_based:", "password_based%3A"))).toMatchObject({ status: 200 });
    expect(await call("DELETE", path)).toEqual({ status: 204, body: undefined });
    for (const method of ["GET", "DELETE"]) expect(await call(method, path)).toEqual({ status: 404, body: refused("NOT_FOUND") });
    expect(await call("PUT", path, { password_hash: hash })).toEqual({ status: 404, body: refused("NOT_FOUND") });
  });

  test.each<[unknown, RegExp]>([
    ["{", /not valid JSON/],
    [[], /must be a JSON object/],
    [{ password: "x" }, /user_id is missing/],
    [{ user_id: "" }, /A user name has/],
    [{ user_id: "u" }, /needs a password/],
    [{ user_id: "u", password: "" }, /must not be empty/],
    [{ user_id: "u", password: "x", password_hash: "y" }, /both/],
    [{ user_id: "u", password_hash: "a planted password" }, /must be a hash/],
    [{ user_id: "u", password: "x", admin: true }, /unknown field/],
    [{ user_id: "u", password: "x", is_superuser: "yes" }, /must be true or false/],
    [{ user_id: "u", password: "x", acl: {} }, /must be a list/],
    [{ user_id: "u", password: "x", acl: [{ permission: "perhaps" }] }, /acl\[0\]\.permission/],
    [{ user_id: "u", password: "x", publish: ["a/#/b"] }, /acl\[0\]\.topics\[0\]/],
    [{ user_id: "u", password: "x", publish: Array(500).fill("a/b/c/d/e") }, /./],
  ])("%j is refused with a sentence", async (body, message) => {
    expect(await call("POST", USERS, body)).toEqual({ status: 400, body: refused("BAD_REQUEST", expect.stringMatching(message)) });
  });

  test("many come at once, and are listed in pages", async () => {
    const entries = Array.from({ length: 25 }, (_, index) => ({ user_id: `d${String(index).padStart(2, "0")}`, password_hash: hash }));
    const report = (more: object) => ({
      status: 200,
      body: { total: 25, success: 0, override: 0, skipped: 0, failed: 0, problems: [], ...more },
    });
    expect(await call("POST", `${USERS}/import?namespace=acme`, entries)).toEqual(report({ success: 25 }));
    const ndjson = entries.map((entry) => JSON.stringify(entry)).join("\n");
    expect(await call("POST", `${USERS}/import?namespace=acme`, ndjson)).toEqual(report({ skipped: 25 }));
    const problems = entries.map(({ user_id }, index) => ({ index, user_id, code: "ALREADY_EXISTS", message: expect.any(String) }));
    expect(await call("POST", `${USERS}/import?namespace=acme&mode=add`, ndjson)).toEqual(report({ failed: 25, problems }));
    const names = ({ body }: ApiAnswer): string[] => (body as { data: { user_id: string }[] }).data.map(({ user_id }) => user_id);
    const list = (query: string): Promise<ApiAnswer> => call("GET", `${USERS}?namespace=acme&${query}`);
    const third = await list("page=3&limit=10");
    expect([names(third), third.body]).toMatchObject([
      ["d20", "d21", "d22", "d23", "d24"],
      { meta: { page: 3, limit: 10, count: 25, hasnext: false } },
    ]);
    const first = await list("limit=20");
    expect(first.body).toMatchObject({ meta: { hasnext: true, cursor: "d19" } });
    expect(names(await list("limit=20&cursor=d19"))).toEqual(names(third));
    for (const query of ["page=0", "limit=1001", "limit=x"]) expect((await list(query)).status).toBe(400);
  });

  test.each([".", ".."])("one called %s is found by the query, as a path can't have it", async (name) => {
    expect((await call("POST", USERS, { user_id: name, password_hash: hash })).status).toBe(201);
    const path = `${USERS}/_?user_id=${name}`;
    expect(await call("GET", path)).toMatchObject({ status: 200, body: { user_id: name, is_superuser: false } });
    expect(await call("PUT", path, { is_superuser: true })).toMatchObject({ status: 200, body: { user_id: name, is_superuser: true } });
    expect((await call("DELETE", path)).status).toBe(204);
    expect((await call("GET", path)).status).toBe(404);
  });

  test("one called _ is found by the path, and whoever is in the path by that alone", async () => {
    for (const name of ["_", "a"]) await call("POST", USERS, { user_id: name, password_hash: hash });
    expect((await call("GET", `${USERS}/_`)).body).toMatchObject({ user_id: "_" });
    expect((await call("GET", `${USERS}/a?user_id=_`)).body).toMatchObject({ user_id: "a" });
    for (const name of ["_", "a"]) await call("DELETE", `${USERS}/${name}`);
  });

  test("too many at once, too large a body, and passwords that would all have to be hashed here", async () => {
    const path = `${USERS}/import`;
    const many = Array.from({ length: DIRECTORY_USERS_PER_CALL + 1 }, () => ({ user_id: "u" }));
    expect(await call("POST", path, many)).toMatchObject({ status: 400 });
    expect(await call("POST", path, " ".repeat(API_BODY_BYTES_MAX + 1))).toMatchObject({ status: 413, body: refused("PAYLOAD_TOO_LARGE") });
    expect(await call("POST", path, [{ user_id: "u", password: "x" }])).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining("password_hash") },
    });
    expect(await call("POST", `${path}?mode=any`, [])).toMatchObject({ status: 400 });
  });
});

describe("bans", () => {
  test("of an expression that a path can't have are lifted all the same", async () => {
    expect((await call("POST", "/banned", { as: "clientid_re", who: ".", until: "2999-01-01T00:00:00Z" })).status).toBe(200);
    expect((await call("DELETE", "/banned/clientid_re/_?who=..")).status).toBe(404);
    expect((await call("DELETE", "/banned/clientid_re/_?who=.")).status).toBe(204);
    expect((await call("DELETE", "/banned/clientid_re/_?who=.")).status).toBe(404);
  });

  test("are put, listed and lifted in the shapes of EMQX", async () => {
    const ban = {
      as: "peerhost_net",
      who: "203.0.113.0/24",
      by: "ada",
      reason: "why",
      at: "2026-11-28T12:00:00.000Z",
      until: "2126-11-28T12:00:00.000Z",
    };
    expect(await call("POST", "/banned", ban)).toEqual({ status: 200, body: ban });
    expect(await call("POST", "/banned", { ...ban, until: "2126-11-28T13:00:00+01:00" })).toEqual({ status: 200, body: ban });
    expect((await call("POST", "/banned", { as: "clientid", who: "a/b" })).body).toMatchObject({
      by: "admin",
      reason: "",
      until: "infinity",
    });
    const list = await call("GET", "/banned?limit=1&page=2");
    expect(list.body).toMatchObject({ data: [{}], meta: { page: 2, limit: 1, count: 2, hasnext: false } });
    for (const path of ["/banned/peerhost_net/203.0.113.0/24", "/banned/clientid/a%2Fb"]) {
      expect(await call("DELETE", path)).toEqual({ status: 204, body: undefined });
      expect(await call("DELETE", path)).toEqual({ status: 404, body: refused("NOT_FOUND") });
    }
  });

  test.each([
    { as: "clientid" },
    { as: "name", who: "x" },
    { as: "clientid", who: "" },
    { as: "peerhost", who: "x" },
    { as: "clientid_re", who: "(a)\\1" },
    { as: "clientid", who: "x", until: "tomorrow" },
    { as: "clientid", who: "x", until: "2020-01-01T00:00:00Z" },
    { as: "clientid", who: "x", at: "infinity" },
    { as: "clientid", who: 7 },
    { as: "clientid", who: "x", for: "1h" },
    { as: "clientid", who: "x", reason: "y".repeat(257) },
  ])("%j is refused", async (body) => {
    expect(await call("POST", "/banned", body)).toEqual({ status: 400, body: refused("BAD_REQUEST") });
  });
});

test("no password, hash or token stands in anything that the broker has logged", () => {
  const logged = lines.join("\n");
  for (const secret of ["a planted password", hash, ADMIN_TOKEN]) expect(logged).not.toContain(secret);
});
