/** `durable-mqtt probe` against a broker that is well, one that is not, and one that has only a part of MQTT. */

import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { expositionOf } from "../../src/cli/probe.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNACK } from "../../src/mqtt/packet.ts";
import { quickHash } from "../auth/support.ts";
import { readExposition } from "../support/exposition.ts";
import { callCommand, runCommand, spawnCommand } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-probe-"));
let broker: Broker;
/** Answers CONNECT, and then nothing. */
let silent: Server;

beforeAll(async () => {
  const rights = { publish: ["probe/#"], subscribe: ["probe/#"] };
  const users = [
    { user: "prober", password: await quickHash("secret-of-prober"), ...rights },
    { user: "nobody", password: await quickHash("nothing"), publish: ["x"], subscribe: ["y"] },
  ];
  broker = await startBroker({ env: { USERS: JSON.stringify(users) }, tcpPort: 0 });
  const connack = encodePacket({ type: CONNACK, sessionPresent: false, reasonCode: 0, properties: {} }, 5);
  silent = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.write(connack, () => silent.emit("answered")));
  }).listen(0, "127.0.0.1");
  await once(silent, "listening");
});
afterAll(async () => {
  silent.close();
  await broker.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const PROBER = ["-u", "prober"];
const PASSWORD = { MQTT_PASSWORD: "secret-of-prober" };
const ALL = ["open", "connect", "subscribe", "publish", "receive", "disconnect"];

interface Line {
  readonly ok: boolean;
  readonly server: string;
  readonly error?: string;
  readonly rounds: readonly {
    readonly qos: number;
    readonly steps: Record<string, number>;
    readonly failed?: string;
    readonly error?: string;
  }[];
}

describe("durable-mqtt probe", () => {
  it.each([
    ["WebSocket", "5", () => ["-L", broker.mqttUrl]],
    ["WebSocket", "31", () => ["-L", broker.mqttUrl]],
    ["TCP", "311", () => ["-h", "127.0.0.1", "-p", String(broker.tcpPort)]],
  ])("tells people the time of each step at each QoS, over %s and in version %s", async (_way, version, target) => {
    const { code, stdout, stderr } = await callCommand(["probe", ...target(), ...PROBER, "-V", version], PASSWORD);
    expect([code, stderr]).toEqual([0, ""]);
    const [server, head, ...rows] = stdout.trimEnd().split("\n");
    expect(server).toMatch(/^(?:ws:\/\/127\.0\.0\.1:\d+\/mqtt|mqtt:\/\/127\.0\.0\.1:\d+)$/);
    expect(head!.trim().split(/\s+/)).toEqual([...ALL, "ms"]);
    for (const qos of [0, 1, 2]) expect(rows[qos]).toMatch(new RegExp(`^QoS ${qos}(?: +\\d+\\.\\d){${ALL.length}}$`));
    expect(rows[3]).toMatch(/^ok, \d+\.\d ms$/);
  });

  it("tells programs in JSON and Prometheus in a file, which appears as a whole", async () => {
    const file = join(folder, "probe.prom");
    const { code, stdout } = await runCommand(
      ["probe", "-L", broker.mqttUrl, ...PROBER, "--json", "--textfile", file, "-q", "1,2"],
      PASSWORD,
    );
    const line = JSON.parse(stdout) as Line;
    expect(code).toBe(0);
    expect([line.ok, line.rounds.map(({ qos, steps }) => [qos, Object.keys(steps)])]).toEqual([
      true,
      [
        [1, ALL],
        [2, ALL],
      ],
    ]);
    const written = readFileSync(file, "utf8");
    readExposition(written);
    expect(written).toContain(`durable_mqtt_probe_success{server="${broker.mqttUrl}"} 1\n`);
    expect(written.match(/^durable_mqtt_probe_duration_seconds\{.*qos="[12]",step="\w+"\} \d\.\d{6}$/gm)).toHaveLength(12);
    expect(readdirSync(folder)).toEqual(["probe.prom"]);
    expect(stdout + written).not.toContain("secret");
  });

  it("ends with 1, and says at which QoS which step failed and why", async () => {
    const failed = async (
      args: readonly string[],
      env: Record<string, string> = PASSWORD,
    ): Promise<Line["rounds"][number] & { error: string }> => {
      const { code, stdout } = await callCommand(["probe", "-q", "1", "-W", "2s", "--json", ...args], env);
      const { ok, rounds, error } = JSON.parse(stdout) as Line;
      expect([code, ok]).toEqual([1, false]);
      expect(stdout).not.toContain("secret");
      return { ...rounds[0]!, error: error! };
    };
    expect(await failed(["-L", "ws://127.0.0.1:1/mqtt", ...PROBER])).toMatchObject({
      failed: "open",
      steps: {},
      error: expect.stringMatching(/^QoS 1, open: .*ECONNREFUSED/),
    });
    expect(await failed(["-L", broker.mqttUrl, ...PROBER], { MQTT_PASSWORD: "wrong" })).toMatchObject({
      failed: "connect",
      error: expect.stringContaining("(0x86)"),
    });
    const nobody = await failed(["-L", broker.mqttUrl, "-u", "nobody"], { MQTT_PASSWORD: "nothing" });
    expect(nobody).toMatchObject({ failed: "subscribe", error: expect.stringContaining("(0x87)") });
    expect(Object.keys(nobody.steps)).toEqual(["open", "connect"]);
    const { port } = silent.address() as { port: number };
    expect(await failed(["-h", "127.0.0.1", "-p", String(port)])).toMatchObject({
      failed: "subscribe",
      error: "QoS 1, subscribe: Nothing came within 2 s",
    });
  });

  it("tells people of a failure on the line of the result, and Prometheus that it was one", async () => {
    const file = join(folder, "failed.prom");
    const { code, stdout } = await callCommand(["probe", "-L", "ws://127.0.0.1:1/mqtt", "--textfile", file]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/\nfailed: QoS 0, open: [^\n]*ECONNREFUSED[^\n]*, 0\.0 ms\n$/);
    expect(readFileSync(file, "utf8")).toContain('durable_mqtt_probe_success{server="ws://127.0.0.1:1/mqtt"} 0\n');
  });

  it("goes on until it is stopped with --every, also after a failure", async () => {
    const child = spawnCommand(["probe", "-L", broker.mqttUrl, ...PROBER, "--every", "1s", "--json", "-q", "0"], PASSWORD);
    const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
    const next = async (): Promise<boolean> => (JSON.parse((await lines.next()).value as string) as Line).ok;
    expect([await next(), await next()]).toEqual([true, true]);
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);

    const failing = spawnCommand(["probe", "-L", "ws://127.0.0.1:1/mqtt", "--every", "1s", "--json"]);
    const failures = createInterface(failing.stdout!)[Symbol.asyncIterator]();
    for (let n = 0; n < 2; n += 1) expect((JSON.parse((await failures.next()).value as string) as Line).ok).toBe(false);
    const ended = once(failing, "exit");
    failing.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
  });

  it("is stopped within a step that takes long: with --every it is done, without it is not", async () => {
    const target = ["-h", "127.0.0.1", "-p", String((silent.address() as AddressInfo).port), "-W", "1h"];
    const stop = async (args: readonly string[]): Promise<[number | null, string]> => {
      const connack = once(silent, "answered");
      const child = spawnCommand(["probe", ...target, ...args]);
      const [said, exited] = [text(child.stderr!), once(child, "exit")];
      await connack;
      child.kill("SIGTERM");
      return [(await exited)[0] as number | null, await said];
    };
    expect(await stop(["--every", "1s"])).toEqual([0, ""]);
    expect(await stop([])).toEqual([1, "durable-mqtt: It was stopped before it was through.\n"]);
  });

  it("says nothing with --quiet when all went well", async () => {
    const args = ["probe", ...PROBER, "-q", "1", "--quiet", "-L"];
    expect(await callCommand([...args, broker.mqttUrl], PASSWORD)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await callCommand([...args, "ws://127.0.0.1:1"], PASSWORD)).stdout).toMatch(/failed: QoS 1, open/);
  });

  it.each([
    [["-q", "3"], /Expected 0, 1, 2, or several of them with commas\./],
    [["-q", ""], /Expected 0, 1, 2, or several of them with commas\./],
    [["-q", "1,1"], /Expected 0, 1, 2, or several of them with commas\./],
    [["--every", "1ms"], /Expected a second or more\./],
    [["--every", "soon"], /Expected a time such as 500ms, 30s, 5m, 1h or 7d\./],
  ])("ends with 2 and says what was expected: %j", async (args, sentence) => {
    const { code, stderr } = await callCommand(["probe", ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(sentence);
  });

  it("ends with 1 when the file can't be written", async () => {
    const { code, stderr } = await callCommand(
      ["probe", "-L", broker.mqttUrl, ...PROBER, "-q", "0", "--textfile", "/nowhere/probe.prom"],
      PASSWORD,
    );
    expect([code, stderr]).toEqual([1, "durable-mqtt: /nowhere/probe.prom can't be written (ENOENT).\n"]);
    expect(existsSync("/nowhere")).toBe(false);
  });
});

it("a name of a server can't break the exposition", () => {
  const written = expositionOf({ ok: true, rounds: [{ qos: 0, steps: { open: 1 } }] }, 'ws://a"b\\c/\n', new Date(1_790_000_000_000));
  readExposition(written);
  expect(written).toContain('durable_mqtt_probe_success{server="ws://a_b_c/_"} 1\n');
});
