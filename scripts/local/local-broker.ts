/**
 * The broker on one's own machine: the Worker of a deploy, in workerd, driven by Miniflare directly. `npm start` and every test over a
 * real socket use it. (`wrangler dev` would pass each frame through Node, which costs most of the speed.)
 *
 * Clients talk to workerd's own socket (`unsafeDirectSockets`), not to Miniflare's entry: one hop less for each frame, and nothing of
 * Miniflare's own endpoints can be reached from outside this machine.
 */

import { randomUUID } from "node:crypto";
import { lookup } from "node:dns/promises";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { CoreHeaders, Log, LogLevel, Miniflare } from "miniflare";
import { DEFAULT_NAMESPACE } from "../../src/edge/answers.ts";
import { type Gateway, startGateway } from "../../src/gateway/gateway.ts";
import { textOf } from "../../src/gateway/journal.ts";
import type { Usage } from "../../src/objects/meter.ts";
import { objectsOf } from "../../src/objects/names.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { buildPage, PAGE_FOLDER, type WorkerModule, workerModules } from "../build/bundle.ts";
import { DataFolder } from "./data-folder.ts";
import { type Space, spaceOf } from "./disk-room.ts";
import { WORKER_NAME } from "./object-names.ts";
import { startRuntime } from "./runtime-process.ts";
import { StartProblem } from "./start-problem.ts";
import { topologyNote } from "./topology-note.ts";
import { Watch } from "./watch.ts";
import { ADDRESS_HEADER, COLLECT_PATH, CONTROL_HEADER } from "./worker-paths.ts";

/** As in wrangler.toml; a test compares them. */
export const COMPATIBILITY_DATE = "2026-07-15";
export const COMPATIBILITY_FLAGS = ["no_web_socket_compression"];

// Miniflare has workerd read `request.cf` from a header of this name, which anybody may send. Without such a name workerd says there itself
// where the other end of the socket is; nothing else of Miniflare that is used here needs it (seen in 4.2026, a test would notice).
Object.assign(CoreHeaders, { CF_BLOB: undefined });

/** How long clients over TCP may take to close when the broker ends, ms. */
const TCP_END_MS = 1000;

/** The Worker as it runs here; see there what it does beside that of a deploy. */
const WORKER_SOURCE = "scripts/local/worker.ts";

export interface BrokerOptions {
  /** The port for HTTP and WebSocket; 0 (the default) takes any free one. */
  readonly port?: number;
  /** The address to listen on, a name or an IP address; 127.0.0.1 by default. */
  readonly host?: string;
  /** The folder where sessions and retained messages are kept; without it they are gone after `dispose`. */
  readonly data?: string | undefined;
  /** Starts although databases in the data folder are damaged or gone: they are set aside, and what was in them is lost. */
  readonly acceptLoss?: boolean | undefined;
  /** The port for MQTT over TCP, 0 for any free one; without it there is no such listener. */
  readonly tcpPort?: number | undefined;
  /** Settings by variable name; what is missing has its default of a deploy, except TOPOLOGY=compact and NAMESPACES=*. */
  readonly env?: Readonly<Record<string, string>>;
  /** Tells how much room the disk of the data folder has; by default the system is asked. */
  readonly diskSpace?: (() => Space) | undefined;
  /** Lets `collectGarbage` work, for measurements of memory; V8 has to be told `--expose-gc` (MINIFLARE_WORKERD_V8_FLAGS). */
  readonly collectsGarbage?: boolean;
  /** Believes what `CF-Connecting-IP` of a request says of where its client is: for tests, and behind a proxy that sets it. */
  readonly trustsAddresses?: boolean;
  /** The source of a Worker, a module, that is bound as AUTH: it is asked who may connect. */
  readonly authWorker?: string | undefined;
  /** Takes each line that workerd or the Worker writes; by default they go to stderr. */
  readonly log?: (line: string) => void;
}

export interface Broker {
  /** http://host:port, reachable from this machine; its `/mqtt` takes WebSockets. */
  readonly url: string;
  /** ws://host:port/mqtt */
  readonly mqttUrl: string;
  readonly port: number;
  readonly tcpPort: number | undefined;
  /** The data folder was not there before, or empty. */
  readonly isNew: boolean;
  /** What its operator should know, in sentences; `/health` has them as well. */
  readonly notes: readonly string[];
  /** Resolves, with the reason in a sentence, when the broker had to end by itself; never after `dispose`. */
  readonly ended: Promise<string>;
  /** Asks at once what is asked every few seconds: whether all objects serve. Resolves when that, and what was to be told before, is done. */
  watched(): Promise<void>;
  /** The process of the runtime, in which all of the broker's work is done. */
  readonly processId: number | undefined;
  /** Ends every connection and the runtime; what was acknowledged is in the data folder. */
  dispose(): Promise<void>;
  /**
   * Kills the runtime as a crash would, at any moment, and resolves when it has been started again: the same port, the same storage
   * (without a data folder too), every connection gone.
   */
  crash(): Promise<void>;
  /** Frees what nobody needs any more: then what the process has in memory is what the broker holds. */
  collectGarbage(): Promise<void>;
  /** What the objects of the namespace `default` did that is billed, each since it woke, added up; not for an object per client. */
  usage(): Promise<Usage>;
}

