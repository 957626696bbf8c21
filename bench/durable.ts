/**
 * `npm run bench:durable`: what messages for sessions that outlive their connection cost in rows, and how fast they are beside brokers
 * that store them too. Rows are those that the objects count themselves (`usage`). Nothing here leaves the loopback interface.
 *
 * What each contender has done when it sends PUBACK:
 * - durable-mqtt: the message is in SQLite (write-ahead log) and the commit is over; workerd on one's own machine syncs the log to the
 *   disk with each commit (seen with strace), on Cloudflare it is replicated.
 * - mosquitto with `persistence true` and `autosave_on_changes true`, `autosave_interval 1`: the message is in memory. A snapshot of
 *   everything is written after each change, in its own time, and not synced.
 * - aedes with aedes-persistence-level on classic-level: the message is written to the log of a LevelDB, which is not synced: it survives
 *   the end of the process, not of the machine.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { cpus, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Aedes } from "aedes";
import aedesPersistenceLevel from "aedes-persistence-level";
import { ClassicLevel } from "classic-level";
import { createWebSocketStream, WebSocketServer } from "ws";
import { startBroker } from "../scripts/local/local-broker.ts";
import { DurableClient } from "./durable-client.ts";

const MOSQUITTO = "/usr/sbin/mosquitto";

interface Running {
  readonly url: string;
  /** Rows written until now; NaN where the broker has none. */
  rows(): Promise<number>;
  stop(): Promise<void>;
}

interface Contender {
  readonly name: string;
  readonly handOver: boolean;
  /** @param folder where it may store */
  start(folder: string): Promise<Running>;
}

function own(name: string, topology: "compact" | "sharded", handOver: boolean): Contender {
  return {
    name,
    handOver,
    async start(folder) {
      const env = { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true" };
      const broker = await startBroker({ env, data: join(folder, "data") });
      return {
        url: broker.mqttUrl,
        rows: async () => (await broker.usage()).rowsWritten,
        stop: () => broker.dispose(),
      };
    },
  };
}

function running(url: string, child: ChildProcess): Running {
  const stop = (): Promise<void> =>
    new Promise((stopped) => {
      child.once("exit", () => stopped());
      child.kill();
    });
  return { url, rows: () => Promise.resolve(Number.NaN), stop };
}

const AEDES: Contender = {
  name: "aedes, LevelDB",
  handOver: false,
  start(folder) {
    const program = [fileURLToPath(import.meta.url), "--serve-aedes", join(folder, "level")];
    const child = spawn(process.execPath, program, { stdio: ["ignore", "pipe", "inherit"] });
    return new Promise((resolve) => child.stdout.once("data", (url: Buffer) => resolve(running(url.toString().trim(), child))));
  },
};

async function serveAedes(folder: string): Promise<void> {
  const db = new ClassicLevel(folder);
  await db.open();
  const aedes = await Aedes.createBroker({ persistence: aedesPersistenceLevel(db) });
  const server = createServer();
  new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => aedes.handle(createWebSocketStream(socket)));
  server.listen(0, "127.0.0.1", () => console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));
}

const MOSQUITTO_CONTENDER: Contender = {
  name: "mosquitto",
  handOver: false,
  async start(folder) {
    const port = await freePort();
    const file = join(folder, "mosquitto.conf");
    const lines = [
      // This version refuses to start with listeners for WebSocket alone.
      `listener ${await freePort()} 127.0.0.1`,
      `listener ${port} 127.0.0.1`,
      "socket_domain ipv4",
      "protocol websockets",
      "allow_anonymous true",
      "persistence true",
      `persistence_location ${folder}/`,
      "autosave_on_changes true",
      "autosave_interval 1",
      "max_queued_messages 10000",
      "max_inflight_messages 32",
      // Else it becomes another user where it may, one that can not write here.
      `user ${userInfo().username}`,
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    const child = spawn(MOSQUITTO, ["-c", file], { stdio: ["ignore", "ignore", "ignore"] });
    await untilListening(port);
    return running(`ws://127.0.0.1:${port}/mqtt`, child);
  },
};

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answers = await new Promise<boolean>((resolve) => {
      const socket = connectTcp(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      }).once("error", () => resolve(false));
    });
    if (answers) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}

const OWN: readonly Contender[] = [
  own("compact", "compact", false),
  own("sharded 4 + 4, handed over", "sharded", true),
  own("sharded 4 + 4, relayed", "sharded", false),
];

const PAYLOAD = new Uint8Array(64);

async function started(contender: Contender): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-bench-"));
  const broker = await contender.start(folder);
  return {
    ...broker,
    async stop() {
      await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until it is so. */
async function until(condition: () => boolean, clients: readonly DurableClient[]): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) {
      const counts = clients.map(({ published, acknowledged, received }) => ({ published, acknowledged, received }));
      throw new Error(`messages are missing: ${JSON.stringify(counts)}`);
    }
    await sleep(1);
  }
}

