/**
 * A Worker of somebody who embeds the broker (`fixtures/embed/worker.ts`), under Miniflare, on every shape of it. Its hooks ask the test what
 * to do: each call is kept here, and is answered by what the test has set for the hook, or by nothing (by `ignore` whether a client may connect).
 */

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, afterEach, beforeAll, describe } from "vitest";
import { bundleWorker } from "../../scripts/build/bundle.ts";
import { COMPATIBILITY_DATE } from "../../scripts/local/local-broker.ts";
import { sessionObjectName } from "../../src/objects/names.ts";
import type { ServicePublishOptions } from "../../src/service/contract.ts";
import type { Shape } from "./brokers.ts";
import { type ConnectOptions, MqttTestClient, type OpenOptions, unique, WAIT_MS } from "./mqtt-client.ts";

export interface HookCall {
  readonly hook: string;
  readonly namespace: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the hook was given, as JSON
  readonly args: readonly any[];
}

/** What a hook does. */
export interface HookAnswer {
  readonly value?: unknown;
  /** It throws this. */
  readonly error?: string;
  /** It publishes this before. */
  readonly publish?: { readonly topic: string; readonly payload: string };
}

type Answering = (call: HookCall) => HookAnswer | Promise<HookAnswer>;

/** Plays the hooks' part. */
export class Director {
  readonly calls: HookCall[] = [];
  readonly #answers = new Map<string, Answering>();
  #waiting: (() => void)[] = [];

  /** What the hook does from now on. */
  on(hook: string, answering: Answering): void {
    this.#answers.set(hook, answering);
  }

  /** The first call that fits, when it has come. */
  async call(hook: string, fits: (call: HookCall) => boolean = () => true): Promise<HookCall> {
    const endsAt = Date.now() + WAIT_MS;
    for (;;) {
      const found = this.calls.find((call) => call.hook === hook && fits(call));
      if (found !== undefined) return found;
      if (Date.now() > endsAt) throw new Error(`${hook} was not called; these were: ${JSON.stringify(this.calls).slice(0, 2000)}`);
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        setTimeout(resolve, endsAt - Date.now() + 1).unref();
      });
    }
  }

  /** Those of a hook that fit, so far. */
  all(hook: string, fits: (call: HookCall) => boolean = () => true): readonly HookCall[] {
    return this.calls.filter((call) => call.hook === hook && fits(call));
  }

  async asked(call: HookCall): Promise<HookAnswer> {
    this.calls.push(call);
    for (const resolve of this.#waiting.splice(0)) resolve();
    return (await this.#answers.get(call.hook)?.(call)) ?? (call.hook === "authenticate" ? { value: { result: "ignore" } } : {});
  }

  forget(): void {
    this.calls.length = 0;
    this.#answers.clear();
  }
}

export interface EmbeddedBroker {
  readonly shape: Shape;
  readonly url: string;
  readonly director: Director;
  /** What was logged. */
  readonly lines: readonly string[];
  open(options?: OpenOptions & { readonly query?: string }): Promise<MqttTestClient>;
  /** A client whose CONNECT was accepted; cut off after the test. */
  connect(options?: ConnectOptions & OpenOptions): Promise<MqttTestClient>;
  /** Publishes as another Worker. @returns the receipt, or the error */
  publish(topic: string, payload: string, options?: ServicePublishOptions): Promise<Record<string, unknown>>;
  /** A Client Identifier of the same Session object. */
  beside(clientId: string): string;
  /** Has the Session object of a client lose its memory and its sockets. */
  reset(clientId: string): Promise<void>;
}

const ALL: readonly Shape[] = ["compact", "sharded", "handed over"];

/** @param code settings in code, besides TOPOLOGY; @param env variables */
export function describeEmbedded(
  body: (broker: EmbeddedBroker) => void,
  code: Readonly<Record<string, string | number | boolean>> = {},
  env: Readonly<Record<string, string>> = {},
  shapes: readonly Shape[] = ALL,
): void {
  for (const shape of shapes) {
    describe(shape, () => {
      const director = new Director();
      const lines: string[] = [];
      let miniflare: Miniflare;
      let url: string;
      let clients: MqttTestClient[] = [];
      const topology = shape === "compact" ? "compact" : "sharded";
      beforeAll(async () => {
        miniflare = await startEmbedded({ ...code, TOPOLOGY: topology }, env, director, lines);
        url = `http://127.0.0.1:${(await miniflare.unsafeGetDirectURL()).port}/broker`;
      });
      afterAll(() => miniflare.dispose());
      afterEach(() => {
        for (const client of clients) client.terminate();
        clients = [];
        director.forget();
      });
      const objectOf = (clientId: string): string => sessionObjectName({ topology, sessionShards: 2 }, "default", clientId);
      const open: EmbeddedBroker["open"] = async ({ query = "", ...options } = {}) => {
        const clientId = options.clientId ?? unique("c");
        const place = shape === "handed over" ? `clientId=${encodeURIComponent(clientId)}&` : "";
        const client = await MqttTestClient.open(`${url.replace("http", "ws")}/mqtt?${place}${query}`, { ...options, clientId });
        clients.push(client);
        return client;
      };
      body({
        shape,
        director,
        lines,
        get url() {
          return url;
        },
        open,
        async connect(options = {}) {
          const client = await open(options);
          const { reasonCode, properties } = await client.connect(options);
          if (reasonCode !== 0) throw new Error(`CONNECT was refused with ${reasonCode} ${properties.reasonString ?? ""}`);
          return client;
        },
        async publish(...args) {
          const answer = await fetch(url.replace("/broker", "/publish"), { method: "POST", body: JSON.stringify(args) });
          return (await answer.json()) as Record<string, unknown>;
        },
        beside(clientId) {
          for (;;) {
            const other = unique("c");
            if (objectOf(other) === objectOf(clientId)) return other;
          }
        },
        async reset(clientId) {
          const namespace = await miniflare.getDurableObjectNamespace("SESSIONS");
          const name = objectOf(clientId);
          const stub = namespace.get(namespace.idFromName(name)) as unknown as { reset(): Promise<void> };
          await stub.reset().catch(() => {});
        },
      });
    });
  }
}

async function startEmbedded(
  code: Readonly<Record<string, string | number | boolean>>,
  env: Readonly<Record<string, string>>,
  director: Director,
  lines: string[],
): Promise<Miniflare> {
  const miniflare = new Miniflare({
    name: "embedding",
    modules: [{ type: "ESModule", path: "worker.js", contents: await bundleWorker("test/fixtures/embed/worker.ts") }],
    compatibilityDate: COMPATIBILITY_DATE,
    bindings: { ...env, CODE_SETTINGS: JSON.stringify(code) },
    durableObjects: {
      SESSIONS: { className: "SessionObject", useSQLite: true },
      TOPICS: { className: "TopicObject", useSQLite: true },
      DIRECTORY: { className: "DirectoryObject", useSQLite: true },
    },
    serviceBindings: {
      MQTT: { name: "embedding", entrypoint: "Entrypoint" },
      TEST: async (request: Request) => Response.json(await director.asked((await request.json()) as HookCall)) as never,
    },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    durableObjectsPersist: false,
    cf: false,
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      for (const stream of [stdout, stderr]) createInterface(stream).on("line", (line) => void lines.push(line));
    },
  });
  await miniflare.ready;
  return miniflare;
}