export { StartProblem };

/**
 * Starts a broker.
 * @throws StartProblem for a wrong setting, a port that cannot be had, or a data folder that cannot be used
 */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const env = { TOPOLOGY: "compact", NAMESPACES: "*", ...options.env };
  const settings = parseSettings(env);
  if (Array.isArray(settings)) throw new StartProblem(settings.map((problem) => problem.sentence).join("\n"));
  const host = await addressOf(options.host ?? "127.0.0.1");
  await expectFreePort(host, options.port ?? 0, "--port");
  if (options.tcpPort !== undefined) await expectFreePort(host, options.tcpPort, "--tcp");
  const log = options.log ?? ((line) => console.error(line));
  const data = openData(options, settings as Settings, log);
  try {
    const [modules] = await Promise.all([workerModules(WORKER_SOURCE), buildPage()]);
    return await serve(modules, env, host, data, settings as Settings, { ...options, log });
  } catch (error) {
    data?.close();
    throw error;
  }
}

function openData({ data, acceptLoss = false }: BrokerOptions, settings: Settings, log: (line: string) => void): DataFolder | undefined {
  if (data === undefined) return undefined;
  const namespaces = settings.namespaces === "*" ? [DEFAULT_NAMESPACE] : settings.namespaces;
  const topicsWithObject = [settings, ...settings.previousShapes].flatMap((shape) => shape.topicsWithObject);
  return DataFolder.open({ path: resolve(data), acceptLoss, namespaces, topicsWithObject, log });
}