/** @returns rows a message while one publisher sends evenly at this rate and one durable subscriber acknowledges at once */
async function rowsAtRate(broker: Running, handOver: boolean, perSecond: number, seconds: number): Promise<number> {
  const subscriber = await DurableClient.connect(broker.url, handOver, `subscriber-${perSecond}`, false);
  await subscriber.subscribe(`rate/${perSecond}`);
  const publisher = await DurableClient.connect(broker.url, handOver, `publisher-${perSecond}`, true);
  let before: { readonly rows: number; readonly sent: number } | undefined;
  const count = perSecond * seconds;
  let next = performance.now();
  for (let sent = 0; sent < count; ) {
    // What could not be sent in time is left out: a burst would be another load.
    next = Math.max(next, performance.now() - 20);
    // Each message is a frame of its own, as clients send them.
    for (; next <= performance.now() && sent < count; sent += 1) {
      publisher.publish(`rate/${perSecond}`, PAYLOAD, 1);
      next += 1000 / perSecond;
    }
    // The first tenth warms up.
    if (before === undefined && sent >= count / 10) before = { sent, rows: await broker.rows() };
    await sleep(1);
  }
  await until(() => publisher.acknowledged === count && subscriber.received >= count, [publisher, subscriber]);
  const rows = (await broker.rows()) - before!.rows;
  publisher.close();
  subscriber.close();
  return rows / (count - before!.sent);
}

/** @returns rows and milliseconds to drain 1,000 messages that waited */
async function drain(broker: Running, handOver: boolean): Promise<{ rows: number; ms: number }> {
  const count = 1000;
  const away = await DurableClient.connect(broker.url, handOver, "drained", false);
  await away.subscribe("drain/1");
  away.close();
  await away.closed;
  const publisher = await DurableClient.connect(broker.url, handOver, "filler", true);
  for (let sent = 0; sent < count; sent += 100) {
    publisher.publish("drain/1", PAYLOAD, 100);
    await until(() => publisher.acknowledged === sent + 100, [publisher]);
  }
  const before = await broker.rows();
  const start = performance.now();
  const back = await DurableClient.connect(broker.url, handOver, "drained", false);
  await until(() => back.received === count, [publisher, back]);
  const ms = performance.now() - start;
  await back.roundTrip();
  const rows = (await broker.rows()) - before;
  for (const client of [publisher, back]) client.close();
  return { rows, ms };
}

/** @returns deliveries a second from publishers to durable subscribers that are online, each pair on a topic of its own */
async function throughput(broker: Running, handOver: boolean, pairs: number, seconds: number): Promise<number> {
  const outstanding = 200;
  const subscribers: DurableClient[] = [];
  const publishers: DurableClient[] = [];
  for (let each = 0; each < pairs; each += 1) {
    const subscriber = await DurableClient.connect(broker.url, handOver, `kept-${each}`, false);
    await subscriber.subscribe(`pairs/${each}`);
    subscribers.push(subscriber);
    publishers.push(await DurableClient.connect(broker.url, handOver, `sender-${each}`, true));
  }
  const received = (): number => subscribers.reduce((sum, subscriber) => sum + subscriber.received, 0);
  let from = 0;
  let before = 0;
  const start = performance.now();
  for (;;) {
    const elapsed = (performance.now() - start) / 1000;
    if (from === 0 && elapsed > 1) [from, before] = [performance.now(), received()];
    if (elapsed > 1 + seconds) break;
    for (const [index, publisher] of publishers.entries()) {
      const open = publisher.published - Math.min(publisher.acknowledged, subscribers[index]!.received);
      const room = Math.floor(outstanding / pairs) - open;
      if (room > 0) publisher.publish(`pairs/${index}`, PAYLOAD, room);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const rate = (received() - before) / ((performance.now() - from) / 1000);
  for (const client of [...publishers, ...subscribers]) client.close();
  return rate;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function printRows(seconds: number): Promise<void> {
  console.log("| rows written, QoS 1 to one durable subscriber | at 100 messages/s, each | at 2,000 messages/s, each | to drain 1,000 |");
  console.log("|---|---|---|---|");
  for (const contender of OWN) {
    const broker = await started(contender);
    try {
      const slow = await rowsAtRate(broker, contender.handOver, 100, seconds);
      const fast = await rowsAtRate(broker, contender.handOver, 2000, seconds);
      const { rows } = await drain(broker, contender.handOver);
      console.log(`| ${contender.name} | ${slow.toFixed(2)} | ${fast.toFixed(2)} | ${rows} |`);
    } finally {
      await broker.stop();
    }
  }
}

async function printThroughput(rounds: number, seconds: number): Promise<void> {
  const contenders = [...(existsSync(MOSQUITTO) ? [MOSQUITTO_CONTENDER] : []), AEDES, ...OWN];
  console.log("\n| QoS 1 to durable subscribers, medians | 1 pair, deliveries/s | 10 pairs, deliveries/s | drain 1,000, ms |");
  console.log("|---|---|---|---|");
  const results = new Map(contenders.map((contender) => [contender, { one: [] as number[], ten: [] as number[], drain: [] as number[] }]));
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of contenders) {
      const { one, ten, drain: drained } = results.get(contender)!;
      for (const [pairs, rates] of [
        [1, one],
        [10, ten],
      ] as const) {
        const broker = await started(contender);
        try {
          rates.push(await throughput(broker, contender.handOver, pairs, seconds));
          if (pairs === 1) drained.push((await drain(broker, contender.handOver)).ms);
        } finally {
          await broker.stop();
        }
      }
    }
  }
  for (const [{ name }, { one, ten, drain: drained }] of results) {
    console.log(`| ${name} | ${median(one).toFixed(0)} | ${median(ten).toFixed(0)} | ${median(drained).toFixed(0)} |`);
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    "rows-only": { type: "boolean", default: false },
    "serve-aedes": { type: "string" },
  },
});
if (values["serve-aedes"] !== undefined) await serveAedes(values["serve-aedes"]);
else {
  console.log(
    `Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores; 64-byte payloads, MQTT 3.1.1\n`,
  );
  await printRows(Number(values.seconds));
  if (!values["rows-only"]) await printThroughput(Number(values.rounds), Number(values.seconds));
}
