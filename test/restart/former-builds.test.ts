/**
 * A deploy over a build of before, in workerd: the Worker as it was deployed then, and today's, side by side on the same storage, one kind of object
 * after the other, while MQTT.js publishes, relayed and handed over. Each step ends every connection, as a deploy that is not deferred does.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";
import { Log, LogLevel, Miniflare, type MiniflareOptions } from "miniflare";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { bundleWorker, ROOT } from "../../scripts/build/bundle.ts";
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from "../../scripts/local/local-broker.ts";
import { PACKET_IDENTIFIER_NOT_FOUND, SERVER_UNAVAILABLE } from "../../src/mqtt/reason-code.ts";
import { unique } from "../support/mqtt-client.ts";
import { within } from "../support/real-clients.ts";
import { SECRET, seconds, signed } from "../support/tokens.ts";

const FOLDER = join(ROOT, "test", "fixtures", "builds");
const FORMER = readdirSync(FOLDER).filter((file) => file.endsWith(".js.gz"));

/** Messages of each publisher that are acknowledged in each step before the next one begins, with others on their way. */
const MESSAGES = 20;
const ON_THE_WAY = 4;
const PATIENCE_MS = 30_000;
const LONG = { timeout: 120_000 };

/** Of all clients: without what it says they may do nothing. */
const LOGIN = signed({
  sub: "ada",
  exp: seconds(3600),
  acl: [{ permission: "allow", action: "all", topics: ["t/#", "wills", "posted", "kept/#"] }],
});

/** Of the HTTP API. */
const TOKEN = "token-of-the-test";
const API_TOKENS = JSON.stringify([
  { name: "test", sha256: createHash("sha256").update(TOKEN).digest("hex"), scopes: ["publish", "read"], namespaces: "*" },
]);

type Build = "former" | "today";

interface Step {
  /** The Worker that takes the clients. */
  readonly edge: Build;
  readonly sessions: Build;
  readonly topics: Build;
}

function stepOf(edge: Build, sessions: Build, topics: Build): Step {
  return { edge, sessions, topics };
}

const FORMERLY = stepOf("former", "former", "former");
const TODAY = stepOf("today", "today", "today");

