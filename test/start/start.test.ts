import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import mqtt from "mqtt";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { connectMqtt, newFolder, nextMessage, running, start } from "./command.ts";

describe("npm start", () => {
  it("serves health, page and MQTT over WebSocket and TCP, at the addresses that it prints", async () => {
    const broker = await running(["--tcp", "0", "--data", newFolder()]);
    const [, tcp] = await broker.prints(/MQTT over TCP +(mqtt:\S+)/);

    expect(await (await fetch(`${broker.http}/health`)).json()).toMatchObject({ status: "ok", topology: "compact" });
    const page = await fetch(broker.http);
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(await page.text()).toContain("<title>durable-mqtt</title>");

    const overTcp = await connectMqtt(tcp!, { protocolVersion: 5 });
    await overTcp.subscribeAsync("start/#", { qos: 2 });
    const overWs = await connectMqtt(broker.ws, { protocolVersion: 4 });
    const message = nextMessage(overTcp);
    await overWs.publishAsync("start/ws", "to tcp", { qos: 2 });
    expect(await message).toEqual({ topic: "start/ws", payload: "to tcp", retained: false });
  });

  it("prints a line for MQTT.js that works as it is, and one for mosquitto_pub", async () => {
    const broker = await running(["--tcp", "0", "--data", newFolder()]);
    const [, script] = await broker.prints(/node -e "(.*)"\n/);
    const child = execFile(process.execPath, ["-e", script!], { cwd: ROOT });
    let printed = "";
    for await (const text of child.stdout!) {
      printed += text;
      if (printed.includes("\n")) break;
    }
    child.kill();
    expect(printed).toBe("hello world\n");

    const [, port] = await broker.prints(/mqtt:\/\/127\.0\.0\.1:([0-9]+)/);
    await broker.prints(new RegExp(`mosquitto_pub -h 127\\.0\\.0\\.1 -p ${port} -t hello -m world\n`));
  });

  it("serves every namespace locally, unless told otherwise, and shows its figures to everybody on this machine", async () => {
    const open = await running(["--data", newFolder()]);
    await connectMqtt(open.ws.replace("/mqtt", "/any-name/mqtt"));
    const told = await running(["--data", newFolder()], { NAMESPACES: "acme", SYS_SECONDS: "1" });
    expect((await fetch(`${told.http}/any-name/mqtt`)).status).toBe(404);
    const client = await connectMqtt(told.ws.replace("/mqtt", "/acme/mqtt"));
    const message = nextMessage(client);
    await client.subscribeAsync("$SYS/broker/version");
    expect(await message).toMatchObject({ payload: expect.stringMatching(/^durable-mqtt version \d/) });
  });

  it("takes the topology from --topology, else from the environment", async () => {
    const topology = async (http: string): Promise<unknown> =>
      ((await (await fetch(`${http}/health`)).json()) as { topology: unknown }).topology;
    expect(await topology((await running(["--data", newFolder(), "--topology", "sharded"])).http)).toBe("sharded");
    expect(await topology((await running(["--data", newFolder()], { TOPOLOGY: "sharded" })).http)).toBe("sharded");
  });

  it("keeps retained messages and durable sessions over Ctrl-C and another start", async () => {
    const data = newFolder();
    const durable = { clientId: "keeper", clean: false, protocolVersion: 4 } as const;
    const first = await running(["--data", data]);
    const keeper = await connectMqtt(first.ws, durable);
    await keeper.subscribeAsync("queued", { qos: 1 });
    await keeper.endAsync();
    const publisher = await connectMqtt(first.ws);
    await publisher.publishAsync("state", "kept", { qos: 1, retain: true });
    await publisher.publishAsync("queued", "while away", { qos: 1 });
    process.kill(-first.process.pid!, "SIGINT");
    expect((await first.exit).code).toBe(0);

    const second = await running(["--data", data]);
    const reader = await connectMqtt(second.ws);
    const retained = nextMessage(reader);
    await reader.subscribeAsync("state", { qos: 1 });
    expect(await retained).toEqual({ topic: "state", payload: "kept", retained: true });

    const resumed = await resume(second.ws, durable);
    expect(resumed).toEqual({ sessionPresent: true, topic: "queued", payload: "while away" });
  });

  it.each(["SIGINT", "SIGTERM"] as const)("stops on %s within two seconds, with clients connected and without a word", async (signal) => {
    const broker = await running(["--tcp", "0", "--data", newFolder()]);
    const [, tcp] = await broker.prints(/MQTT over TCP +(mqtt:\S+)/);
    await Promise.all([connectMqtt(broker.ws), connectMqtt(tcp!)]);
    const began = performance.now();
    broker.process.kill(signal);
    const { code, stderr } = await broker.exit;
    expect(performance.now() - began).toBeLessThan(2000);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("leaves nothing running when it is killed: the same port and folder serve again", async () => {
    const data = newFolder();
    const first = await running(["--data", data]);
    const { port } = new URL(first.http);
    const client = await connectMqtt(first.ws);
    const closed = new Promise<void>((resolve) => client.once("close", resolve));
    first.process.kill("SIGKILL");
    await closed;
    const second = start(["--port", port, "--data", data]);
    await second.prints(new RegExp(`Console +http://127\\.0\\.0\\.1:${port}/`));
  });
});

describe("who may connect", () => {
  it("everybody on loopback, which it says", async () => {
    const broker = await running(["--data", newFolder()]);
    await broker.prints(/Every program on this machine may connect \(ALLOW_ANONYMOUS=true\)/);
    await connectMqtt(broker.ws);
  });

  it("nobody at an address that others can reach, which it says, unless it is told to let everybody in", async () => {
    const closed = await running(["--host", "0.0.0.0", "--data", newFolder()]);
    await closed.prints(/Only users that were added may connect \(npm run user -- add NAME\); ALLOW_ANONYMOUS=true/);
    await expect(connectMqtt(closed.ws)).rejects.toThrow(/Not authorized/i);
    const open = await running(["--host", "0.0.0.0", "--data", newFolder()], { ALLOW_ANONYMOUS: "true" });
    await open.prints(/Everybody who can reach this machine may connect/);
    await connectMqtt(open.ws);
  });

  it("on loopback too nobody but the users, when there are some", async () => {
    const hash = await new Promise<string>((resolve, reject) => {
      const child = execFile(process.execPath, [join(ROOT, "scripts", "local", "durable-mqtt.ts"), "hash-password"], (error, stdout) =>
        error === null ? resolve(stdout.split("\n")[0]!) : reject(error),
      );
      child.stdin!.end("lovelace\n");
    });
    const users = JSON.stringify([{ user: "ada", password: hash, publish: ["#"], subscribe: ["#"] }]);
    const broker = await running(["--data", newFolder()], { USERS: users });
    await broker.prints(/Those whom the settings name may connect/);
    await expect(connectMqtt(broker.ws)).rejects.toThrow();
    await connectMqtt(broker.ws, { username: "ada", password: "lovelace" });
  });

  it("nor anybody but those with a token, when there is a key for tokens: one that `npm run token` signs", async () => {
    const env = { JWT_SECRET: "a secret that is long enough for a HS256" };
    const broker = await running(["--data", newFolder()], env);
    await broker.prints(/Those whom the settings name may connect/);
    await expect(connectMqtt(broker.ws)).rejects.toThrow();
    await expect(connectMqtt(broker.ws, { username: "ada", password: "lovelace" })).rejects.toThrow();
    const script = join(ROOT, "scripts", "local", "durable-mqtt.ts");
    const token = execFileSync(process.execPath, [script, "token", "--user", "ada"], { env: { ...process.env, ...env }, encoding: "utf8" });
    await connectMqtt(broker.ws, { username: "ada", password: token.trim() });
  });
});

describe("what stops it from starting", () => {
  /** The whole output of a start that fails: nothing but sentences, no stack trace. */
  async function failure(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ code: number | null; said: string }> {
    const { code, stdout, stderr } = await start(args, env).exit;
    expect(stdout).toBe("");
    expect(stderr).not.toMatch(/^ +at /m);
    return { code, said: stderr };
  }

  async function takenPort(): Promise<{ port: number; free: () => void }> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return { port: (server.address() as { port: number }).port, free: () => server.close() };
  }

  it("a port in use", async () => {
    const { port, free } = await takenPort();
    const data = newFolder();
    expect(await failure(["--port", String(port), "--data", data])).toEqual({
      code: 1,
      said: `durable-mqtt: Port ${port} on 127.0.0.1 is in use; choose another one with --port.\n`,
    });
    expect(await failure(["--port", "0", "--tcp", String(port), "--data", data])).toEqual({
      code: 1,
      said: `durable-mqtt: Port ${port} on 127.0.0.1 is in use; choose another one with --tcp.\n`,
    });
    free();
  });

  it("an address of another machine", async () => {
    expect(await failure(["--host", "192.0.2.1", "--data", newFolder()])).toEqual({
      code: 1,
      said: "durable-mqtt: --host 192.0.2.1 is not an address of this machine.\n",
    });
  });

  it("a data folder that cannot be written", async () => {
    const folder = join(ROOT, "package.json", "data");
    expect(await failure(["--port", "0", "--data", folder])).toEqual({
      code: 1,
      said: expect.stringMatching(
        /^durable-mqtt: The data folder .*package\.json\/data cannot be written \(E[A-Z]+\); choose another one with --data\.\n$/,
      ),
    });
  });

  it("a data folder that another broker uses", async () => {
    const data = newFolder();
    const broker = await running(["--data", data]);
    expect(await failure(["--port", "0", "--data", data])).toEqual({
      code: 1,
      said: `durable-mqtt: The data folder ${data} is in use by another broker (process ${broker.process.pid}); stop it, or choose another folder with --data.\n`,
    });
  });

  it("a wrong setting, each named", async () => {
    expect(await failure(["--port", "0"], { PACKET_BYTES_MAX: "much", TOPIC_SHARDS: "0" })).toEqual({
      code: 1,
      said:
        'durable-mqtt: TOPIC_SHARDS must be a whole number from 1 to 1024 (found: "0").\n' +
        'durable-mqtt: PACKET_BYTES_MAX must be a whole number from 128 to 1211872 (found: "much").\n',
    });
  });

  it.each([
    ["no JSON", /^durable-mqtt: USERS is not valid JSON: .*\n$/],
    ['[{"user": "ada", "password": "lovelace"}]', /^durable-mqtt: USERS\[0\]\.password must be a hash made by .*\n$/],
  ])("users that are none, without repeating any of it: %s", async (users, said) => {
    const failed = await failure(["--port", "0", "--data", newFolder()], { USERS: users });
    expect(failed).toEqual({ code: 1, said: expect.stringMatching(said) });
    expect(failed.said).not.toContain("lovelace");
  });

  it.each([
    [["--prot", "1"], "Unknown option '--prot' (did you mean --port?). Try: npm start -- --help"],
    [["8083"], "Too many arguments for 'start'. Expected 0 arguments but got 1. Try:"],
    [["--port"], "Option '--port <port>' argument missing. Try:"],
    [["--port", "80x"], "Option '--port <port>' argument '80x' is invalid. Expected a port from 0 to 65535 (0 = any free one). Try:"],
    [["--tcp", "65536"], "Option '--tcp [port]' argument '65536' is invalid. Expected a port from 0 to 65535 (0 = any free one). Try:"],
  ])("an unknown or wrong option: %j", async (args, beginning) => {
    const { code, said } = await failure(args);
    expect(code).toBe(2);
    expect(said.startsWith(`durable-mqtt: ${beginning}`), said).toBe(true);
    expect(said.trimEnd().split("\n")).toHaveLength(1);
  });

  it("--help explains every option and ends with 0", async () => {
    const { code, stdout } = await start(["--help"]).exit;
    expect(code).toBe(0);
    for (const option of ["--port", "--host", "--data", "--tcp", "--topology", "--accept-loss", "--help"])
      expect(stdout).toMatch(new RegExp(`^  (?:-h, )?${option} `, "m"));
  });
});

/** Connects and returns what came of it: the first message may arrive together with CONNACK. */
async function resume(url: string, options: { clientId: string; clean: boolean; protocolVersion: 4 }) {
  const client = mqtt.connect(url, { reconnectPeriod: 0, ...options });
  try {
    const connected = new Promise<boolean>((resolve) => client.once("connect", (connack) => resolve(connack.sessionPresent)));
    const [sessionPresent, message] = await Promise.all([connected, nextMessage(client)]);
    return { sessionPresent, topic: message.topic, payload: message.payload };
  } finally {
    client.end(true);
  }
}
