/** `npm run user` and `npm run ban` against a broker that `npm start` runs, as an operator uses them, over a restart too. */

import { spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { quickHash } from "../auth/support.ts";
import { connectMqtt, newFolder, running } from "./command.ts";

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param input what comes by stdin */
async function run(
  command: "user" | "ban",
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<Result> {
  const child = spawn(process.execPath, [join(ROOT, "scripts", "local", "durable-mqtt.ts"), command, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(input);
  const exited = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await exited, stdout, stderr };
}

const CLOSED = { ALLOW_ANONYMOUS: "false" };

describe("commands of users and bans", () => {
  it("need nothing but the data folder, whose file is for its user alone; what they did is there after a restart", async () => {
    const data = newFolder();
    const first = await running(["--data", data], CLOSED);
    const at = ["--data", data];
    expect(await run("user", ["add", "ada", "--publish", "a/#", "--subscribe", "a/#", ...at], { input: "lovelace\n" })).toEqual({
      code: 0,
      stdout: "",
      stderr: "ada was added.\n",
    });
    expect((await run("user", ["add", "ada", "--password", "x", ...at])).stderr).toBe(
      "durable-mqtt: There is a user of this name already.\n",
    );
    expect((await run("ban", ["add", "--clientid", "evil", "--until", "1h", "--reason", "a test", ...at])).stdout).toMatch(
      /^clientid evil is banned until 2/,
    );
    expect(statSync(join(data, "admin.json")).mode & 0o777).toBe(0o600);
    const login = { username: "ada", password: "lovelace" };
    await connectMqtt(first.ws, login);
    first.process.kill("SIGTERM");
    await first.exit;

    const second = await running(["--data", data], CLOSED);
    await (await connectMqtt(second.ws, login)).publishAsync("a/b", "", { qos: 1 });
    await expect(connectMqtt(second.ws, { ...login, clientId: "evil", protocolVersion: 5 })).rejects.toMatchObject({ code: 0x8a });
    expect((await run("ban", ["list", ...at])).stdout).toMatch(/^clientid\tevil\t2.*\tadmin\ta test\n$/);
    expect((await run("ban", ["remove", "--clientid", "evil", ...at])).code).toBe(0);
    await connectMqtt(second.ws, { ...login, clientId: "evil" });
    expect((await run("user", ["list", ...at])).stdout).toBe("ada\tallow publish a/#\tallow subscribe a/#\n");

    const { stdout } = await run("user", ["password", "ada", "--generate", ...at]);
    const { password } = JSON.parse(stdout) as { password: string };
    await expect(connectMqtt(second.ws, login)).rejects.toThrow();
    await connectMqtt(second.ws, { username: "ada", password });
    // What a path can't have is reached all the same.
    await run("user", ["add", "..", "--password", "x", ...at]);
    expect((await run("user", ["change", "..", "--superuser", ...at])).stderr).toBe(".. has other rights.\n");
    expect((await run("user", ["remove", "..", ...at])).stderr).toBe(".. was removed.\n");
    await run("ban", ["add", "--clientid_re", ".", ...at]);
    expect((await run("ban", ["remove", "--clientid_re", ".", ...at])).stdout).toBe("clientid_re . is banned no more.\n");
    expect((await run("user", ["remove", "ada", ...at])).code).toBe(0);
    expect((await run("user", ["remove", "ada", ...at])).stderr).toBe("durable-mqtt: There is no such user.\n");
    expect((await run("user", ["list", ...at])).stdout).toBe("");
  });

  it("take thousands of users from a file or stdin and what mosquitto had, list them in pages, and keep the token to themselves", async () => {
    const data = newFolder();
    const broker = await running(["--data", data], CLOSED);
    await manyUsers(broker, data);
    await mosquittoUsers(broker, data);
    await mistakes(broker, data);
  });
});

type RunningBroker = Awaited<ReturnType<typeof running>>;

async function manyUsers(broker: RunningBroker, data: string): Promise<void> {
  const hash = await quickHash("x");
  const lines = Array.from({ length: 2500 }, (_, index) =>
    JSON.stringify({ user: `device-${index}`, password_hash: hash, publish: ["d/%u"] }),
  );
  const added = await run("user", ["add", "--file", "-", "--data", data], { input: lines.join("\n") });
  expect(added).toMatchObject({
    code: 0,
    stdout: "",
    stderr: expect.stringMatching(
      /^(?:\d+ of 2500 users are sent \.\.\.\n)*2500 added, 0 changed, 0 as they were, 0 refused, in [\d.]+ s\.\n$/,
    ),
  });
  const listed = await run("user", ["list", "--json", "--data", data]);
  expect(
    new Set(
      listed.stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { user_id: string }).user_id),
    ).size,
  ).toBe(2500);
  expect(listed.stdout).not.toContain(hash);

  const file = join(data, "..", `${data.split("/").at(-1)}.csv`);
  writeFileSync(file, `user,publish\nnew-1,d/%u\ndevice-1,d/%u\n`);
  const some = await run("user", ["add", "--file", file, "--data", data]);
  expect(some).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("device-1: there is a user of this name already.\n1 added, 0 changed, 0 as they were, 1 refused"),
  });
  const generated = some.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { user: string; password: string });
  const client = await connectMqtt(broker.ws, { username: "new-1", password: generated.find(({ user }) => user === "new-1")!.password });
  await client.publishAsync("d/new-1", "", { qos: 1 });
}