const ends: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function optionsOf(
  scripts: Readonly<Record<Build, string>>,
  { edge, sessions, topics }: Step,
  data: string,
  port: number,
  logged: (line: string) => void,
): MiniflareOptions {
  const worker = (name: Build): object => ({
    name,
    modules: [{ type: "ESModule", path: "worker.js", contents: scripts[name] }],
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: COMPATIBILITY_FLAGS,
    bindings: {
      TOPOLOGY: "sharded",
      SESSION_SHARDS: "2",
      TOPIC_SHARDS: "2",
      JWT_SECRET: SECRET,
      JWT_FROM: "password,url",
      QUEUE_MESSAGES_MAX: "30000",
      API_TOKENS,
    },
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
    handleStructuredLogs: ({ message }: { message: string }) => logged(message),
  } as MiniflareOptions;
}

function rowsOf(file: string, query: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const rows = database.prepare(query).all();
  database.close();
  return rows.map((row) => Object.values(row).join(" "));
}

class Deployment {
  readonly #scripts: Readonly<Record<Build, string>>;
  readonly #data = mkdtempSync(join(tmpdir(), "durable-mqtt-former-"));
  readonly miniflare: Miniflare;
  readonly log: string[] = [];
  url = "";
  #port = 0;

  private constructor(scripts: Readonly<Record<Build, string>>) {
    this.#scripts = scripts;
    this.miniflare = new Miniflare(this.#options(FORMERLY));
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

  #options(step: Step): MiniflareOptions {
    return optionsOf(this.#scripts, step, this.#data, this.#port, (line) => void this.log.push(line));
  }

  async deploy(step: Step): Promise<void> {
    await this.miniflare.setOptions(this.#options(step));
  }

  #rows(kind: "sessions" | "topics", query: string): Set<string> {
    const folder = join(this.#data, kind);
    const files = readdirSync(folder).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
    return new Set(files.flatMap((name) => rowsOf(join(folder, name), query)));
  }

  /** The names of all tables that objects of a kind have. */
  tables(kind: "sessions" | "topics"): Set<string> {
    return this.#rows(kind, "SELECT name FROM sqlite_master WHERE type = 'table'");
  }

  /** What the tables of Session objects look like. */
  shapes(): Set<string> {
    return this.#rows("sessions", "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL");
  }

  /** Asks for a WebSocket that is handed over. @returns the status */
  async upgraded(clientId: string): Promise<number> {
    const socket = new WebSocket(urlFor(this.url, clientId), "mqtt");
    const [, { statusCode }] = await within(once(socket, "unexpected-response"), "an answer", PATIENCE_MS);
    socket.on("error", () => {});
    socket.terminate();
    return statusCode;
  }

  /** Publishes over the HTTP API. @returns the status */
  async post(topic: string, payload: string): Promise<number> {
    const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
    const url = `http://127.0.0.1:${this.#port}/api/v5/publish`;
    const { status } = await fetch(url, { method: "POST", headers, body: JSON.stringify({ topic, payload, qos: 2 }) });
    return status;
  }
}

type Way = "relayed" | "handed over";

/** Who comes there is handed over. */
function urlFor(url: string, clientId: string): string {
  return `${url}?clientId=${clientId}&token=${LOGIN}`;
}

/** A client that comes back by itself. */
function connect(url: string, way: Way, clientId: string, more: IClientOptions): MqttClient {
  const client = mqtt.connect(way === "relayed" ? url : urlFor(url, clientId), {
    clientId,
    ...(way === "relayed" ? { username: "ada", password: LOGIN } : {}),
    protocolVersion: 5,
    reconnectPeriod: 50,
    reconnectOnConnackError: true,
    resubscribe: false,
    ...more,
  });
  // Each step ends the connection.
  client.on("error", () => {});
  ends.push(() => client.endAsync(true));
  return client;
}

/** One whose session is kept. */
class Client {
  readonly id = unique("c");
  readonly got: string[] = [];
  readonly mqtt: MqttClient;

  constructor(url: string, way: Way, will?: string) {
    this.mqtt = connect(url, way, this.id, {
      ...(will === undefined
        ? {}
        : { will: { topic: will, payload: Buffer.from("gone"), qos: 1, retain: false, properties: { willDelayInterval: 3 } } }),
      clean: false,
      properties: { sessionExpiryInterval: 3600 },
    });
    this.mqtt.on("message", (_topic, payload) => this.got.push(payload.toString()));
  }

  subscribe(filters: string | string[], qos: 1 | 2): Promise<unknown> {
    return within(this.mqtt.subscribeAsync(filters, { qos }), `SUBSCRIBE ${filters}`, PATIENCE_MS);
  }

  async has(count: number): Promise<void> {
    const enough = (): boolean => new Set(this.got).size >= count;
    const come = new Promise<void>((resolve) => this.mqtt.on("message", () => enough() && resolve()));
    if (!enough()) await within(come, `${count} messages of ${this.got.length}`, PATIENCE_MS);
  }
}

/** Those of a topic. */
function ofTopic(texts: readonly string[], topic: string): string[] {
  return texts.filter((text) => text.startsWith(`${topic} `));
}

/** One with a clean session: it subscribes anew with each connection, to what comes from then on. */
class Visitor {
  /** What came over each of its connections. */
  readonly connections: string[][] = [];
  readonly topic: string;
  #subscribed: () => void = () => {};

  constructor(url: string, way: Way, topic: string) {
    this.topic = topic;
    const client = connect(url, way, unique("v"), { clean: true });
    client.on("connect", () => {
      this.connections.push([]);
      client.subscribe(topic, { qos: 2 }, (error) => error || this.#subscribed());
    });
    client.on("message", (_topic, payload) => this.connections.at(-1)!.push(payload.toString()));
  }

  /** Resolves when it has subscribed once more. */
  subscribed(): Promise<void> {
    const subscribed = new Promise<void>((resolve) => {
      this.#subscribed = resolve;
    });
    return within(subscribed, "a clean session", PATIENCE_MS);
  }

  /** Resolves when this has come over its present connection. */
  async has(text: string): Promise<void> {
    await vi.waitFor(() => expect(this.connections.at(-1)).toContain(text), PATIENCE_MS);
  }
}

/** A PUBREL that is sent again because its PUBCOMP was lost is answered like this, "not an error during recovery" [MQTT5 3.7.2.1]; to MQTT.js it is one. */
function isDone(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === PACKET_IDENTIFIER_NOT_FOUND)) throw error;
}

class Publisher {
  readonly client: Client;
  readonly published: string[] = [];
  readonly topic: string;
  readonly #qos: 1 | 2;
  #acknowledged = 0;
  #heard: (() => void) | undefined;
  #ends = false;
  readonly #loops: Promise<void>[];

  constructor(url: string, way: Way, topic: string, qos: 1 | 2) {
    this.client = new Client(url, way);
    this.topic = topic;
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
    const text = `${this.topic} last`;
    this.published.push(text);
    await within(this.client.mqtt.publishAsync(this.topic, text, { qos: this.#qos }), "the last acknowledgement", PATIENCE_MS);
  }

  async end(): Promise<void> {
    this.#ends = true;
    await within(Promise.all(this.#loops), "the last acknowledgements", PATIENCE_MS);
  }
}

/** What is published, and who hears it. */
class Load {
  readonly #deployment: Deployment;
  readonly #least: Client;
  /** Each hears what is published the other way. */
  readonly #relayed: Client;
  readonly #handedOver: Client;
  readonly #visitors: readonly Visitor[];
  readonly #members: readonly Client[];
  readonly #away: Client;
  readonly #mortal: Client;
  #publishers: readonly Publisher[] = [];
  /** Over the HTTP API. */
  readonly #posted: string[] = [];
  /** Kinds of objects that have had today's build. */
  readonly #updated = new Set<"sessions" | "topics">();

  private constructor(deployment: Deployment) {
    const { url } = deployment;
    this.#deployment = deployment;
    this.#least = new Client(url, "relayed");
    this.#relayed = new Client(url, "relayed");
    this.#handedOver = new Client(url, "handed over");
    this.#visitors = [new Visitor(url, "relayed", "t/2"), new Visitor(url, "handed over", "t/3")];
    this.#members = [new Client(url, "relayed"), new Client(url, "handed over")];
    this.#away = new Client(url, "relayed");
    this.#mortal = new Client(url, "relayed", "wills");
  }

  static async begun(file: string): Promise<Load> {
    const load = new Load(await Deployment.of(file));
    await load.#begin();
    return load;
  }

  async #begin(): Promise<void> {
    const { url } = this.#deployment;
    await Promise.all([
      this.#least.subscribe("t/1", 1),
      this.#relayed.subscribe(["t/3", "wills", "posted"], 2),
      this.#handedOver.subscribe(["t/2", "wills", "posted"], 2),
      ...this.#visitors.map((visitor) => visitor.subscribed()),
      ...this.#members.map((member) => member.subscribe("$share/g/t/2", 2)),
      this.#away.subscribe("t/+", 2),
      this.#mortal.subscribe("t/none", 1),
    ]);
    await this.#away.mqtt.publishAsync("kept/1", "retained", { qos: 1, retain: true });
    await this.#away.mqtt.endAsync(true);
    this.#publishers = [
      new Publisher(url, "relayed", "t/1", 1),
      new Publisher(url, "relayed", "t/2", 2),
      new Publisher(url, "handed over", "t/3", 2),
    ];
    await this.#goOn();
  }

  /** What was published at QoS 2, by its topic. */
  #published(topic: string): readonly string[] {
    return this.#publishers.find((publisher) => publisher.topic === topic)!.published;
  }

  async #goOn(): Promise<void> {
    // The next ones: their subscriptions stand.
    const awaited = this.#visitors.map(({ topic }) => `${topic} ${this.#published(topic).length}`);
    await Promise.all(this.#publishers.map((publisher) => publisher.goOn(MESSAGES)));
    await Promise.all(this.#visitors.map((visitor, index) => visitor.has(awaited[index]!)));
    await Promise.all(this.#visitors.map((visitor) => visitor.has(this.#published(visitor.topic).at(-1)!)));
    const text = `posted ${this.#posted.length}`;
    this.#posted.push(text);
    expect(await this.#deployment.post("posted", text)).toBe(200);
  }

  /** What the tables of Session objects look like. */
  tables(): Set<string> {
    return this.#deployment.shapes();
  }

  async #deploy(step: Step): Promise<void> {
    const subscribed = this.#visitors.map((visitor) => visitor.subscribed());
    await this.#deployment.deploy(step);
    await Promise.all(subscribed);
  }

  async deploy(step: Step): Promise<void> {
    await this.#deploy(step);
    await this.#goOn();
    for (const kind of ["sessions", "topics"] as const) if (step[kind] === "today") this.#updated.add(kind);
    const had = [this.#deployment.tables("sessions").has("will"), this.#deployment.tables("topics").has("retained_body")];
    expect(had).toEqual([!this.#updated.has("sessions"), this.#updated.has("topics")]);
  }

  /** Of code that is older than the tables: nobody is let in, and the log says why. */
  async deployInVain(step: Step): Promise<void> {
    const refused = new Promise<void>((resolve) => {
      this.#relayed.mqtt.on("error", (error) => "code" in error && error.code === SERVER_UNAVAILABLE && resolve());
    });
    await this.#deployment.deploy(step);
    await within(refused, "a CONNACK", PATIENCE_MS);
    expect(await this.#deployment.upgraded(this.#handedOver.id)).toBe(500);
    expect(this.#deployment.log).toContainEqual(expect.stringMatching(/"stored data refused".*written by a newer version/));
  }

  /** Goes on with today's build, and ends. */
  async end(): Promise<void> {
    await this.#deploy(TODAY);
    // Its will has moved with its row.
    await this.#mortal.mqtt.endAsync(true, { reasonCode: 0x04 });
    await this.#goOn();
    await Promise.all(this.#publishers.map((publisher) => publisher.end()));
    const late = new Client(this.#deployment.url, "relayed");
    await late.subscribe("kept/#", 1);
    this.#away.mqtt.reconnect();
    // What would come twice would come before these.
    for (const publisher of this.#publishers) await publisher.last();
    await late.has(1);
    await this.#allCome();
    expect(late.got).toEqual(["retained"]);
    this.#compare();
  }

  async #allCome(): Promise<void> {
    const [first, second, third] = this.#publishers.map(({ published }) => published.length) as [number, number, number];
    const others = this.#posted.length + 1;
    await Promise.all([
      this.#least.has(first),
      this.#relayed.has(third + others),
      this.#handedOver.has(second + others),
      this.#away.has(first + second + third),
      ...this.#visitors.map((visitor) => visitor.has(`${visitor.topic} last`)),
    ]);
    await vi.waitFor(() => expect(this.#shared.length).toBeGreaterThanOrEqual(second), PATIENCE_MS);
  }

  get #shared(): string[] {
    return this.#members.flatMap(({ got }) => got);
  }

  #compare(): void {
    const [second, third] = [this.#published("t/2"), this.#published("t/3")];
    // At QoS 1 some may come again.
    expect([...new Set(this.#least.got)]).toEqual(this.#published("t/1"));
    expect(ofTopic(this.#relayed.got, "t/3")).toEqual(third);
    expect(ofTopic(this.#handedOver.got, "t/2")).toEqual(second);
    expect(ofTopic(this.#away.got, "t/2")).toEqual(second);
    expect(ofTopic(this.#away.got, "t/3")).toEqual(third);
    expect(this.#shared.toSorted()).toEqual(second.toSorted());
    for (const { got } of [this.#relayed, this.#handedOver]) {
      expect(ofTopic(got, "posted")).toEqual(this.#posted);
      expect(got).toContain("gone");
    }
    for (const { topic, connections } of this.#visitors) {
      for (const got of connections) {
        const published = this.#published(topic);
        const from = published.indexOf(got[0]!);
        expect(got).toEqual(published.slice(from, from + got.length));
      }
    }
  }
}

describe.each(FORMER)("over the build %s", (file) => {
  test("the Worker first, then Topic objects: nothing that was acknowledged is lost, and nothing comes twice at QoS 2", LONG, async () => {
    const load = await Load.begun(file);
    await load.deploy(stepOf("today", "former", "former"));
    await load.deploy(stepOf("today", "former", "today"));
    await load.end();
  });

  test("Session objects first, and back: the Worker may go back, and objects while their tables are the same", LONG, async () => {
    const load = await Load.begun(file);
    const before = load.tables();
    await load.deploy(stepOf("today", "today", "former"));
    await load.deploy(TODAY);
    await load.deploy(stepOf("former", "today", "today"));
    const fits = isDeepStrictEqual(load.tables(), before);
    await (fits ? load.deploy(FORMERLY) : load.deployInVain(FORMERLY));
    await load.end();
  });
});