async function serve(
  modules: WorkerModule[],
  env: Record<string, string>,
  host: string,
  data: DataFolder | undefined,
  settings: Settings,
  options: BrokerOptions & { readonly log: (line: string) => void },
): Promise<Broker> {
  let restarted: (() => void) | undefined;
  let gateway: Gateway | undefined;
  const { log } = options;
  const note = data === undefined ? undefined : topologyNote(data, settings.topology);
  const notes = note === undefined ? [] : [note];
  const token = randomUUID();
  let watch: Watch | undefined;
  // Sockets that were closed need it, see src/objects/let-go.ts.
  process.env.MINIFLARE_WORKERD_V8_FLAGS ??= "--expose-gc";
  const { miniflare, runtime } = await startRuntime(
    () =>
      new Miniflare({
        workers: [
          {
            name: WORKER_NAME,
            modules,
            compatibilityDate: COMPATIBILITY_DATE,
            compatibilityFlags: COMPATIBILITY_FLAGS,
            bindings: {
              ...env,
              CONTROL_TOKEN: token,
              COLLECTS_GARBAGE: options.collectsGarbage === true,
              TRUSTS_ADDRESSES: options.trustsAddresses === true,
            },
            durableObjects: {
              SESSIONS: { className: "SessionObject", useSQLite: true },
              TOPICS: { className: "TopicObject", useSQLite: true },
              DIRECTORY: { className: "DirectoryObject", useSQLite: true },
            },
            serviceBindings: {
              ASSETS: "page",
              NOTES: () => Response.json(watch?.notes() ?? { notes }),
              ...(options.authWorker === undefined ? {} : { AUTH: "auth" }),
            },
            unsafeDirectSockets: [{ host, port: options.port ?? 0, proxy: true }],
          },
          ...(options.authWorker === undefined ? [] : [workerOf("auth", options.authWorker)]),
          {
            name: "page",
            modules: [{ type: "ESModule", path: "page.js", contents: "export default {}" }],
            compatibilityDate: COMPATIBILITY_DATE,
            compatibilityFlags: COMPATIBILITY_FLAGS,
            assets: { workerName: "page", directory: PAGE_FOLDER, routerConfig: { has_user_worker: false } },
          },
        ],
        durableObjectsPersist: data === undefined ? false : data.objects,
        host: "127.0.0.1",
        port: 0,
        cf: false,
        log: new Log(LogLevel.NONE),
        handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
          for (const stream of [stdout, stderr]) createInterface(stream).on("line", log);
        },
        unsafeHandleRuntimeRestart: () => {
          watch?.restarted();
          restarted?.();
        },
      }),
  );
  const dispose = async (): Promise<void> => {
    data?.unwatch();
    watch?.close();
    await gateway?.close(TCP_END_MS);
    await miniflare.dispose();
    runtime.forget();
    data?.settle();
    data?.close();
  };
  watch = new Watch({
    path: data?.path,
    look: data === undefined ? undefined : (options.diskSpace ?? (() => spaceOf(data.path))),
    token,
    fetch: (url, init) => miniflare.dispatchFetch(url, init),
    restart: () => runtime.kill(),
    log,
    notes,
  });
  const ended = new Promise<string>((resolve) => {
    data?.watch((sentence) => {
      // At once: what is acknowledged from here on would be lost.
      runtime.kill();
      void dispose().then(() => resolve(`${sentence} The broker has ended, because nothing that it acknowledges would be kept.`));
    });
  });
  try {
    const { port: portText } = await miniflare.unsafeGetDirectURL();
    const port = Number(portText);
    const local = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
    const url = `http://${local}:${port}`;
    const mqttUrl = `ws://${local}:${port}/mqtt`;
    if (options.tcpPort !== undefined) gateway = await listenTcp({ host, port: options.tcpPort, mqttUrl, token, log });
    return {
      url,
      mqttUrl,
      port,
      tcpPort: gateway?.ports[0],
      isNew: data?.isNew ?? true,
      notes,
      ended,
      get processId() {
        return runtime.id;
      },
      dispose,
      watched: () => watch!.ask(),
      crash: () =>
        new Promise((resolve) => {
          restarted = resolve;
          runtime.kill();
        }),
      async collectGarbage() {
        const { ok } = await fetch(url + COLLECT_PATH);
        if (!ok) throw new Error("This broker was not started to collect garbage.");
      },
      usage: () => usageOf(miniflare, settings),
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

interface TcpOptions {
  readonly host: string;
  readonly port: number;
  readonly mqttUrl: string;
  /** With it the Worker believes where a client is. */
  readonly token: string;
  readonly log: (line: string) => void;
}

/** MQTT over TCP in front of the broker that runs here. */
function listenTcp({ host, port, mqttUrl, token, log }: TcpOptions): Promise<Gateway> {
  return startGateway({
    listeners: [{ host, port }],
    broker: {
      url: mqttUrl,
      // A hop less is worth nothing here, and a token that brings another Client Identifier needs the relay.
      handsOver: false,
      isSigned: false,
      headersOf: ({ address }) => ({ [CONTROL_HEADER]: token, [ADDRESS_HEADER]: address }),
    },
    log: (line) => void (line.kind === "problem" && log(textOf(line))),
  });
}

function workerOf(name: string, contents: string) {
  return { name, modules: [{ type: "ESModule" as const, path: `${name}.js`, contents }], compatibilityDate: COMPATIBILITY_DATE };
}

async function usageOf(miniflare: Miniflare, settings: Settings): Promise<Usage> {
  const total = { requests: 0, calls: 0, socketMessages: 0, alarms: 0, rowsRead: 0, rowsWritten: 0 };
  const add = async (binding: string, name: string): Promise<void> => {
    const namespace = await miniflare.getDurableObjectNamespace(binding);
    const stub = namespace.get(namespace.idFromName(name)) as unknown as { usage(): Promise<Usage> };
    const usage = await stub.usage();
    for (const [field, value] of Object.entries(usage)) total[field as keyof Usage] += value;
  };
  const { sessions, topics } = objectsOf(settings, "default");
  for (const name of sessions) await add("SESSIONS", name);
  for (const name of topics) await add("TOPICS", name);
  return total;
}

/** @returns the IP address of a host name, because workerd and the port check must mean the same one */
async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch {
    throw new StartProblem(`--host ${host} is not an address of this machine.`);
  }
}

/** workerd reports a port in use only in its log: so ask the system first. */
async function expectFreePort(host: string, port: number, option: string): Promise<void> {
  const probe = createServer();
  const code = await new Promise<string | undefined>((resolve) => {
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(undefined)));
  });
  if (code === undefined) return;
  if (code === "EADDRINUSE") throw new StartProblem(`Port ${port} on ${host} is in use; choose another one with ${option}.`);
  if (code === "EACCES") throw new StartProblem(`Port ${port} needs more rights than you have; choose one above 1023 with ${option}.`);
  if (code === "EADDRNOTAVAIL") throw new StartProblem(`--host ${host} is not an address of this machine.`);
  throw new StartProblem(`Port ${port} on ${host} cannot be used (${code}); choose another one with ${option}.`);
}
