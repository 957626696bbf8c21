/**
 * A deploy over a build of before, in workerd: the Worker as it was deployed then, and today's, side by side on the same storage, one kind of object
 * after the other, while MQTT.js publishes. Each step ends every connection, as a deploy that is not deferred does.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync } from "node:zlib";
import { Log, LogLevel, Miniflare, type MiniflareOptions } from "miniflare";
import mqtt, { type MqttClient } from "mqtt";
import { afterEach, describe, expect, test, vi } from "vitest";
import { bundleWorker, ROOT } from "../../scripts/build/bundle.ts";
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from "../../scripts/local/local-broker.ts";
import { PACKET_IDENTIFIER_NOT_FOUND } from "../../src/mqtt/reason-code.ts";
import { unique } from "../support/mqtt-client.ts";
import { within } from "../support/real-clients.ts";

const FOLDER = join(ROOT, "test", "fixtures", "builds");
const FORMER = readdirSync(FOLDER).filter((file) => file.endsWith(".js.gz"));

/** Messages of each publisher that are acknowledged in each step before the next one begins, with others on their way. */
const MESSAGES = 40;
const ON_THE_WAY = 4;
const PATIENCE_MS = 30_000;

type Build = "former" | "today";

interface Step {
  /** The Worker that takes the clients. */
  readonly edge: Build;
  readonly sessions: Build;
  readonly topics: Build;
}

const FORMERLY: Step = { edge: "former", sessions: "former", topics: "former" };
const TODAY: Step = { edge: "today", sessions: "today", topics: "today" };

const ends: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function optionsOf(
  scripts: Readonly<Record<Build, string>>,
  { edge, sessions, topics }: Step,
  data: string,
  port: number,
): MiniflareOptions {
  const worker = (name: Build): object => ({
    name,
    modules: [{ type: "ESModule", path: "worker.js", contents: scripts[name] }],
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: COMPATIBILITY_FLAGS,
    bindings: { TOPOLOGY: "sharded", SESSION_SHARDS: "2", TOPIC_SHARDS: "2", ALLOW_ANONYMOUS: "true", QUEUE_MESSAGES_MAX: "30000" },
    durableObjects: {
      SESSIONS: { className: "SessionObject", scriptName: sessions, useSQLite: true, unsafeUniqueKey: "sessions" },
      TOPICS: { className: "TopicObject", scriptName: topics, useSQLite: true, unsafeUniqueKey: "topics" },
    },
  });
  return {
    // The first one takes the clients.
    workers: [worker(edge), worker(edge === "today" ? "former" : "today")],
    durableObjectsPersist: data,
    host: "127.0.0.1",
    port,
    cf: false,
    log: new Log(LogLevel.NONE),
  } as MiniflareOptions;
}

function tablesOf(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const rows = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  database.close();
  return rows.map(({ name }) => String(name));
}

class Deployment {
  readonly #scripts: Readonly<Record<Build, string>>;
  readonly #data = mkdtempSync(join(tmpdir(), "durable-mqtt-former-"));
  readonly miniflare: Miniflare;
  url = "";
  #port = 0;

