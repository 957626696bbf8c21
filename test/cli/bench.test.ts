/** `durable-mqtt bench` against a broker: what each scenario does, that it does no more than it was asked for, and what it says of it. */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { planOf } from "../../src/cli/bench-plan.ts";
import type { Result } from "../../src/cli/bench-report.ts";
import { Histogram } from "../../src/cli/histogram.ts";
import { Pace } from "../../src/cli/pace.ts";
import { connect } from "../../src/client/index.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNACK } from "../../src/mqtt/packet.ts";
import { quickHash } from "../auth/support.ts";
import { callCommand, spawnCommand } from "./support.ts";

let broker: Broker;

beforeAll(async () => {
  const users = [
    { user: "ada", password: await quickHash("lovelace"), publish: ["#"], subscribe: ["#"] },
    { user: "bob", password: await quickHash("builder"), publish: ["x"], subscribe: ["#"] },
  ];
  broker = await startBroker({ env: { USERS: JSON.stringify(users) }, tcpPort: 0 });
});
afterAll(() => broker.dispose());

const PASSWORD = { MQTT_PASSWORD: "lovelace" };

const call = (args: readonly string[], env: Record<string, string> = PASSWORD) =>
  callCommand(["bench", broker.mqttUrl, "-u", "ada", "--connect-rate", "1000", ...args], env);

async function resultOf(args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await call([...args, "--json"]);
  // How far it is, where it takes longer than a second.
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^(?:\d[^\n]* \.\.\.\n)*$/)]);
  return JSON.parse(stdout) as Result;
}

const sum = ({ published, missed }: Result): number => published!.count + missed;

