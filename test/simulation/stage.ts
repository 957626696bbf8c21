/**
 * The real hosts over a clock that moves when it is told, without chance: for what a budget or a delay is about. A call between objects
 * takes CALL_MS each way; an object that is out of reach lets every call to it fail.
 */

import { concatenate, EMPTY_BYTES } from "../../src/mqtt/bytes.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  CONNECT,
  NO_PROPERTIES,
  type Packet,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type Publish,
  type QoS,
  SUBSCRIBE,
  UNSUBSCRIBE,
  type Will,
} from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { LocalRouter } from "../../src/objects/local-router.ts";
import { Meter } from "../../src/objects/meter.ts";
import { sessionObjectName } from "../../src/objects/names.ts";
import type { WorkersCode } from "../../src/objects/object-hooks.ts";
import { RemoteRouter } from "../../src/objects/remote-router.ts";
import { SessionHost, type SessionHostOptions } from "../../src/objects/session-host.ts";
import { TopicHost } from "../../src/objects/topic-host.ts";
import type { RoutingStore } from "../../src/routing/ports.ts";
import type { Runtime } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";
import type { Reported } from "../../src/session/system-totals.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { SLICES, type Slices } from "../../src/work-limits.ts";
import { SqliteRows } from "./rows.ts";
import { notHeld } from "./still-runtime.ts";

const CALL_MS = 1;

interface Waiting {
  readonly at: number;
  readonly run: () => void;
  /** The platform's own: an object sleeps while it runs. */
  readonly isAlarm?: boolean;
}

/** Nothing ever moves here. */
function alone(): never {
  throw new Error("no object asks another of its kind for anything");
}

/** One life of a Topic object. */
interface StageTopic {
  readonly host: TopicHost;
  /** Rejects when this life ends. */
  readonly ended: Promise<never>;
  end(): void;
}

export class Stage {
  now = 1_800_000_000_000;
  /** Objects that start from now on have these. */
  settings: Settings;
  /** Called after each event of an object. */
  stepped: () => void = () => {};
  /** Names of objects that can't be called. */
  readonly unreachable = new Set<string>();
  readonly #meters = new Map<string, Meter>();
  readonly #sessions = new Map<string, { readonly host: SessionHost; end(): void }>();
  readonly #topics = new Map<string, StageTopic>();
  readonly #routes = new Map<string, MemoryRoutingStore>();
  /** Of compact objects: each life of one has a store of its own, which has not counted yet what is there. */
  readonly #rows = new Map<string, SqliteRows>();
  /** The open ones of each Session object. */
  readonly #sockets = new Map<string, Set<WebSocket>>();
  readonly #stored = new Map<string, MemorySessionStore>();
  /** When Session objects are to be woken, milliseconds since the epoch. */
  readonly #alarms = new Map<string, number>();
  #waiting: Waiting[] = [];
  #lives = 0;
  readonly #code: WorkersCode | undefined;
  readonly #slices: Slices;

  /** @param code what a Worker's author has defined */
  constructor(env: Record<string, string>, code?: WorkersCode, slices = SLICES) {
    this.#code = code;
    this.#slices = slices;
    this.settings = parseSettings({ ALLOW_ANONYMOUS: "true", ...env }) as Settings;
  }

