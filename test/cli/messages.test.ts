/** `durable-mqtt pub` and `sub` against a broker, over WebSocket, TCP and TLS, as people's fingers know them from mosquitto. */

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { connect } from "../../src/client/index.ts";
import { Certificates } from "../../src/gateway/certificates.ts";
import { type Gateway, startGateway } from "../../src/gateway/gateway.ts";
import { quickHash } from "../auth/support.ts";
import { Authority } from "../gateway/certificates.ts";
import { unique } from "../support/mqtt-client.ts";
import { callCommand, type Result, runCommand, spawnCommand } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-messages-"));
const authority = new Authority("everybody's");
let broker: Broker;
let gateway: Gateway;

function file(name: string, contents: string | Uint8Array): string {
  writeFileSync(join(folder, name), contents);
  return join(folder, name);
}

const CA = file("ca.pem", authority.cert);

beforeAll(async () => {
  const rights = { publish: ["#"], subscribe: ["#"] };
  const USERS = JSON.stringify([
    { user: "ada", password: await quickHash("lovelace"), ...rights },
    { user: "bob", password: await quickHash("builder"), publish: ["b/#"], subscribe: ["b/#"] },
  ]);
  broker = await startBroker({ env: { USERS }, tcpPort: 0 });
  const server = authority.certify({ alternativeNames: [[2, "localhost"]] });
  const certificates = new Certificates({ pairs: [{ cert: file("server.pem", server.cert), key: file("server-key.pem", server.key) }] });
  gateway = await startGateway({
    listeners: [{ host: "127.0.0.1", port: 0, tls: { certificates } }],
    broker: { url: broker.mqttUrl, handsOver: true, isSigned: false, headersOf: () => ({}) },
    log: () => {},
  });
  // Who gets it has all subscriptions that it has asked for.
  const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
  await client.publish("ready/now", "are you there?", { retain: true, qos: 1 });
  await client.end();
});
afterAll(async () => {
  await gateway.close(0);
  await broker.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const ADA = ["-u", "ada", "-P", "lovelace"];

/** The ways to the broker. */
const WAYS: Readonly<Record<string, () => string[]>> = {
  WebSocket: () => ["-L", broker.mqttUrl],
  TCP: () => ["-h", "127.0.0.1", "-p", String(broker.tcpPort)],
  TLS: () => ["-L", `mqtts://localhost:${gateway.ports[0]}`, "--cafile", CA],
};

const pub = (args: readonly string[], input = "", env = {}): Promise<Result> =>
  callCommand(["pub", ...WAYS.WebSocket!(), ...args], env, input);

const sub = (args: readonly string[]): Promise<Result> => callCommand(["sub", ...WAYS.WebSocket!(), ...args]);

/** A subscriber that is subscribed. */
async function subscribed(
  args: readonly string[],
  way = "WebSocket",
): Promise<{ readonly result: Promise<Result>; kill(signal: NodeJS.Signals): void }> {
  const child = spawnCommand(["sub", ...WAYS[way]!(), ...ADA, "-t", "ready/#", ...args]);
  let [stdout, stderr] = ["", ""];
  let isReady = (): void => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  child.stdout!.on("data", (piece) => {
    stdout += String(piece);
    if (stdout.includes("are you there?")) isReady();
  });
  child.stderr!.on("data", (piece) => {
    stderr += String(piece);
  });
  const result = new Promise<Result>((resolve) =>
    child.once("close", (code) => resolve({ code, stdout: stdout.replace(/^.*are you there\?.*\n/, ""), stderr })),
  );
  await ready;
  return { result, kill: (signal) => child.kill(signal) };
}

it.each([
  ["WebSocket", "5"],
  ["WebSocket", "31"],
  ["TCP", "311"],
  ["TLS", "5"],
])("over %s a message of MQTT %s goes from pub to sub", async (way, version) => {
  const topic = unique("t");
  const { result } = await subscribed(["-t", `${topic}/#`, "-C", "2", "-v", "-q", "1", "-V", version], way);
  const said = await runCommand(["pub", ...WAYS[way]!(), ...ADA, "-t", `${topic}/a`, "-m", "hello wörld", "-q", "2", "-V", version]);
  expect(said).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(await result).toEqual({ code: 0, stdout: `${topic}/a hello wörld\n`, stderr: "" });
});

describe("durable-mqtt pub", () => {
  /** What a subscriber gets meanwhile. */
  async function heard(
    count: number,
    run: (topic: string) => Promise<Result>,
  ): Promise<{ said: Result; payloads: string[]; properties: unknown[] }> {
    const topic = unique("t");
    const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
    const [payloads, properties]: [string[], unknown[]] = [[], []];
    let isAll = (): void => {};
    const all = new Promise<void>((resolve) => {
      isAll = resolve;
    });
    await client.subscribe(topic, {
      qos: 2,
      onMessage: (message) => {
        payloads.push(message.text());
        properties.push(message.properties);
        if (payloads.length === count) isAll();
      },
    });
    const said = await run(topic);
    if (count > 0) await all;
    await client.end();
    return { said, payloads, properties };
  }

  it("takes the message from a file, from the standard input, or none", async () => {
    const [one, two, three] = [
      await heard(1, (topic) => pub([...ADA, "-t", topic, "-f", file("message", "a\nb")])),
      await heard(1, (topic) => pub([...ADA, "-t", topic, "-s"], "c\nd\n")),
      await heard(1, (topic) => pub([...ADA, "-t", topic, "-n"])),
    ];
    expect([one.payloads, two.payloads, three.payloads]).toEqual([["a\nb"], ["c\nd\n"], [""]]);
  });

  it("publishes a message for each line, in their order, and says what became of each", async () => {
    const lines = Array.from({ length: 500 }, (_, index) => `line ${index}`);
    const { said, payloads } = await heard(500, (topic) => pub([...ADA, "-t", topic, "-l", "-q", "1", "--json"], `${lines.join("\n")}\n`));
    expect(payloads).toEqual(lines);
    expect([said.code, said.stdout.trim().split("\n").length]).toEqual([0, 500]);
    expect(JSON.parse(said.stdout.split("\n")[0]!)).toMatchObject({ qos: 1, reason_code: 0 });
  });

  it("repeats, and gives properties", async () => {
    const more = [
      "--content-type",
      "text/plain",
      "--response-topic",
      "r",
      "--correlation-data",
      "c",
      "--user-property",
      "a=b=c",
      "--user-property",
      "d=",
      "--message-expiry",
      "60",
    ];
    const { payloads, properties } = await heard(3, (topic) =>
      pub([...ADA, "-t", topic, "-m", "x", "--repeat", "3", "--repeat-delay", "1ms", ...more]),
    );
    expect(payloads).toEqual(["x", "x", "x"]);
    const expected = {
      contentType: "text/plain",
      responseTopic: "r",
      correlationData: new Uint8Array(Buffer.from("c")),
      userProperties: [
        ["a", "b=c"],
        ["d", ""],
      ],
    };
    expect(properties[0]).toMatchObject(expected);
  });

  it("takes the password from the environment", async () => {
    expect(await pub(["-u", "ada", "-t", "a", "-m", "b"], "", { MQTT_PASSWORD: "lovelace" })).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("reads the password from the standard input", async () => {
    const args = ["-u", "ada", "--password-stdin", "-t", "a", "-q", "1"];
    expect(await pub([...args, "-m", "b"], "lovelace\n")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await pub([...args, "-m", "b"], "wrong\n")).code).toBe(1);
  });

  it.each([
    [
      "a wrong password",
      ["-u", "ada", "-P", "wrong", "-t", "a", "-m", "b"],
      /^ws:\/\/127\.0\.0\.1:\d+\/mqtt: The server refused the connection: bad user name or password \(0x86\)/i,
    ],
    ["no right to the topic", ["-u", "bob", "-P", "builder", "-t", "a", "-m", "b", "-q", "1"], /not authorized \(0x87\)/],
    ["a file that is not there", ["-t", "a", "-f", "/nowhere"], /^\/nowhere can't be read \(ENOENT\)\.$/],
  ])("ends with 1 and says why: %s", async (_what, args, sentence) => {
    const { code, stdout, stderr } = await pub(args);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^durable-mqtt: [^\n]+\.\n$/);
    expect(stderr.trimEnd().slice("durable-mqtt: ".length)).toMatch(sentence);
    expect(stderr).not.toMatch(/wrong|builder/);
  });

  it("ends with 1 where nobody is, and where somebody does not speak MQTT", async () => {
    const none = await callCommand(["pub", "-h", "127.0.0.1", "-p", "1", "-t", "a", "-m", "b"]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/^durable-mqtt: .*ECONNREFUSED.*\n$/)]);
    const wrong = await callCommand(["pub", "-L", broker.mqttUrl.replace("/mqtt", "/nothing/here"), "-t", "a", "-m", "b"]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/^durable-mqtt: .*404.*\n$/)]);
    const untrusted = await callCommand(["pub", "-L", `mqtts://localhost:${gateway.ports[0]}`, "-t", "a", "-m", "b"]);
    expect([untrusted.code, untrusted.stderr]).toEqual([1, expect.stringMatching(/^durable-mqtt: .*certificate.*\n$/)]);
  });

  it.each([
    [[], /^Required option '-t, --topic <topic>' not specified\./],
    [["-t", "a"], /^One of -m, -f, -s, -l and -n was expected\./],
    [["-t", "a", "-m", "b", "-n"], /^One of -m, -f, -s, -l and -n was expected\./],
    [["-t", "a", "-m", "b", "-q", "3"], /Expected 0, 1 or 2\./],
    [["-t", "a", "-m", "b", "-h", "x"], /^--url stands instead of -h and -p\./],
    [["-t", "a", "-m", "b", "-V", "6"], /Expected 5, 311 or 31\./],
    [["-t", "a", "-m", "b", "-L", "wss://a:secret@c/"], /^The URL must be one without a user: -u and -P say who it is\./],
    [["-t", "a", "-m", "b", "-L", "tcp://a:secret@c"], /^The URL must be wss:\/\/, ws:\/\/, mqtts:\/\/ or mqtt:\/\/ and a host\./],
    [["-t", "a", "-m", "b", "-P", "secret", "-V", "311"], /^A password needs a user, -u, before MQTT 5\.0\./],
    [["-t", "a", "-m", "b", "-P", "secret", "--password-stdin"], /^One of -P and --password-stdin was expected\./],
    [["-t", "a", "-l", "--password-stdin"], /^--password-stdin does not go with -s and -l/],
    [["-t", "a", "-m", "b", "--cert", "x.pem"], /^--cert and --key go together\./],
    [["-t", "a", "-m", "b", "--will-payload", "x"], /^--will-payload needs --will-topic\./],
  ])("ends with 2 and says what was expected: %j", async (args, sentence) => {
    const { code, stderr } = await callCommand(["pub", ...WAYS.WebSocket!(), ...args]);
    expect(code).toBe(2);
    expect(stderr.slice("durable-mqtt: ".length)).toMatch(sentence);
    expect(stderr).not.toContain("secret");
  });

  /** One that gets lines as long as it lives; the first is published already. */
  async function publishing(args: readonly string[] = []) {
    const topic = unique("t");
    const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
    const messages = await client.subscribe(`${topic}/#`, { qos: 1 });
    const child = spawnCommand(["pub", ...WAYS.TCP!(), ...ADA, "-t", `${topic}/line`, "-l", "--will-topic", `${topic}/will`, ...args]);
    child.stdin!.write("one\n");
    const next = async (): Promise<string> => (await messages[Symbol.asyncIterator]().next()).value!.text();
    expect(await next()).toBe("one");
    const ended = Promise.all([once(child, "exit"), text(child.stderr!)]).then(([[code], stderr]) => [code, stderr]);
    return { child, client, topic, next, ended };
  }

  it("says DISCONNECT when it is stopped while it waits for lines, and how much is published", async () => {
    const { child, client, topic, next, ended } = await publishing();
    child.kill("SIGTERM");
    expect(await ended).toEqual([1, "durable-mqtt: It was stopped; 1 messages are published.\n"]);
    // A will would have come before.
    await client.publish(`${topic}/last`, "last", { qos: 1 });
    expect(await next()).toBe("last");
    await client.end();
  });

  it("does not wait for another line when the connection is lost", async () => {
    const id = unique("lost");
    const { client, ended } = await publishing(["-i", id]);
    await (await connect(broker.mqttUrl, { userName: "ada", password: "lovelace", clientId: id })).end();
    expect(await ended).toEqual([1, expect.stringMatching(/session taken over \(0x8e\), .*\. 1 messages before it are published\.\n$/)]);
    await client.end();
  });

  it("does not wait for another line when it is not let in", async () => {
    const child = spawnCommand(["pub", ...WAYS.WebSocket!(), "-u", "ada", "-P", "wrong", "-t", "a", "-l"]);
    child.stdin!.write("one\n");
    expect(await once(child, "exit")).toEqual([1, null]);
  });
});

