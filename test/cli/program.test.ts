/** The frame of the command: how it is called, what it says, and how it ends. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { callCommand, runCommand } from "./support.ts";

const { version, scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
};

const HELP = (await runCommand(["--help"])).stdout;
const NAMES = [
  ...HELP.split("\nCommands:\n")[1]!
    .split("\n\n")[0]!
    .matchAll(/^ {2}([a-z-]+) /gm),
].map(([, name]) => name!);

describe("durable-mqtt", () => {
  it("says which version it is", async () => {
    expect(await runCommand(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("shows all commands when it is called without one, and is done", async () => {
    expect(NAMES).toEqual(expect.arrayContaining(["start", "user", "token", "hash-password"]));
    expect(await runCommand([])).toEqual({ code: 0, stdout: HELP, stderr: "" });
    expect(HELP).toContain("Exit codes: 0 done, 1 it could not be done, 2 it was called in a wrong way.");
  });

  it.each(NAMES)("explains %s in one style: how it is called, what it does, each option in a line of its own", async (name) => {
    const { code, stdout, stderr } = await callCommand(["help", name]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Usage: npm (?:start|run [a-z-]+) -- [^\n]+\n\n[A-Z][^\n]+[.\w][\s\S]*\n\nOptions:\n/);
    // By the npm script of its name, where there is one.
    const isScript = scripts[name]?.endsWith(`durable-mqtt.ts ${name}`);
    const script = name === "start" ? "npm start --" : isScript ? `npm run ${name} --` : `npm run command -- ${name}`;
    expect(stdout.startsWith(`Usage: ${script} `)).toBe(true);
    expect(stdout).toMatch(/ --help +shows this\n/);
    expect(stdout).not.toMatch(/undefined|\(default: (?:false|\[\])\)/);
  });

  it.each([
    [["strat"], "Unknown command 'strat' (did you mean start?). Try: npm run command -- --help"],
    [["--nonsense"], "Unknown option '--nonsense'. Try: npm run command -- --help"],
    [["token", "--usr", "ada"], "Unknown option '--usr' (did you mean --user?). Try: npm run token -- --help"],
    [["user", "remove"], "Missing required argument 'name'. Try: npm run user -- remove --help"],
    [["backup"], "Required option '--to <folder>' not specified. Try: npm run backup -- --help"],
    [
      ["user", "add", "--mode", "x"],
      "Option '--mode <mode>' argument 'x' is invalid. Allowed choices are add, change, put. Try: npm run user -- add --help",
    ],
    [
      ["hash-password", "--iterations", "5"],
      "Option '--iterations <n>' argument '5' is invalid. Expected a whole number from 1000 to 100000. Try: npm run hash-password -- --help",
    ],
  ])("says what was expected, in one sentence, and ends with 2: %j", async (args, sentence) => {
    expect(await callCommand(args)).toEqual({ code: 2, stdout: "", stderr: `durable-mqtt: ${sentence}\n` });
  });

  it("shows the help of a command of commands that is called without one of them, and ends with 2", async () => {
    const { code, stdout, stderr } = await runCommand(["user"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Usage: npm run user -- ");
  });

  it("shows the same help by help and by --help", async () => {
    expect(await runCommand(["token", "--help"])).toEqual(await runCommand(["help", "token"]));
  });

  it("ends with 1, and a sentence, when it could not be done", async () => {
    const { code, stdout, stderr } = await runCommand(["restore", "--from", "/nowhere"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^durable-mqtt: [^\n]+\.\n$/);
  });
});