  readonly #runtime: Runtime = {
    now: () => this.now,
    after: (ms, run) => {
      const waiting = { at: this.now + ms, run };
      this.#waiting.push(waiting);
      return {
        cancel: () => {
          this.#waiting = this.#waiting.filter((other) => other !== waiting);
        },
      };
    },
    incarnation: () => "1",
  };

  /** Lets time pass; everything that falls due happens at its time. */
  async advance(ms: number): Promise<void> {
    const until = this.now + ms;
    while (await this.#next(until));
    this.now = until;
  }

  /** What falls due next happens. @returns false when that is nothing until this time */
  async #next(until: number): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    const next = this.#waiting.reduce<Waiting | undefined>(
      (first, each) => (first === undefined || each.at < first.at ? each : first),
      undefined,
    );
    if (next === undefined || next.at > until) return false;
    this.#waiting = this.#waiting.filter((other) => other !== next);
    this.now = Math.max(this.now, next.at);
    next.run();
    this.stepped();
    return true;
  }

  /** The same until something is so, or fails after a minute. */
  async advanceUntil(isSo: () => boolean): Promise<void> {
    for (let step = 0; !isSo(); step += 1) {
      if (step > 60_000) throw new Error("it is not so after a minute");
      await this.#next(this.now + 1000);
    }
  }

  /** What all objects were billed for. */
  get rowsWritten(): number {
    return [...this.#meters.values()].reduce((sum, { rowsWritten }) => sum + rowsWritten, 0);
  }

  /** Timers that run: what they run for keeps its object awake. */
  get timers(): number {
    return this.#waiting.filter(({ isAlarm }) => isAlarm !== true).length;
  }

  /** What Topic objects have rows of. */
  get routes(): number {
    return [...this.#routes.values()].reduce((sum, store) => sum + store.routes().length, 0);
  }

  /** The names of the Session objects that there were. */
  get storing(): readonly string[] {
    return [...this.#stored.keys()];
  }

  /** What a Session object has stored, whether it is awake or not. */
  storedSessions(sessionObject: string): number {
    return this.#stored.get(sessionObject)!.sessions().length;
  }

  get calls(): number {
    return [...this.#meters.values()].reduce((sum, { calls }) => sum + calls, 0);
  }

  /** A Topic object loses its memory; calls to it fail, and nothing that it had begun goes on. */
  reset(topicObject: string): void {
    this.#topics.get(topicObject)?.end();
    this.#topics.delete(topicObject);
  }

  /** A Session object loses its memory and its sockets; it starts again when something wakes it, from what is stored. */
  end(sessionObject: string): void {
    this.sleep(sessionObject);
    this.#sockets.delete(sessionObject);
  }

  /** It hibernates: its sockets stay, with what is attached to them. */
  sleep(sessionObject: string): void {
    this.#sessions.get(sessionObject)?.end();
    this.#sessions.delete(sessionObject);
  }

  socketsOf(sessionObject: string): Set<WebSocket> {
    const sockets = this.#sockets.get(sessionObject) ?? new Set();
    this.#sockets.set(sessionObject, sockets);
    return sockets;
  }

  #retainedOf(name: string): RoutingStore {
    const rows = this.#rows.get(name) ?? new SqliteRows(this.#meter(name));
    this.#rows.set(name, rows);
    rows.reopen();
    return rows.routing;
  }

  #meter(name: string): Meter {
    const meter = this.#meters.get(name) ?? new Meter();
    this.#meters.set(name, meter);
    return meter;
  }

  async #report(to: string, object: string, reported: Reported): Promise<void> {
    this.#meter(to).calls += 1;
    await this.#call(to, async () => this.session(to).system.take(object, reported));
  }

  async #call<Answer>(name: string, run: () => Promise<Answer>): Promise<Answer> {
    await this.#delay();
    if (this.unreachable.has(name)) throw new Error(`${name} is out of reach`);
    const answer = await run();
    await this.#delay();
    return answer;
  }

  #delay(): Promise<void> {
    return new Promise((resolve) => this.#runtime.after(CALL_MS, resolve));
  }

  #topic(name: string): StageTopic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    let alive = true;
    let end!: () => void;
    const ended = new Promise<never>((_resolve, reject) => {
      end = () => {
        alive = false;
        reject(new Error(`${name} was reset`));
      };
    });
    ended.catch(() => {});
    const never = new Promise<never>(() => {});
    const sessions = (session: string) => ({
      deliver: async (batch: Uint8Array) => {
        const answer = await this.#call(session, () => {
          if (!alive) return never;
          this.#meter(session).calls += 1;
          return this.session(session).deliver(batch);
        });
        return alive ? answer : never;
      },
      hold: notHeld,
    });
    const meter = this.#meter(name);
    const store = this.#routes.get(name) ?? new MemoryRoutingStore(meter);
    this.#routes.set(name, store);
    this.#lives += 1;
    const incarnation = `${this.#lives}`;
    const runtime: Runtime = {
      ...this.#runtime,
      after: (ms, run) => this.#runtime.after(ms, () => (alive ? run() : undefined)),
      incarnation: () => incarnation,
    };
    const host = new TopicHost({ settings: this.settings, name, store, sessions, topics: alone, meter, runtime });
    const topic = { host, ended, end };
    this.#topics.set(name, topic);
    return topic;
  }

  session(name: string): SessionHost {
    const known = this.#sessions.get(name);
    if (known !== undefined) return known.host;
    const { settings } = this;
    let alive = true;
    const runtime: Runtime = {
      ...this.#runtime,
      after: (ms, run) => this.#runtime.after(ms, () => (alive ? run() : undefined)),
    };
    const store = this.#stored.get(name) ?? new MemorySessionStore(this.#meter(name));
    this.#stored.set(name, store);
    const meter = this.#meter(name);
    const topics = (topic: string) => ({
      exchange: (batch: Uint8Array) =>
        this.#call(topic, () => {
          const { host: called, ended } = this.#topic(topic);
          this.#meter(topic).calls += 1;
          return Promise.race([called.exchange(batch), ended]);
        }),
      hold: notHeld,
    });
    let local: LocalRouter | undefined;
    const host: SessionHost = new SessionHost({
      state: {
        storage: {
          getAlarm: async () => this.#alarms.get(name) ?? null,
          setAlarm: async (at) => {
            if (!alive) return;
            this.#alarms.set(name, at);
            const run = (): void => {
              if (this.#alarms.get(name) !== at) return;
              this.#alarms.delete(name);
              void this.session(name).alarm();
            };
            this.#waiting.push({ at, run, isAlarm: true });
          },
        },
        getWebSockets: () => [...this.socketsOf(name)],
        abort: (reason) => {
          throw new Error(reason);
        },
        acceptWebSocket: () => {},
      },
      store,
      slices: this.#slices,
      settings,
      name,
      meter,
      runtime,
      code: this.#code,
      peers: (to) =>
        new Proxy({} as ReturnType<SessionHostOptions["peers"]>, {
          get: (_none, call) => (call === "report" ? (object: string, reported: Reported) => this.#report(to, object, reported) : alone),
        }),
      router: (machine, ledger) => {
        if (settings.topology === "sharded") return new RemoteRouter(settings, name, topics, runtime, ledger, () => host.flush());
        local = new LocalRouter(settings, name, this.#retainedOf(name), runtime, ledger, machine, () => host.flush());
        return local;
      },
    });
    local?.restore(host.core);
    const end = (): void => {
      alive = false;
    };
    this.#sessions.set(name, { host, end });
    return host;
  }

  async connect(clientId: string, clean: boolean, will?: Will): Promise<StageClient> {
    const client = new StageClient(this, sessionObjectName(this.settings, "default", clientId));
    client.send({
      type: CONNECT,
      version: 4,
      clean,
      keepAliveSeconds: 0,
      clientId,
      properties: NO_PROPERTIES,
      will,
      userName: undefined,
      password: undefined,
    });
    await this.advance(10);
    return client;
  }
}

function publishOf(topic: string, qos: QoS, packetId: number, text: string): Publish {
  const payload = new TextEncoder().encode(text);
  return { type: PUBLISH, dup: false, qos, retain: false, topic, packetId, payload, properties: NO_PROPERTIES, propertyBytes: EMPTY_BYTES };
}

/** An MQTT 3.1.1 client that acknowledges QoS 1 at once, and QoS 2 where it is told to. */
export class StageClient {
  /** What came, oldest first. */
  readonly packets: Packet[] = [];
  closed = false;
  completes = false;
  /** How many frames came. */
  frames = 0;
  /** How often something was attached to its socket. */
  attached = 0;
  readonly #stage: Stage;
  /** The Session object that has its socket. */
  readonly #object: string;
  readonly #stream = new PacketStream(1 << 20);
  readonly #socket: WebSocket;

  constructor(stage: Stage, object: string) {
    this.#stage = stage;
    this.#object = object;
    let attachment: Uint8Array | null = null;
    this.#socket = {
      readyState: 1,
      send: (bytes: Uint8Array) => this.#receive(bytes.slice()),
      close: () => {
        this.closed = true;
      },
      serializeAttachment: (attached: Uint8Array | null) => {
        this.attached += 1;
        attachment = attached?.slice() ?? null;
      },
      deserializeAttachment: () => attachment,
    } as unknown as WebSocket;
    stage.session(object).adopt(this.#socket, { relayed: true, admission: NOBODY });
    stage.socketsOf(object).add(this.#socket);
  }

  send(packet: Packet): void {
    const bytes = encodePacket(packet, 4);
    this.#receiving(bytes);
  }

  subscribe(filter: string, qos: QoS): void {
    const request = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.send({ type: SUBSCRIBE, packetId: 1, subscriptions: [request], properties: NO_PROPERTIES });
  }

  subscribeTo(filters: readonly string[]): void {
    const subscriptions = filters.map(
      (filter) => ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }) as const,
    );
    this.send({ type: SUBSCRIBE, packetId: 2, subscriptions, properties: NO_PROPERTIES });
  }

  unsubscribeFrom(filters: readonly string[]): void {
    this.send({ type: UNSUBSCRIBE, packetId: 3, filters, properties: NO_PROPERTIES });
  }

  publish(topic: string, qos: QoS, packetId: number, text = "x"): void {
    this.send(publishOf(topic, qos, packetId, text));
  }

  /** Messages of QoS 0 in one frame. */
  publishTogether(topic: string, texts: readonly string[], retain = false): void {
    const packets = texts.map((text) => encodePacket({ ...publishOf(topic, 0, 0, text), retain }, 4));
    this.#receiving(concatenate(packets));
  }

  #receiving(frame: Uint8Array): void {
    if (!this.#stage.socketsOf(this.#object).has(this.#socket)) return;
    this.#stage.session(this.#object).receive(this.#socket, frame.slice().buffer);
    this.#stage.stepped();
  }

  /** Its socket closes. */
  vanish(): void {
    if (this.#stage.socketsOf(this.#object).delete(this.#socket)) this.#stage.session(this.#object).lost(this.#socket);
  }

  count(type: Packet["type"]): number {
    return this.packets.filter((packet) => packet.type === type).length;
  }

  /** The messages that came, with their topics. */
  get messages(): { readonly topic: string; readonly text: string }[] {
    return this.packets.flatMap((packet) =>
      packet.type === PUBLISH ? [{ topic: packet.topic, text: new TextDecoder().decode(packet.payload) }] : [],
    );
  }

  /** The payloads of the messages that came. */
  get texts(): string[] {
    return this.packets.flatMap((packet) => (packet.type === PUBLISH ? [new TextDecoder().decode(packet.payload)] : []));
  }

  /** The next packet of an exchange at QoS 2. */
  #complete(packet: Packet): void {
    const next =
      packet.type === PUBLISH && packet.qos === 2 ? PUBREC : packet.type === PUBREC ? PUBREL : packet.type === PUBREL ? PUBCOMP : undefined;
    if (next === undefined || !("packetId" in packet)) return;
    this.send({ type: next, packetId: packet.packetId!, reasonCode: 0, properties: NO_PROPERTIES });
  }

  #receive(frame: Uint8Array): void {
    this.frames += 1;
    this.#stream.push(frame);
    this.#stream.version = 4;
    for (let bytes = this.#stream.next(); bytes instanceof Uint8Array; bytes = this.#stream.next()) {
      const packet = decodePacket(bytes, 4) as Packet;
      this.packets.push(packet);
      if (packet.type === PUBLISH && packet.qos === 1)
        queueMicrotask(() => this.send({ type: PUBACK, packetId: packet.packetId, reasonCode: 0, properties: NO_PROPERTIES }));
      if (this.completes) queueMicrotask(() => this.#complete(packet));
    }
  }
}
