import { beforeAll, describe, expect, test } from "vitest";
import { allowPublish, allowSubscribe } from "../../src/auth/rules.ts";
import { parseUsers } from "../../src/auth/users.ts";
import { quickHash } from "./support.ts";

let password: string;
beforeAll(async () => {
  password = await quickHash("secret");
});

const problemsOf = (value: unknown): readonly string[] => parseUsers(typeof value === "string" ? value : JSON.stringify(value)).problems;

describe("the secret USERS", () => {
  test("is a list of users; absent lists allow nothing", () => {
    const text = JSON.stringify([
      { user: "ada", password, publish: ["a/#"], subscribe: ["+/%u/%c", "$SYS/#"] },
      { user: "bob", password },
    ]);
    const { users, problems } = parseUsers(text);
    expect(problems).toEqual([]);
    expect(users.map(({ user, password: hash }) => [user, hash])).toEqual([
      ["ada", password],
      ["bob", password],
    ]);
    expect(users[0]!.acl).toEqual({
      rules: [...allowPublish(["a/#"], "USERS[0].publish"), ...allowSubscribe(["+/%u/%c", "$SYS/#"], "USERS[0].subscribe")],
      closed: false,
    });
    expect(users[1]!.acl.rules.flatMap(({ filters }) => filters)).toEqual([]);
    expect(parseUsers("[]")).toEqual({ users: [], problems: [] });
  });

  test("names index and field of each problem", () => {
    expect(problemsOf([{ user: "ada", password }, { user: "", password: "plain" }, { user: 5 }])).toEqual([
      "USERS[1].user must not be empty.",
      'USERS[1].password must be a hash made by "npm run hash-password": pbkdf2-sha256$iterations$salt$hash with 1000 to 100000 iterations.',
      "USERS[2].user must be a string.",
      "USERS[2].password must be a string.",
    ]);
    expect(problemsOf([{ user: "ada", password, publish: "a/#", subscribe: ["a", null, "a/#/b", "a+"] }])).toEqual([
      "USERS[0].publish must be an array.",
      "USERS[0].subscribe[1] must be a string.",
      "USERS[0].subscribe[2] is not a valid Topic Filter: it must not be empty, + and # must fill a level, # only the last one.",
      "USERS[0].subscribe[3] is not a valid Topic Filter: it must not be empty, + and # must fill a level, # only the last one.",
    ]);
    expect(problemsOf([{ user: "ada", password, subscribe: ["$share/g/a", ""] }])).toEqual([
      "USERS[0].subscribe[0] must be written without $share/NAME/: it holds for Shared Subscriptions as well.",
      "USERS[0].subscribe[1] is not a valid Topic Filter: it must not be empty, + and # must fill a level, # only the last one.",
    ]);
    expect(problemsOf([{ user: "ada", password, publish: ["a/x%c", "%c%u", "%c"] }])).toEqual([
      "USERS[0].publish[0] has a level with a placeholder among other characters, or one that is not known: %c %u ${clientid} ${username} ${claim.NAME} ${client_attrs.NAME} must fill a whole level.",
      "USERS[0].publish[1] has a level with a placeholder among other characters, or one that is not known: %c %u ${clientid} ${username} ${claim.NAME} ${client_attrs.NAME} must fill a whole level.",
    ]);
    expect(problemsOf([{ user: "ada", password, pubish: [] }])).toEqual([
      "USERS[0] has an unknown field: user, password, publish, subscribe and acl are known.",
    ]);
    expect(problemsOf({ user: "ada" })).toEqual(["USERS must be an array."]);
    expect(problemsOf(["ada"])).toEqual(["USERS[0] must be an object with user, password, publish, subscribe and acl."]);
    expect(problemsOf("[{")).toEqual([
      'USERS is not valid JSON: a JSON array of {"user", "password", "publish", "subscribe"} was expected.',
    ]);
    expect(
      problemsOf([
        { user: "ada", password },
        { user: "bob", password },
        { user: "ada", password },
      ]),
    ).toEqual(["USERS[2].user is the same as USERS[0].user: a user has one entry."]);
  });

  test("gives no users when anything is wrong", () => {
    expect(parseUsers(JSON.stringify([{ user: "ada", password }, { user: "bob" }])).users).toEqual([]);
  });

  test("is never repeated in a problem, whatever is wrong and wherever it stands", () => {
    const canary = "hunter2";
    const wrong: unknown[] = [
      canary,
      [canary],
      { [canary]: canary },
      [{ user: "ada", password: canary }],
      [{ user: canary, password: canary }],
      [{ user: "ada", password, [canary]: 1 }],
      [{ user: "ada", password, publish: canary }],
      [{ user: "ada", password, publish: { [canary]: 1 } }],
      [{ user: "ada", password, publish: [`${canary}/#/a`], subscribe: [`$share/${canary}/a`, `${canary}%c`] }],
      [{ user: "ada", password, publish: [{ [canary]: canary }] }],
      [
        { user: canary, password },
        { user: canary, password },
      ],
      `[{"user":"${canary}"`,
      `{"a":${canary}}`,
    ];
    for (const value of wrong) {
      const problems = problemsOf(value);
      expect(problems.length, JSON.stringify(value)).toBeGreaterThan(0);
      expect(problems.join(" ")).not.toContain(canary);
      for (const problem of problems) expect(problem).toMatch(/^USERS.*\.$/);
    }
  });
});
