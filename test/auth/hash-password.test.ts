import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { verifyPassword } from "../../src/auth/password.ts";
import { parseUsers } from "../../src/auth/users.ts";
import { utf8 } from "./support.ts";

function run(input: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["scripts/local/hash-password.ts", ...args], { input, encoding: "utf8" });
}

describe("scripts/local/hash-password.ts", () => {
  test.each([
    ["from the standard input, without its newline", "pass wörd\n", []],
    ["from the command line", "", ["pass wörd"]],
  ])("hashes a password %s", async (_how, input, args) => {
    const { status, stdout } = run(input, "--iterations", "1000", "--user", "bob", ...args);
    expect(status).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(await verifyPassword(utf8("pass wörd"), lines[0])).toBe(true);
    const { users, problems } = parseUsers(lines.at(-1)!);
    expect(problems).toEqual([]);
    expect(users).toEqual([{ user: "bob", password: lines[0], publish: ["home/#"], subscribe: ["home/#"] }]);
    expect(stdout).not.toContain("pass wörd");
  });

  test.each([
    ["no password", "\n", []],
    ["two arguments", "", ["a", "b"]],
    ["iterations that Workers refuse", "a\n", ["--iterations", "200000"]],
    ["an unknown option", "a\n", ["--nonsense"]],
  ])("says what is wrong in one sentence: %s", (_what, input, args) => {
    const { status, stdout, stderr } = run(input, ...args);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trim()).toMatch(/^[^\n]+$/);
  });
});
