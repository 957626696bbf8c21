/**
 * `npm run bench`: this broker in its shapes beside aedes, on this machine, in one run, under the same load program. Prints deliveries
 * per second (medians) and ratios to aedes. Nothing here leaves the loopback interface.
 *
 * The rounds of all brokers take turns, so that a machine that slows down slows all of them.
 */

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Aedes } from "aedes";
import { createWebSocketStream, WebSocketServer } from "ws";
import { startBroker } from "../scripts/local-broker.ts";
import type { LoadOptions } from "./load.ts";

interface Contender {
  readonly name: string;
  readonly handOver: boolean;
  start(): Promise<{ url: string; stop(): Promise<void> }>;
}

function own(name: string, topology: "compact" | "sharded", handOver: boolean): Contender {
  return {
    name,
    handOver,
    async start() {
      const broker = await startBroker({ env: { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true" } });
      return { url: broker.mqttUrl, stop: () => broker.dispose() };
    },
  };
}

/** aedes in a process of its own, as it would run. */
const AEDES: Contender = {
  name: "aedes",
  handOver: false,
  start() {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "--serve-aedes"], { stdio: ["ignore", "pipe", "inherit"] });
    return new Promise((resolve) => {
      child.stdout.once("data", (url: Buffer) => {
        const stop = (): Promise<void> =>
          new Promise((stopped) => {
            child.once("exit", () => stopped());
            child.kill();
          });
        resolve({ url: url.toString().trim(), stop });
      });
    });
  },
};

async function serveAedes(): Promise<void> {
  const aedes = await Aedes.createBroker();
  const server = createServer();
  new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => aedes.handle(createWebSocketStream(socket)));
  server.listen(0, "127.0.0.1", () => console.log(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));
}

const CONTENDERS: readonly Contender[] = [
  AEDES,
  own("compact", "compact", false),
  own("sharded 4 + 4, handed over", "sharded", true),
  own("sharded 4 + 4, relayed", "sharded", false),
];

type Scenario = Pick<LoadOptions, "qos" | "publishers" | "subscribers" | "wants" | "outstanding"> & { readonly name: string };

const SCENARIOS: readonly Scenario[] = ([0, 1, 2] as const).flatMap((qos) => [
  { name: `10 pairs, QoS ${qos}`, qos, publishers: 10, subscribers: 10, wants: "pairs", outstanding: 200 },
  { name: `1 to 100, QoS ${qos}`, qos, publishers: 1, subscribers: 100, wants: "all", outstanding: 20 },
  { name: `50 to 1, QoS ${qos}`, qos, publishers: 50, subscribers: 1, wants: "all", outstanding: 500 },
]);

function measure(url: string, handOver: boolean, scenario: Scenario, seconds: number): Promise<number> {
  const { name, ...shape } = scenario;
  const options: LoadOptions = { ...shape, url, handOver, payloadBytes: 64, seconds };
  const program = join(import.meta.dirname, "load.ts");
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => {
      if (code === 0) resolve((JSON.parse(output) as { deliveriesPerSecond: number }).deliveriesPerSecond);
      else reject(new Error(`the load program failed in "${name}"`));
    });
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function main(rounds: number, seconds: number, only: string): Promise<void> {
  console.log(`Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores`);
  console.log(`64-byte payloads, MQTT 3.1.1, deliveries a second: medians of ${rounds} rounds of ${seconds} s; ratios to aedes\n`);
  console.log(`| scenario | ${CONTENDERS.map(({ name }) => name).join(" | ")} |`);
  console.log(`|---|${CONTENDERS.map(() => "---|").join("")}`);
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(only))) {
    const rates = new Map<Contender, number[]>(CONTENDERS.map((contender) => [contender, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const contender of CONTENDERS) {
        const { url, stop } = await contender.start();
        try {
          rates.get(contender)!.push(await measure(url, contender.handOver, scenario, seconds));
        } finally {
          await stop();
        }
      }
    }
    const base = median(rates.get(AEDES)!);
    const cells = CONTENDERS.map((contender) => {
      const rate = median(rates.get(contender)!);
      return contender === AEDES ? rate.toFixed(0) : `${rate.toFixed(0)} (${(rate / base).toFixed(2)} x)`;
    });
    console.log(`| ${scenario.name} | ${cells.join(" | ")} |`);
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    "serve-aedes": { type: "boolean", default: false },
  },
});
if (values["serve-aedes"]) await serveAedes();
else await main(Number(values.rounds), Number(values.seconds), values.only);
