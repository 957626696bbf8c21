/**
 * A broker for tests in Node, under Miniflare: the one of the package, or a Worker with hooks. Miniflare, and esbuild for a Worker, are the
 * user's (whoever has wrangler has both) and are loaded when they are asked for, so that the test pool can load this module.
 */

import { type Client, type ConnectOptions, connect } from "../src/client/index.ts";
import type { CodeSettings } from "../src/settings.ts";
import type { WorkerModule } from "./modules.ts";

/** That of the platform for which the broker is tested; a test compares it with wrangler.toml. */
export const COMPATIBILITY_DATE = "2026-07-15";

/** Lines of the log that are kept. */
const LINES_MAX = 1000;

/** How long the end of a test waits for clients that have something unsettled, ms. */
const END_MS_MAX = 1000;

/** What kind of broker `startBroker` starts. */
export interface TestBrokerOptions {
  /**
   * Settings by the names of their variables (docs/settings.md). Without a Worker of your own the broker is open and in one object unless they
   * say otherwise: TOPOLOGY=compact, ALLOW_ANONYMOUS=true, NAMESPACES=*. With one, they are its variables and there are no others.
   */
  readonly settings?: CodeSettings;
  /**
   * The source of a Worker that calls `defineBroker` and exports its classes; it is bundled by esbuild. A path from the working directory, or
   * `new URL("../src/worker.ts", import.meta.url)`.
   */
  readonly worker?: string | URL;
  /** What the Worker gave as `path`, where its broker lives below one. */
  readonly path?: string;
  /** Any free one by default. */
  readonly port?: number;
  /** More options of Miniflare, such as `kvNamespaces` or `bindings`, for a Worker of your own. */
  readonly miniflare?: Readonly<Record<string, unknown>>;
  /** Takes each line that the Worker or the runtime logs; `lines` has them as well. */
  readonly log?: (line: string) => void;
}

/** A broker that runs on this machine until it is stopped. */
export interface TestBroker {
  /** For MQTT clients: `ws://127.0.0.1:PORT/mqtt`. */
  readonly url: string;
  /** For `fetch`: `http://127.0.0.1:PORT`, with the path of the broker. */
  readonly httpUrl: string;
  /** The latest lines of its log, up to 1000. */
  readonly lines: readonly string[];
  /** Connects a client that `stop` ends. */
  connect(options?: ConnectOptions): Promise<Client>;
  /** Ends its clients and the runtime. What it kept is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a broker with nothing in it, on a free port of 127.0.0.1.
 * @throws Error with sentences for a setting or option that is wrong, or for a Worker that cannot be built or does not start
 */
export async function startBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const { path = "" } = options;
  const lines: string[] = [];
  const miniflare = await runtimeOf(options, (line) => {
    lines.push(line);
    if (lines.length > LINES_MAX) lines.shift();
    options.log?.(line);
  });
  const clients = new Set<Client>();
  let stopped: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    await Promise.all([...clients].map((client) => client.end({ timeoutMs: END_MS_MAX })));
    await miniflare.dispose();
  };
  const stop = (): Promise<void> => {
    stopped ??= end();
    return stopped;
  };
  try {
    const httpUrl = `http://127.0.0.1:${(await miniflare.ready).port}${path}`;
    await expectHealth(httpUrl, lines);
    const url = `${httpUrl.replace("http", "ws")}/mqtt`;
    const open = async (connecting: ConnectOptions = {}): Promise<Client> => {
      const client = await connect(url, connecting);
      clients.add(client);
      client.on("closed", () => clients.delete(client));
      return client;
    };
    return { url, httpUrl, lines, connect: open, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function runtimeOf({ settings = {}, worker, port = 0, miniflare = {} }: TestBrokerOptions, log: (line: string) => void) {
  const { Log, LogLevel, Miniflare } = await loaded(import("miniflare"), "miniflare");
  const { createInterface } = await import("node:readline");
  const open = worker === undefined ? { TOPOLOGY: "compact", ALLOW_ANONYMOUS: "true", NAMESPACES: "*" } : {};
  const variables = Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  const { bindings, durableObjects, ...more } = miniflare as { bindings?: object; durableObjects?: object };
  const options: object = {
    modules: worker === undefined ? await ownWorker() : [{ type: "ESModule", path: "worker.js", contents: await bundled(worker) }],
    compatibilityDate: COMPATIBILITY_DATE,
    // MQTT packets are too small for it; see wrangler.toml.
    compatibilityFlags: ["no_web_socket_compression"],
    bindings: { ...open, ...Object.fromEntries(variables), ...bindings },
    durableObjects: {
      SESSIONS: { className: "SessionObject", useSQLite: true },
      TOPICS: { className: "TopicObject", useSQLite: true },
      DIRECTORY: { className: "DirectoryObject", useSQLite: true },
      ...durableObjects,
    },
    durableObjectsPersist: false,
    host: "127.0.0.1",
    port,
    cf: false,
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio: (...streams: NodeJS.ReadableStream[]) => {
      for (const input of streams) createInterface({ input }).on("line", log);
    },
    ...more,
  };
  return new Miniflare(options as ConstructorParameters<typeof Miniflare>[0]);
}

/** The module that lies beside this one in the package, and what it shares with others. */
async function ownWorker(): Promise<WorkerModule[]> {
  const { modulesOf } = await import("./modules.ts");
  return modulesOf(await pathOf(new URL("./testing-worker.js", import.meta.url)));
}

/** @param file a path, or a URL of a file */
async function pathOf(file: string | URL): Promise<string> {
  const { fileURLToPath } = await import("node:url");
  return String(file).startsWith("file:") ? fileURLToPath(String(file)) : String(file);
}

/** A Worker of the user as one module. */
async function bundled(worker: string | URL): Promise<string> {
  const { build } = await loaded(import("esbuild"), "esbuild");
  const { outputFiles } = await build({
    entryPoints: [await pathOf(worker)],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    sourcemap: "inline",
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

/** @throws Error that says what to install */
async function loaded<Module>(module: Promise<Module>, name: string): Promise<Module> {
  try {
    return await module;
  } catch (cause) {
    throw new Error(`durable-mqtt/testing needs the package ${name}: npm install --save-dev ${name}`, { cause });
  }
}

/** A Worker that starts may still have a setting that is wrong: each request is answered with the sentences then. */
async function expectHealth(url: string, lines: readonly string[]): Promise<void> {
  const answer = await fetch(`${url}/health`);
  const text = await answer.text();
  if (answer.status >= 500) throw new Error(`The broker does not serve: ${[text.trim(), ...lines].join("\n")}`);
}