describe("durable-mqtt bench", () => {
  it("p2p: each subscriber gets what its publisher publishes, and nobody publishes more than was asked for", async () => {
    const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
    const messages = await client.subscribe("here/+", { qos: 1 });
    const result = await resultOf([
      "--scenario",
      "p2p",
      "--count",
      "4",
      "--rate",
      "100",
      "--seconds",
      "1",
      "-q",
      "1",
      "--size",
      "100",
      "-t",
      "here",
    ]);
    await client.publish("here/last", "", { qos: 1 });
    const heard = [];
    for await (const message of messages) {
      if (message.topic === "here/last") break;
      heard.push(message);
    }
    await client.end();
    expect(result).toMatchObject({
      scenario: "p2p",
      publishers: 4,
      subscribers: 4,
      topics: 4,
      rate: 100,
      stopped: false,
      lost: 0,
      failed: 0,
      ok: true,
    });
    expect([sum(result), result.connected.count, result.subscribed!.count]).toEqual([100, 8, 4]);
    expect([result.acknowledged!.count, result.received!.count, heard.length]).toEqual(Array(3).fill(result.published!.count));
    expect(new Set(heard.map(({ payload }) => payload.length))).toEqual(new Set([100]));
    expect([...new Set(heard.map(({ topic }) => topic))].sort()).toEqual(["here/0", "here/1", "here/2", "here/3"]);
    for (const { ms } of [result.connected, result.acknowledged!, result.received!]) {
      const { p50, p95, p99, max } = ms!;
      expect([p50, p95, p99, max]).toEqual([p50, p95, p99, max].toSorted((a, b) => a - b));
      expect(p50).toBeGreaterThan(0);
    }
  });

  it.each([
    ["fanout-1-5-1-100", 1, 5, 5],
    ["fanout-2-5-2-100", 2, 5, 5],
    ["sharedsub-4-3-4-20", 4, 3, 1],
  ])("%s: as many copies of each message as there is meant to be", async (scenario, publishers, subscribers, copies) => {
    const result = await resultOf(["--scenario", scenario, "--seconds", "1", "-q", "1"]);
    expect(result).toMatchObject({ publishers, subscribers, lost: 0, ok: true });
    expect([sum(result), result.received!.count]).toEqual([20, result.published!.count * copies]);
  });

  it("pub and sub: half of it each", async () => {
    const pub = await resultOf(["--scenario", "pub", "--count", "2", "--rate", "50", "--seconds", "1", "-q", "2"]);
    expect([sum(pub), pub.acknowledged!.count, pub.subscribers, pub.received]).toEqual([50, pub.published!.count, 0, undefined]);
    const sub = await resultOf(["--scenario", "sub", "--count", "10", "--rate", "20", "--seconds", "1"]);
    expect([sub.connected.count, sub.subscribed!.count, sub.published]).toEqual([10, 10, undefined]);
  });

  it("tells people in a table", async () => {
    const args = ["--scenario", "p2p", "--count", "1", "--rate", "10", "--seconds", "1"];
    const { stdout } = await call(args);
    const [first, head, ...rows] = stdout.trimEnd().split("\n");
    expect(first).toMatch(/^p2p at ws:.*\/mqtt: 1 publisher, 1 subscriber, 1 topic, QoS 0, 16 bytes, 10 a second for 1 s$/);
    expect(head!.trim().split(/\s+/)).toEqual(["count", "/s", "mean", "p50", "p95", "p99", "max", "ms"]);
    expect(rows.map((row) => row.split(/[ ,]/)[0])).toEqual(["connected", "subscribed", "published", "received", "ok"]);
  });

  it("conn: makes connections in their time, holds them, and closes all", async () => {
    const connack = encodePacket({ type: CONNACK, sessionPresent: false, reasonCode: 0, properties: {} }, 5);
    const events: string[] = [];
    const server = createServer((socket) => {
      events.push("opened");
      socket.on("error", () => {});
      socket.once("data", () => socket.write(connack));
      socket.once("close", () => events.push("closed"));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const began = performance.now();
    const { code, stdout } = await callCommand(["bench", url, "--scenario", "conn-tcp-10-20", "--seconds", "1", "--json"]);
    // Whatever else this machine does, it is not sooner.
    expect(performance.now() - began).toBeGreaterThan(1000);
    server.close();
    await once(server, "close");
    const { connected, missed } = JSON.parse(stdout) as Result;
    expect([code, connected.count + missed]).toEqual([0, 10]);
    expect(events).toEqual(["opened", "closed", ...Array(connected.count).fill("opened"), ...Array(connected.count).fill("closed")]);
  });

  it("ends with what was measured when it is stopped, and leaves no session behind", async () => {
    const child = spawnCommand(
      [
        "bench",
        broker.mqttUrl,
        "-u",
        "ada",
        "--scenario",
        "p2p",
        "--count",
        "1",
        "--rate",
        "20",
        "--seconds",
        "3600",
        "-t",
        "stopped",
        "--json",
      ],
      PASSWORD,
    );
    const client = await connect(broker.mqttUrl, { userName: "ada", password: "lovelace" });
    const messages = await client.subscribe("stopped/+");
    const [said, exited] = [text(child.stdout!), once(child, "exit")];
    await messages[Symbol.asyncIterator]().next();
    child.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
    expect(JSON.parse(await said)).toMatchObject({ stopped: true, ok: true, failed: 0 });
    await client.end();
  });

  it("ends with 1 when it is not let in, and tries once; when a message is refused, with all that it measured", async () => {
    // After ten, nobody from this address would be let in for a while.
    const args = ["--scenario", "p2p", "--count", "50", "--rate", "10", "--seconds", "1", "-q", "1"];
    const refused = await call(args, { MQTT_PASSWORD: "wrong" });
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toMatch(/^durable-mqtt: ws:\S+: The server refused the connection: bad user name or password \(0x86\)[^\n]*\n$/);
    const bob = await callCommand(
      ["bench", broker.mqttUrl, "-u", "bob", "--scenario", "p2p", "--count", "1", "--rate", "5", "--seconds", "1", "-q", "1"],
      {
        MQTT_PASSWORD: "builder",
      },
    );
    expect(bob.code).toBe(1);
    expect(bob.stdout).toMatch(/\nfailed, \d failures, the first: Publish to \S+ was refused: not authorized \(0x87\)[^\n]*\n$/);
  });

  const ASKED = ["--scenario", "p2p", "--count", "1", "--rate", "1", "--seconds", "1"];
  it.each([
    [ASKED, /^Missing required argument 'url'/],
    [["ws://h", "--count", "1", "--rate", "1", "--seconds", "1"], /^Required option '--scenario <name>' not specified/],
    [["ws://h", "--scenario", "p2p", "--count", "1", "--rate", "1"], /^Required option '--seconds <n>' not specified/],
    [["ws://h", "--scenario", "p2p", "--count", "1", "--seconds", "1"], /^--rate is needed: how many messages in a second/],
    [["ws://h", "--scenario", "conn", "--rate", "1", "--seconds", "1"], /^--count is needed: how many clients\./],
    [
      ["ws://h", "--scenario", "p3p", ...ASKED.slice(2)],
      /^--scenario must be conn, pub, sub, p2p, fanout, sharedsub, or one of EMQ's names/,
    ],
    [["ws://h", ...ASKED, "--scenario", "conn", "--count", "100"], /^100 connections at 1 a second take longer than --seconds 1\./],
    [["ws://h", ...ASKED, "--scenario", "fanout", "--count", "10"], /^At that rate not one message is published in 1 s\./],
    [["ws://h", ...ASKED, "--scenario", "p2p-1-1-1-1"], /^p2p-1-1-1-1 says --count and --rate itself\./],
    [["ws://a:secret@h", ...ASKED], /^The URL must be one without a user/],
    [["ws://h", ...ASKED, "--size", "7"], /Expected a whole number from 8 to/],
  ])("ends with 2 and says what was expected: %j", async (args, sentence) => {
    const { code, stderr } = await callCommand(["bench", ...args]);
    expect(code).toBe(2);
    expect(stderr.slice("durable-mqtt: ".length)).toMatch(sentence);
    expect(stderr).not.toContain("secret");
  });
});

describe("names of EMQ", () => {
  it.each([
    ["p2p-1K-1K-1K-1K", "wss:", { kind: "p2p", publishers: 1000, subscribers: 1000, topics: 1000, rate: 1000, copies: 1 }],
    ["fanout-1-1k-1-1K", "ws:", { kind: "fanout", publishers: 1, subscribers: 1000, topics: 1, rate: 1, copies: 1000 }],
    ["sharedsub-1K-5-1K-1K", "ws:", { kind: "sharedsub", publishers: 1000, subscribers: 5, topics: 1000, rate: 1000, copies: 1 }],
    ["conn-tcp-10k-100", "mqtt:", { kind: "conn", publishers: 0, subscribers: 10_000, topics: 0, rate: 100, copies: 0 }],
    ["conn-ws-1.5k-100", "wss:", { kind: "conn", publishers: 0, subscribers: 1500, topics: 0, rate: 100, copies: 0 }],
  ])("%s", (scenario, protocol, plan) => {
    expect(planOf({ scenario }, protocol)).toEqual(plan);
  });

  it.each([
    ["conn-tcp-10k-100", "conn-tcp-10k-100 is for mqtt://, and the URL begins with ws://."],
    ["p2p-10-20-10-1", "p2p-10-20-10-1 must have as many subscribers as topics."],
    ["p2p-1-2-2-1", "p2p-1-2-2-1 has topics that nobody publishes to: expected no more topics than publishers."],
  ])("%s is none", (scenario, sentence) => {
    expect(() => planOf({ scenario }, "ws:")).toThrow(sentence);
  });

  it.each(["p2p-1", "p2p-1-1-1-0", "p2p-a-b-c-d", "conn-udp-1-1", "pub-1-1-1-1", "fanout-1-1.0005k-1-1", "p2p-", ""])(
    "%j is none",
    (scenario) => {
      expect(() => planOf({ scenario, count: undefined as never }, "ws:")).toThrow(/^--scenario must be /);
    },
  );
});

describe("a pace", () => {
  const looks = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 });
  it("never goes beyond its rate, whenever one looks, and tells of what was too late", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), looks, (rate, waits) => {
        const pace = new Pace(rate);
        const done: [number, number][] = [];
        let now = 0;
        for (const wait of waits) {
          now += wait;
          done.push([now, pace.due(now)]);
        }
        const all = done.reduce((count, [, due]) => count + due, 0);
        expect(all + pace.missed).toBe(done.length === 0 ? 0 : Math.floor((now * rate) / 1000) + 1);
        // In any second, but for what a timer may be late: a twentieth of it.
        for (const [begin] of done) {
          const within = done.filter(([at]) => at >= begin && at <= begin + 1000).reduce((count, [, due]) => count + due, 0);
          expect(within).toBeLessThanOrEqual(rate + Math.max(1, rate / 20) + 1);
        }
      }),
    );
  });
});

describe("a histogram", () => {
  it("tells percentiles within a hundredth", () => {
    const times = fc.array(
      fc.integer({ min: 1, max: 100_000_000 }).map((us) => us / 1000),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.95, 0.99, 1), (all, share) => {
        const histogram = new Histogram();
        for (const ms of all) histogram.add(ms);
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(all.length * share) - 1]!;
        expect(histogram.percentile(share) / exact).toBeGreaterThan(0.9999);
        expect(histogram.percentile(share) / exact).toBeLessThan(1.0101);
        expect(histogram.mean).toBeCloseTo(all.reduce((sum, ms) => sum + ms, 0) / all.length, 3);
      }),
    );
  });

  it("takes what took no time, and says 0 of nothing", () => {
    const histogram = new Histogram();
    expect([histogram.mean, histogram.percentile(0.5), histogram.max]).toEqual([0, 0, 0]);
    histogram.add(0);
    expect([histogram.count, histogram.percentile(0.99)]).toEqual([1, 0]);
  });
});
