/** `durable-mqtt init`: what it writes, and where it does not. That it can be deployed, is shown in test/package. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { block } from "../package/support.ts";
import { callCommand, runCommand } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-init-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FILES = [
  ".dev.vars",
  ".dev.vars.example",
  ".gitignore",
  "README.md",
  "package.json",
  "src/worker.ts",
  "tsconfig.json",
  "wrangler.toml",
];

function filesIn(project: string): string[] {
  return readdirSync(project, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(project.length + 1))
    .sort();
}

const read = (...path: string[]): string => readFileSync(join(folder, ...path), "utf8");

describe("durable-mqtt init", () => {
  it("makes a project, and says what is next", async () => {
    const { code, stdout, stderr } = await runCommand(["init", join(folder, "made/My Broker")]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const said of [...FILES, "npm install", "npm run dev", "README.md says who may connect"]) expect(stdout).toContain(said);
    expect(filesIn(join(folder, "made/My Broker"))).toEqual(FILES);
    const { version, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(JSON.parse(read("made/My Broker/package.json"))).toEqual({
      name: "my-broker",
      private: true,
      type: "module",
      engines: { node: ">=22.12.0" },
      scripts: { dev: "wrangler dev", deploy: "wrangler deploy", types: "tsc" },
      dependencies: { "durable-mqtt": `^${version}` },
      devDependencies: Object.fromEntries(
        ["@cloudflare/workers-types", "typescript", "wrangler"].map((name) => [name, `^${devDependencies[name]}`]),
      ),
    });
  });

  it("writes what the documents have, but nobody is let in by a deploy", async () => {
    mkdirSync(join(folder, "empty"));
    expect((await runCommand(["init", join(folder, "empty"), "--name", "my-broker", "--package", "file:../x.tgz"])).code).toBe(0);
    const [worker, toml] = [block("docs/embed.md", "## Install", "ts"), block("docs/embed.md", "## Install", "toml")];
    expect(read("empty/src/worker.ts")).toBe(worker.replace(", ALLOW_ANONYMOUS: true", ""));
    const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(lines(read("empty/wrangler.toml")).slice(0, lines(toml).length)).toEqual(lines(toml));
    expect(JSON.parse(read("empty/package.json")).dependencies).toEqual({ "durable-mqtt": "file:../x.tgz" });
    // What is for this machine alone is not for git.
    expect([read("empty/.dev.vars"), read("empty/.gitignore")]).toEqual([
      expect.stringContaining("\nALLOW_ANONYMOUS=true\n"),
      expect.stringContaining("\n.dev.vars\n"),
    ]);
    expect(lines(read("empty/.dev.vars.example"))).toEqual([]);
  });

  it("leaves a folder alone that has something", async () => {
    mkdirSync(join(folder, "full"));
    for (const name of ["a", "b", "c"]) writeFileSync(join(folder, "full", name), name);
    expect(await callCommand(["init", join(folder, "full")])).toEqual({
      code: 1,
      stdout: "",
      stderr: `durable-mqtt: ${join(folder, "full")} is not empty: it has a and 2 more. Expected a folder that is not there yet, or is empty.\n`,
    });
    expect(await callCommand(["init", join(folder, "full", "a")])).toEqual({
      code: 1,
      stdout: "",
      stderr: `durable-mqtt: ${join(folder, "full", "a")} can't be used (ENOTDIR).\n`,
    });
    expect(filesIn(join(folder, "full"))).toEqual(["a", "b", "c"]);
  });

  it.each([
    [["init"], /^durable-mqtt: Missing required argument 'folder'\./],
    [["init", join(folder, "x"), "--name", "My_Broker"], /Expected up to 63 small letters, digits and dashes between them\./],
  ])("ends with 2 and says what was expected: %j", async (args, sentence) => {
    const { code, stderr } = await callCommand(args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(sentence)]);
  });
});