async function mosquittoUsers(broker: RunningBroker, data: string): Promise<void> {
  const files = join(ROOT, "test/fixtures/mosquitto");
  const args = ["import", "--passwords", join(files, "passwd"), "--acl-file", join(files, "acl"), "--data", data];
  const dry = await run("user", [...args, "--dry-run"]);
  expect(dry.stdout.trim().split("\n")).toHaveLength(4);
  const { code, stderr } = await run("user", args);
  expect([code, stderr.split("\n").at(-2)]).toEqual([0, expect.stringMatching(/^4 added, /)]);
  const bob = await connectMqtt(broker.ws, { username: "bob", password: "builder", clientId: "b1" });
  const carol = await connectMqtt(broker.ws, { username: "carol smith", password: "c a r o l", protocolVersion: 5 });
  const ada = await connectMqtt(broker.ws, { username: "ada", password: "lovelace" });
  await bob.subscribeAsync("#");
  const heard: string[] = [];
  bob.on("message", (topic) => heard.push(topic));
  for (const topic of ["home/kitchen/temperature", "home/kitchen/light", "clients/b1"]) await ada.publishAsync(topic, "", { qos: 1 });
  await expect(carol.publishAsync("home/x", "", { qos: 1 })).rejects.toThrow();
  await bob.publishAsync("clients/b1", "", { qos: 1 });
  await expect.poll(() => heard).toEqual(["home/kitchen/temperature", "clients/b1"]);
}

async function mistakes(broker: RunningBroker, data: string): Promise<void> {
  expect(await run("user", ["list", "--data", newFolder()])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Which broker? Start one with npm start"),
  });
  const { token } = JSON.parse(readFileSync(join(data, "admin.json"), "utf8")) as { token: string };
  const elsewhere = ["list", "--data", data, "--url", "https://mqtt.example.invalid"];
  expect((await run("user", elsewhere)).stderr).toBe(
    "durable-mqtt: The admin token of that broker is missing: set the environment variable ADMIN_TOKEN.\n",
  );
  expect((await run("user", ["list", "--url", "http://192.0.2.1"], { env: { ADMIN_TOKEN: token } })).stderr).toBe(
    "durable-mqtt: The token only goes over https://, or to this machine.\n",
  );
  const wrong = await run("ban", ["list", "--url", broker.http], { env: { ADMIN_TOKEN: "x".repeat(20) } });
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("the token in ADMIN_TOKEN")]);
  const file = join(data, "users.csv");
  writeFileSync(file, "user\nsomebody\n");
  const wrongUses = [
    ["ban"],
    ["add"],
    ["list", "x", "y"],
    ["add", "--file", file, "--publish", "a", "--data", data],
    ["add", "--file", file, "--superuser", "--data", data],
    ["add", "somebody", "--generate", "--mode", "put", "--data", data],
  ];
  for (const args of wrongUses) expect((await run("user", args)).code, args.join(" ")).toBe(2);
  expect((await run("user", ["list", "--data", data])).stdout).not.toContain("somebody");
  expect((await run("ban", ["add", "--data", data])).stderr).toContain("Who?");
  expect((await run("ban", ["add", "--peerhost", "nowhere", "--data", data])).stderr).toBe(
    "durable-mqtt: This can't be banned: who must be an IPv4 or IPv6 address.\n",
  );
}