  private constructor(scripts: Readonly<Record<Build, string>>) {
    this.#scripts = scripts;
    this.miniflare = new Miniflare(optionsOf(scripts, FORMERLY, this.#data, 0));
    ends.push(async () => {
      await this.miniflare.dispose();
      rmSync(this.#data, { recursive: true, force: true });
    });
  }

  static async of(file: string): Promise<Deployment> {
    const former = gunzipSync(readFileSync(join(FOLDER, file))).toString();
    const deployment = new Deployment({ former, today: await bundleWorker("src/worker.ts") });
    const { port } = await deployment.miniflare.ready;
    deployment.#port = Number(port);
    deployment.url = `ws://127.0.0.1:${port}/mqtt`;
    return deployment;
  }

  async deploy(step: Step): Promise<void> {
    await this.miniflare.setOptions(optionsOf(this.#scripts, step, this.#data, this.#port));
  }

  /** The names of all tables that objects of a kind have. */
  tables(kind: "sessions" | "topics"): Set<string> {
    const folder = join(this.#data, kind);
    const files = readdirSync(folder).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
    return new Set(files.flatMap((name) => tablesOf(join(folder, name))));
  }
}

/** A client whose session is kept, and that comes back by itself. */
class Client {
  readonly id = unique("c");
  readonly got: string[] = [];
  readonly mqtt: MqttClient;

  constructor(url: string, will?: string) {
    this.mqtt = mqtt.connect(url, {
      ...(will === undefined
        ? {}
        : { will: { topic: will, payload: Buffer.from("gone"), qos: 1, retain: false, properties: { willDelayInterval: 3 } } }),
      clientId: this.id,
      clean: false,
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 3600 },
      reconnectPeriod: 50,
      resubscribe: false,
    });
    this.mqtt.on("message", (_topic, payload) => this.got.push(payload.toString()));
    // Each step ends the connection.
    this.mqtt.on("error", () => {});
    ends.push(() => this.mqtt.endAsync(true));
  }

  subscribe(filter: string, qos: 1 | 2): Promise<unknown> {
    return within(this.mqtt.subscribeAsync(filter, { qos }), `SUBSCRIBE ${filter}`, PATIENCE_MS);
  }

  async has(count: number): Promise<void> {
    const enough = (): boolean => new Set(this.got).size >= count;
    const come = new Promise<void>((resolve) => this.mqtt.on("message", () => enough() && resolve()));
    if (!enough()) await within(come, `${count} messages of ${this.got.length}`, PATIENCE_MS);
  }
}

/** A PUBREL that is sent again because its PUBCOMP was lost is answered like this, "not an error during recovery" [MQTT5 3.7.2.1]; to MQTT.js it is one. */
function isDone(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === PACKET_IDENTIFIER_NOT_FOUND)) throw error;
}

class Publisher {
  readonly client: Client;
  readonly published: string[] = [];
  readonly #topic: string;
  readonly #qos: 1 | 2;
  #acknowledged = 0;
  #heard: (() => void) | undefined;
  #ends = false;
  readonly #loops: Promise<void>[];

  constructor(url: string, topic: string, qos: 1 | 2) {
    this.client = new Client(url);
    this.#topic = topic;
    this.#qos = qos;
    this.#loops = Array.from({ length: ON_THE_WAY }, async () => {
      while (!this.#ends) {
        const text = `${topic} ${this.published.length}`;
        this.published.push(text);
        await this.client.mqtt.publishAsync(topic, text, { qos }).catch(isDone);
        this.#acknowledged += 1;
        this.#heard?.();
      }
    });
  }

  /** Resolves when so many more are acknowledged. */
  async goOn(count: number): Promise<void> {
    const until = this.#acknowledged + count;
    const heard = new Promise<void>((resolve) => {
      this.#heard = () => this.#acknowledged >= until && resolve();
    });
    await within(heard, `${count} acknowledgements`, PATIENCE_MS);
  }

  /** One more, when all others are done. */
  async last(): Promise<void> {
    const text = `${this.#topic} last`;
    this.published.push(text);
    await within(this.client.mqtt.publishAsync(this.#topic, text, { qos: this.#qos }), "the last acknowledgement", PATIENCE_MS);
  }

  async end(): Promise<void> {
    this.#ends = true;
    await within(Promise.all(this.#loops), "the last acknowledgements", PATIENCE_MS);
  }
}

describe.each(FORMER)("over the build %s", (file) => {
  test.each([
    ["Topic objects first", { edge: "former", sessions: "former", topics: "today" }],
    ["Session objects first", { edge: "today", sessions: "today", topics: "former" }],
  ] as const)("%s: nothing that was acknowledged is lost, and nothing comes twice at QoS 2", { timeout: 120_000 }, async (_, between) => {
    const deployment = await Deployment.of(file);
    const { url } = deployment;
    const [once, least, away, ...members] = Array.from({ length: 5 }, () => new Client(url)) as [Client, Client, Client, ...Client[]];
    await Promise.all([once.subscribe("t/2", 2), least.subscribe("t/1", 1), away.subscribe("t/+", 2), once.subscribe("wills", 1)]);
    await Promise.all(members.map((member) => member.subscribe("$share/g/t/2", 2)));
    await away.mqtt.publishAsync("kept/1", "retained", { qos: 1, retain: true });
    await away.mqtt.endAsync(true);
    const mortal = new Client(url, "wills");
    await mortal.subscribe("t/none", 1);
    const publishers = [new Publisher(url, "t/1", 1), new Publisher(url, "t/2", 2)] as const;
    const [atLeastOnce, exactlyOnce] = publishers;
    const goOn = (): Promise<unknown> => Promise.all(publishers.map((publisher) => publisher.goOn(MESSAGES)));
    await goOn();
    expect(deployment.tables("sessions")).toContain("will");
    await deployment.deploy(between);
    await goOn();
    expect([deployment.tables("sessions").has("will"), deployment.tables("topics").has("retained_body")]).toEqual([
      between.sessions === "former",
      between.topics === "today",
    ]);
    await deployment.deploy(TODAY);
    await goOn();
    await Promise.all(publishers.map((publisher) => publisher.end()));
    // Its will has moved with its row.
    await mortal.mqtt.endAsync(true, { reasonCode: 0x04 });
    const late = new Client(url);
    await late.subscribe("kept/#", 1);
    away.mqtt.reconnect();
    // What would come twice would come before these.
    for (const publisher of publishers) await publisher.last();
    const { length } = exactlyOnce.published;
    await Promise.all([
      late.has(1),
      least.has(atLeastOnce.published.length),
      once.has(length + 1),
      away.has(atLeastOnce.published.length + length),
    ]);
    await vi.waitFor(() => expect(members.flatMap(({ got }) => got).length).toBeGreaterThanOrEqual(length), PATIENCE_MS);
    expect(new Set(least.got)).toEqual(new Set(atLeastOnce.published));
    expect(once.got.filter((text) => text !== "gone")).toEqual(exactlyOnce.published);
    expect(once.got).toContain("gone");
    expect(away.got.filter((text) => text.startsWith("t/2"))).toEqual(exactlyOnce.published);
    expect(members.flatMap(({ got }) => got).toSorted()).toEqual(exactlyOnce.published.toSorted());
    expect(late.got).toEqual(["retained"]);
  });
});
