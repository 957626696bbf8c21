/** `npm run dev`: who may connect, and that somebody can. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { openingArguments } from "../../scripts/local/dev-access.ts";
import { connectMqtt, newFolder, nextMessage } from "./command.ts";

/** A folder with these files. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = newFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

it.each([
  ["nothing", [], {}],
  ["a port", ["--port", "8787"], {}],
  ["the example", [], { ".dev.vars": readFileSync(join(ROOT, ".dev.vars.example"), "utf8") }],
  ["other variables", ["--var", "TOPOLOGY:compact"], { ".dev.vars": "METRICS_TOKEN=a-token-of-your-own\n" }],
])("lets everybody on this machine in, and no other one: %s", (_name, args, files) => {
  const opening = openingArguments(args, folderWith(files));
  expect(opening.join(" ")).toBe("--var ALLOW_ANONYMOUS:true ALLOWED_HOSTS:loopback --show-interactive-dev-session=false --ip 127.0.0.1");
});

it.each([["--ip", "::1"], ["--ip=localhost"]])("does not repeat an address that was given: %s", (...args) => {
  expect(openingArguments(args, newFolder())).toEqual([
    "--var",
    "ALLOW_ANONYMOUS:true",
    "ALLOWED_HOSTS:loopback",
    "--show-interactive-dev-session=false",
  ]);
});

it.each([
  ["another address", ["--ip", "0.0.0.0"], {}],
  ["another address, in one word", ["--ip=192.168.1.2"], {}],
  ["Cloudflare", ["--remote"], {}],
  ["Cloudflare, in short", ["-r"], {}],
  ["a tunnel", ["--tunnel"], {}],
  ["a named tunnel", ["--tunnel-name=mine"], {}],
  ["users", [], { ".dev.vars": "USERS=[]\n" }],
  ["users of an environment", ["--env", "test"], { ".dev.vars.test": "USERS=[]\n" }],
  ["users in .env", [], { ".env": "USERS=[]\n" }],
  ["users in a file of another name", ["--env-file", "other"], { other: "USERS=[]\n" }],
  ["a closed broker", [], { ".dev.vars": "ALLOW_ANONYMOUS=false\n" }],
  ["a closed broker, on the command line", ["--var", "TOPOLOGY:compact", "ALLOW_ANONYMOUS:false"], {}],
  ["users on the command line", ["--var=USERS:[]"], {}],
])("adds nothing where others could come in, or where it was said who may: %s", (_name, args, files) => {
  expect(openingArguments(args, folderWith(files))).toEqual([]);
});

it("serves whoever connects from this machine", async () => {
  const folder = folderWith({ none: "" });
  // A file of variables keeps wrangler from those of whoever runs this test.
  const args = ["--port", "0", "--inspector-port", "0", "--persist-to", folder, "--env-file", join(folder, "none")];
  const child = spawn(process.execPath, [join(ROOT, "scripts", "local", "dev.ts"), ...args], {
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(folder, "log") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  try {
    const url = await new Promise<string>((resolve, reject) => {
      let printed = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          printed += text;
          const ready = /Ready on http:\/\/(127\.0\.0\.1:[0-9]+)/.exec(printed);
          if (ready !== null) resolve(`ws://${ready[1]}/mqtt`);
        });
      }
      void exited.then(() => reject(new Error(`It ended before it was ready:\n${printed}`)));
    });
    const client = await connectMqtt(url, { protocolVersion: 5 });
    await client.subscribeAsync("home/#", { qos: 1 });
    const message = nextMessage(client);
    await client.publishAsync("home/kitchen", "21.5", { qos: 1 });
    expect(await message).toMatchObject({ topic: "home/kitchen", payload: "21.5" });
  } finally {
    child.kill();
    await exited;
  }
});

it("the example sets nothing: the deploy button would offer it to everybody who deploys", () => {
  const lines = readFileSync(join(ROOT, ".dev.vars.example"), "utf8").split("\n");
  expect(lines.filter((line) => line.trim() !== "" && !line.startsWith("#"))).toEqual([]);
});