describe("durable-mqtt sub", () => {
  it("prints objects for a program to read, bytes that are no text in Base64", async () => {
    const topic = unique("t");
    const { result } = await subscribed(["-t", topic, "-C", "3", "--json"]);
    const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
    await client.publish(topic, "text", { qos: 1, contentType: "a/b", userProperties: [["a", "b"]] });
    await client.publish(topic, Uint8Array.of(0xff, 0), { qos: 1 });
    await client.end();
    const [first, second] = (await result).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(first).toMatchObject({
      topic,
      payload: "text",
      qos: 0,
      retain: false,
      properties: { content_type: "a/b", user_properties: [["a", "b"]] },
    });
    expect(second).toMatchObject({ topic, payload: "/wA=", payload_encoding: "base64" });
    expect(second).not.toHaveProperty("properties");
  });

  it("prints bytes as they are, with nothing between them", async () => {
    const topic = unique("t");
    const { result } = await subscribed(["-t", topic, "-C", "3", "-N"]);
    const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
    for (const payload of ["a", "b"]) await client.publish(topic, payload, { qos: 1 });
    await client.end();
    expect((await result).stdout).toMatch(/ab$/);
  });

  it("leaves out what was retained", async () => {
    const topic = unique("t");
    await pub([...ADA, "-t", topic, "-m", "old", "-r", "-q", "1"]);
    const { code, stdout } = await sub([...ADA, "-t", topic, "-C", "1", "-W", "5s"]);
    expect([code, stdout]).toEqual([0, "old\n"]);
    const none = await sub([...ADA, "-t", topic, "-R", "-W", "500ms"]);
    expect(none).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("fails when less than was asked for came in time", async () => {
    const { code, stderr } = await sub([...ADA, "-t", unique("t"), "-C", "2", "-W", "300ms"]);
    expect([code, stderr]).toEqual([1, "durable-mqtt: 0 of 2 messages came in time.\n"]);
  });

  it("goes on with its session", async () => {
    const topic = unique("t");
    const kept = ["-t", topic, "-q", "1", "-c", "-i", unique("kept")];
    const first = await subscribed(kept);
    first.kill("SIGINT");
    expect((await first.result).code).toBe(0);
    await pub([...ADA, "-t", topic, "-m", "while it was away", "-q", "1"]);
    const { stdout } = await sub([...ADA, ...kept, "-C", "1", "-W", "10s"]);
    expect(stdout).toBe("while it was away\n");
  });

  it("leaves in its session what it has not printed", async () => {
    const kept = ["-t", unique("t"), "-q", "1", "-c", "-i", unique("kept")];
    const first = await subscribed(kept);
    first.kill("SIGTERM");
    await first.result;
    await pub([...ADA, "-t", kept[1]!, "-q", "1", "-l"], "a\nb\nc\n");
    for (const line of ["a", "b", "c"]) {
      const { code, stdout } = await sub([...ADA, ...kept, "-C", "1", "-W", "10s"]);
      expect([code, stdout]).toEqual([0, `${line}\n`]);
    }
  });

  it("ends when it is stopped before it is connected", async () => {
    const silent = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const connection = once(silent, "connection");
    const child = spawnCommand(["sub", "-L", `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`, "-t", "a"]);
    await connection;
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
    silent.close();
  });

  it("has its will published when it is killed, and none when it is stopped", async () => {
    const topic = unique("will");
    const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
    const wills = await client.subscribe(topic, { qos: 1 });
    const stopped = await subscribed(["--will-topic", topic, "--will-payload", "stopped"]);
    stopped.kill("SIGTERM");
    expect((await stopped.result).code).toBe(0);
    const killed = await subscribed(["--will-topic", topic, "--will-payload", "lost", "--will-qos", "1"]);
    killed.kill("SIGKILL");
    for await (const message of wills) {
      expect(message.text()).toBe("lost");
      break;
    }
    await client.end();
  });

  it("says what it may not subscribe to, and ends with 1", async () => {
    const { code, stderr } = await sub(["-u", "bob", "-P", "builder", "-t", "a/#"]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^durable-mqtt: .*a\/#.*not authorized \(0x87\).*\n$/)]);
  });

  it("ends without a word when nobody reads it any more", async () => {
    const topic = unique("t");
    const child = spawnCommand(
      ["sub", ...WAYS.WebSocket!(), ...ADA, "-t", topic, "-t", "ready/#"],
      {},
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let stderr = "";
    child.stderr!.on("data", (piece) => {
      stderr += String(piece);
    });
    await once(child.stdout!, "data");
    child.stdout!.destroy();
    const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
    const exited = once(child, "exit");
    const sending = setInterval(() => void client.publish(topic, "x".repeat(100_000)), 20);
    expect(await exited).toEqual([0, null]);
    clearInterval(sending);
    expect(stderr).toBe("");
    await client.end();
  });

  it("needs to know whose session it goes on with", async () => {
    const { code, stderr } = await callCommand(["sub", "-t", "a", "-c"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^durable-mqtt: -c needs the Client Identifier whose session it is: -i\. Try: /),
    ]);
  });
});
