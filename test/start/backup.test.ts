/** `npm run backup` and `npm run restore`, as an operator runs them. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import mqtt, { type MqttClient } from "mqtt";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { isLong } from "../support/long.ts";
import { connectMqtt, newFolder, nextMessage, running } from "./command.ts";

interface Ran {
  readonly code: number;
  readonly said: string;
}

function run(action: "backup" | "restore", ...args: string[]): Promise<Ran> {
  const command = [join(ROOT, "scripts", "local", "durable-mqtt.ts"), action, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr }),
    );
  });
}

const KEEPER = { clientId: "keeper", clean: false, protocolVersion: 4, reconnectPeriod: 0 } as const;

/** A session with a subscription and nobody connected. */
async function sleepingKeeper(url: string): Promise<void> {
  const keeper = await connectMqtt(url, KEEPER);
  await keeper.subscribeAsync("queue", { qos: 1 });
  await keeper.endAsync();
}

async function retained(client: MqttClient, topic: string): Promise<string> {
  const message = nextMessage(client);
  await client.subscribeAsync(topic, { qos: 1 });
  return (await message).payload;
}

describe.each(isLong ? ["compact", "sharded"] : ["sharded"])("%s", (topology) => {
  it("a copy that was made while messages came has all that was acknowledged before, in their order, and can be started or restored", async () => {
    const data = newFolder();
    const to = join(newFolder(), "copy");
    const broker = await running(["--data", data, "--topology", topology]);
    await sleepingKeeper(broker.ws);
    const publisher = await connectMqtt(broker.ws);
    await publisher.publishAsync("state", "then", { qos: 1, retain: true });
    for (let n = 0; n < 20; n += 1) await publisher.publishAsync("queue", String(n), { qos: 1 });
    let isCopied = false;
    const copied = run("backup", "--data", data, "--to", to).finally(() => {
      isCopied = true;
    });
    let n = 20;
    for (; !isCopied; n += 1) await publisher.publishAsync("queue", String(n), { qos: 1 });
    expect(await copied).toEqual({ code: 0, said: expect.stringMatching(/^\d+ databases of .* are in .*copy, .*\.\n$/) });
    await publisher.publishAsync("state", "now", { qos: 1, retain: true });
    broker.process.kill("SIGTERM");
    await broker.exit;

    const { code, said } = await run("restore", "--from", to, "--data", data);
    expect(code, said).toBe(0);
    const [, aside] = /What it had until now is in (.*)\.\n$/.exec(said)!;
    expect(existsSync(join(aside!, "objects"))).toBe(true);

    const restored = await running(["--data", data, "--topology", topology]);
    expect(await retained(await connectMqtt(restored.ws), "state")).toBe("then");
    const keeper = mqtt.connect(restored.ws, KEEPER);
    const got: number[] = [];
    const done = new Promise<void>((resolve) =>
      keeper.on("message", (_topic, payload) => (String(payload) === "end" ? resolve() : got.push(Number(payload)))),
    );
    await (await connectMqtt(restored.ws)).publishAsync("queue", "end", { qos: 1 });
    await done;
    await keeper.endAsync();
    expect(got.length).toBeGreaterThanOrEqual(20);
    expect(got.length).toBeLessThanOrEqual(n);
    expect(got).toEqual(got.map((_, index) => index));
  });
});

describe("what a backup is not made of, or put over", () => {
  it("a folder without a broker, a place that is taken, missing arguments", async () => {
    const empty = newFolder();
    expect(await run("backup", "--data", empty, "--to", join(empty, "copy"))).toEqual({
      code: 1,
      said: `durable-mqtt: There are no databases of a broker in ${join(empty, "objects")}.\n`,
    });
    expect(await run("backup", "--data", ".data", "--to", ROOT)).toEqual({
      code: 1,
      said: `durable-mqtt: ${ROOT} is not empty; choose a folder that is not there yet.\n`,
    });
    expect((await run("backup")).code).toBe(2);
    expect((await run("restore", "--data", empty)).code).toBe(2);
  });

  it("a folder in use is not restored into, and a copy with a hole is not restored from", async () => {
    const data = newFolder();
    const to = join(newFolder(), "copy");
    const broker = await running(["--data", data]);
    await sleepingKeeper(broker.ws);
    expect((await run("backup", "--data", data, "--to", to)).code).toBe(0);
    const rights = readdirSync(to, { recursive: true, encoding: "utf8" }).map((name) => statSync(join(to, name)).mode & 0o077);
    expect(rights).toEqual(rights.map(() => 0));
    expect(await run("restore", "--from", to, "--data", data)).toEqual({
      code: 1,
      said: expect.stringMatching(/ is in use by another broker/),
    });
    expect(existsSync(`${data}.restored`)).toBe(false);
    broker.process.kill("SIGTERM");
    await broker.exit;

    const home = join(to, "objects", "durable-mqtt-SessionObject");
    const file = readdirSync(home).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name))!;
    rmSync(join(home, file));
    expect(await run("restore", "--from", to, "--data", data)).toEqual({
      code: 1,
      said: `durable-mqtt: ${join(home, file)} is gone.\ndurable-mqtt: This backup is not whole; nothing was changed.\n`,
    });
    await running(["--data", data]);
  });
});
