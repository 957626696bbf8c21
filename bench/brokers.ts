/**
 * Who is measured: this broker in its shapes, aedes, mosquitto where it is installed, and two that are no brokers: a bare Durable Object
 * that passes the same frames on (the floor) and a server in Node that does the same (the ceiling of the load program). Each is a process
 * of its own on the loopback interface; what it used of the processor and of memory is read from /proc.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { Log, LogLevel, Miniflare } from "miniflare";
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, startBroker } from "../scripts/local/local-broker.ts";
import { startRuntime } from "../scripts/local/runtime-process.ts";
import type { Usage } from "../src/objects/meter.ts";
import type { Load, Target } from "./load/options.ts";

export interface Running {
  target(load: Load): Target;
  /** The server's process; its machine must have /proc for figures of it. */
  readonly processId: number | undefined;
  /** What is billed, of all objects together; only of this broker. */
  usage?(): Promise<Usage>;
  stop(): Promise<void>;
}

export interface Contender {
  readonly key: string;
  readonly name: string;
  /** Not a broker: what it cannot do is left out. */
  readonly mirror: boolean;
  /** Speaks MQTT 5.0. */
  readonly speaks5: boolean;
  start(env?: Readonly<Record<string, string>>): Promise<Running>;
}

const SHARDS = 4;

function own(key: string, name: string, topology: "compact" | "sharded", handOver: boolean): Contender {
  const start = async (env: Readonly<Record<string, string>> = {}): Promise<Running> => {
    const shards = { SESSION_SHARDS: String(SHARDS), TOPIC_SHARDS: String(SHARDS) };
    const broker = await startBroker({ env: { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true", ...shards, ...env } });
    return {
      target: () => ({ url: broker.mqttUrl, idInUrl: handOver }),
      processId: broker.processId,
      usage: () => broker.usage(),
      stop: () => broker.dispose(),
    };
  };
  return { key, name, mirror: false, speaks5: true, start };
}

function endWithThis(child: ChildProcess): void {
  const end = (): void => void child.kill();
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
}

/** A server of bench/servers in a process of its own; it prints its URL when it listens. */
export async function serve(file: string): Promise<{ url: string; processId: number | undefined; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "servers", file)], { stdio: ["ignore", "pipe", "inherit"] });
  endWithThis(child);
  const [url] = (await once(child.stdout, "data")) as [Buffer];
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
  };
  return { url: url.toString().trim(), processId: child.pid, stop };
}

export const AEDES: Contender = {
  key: "aedes",
  name: "aedes",
  mirror: false,
  speaks5: false,
  async start() {
    const { url, ...rest } = await serve("aedes.ts");
    return { target: () => ({ url, idInUrl: false }), ...rest };
  },
};

/**
 * As it comes, but for two bounds: by default mosquitto drops messages above a thousand, and closes the connection of a 3.1.1 client that
 * has more than twenty QoS 2 messages under way. The second listener is for versions that do not start with WebSockets alone (2.0.11).
 */
const MOSQUITTO: Contender = {
  key: "mosquitto",
  name: "mosquitto",
  mirror: false,
  speaks5: true,
  async start() {
    const [port, unusedPort] = [await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-bench-"));
    const file = join(folder, "mosquitto.conf");
    const lines = ["allow_anonymous true", "persistence false", "max_queued_messages 0", "max_inflight_messages 100", "log_dest none"];
    writeFileSync(file, [`listener ${port} 127.0.0.1`, "protocol websockets", `listener ${unusedPort} 127.0.0.1`, ...lines, ""].join("\n"));
    const child = spawn("mosquitto", ["-c", file], { stdio: "ignore", env: mosquittoEnv() });
    endWithThis(child);
    const ended = once(child, "exit");
    await listening(port);
    const stop = async (): Promise<void> => {
      child.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    };
    return { target: () => ({ url: `ws://127.0.0.1:${port}`, idInUrl: false }), processId: child.pid, stop };
  },
};

/** Distributions install it where only root looks. */
function mosquittoEnv(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };
}

/** @returns undefined where it is not installed */
export function mosquittoVersion(): string | undefined {
  const { stdout } = spawnSync("mosquitto", ["-h"], { encoding: "utf8", env: mosquittoEnv() });
  return /version (\S+)/.exec(stdout ?? "")?.[1];
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

async function listening(port: number): Promise<void> {
  for (const deadline = Date.now() + 5000; ; ) {
    try {
      await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(200) });
      return;
    } catch (error) {
      // It listens, but does not answer HTTP.
      if ((error as { cause?: { code?: string } }).cause?.code !== "ECONNREFUSED") return;
      if (Date.now() > deadline) throw new Error("mosquitto does not listen");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A load's path at a server that passes frames on. */
function mirrorPath(load: Load): string {
  if (load.kind === "send") return "/discard";
  return "wants" in load && load.wants !== "pairs" ? "/all" : "/pairs";
}

/** A bare Durable Object in the same runtime, started in the same way. @param way of its sockets, the beginning of the path */
function bare(key: string, name: string, way: string): Contender {
  const start = async (): Promise<Running> => {
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, "servers", "mirror-object.ts")],
      bundle: true,
      write: false,
      format: "esm",
      external: ["cloudflare:*"],
    });
    const { miniflare, runtime } = await startRuntime(
      () =>
        new Miniflare({
          name: "mirror",
          modules: [{ type: "ESModule", path: "worker.js", contents: outputFiles[0]!.text }],
          compatibilityDate: COMPATIBILITY_DATE,
          compatibilityFlags: COMPATIBILITY_FLAGS,
          durableObjects: { MIRRORS: { className: "MirrorObject", useSQLite: true } },
          durableObjectsPersist: false,
          host: "127.0.0.1",
          port: 0,
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
          cf: false,
          log: new Log(LogLevel.NONE),
        }),
    );
    const { port } = await miniflare.unsafeGetDirectURL();
    return {
      target: (load) => ({ url: `ws://127.0.0.1:${port}${way}${mirrorPath(load)}`, idInUrl: true }),
      processId: runtime.id,
      stop: async () => {
        await miniflare.dispose();
        runtime.forget();
      },
    };
  };
  return { key, name, mirror: true, speaks5: true, start };
}

const CEILING: Contender = {
  key: "ceiling",
  name: "no broker",
  mirror: true,
  speaks5: true,
  async start() {
    const { url, ...rest } = await serve("ceiling.ts");
    return { target: (load) => ({ url: `${url}${mirrorPath(load)}`, idInUrl: true }), ...rest };
  },
};

const FLOOR = bare("floor", "bare object", "");
const BARE_RELAY = bare("relay", "bare relay", "/relayed");

export const COMPACT = own("compact", "compact", "compact", false);
export const HANDED_OVER = own("handed", "sharded 4 + 4, handed over", "sharded", true);
export const RELAYED = own("relayed", "sharded 4 + 4, relayed", "sharded", false);
export const OWN: readonly Contender[] = [COMPACT, HANDED_OVER, RELAYED];

/** All of them, in the order of the report. */
export function contenders(): Contender[] {
  return [...OWN, AEDES, ...(mosquittoVersion() === undefined ? [] : [MOSQUITTO]), FLOOR, BARE_RELAY, CEILING];
}

export interface ProcessFigures {
  /** Seconds of processor time, all threads together, since the process began. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** @returns undefined where there is no /proc */
export function processFigures(processId: number | undefined): ProcessFigures | undefined {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, "utf8");
    // The name may contain anything; what follows it does not.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${processId}/status`, "utf8"));
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, memoryBytes: Number(resident?.[1] ?? 0) * 1024 };
  } catch {
    return undefined;
  }
}
