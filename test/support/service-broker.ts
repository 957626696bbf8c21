/** The deployed Worker with a second one that is bound to its entrypoint (`fixtures/service/caller.ts`), under Miniflare, on every topology. */

import { Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, afterEach, beforeAll, describe } from "vitest";
import { bundleWorker } from "../../scripts/build/bundle.ts";
import { COMPATIBILITY_DATE } from "../../scripts/local/local-broker.ts";
import { type ConnectOptions, MqttTestClient, type OpenOptions, unique } from "./mqtt-client.ts";

export interface CallError {
  readonly name: string;
  readonly message: string;
  readonly reasonCode?: number;
  readonly isTypeError: boolean;
}

/** Of a call that went wrong. */
export class CallFailed extends Error {
  readonly error: CallError;

  constructor(error: CallError) {
    super(`${error.name}: ${error.message}`);
    this.error = error;
  }
}

export interface ServiceBroker {
  readonly topology: "compact" | "sharded";
  readonly miniflare: Miniflare;
  /** Has the second Worker call a method. @throws CallFailed with what the call has thrown there */
  // biome-ignore lint/suspicious/noExplicitAny: what is answered differs from method to method, and has gone through JSON
  call(method: string, ...args: readonly unknown[]): Promise<any>;
  /** A client that has said nothing yet; cut off after the test. */
  open(options?: OpenOptions & { readonly namespace?: string }): Promise<MqttTestClient>;
  /** The same whose CONNECT was accepted. */
  connect(options?: ConnectOptions & OpenOptions & { readonly namespace?: string }): Promise<MqttTestClient>;
}

/** @param env settings besides TOPOLOGY and ALLOW_ANONYMOUS; @param compatibilityFlags of both Workers */
export function describeService(
  body: (broker: ServiceBroker) => void,
  env: Readonly<Record<string, string>> = {},
  compatibilityFlags: readonly string[] = [],
): void {
  for (const topology of ["compact", "sharded"] as const) {
    describe(topology, () => {
      let miniflare: Miniflare;
      let url: string;
      let clients: MqttTestClient[] = [];
      beforeAll(async () => {
        miniflare = await start(
          { ALLOW_ANONYMOUS: "true", SESSION_SHARDS: "3", TOPIC_SHARDS: "2", ...env, TOPOLOGY: topology },
          compatibilityFlags,
        );
        url = (await miniflare.unsafeGetDirectURL("broker")).href.replace("http", "ws");
      });
      afterAll(() => miniflare.dispose());
      afterEach(() => {
        for (const client of clients) client.terminate();
        clients = [];
      });
      const open: ServiceBroker["open"] = async ({ namespace, ...options } = {}) => {
        const path = namespace === undefined ? "mqtt" : `${namespace}/mqtt`;
        const client = await MqttTestClient.open(`${url}${path}`, { ...options, clientId: options.clientId ?? unique("c") });
        clients.push(client);
        return client;
      };
      body({
        topology,
        get miniflare() {
          return miniflare;
        },
        async call(method, ...args) {
          const answer = await miniflare.dispatchFetch("http://caller/", { method: "POST", body: JSON.stringify({ method, args }) });
          const { value, error } = (await answer.json()) as { value?: unknown; error?: CallError };
          if (error !== undefined) throw new CallFailed(error);
          return value;
        },
        open,
        async connect(options = {}) {
          const client = await open(options);
          const { reasonCode } = await client.connect({ ...options, clientId: client.clientId });
          if (reasonCode !== 0) throw new Error(`CONNECT was refused with ${reasonCode}`);
          return client;
        },
      });
    });
  }
}

async function start(bindings: Readonly<Record<string, string>>, compatibilityFlags: readonly string[]): Promise<Miniflare> {
  const worker = async (name: string, source: string) => ({
    name,
    modules: [{ type: "ESModule" as const, path: `${name}.js`, contents: await bundleWorker(source) }],
    compatibilityDate: COMPATIBILITY_DATE,
  });
  const miniflare = new Miniflare({
    durableObjectsPersist: false,
    cf: false,
    log: new Log(LogLevel.NONE),
    workers: [
      {
        ...(await worker("caller", "test/fixtures/service/caller.ts")),
        compatibilityFlags: [...compatibilityFlags],
        serviceBindings: { MQTT: { name: "broker", entrypoint: "MqttService" }, BROKER: { name: "broker" } },
      },
      {
        ...(await worker("broker", "src/worker.ts")),
        bindings,
        compatibilityFlags: [...compatibilityFlags],
        durableObjects: {
          SESSIONS: { className: "SessionObject", useSQLite: true },
          TOPICS: { className: "TopicObject", useSQLite: true },
          DIRECTORY: { className: "DirectoryObject", useSQLite: true },
        },
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      },
    ],
  });
  await miniflare.ready;
  return miniflare;
}
