import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { verifyPassword } from "../../src/auth/password.ts";
import { parseUsers } from "../../src/auth/users.ts";
import { utf8 } from "./support.ts";

function run(input: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["scripts/local/durable-mqtt.ts", "hash-password", ...args], { input, encoding: "utf8" });
}

describe("durable-mqtt hash-password", () => {
  test.each([
    ["from the standard input, without its newline", "pass wörd\n", []],
    ["from the command line", "", ["pass wörd"]],
  ])("hashes a password %s", async (_how, input, args) => {
    const { status, stdout } = run(input, "--iterations", "1000", "--user", "bob", ...args);
    expect(status).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(await verifyPassword(utf8("pass wörd"), lines[0])).toBe(true);
    expect(parseUsers(lines.at(-1)!).problems).toEqual([]);
    expect(JSON.parse(lines.at(-1)!)).toEqual([{ user: "bob", password: lines[0], publish: ["home/#"], subscribe: ["home/#"] }]);
    expect(stdout).not.toContain("pass wörd");
  });

  test("puts users into a file of secrets, beside what is there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-secrets-"));
    const file = join(folder, "secrets.json");
    const add = (user: string, password: string) => run("", "--iterations", "1000", "--user", user, "--secrets-file", file, password);
    const secrets = () => JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
    try {
      expect(add("ada", "one")).toMatchObject({ status: 0, stdout: expect.stringContaining(`npx wrangler deploy --secrets-file ${file}`) });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const [ada] = JSON.parse(secrets().USERS!) as object[];
      const acl = [{ permission: "deny", action: "all", topic: "a/b" }];
      const rights = { publish: ["a/#"], subscribe: ["b/#"], acl };
      writeFileSync(file, JSON.stringify({ METRICS_TOKEN: "a-token-of-your-own", USERS: JSON.stringify([{ ...ada, ...rights }]) }));
      add("bob", "two");
      add("ada", "three");
      const { users, problems } = parseUsers(secrets().USERS!);
      expect([problems, users.map(({ user }) => user), secrets().METRICS_TOKEN]).toEqual([[], ["bob", "ada"], "a-token-of-your-own"]);
      expect((JSON.parse(secrets().USERS!) as object[])[1]).toMatchObject(rights);
      expect(await verifyPassword(utf8("three"), users[1]!.password)).toBe(true);

      writeFileSync(file, '{"USERS":"[{}]"}');
      expect(add("ada", "four")).toMatchObject({
        status: 1,
        stdout: "",
        stderr: expect.stringMatching(/^[^\n]*was left as it is[^\n]*\n$/),
      });
      expect(readFileSync(file, "utf8")).toBe('{"USERS":"[{}]"}');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.each([
    ["no password", "\n", []],
    ["two arguments", "", ["a", "b"]],
    ["iterations that Workers refuse", "a\n", ["--iterations", "200000"]],
    ["an unknown option", "a\n", ["--nonsense"]],
  ])("says what is wrong in one sentence: %s", (_what, input, args) => {
    const { status, stdout, stderr } = run(input, ...args);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr.trim()).toMatch(/^[^\n]+$/);
  });
});
