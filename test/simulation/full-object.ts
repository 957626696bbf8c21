/**
 * An object that holds much: kept sessions with messages that wait for them, subscriptions, retained messages. Built by the real hosts over
 * the real stores in a database file; then started anew, to see how long that takes, what it holds in memory, and that it serves.
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { Message, writeMessage } from "../../src/mqtt/message.ts";
import { CONNECT, NO_PROPERTIES, type Packet, PUBACK, PUBLISH, SUBSCRIBE } from "../../src/mqtt/packet.ts";
import { RecordWriter } from "../../src/mqtt/record.ts";
import { LocalRouter } from "../../src/objects/local-router.ts";
import { Meter } from "../../src/objects/meter.ts";
import { SessionHost } from "../../src/objects/session-host.ts";
import type { Runtime } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { SqliteRoutingStore } from "../../src/storage/sqlite-routing-store.ts";
import { SqliteSessionStore } from "../../src/storage/sqlite-session-store.ts";
import { processorMs } from "../support/processor-time.ts";
import { answerOf } from "./durable-sql.ts";

export interface Fill {
  readonly sessions: number;
  /** For each session. */
  readonly messages: number;
  /** For each session; of five levels, one in ten with a wildcard. */
  readonly subscriptions: number;
  readonly retained: number;
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** What V8 holds when all that was promised has come: objects, and the bytes of buffers. */
async function heldBytes(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 10));
  // Buffers go in the second round.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const PAYLOAD = new Uint8Array(64).fill(0x61);
/** So many packets are handled between two flushes, as where much comes at once. */
const AT_ONCE = 200;

/** The database of an object, answering as a Durable Object answers. */
export class ObjectDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param path of a file, so that what SQLite holds is not the object's */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000");
  }

  transaction(run: () => void): void {
    this.#database.exec("BEGIN");
    run();
    this.#database.exec("COMMIT");
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  readonly sql = {
    exec: (query: string, ...bindings: (string | number | Uint8Array)[]) => {
      let statement = this.#statements.get(query);
      statement ??= this.#database.prepare(query);
      this.#statements.set(query, statement);
      return answerOf(statement, query, bindings);
    },
  } as unknown as SqlStorage;
}

/** A socket that counts what it is sent. */
export class CountingSocket {
  readonly readyState = 1;
  frames = 0;
  bytes = 0;
  send(frame: ArrayBuffer): void {
    this.frames += 1;
    this.bytes += frame.byteLength;
  }
  close(): void {}
  serializeAttachment(): void {}
}

/** One life of the compact object. */
export class FullObject {
  readonly host: SessionHost;
  readonly meter = new Meter();
  #timers: (() => void)[] = [];
  #packetId = 0;

  constructor({ sql }: ObjectDatabase, settings: Settings, now: number) {
    let time = now;
    const runtime = {
      now: () => (time += 1),
      after: (ms: number, run: () => void) => {
        // What is to happen much later does not happen here.
        if (ms < 100) this.#timers.push(run);
        return { cancel: () => this.#cancel(run) };
      },
      incarnation: () => String(now),
    } as unknown as Runtime;
    let local: LocalRouter | undefined;
    const storage = { getAlarm: () => Promise.resolve(null), setAlarm: () => Promise.resolve() };
    this.host = new SessionHost({
      state: { storage, getWebSockets: () => [], abort: () => {}, acceptWebSocket: () => {} },
      store: new SqliteSessionStore(sql, this.meter),
      settings,
      name: "n/broker",
      meter: this.meter,
      runtime,
      peers: () => {
        throw new Error("there are no others");
      },
      router: (machine, ledger) => {
        const store = new SqliteRoutingStore(sql, this.meter);
        local = new LocalRouter(settings, "n/broker", store, runtime, ledger, machine, () => this.host.flush());
        return local;
      },
    });
    local!.restore(this.host.core);
  }

  #cancel(run: () => void): void {
    this.#timers = this.#timers.filter((other) => other !== run);
  }

  /** Runs all that waits for a tick of its own. */
  settle(): void {
    do {
      const timers = this.#timers;
      this.#timers = [];
      for (const run of timers) run();
      this.host.flush();
    } while (this.#timers.length > 0);
  }

  connect(clientId: string, clean = false): CountingSocket {
    const socket = new CountingSocket();
    this.host.adopt(socket as unknown as WebSocket, { relayed: true, admission: NOBODY });
    const rest = { keepAliveSeconds: 60, will: undefined, userName: undefined, password: undefined };
    const properties = { sessionExpiryInterval: clean ? 0 : 100_000 };
    this.send(socket, { type: CONNECT, version: 5, clean, clientId, properties, ...rest });
    return socket;
  }

  send(socket: CountingSocket, packet: Packet): void {
    this.host.receive(socket as unknown as WebSocket, encodePacket(packet, 5).slice().buffer as ArrayBuffer);
  }

  lose(socket: CountingSocket): void {
    this.host.lost(socket as unknown as WebSocket);
  }

  subscribe(socket: CountingSocket, filters: readonly string[], retainHandling: 0 | 2 = 2): void {
    const subscriptions = filters.map((filter) => ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling }) as const);
    this.send(socket, { type: SUBSCRIBE, packetId: this.#nextPacketId(), subscriptions, properties: NO_PROPERTIES });
  }

  publish(socket: CountingSocket, topic: string, retain = false): void {
    const rest = { dup: false, retain, properties: NO_PROPERTIES, propertyBytes: new Uint8Array(0) };
    this.send(socket, { type: PUBLISH, topic, packetId: this.#nextPacketId(), qos: 1, payload: PAYLOAD, ...rest });
  }

  puback(socket: CountingSocket, packetId: number): void {
    this.send(socket, { type: PUBACK, packetId, reasonCode: 0, properties: NO_PROPERTIES });
  }

  #nextPacketId(): number {
    this.#packetId = (this.#packetId % 60_000) + 1;
    return this.#packetId;
  }
}

export const clientName = (number: number): string => `client-${number}`;

function filtersOf(number: number, count: number): string[] {
  const base = `site-${number % 50}/building-${number % 7}/device-${number}`;
  return [...Array(count).keys()].map((index) => (index % 10 === 9 ? `${base}/+/value` : `${base}/sensor-${index}/value`));
}

/** A topic that one subscription of the session matches. */
export function topicOf(number: number): string {
  return filtersOf(number, 1)[0]!;
}

export function settingsFor({ retained }: Fill): Settings {
  return parseSettings({
    TOPOLOGY: "compact",
    ALLOW_ANONYMOUS: "true",
    OBJECT_BYTES_MAX: String(1 << 30),
    RETAINED_MESSAGES_MAX: String(Math.max(100_000, retained + 1000)),
    // These clients do not answer whether they read.
    UNHEARD_BYTES_MAX: "0",
  }) as Settings;
}

/** Fills a database through the object itself; retained messages are put into their rows directly. */
export function fillObject(database: ObjectDatabase, fill: Fill, now: number): void {
  const object = new FullObject(database, settingsFor(fill), now);
  database.transaction(() => {
    for (let number = 0; number < fill.sessions; number += 1) {
      const socket = object.connect(clientName(number));
      object.subscribe(socket, filtersOf(number, fill.subscriptions));
      object.lose(socket);
      if (number % AT_ONCE === 0) object.settle();
    }
    object.settle();
  });
  const publisher = object.connect("publisher", true);
  database.transaction(() => {
    // Each session's messages stand far apart from each other.
    for (let round = 0; round < fill.messages; round += 1) {
      for (let number = 0; number < fill.sessions; number += 1) {
        object.publish(publisher, topicOf(number));
        if (number % AT_ONCE === 0) object.settle();
      }
    }
    object.settle();
  });
  object.lose(publisher);
  object.settle();
  database.transaction(() => retain(database, fill.retained));
}

function retain({ sql }: ObjectDatabase, count: number): void {
  const store = new SqliteRoutingStore(sql, new Meter());
  const writer = new RecordWriter();
  for (let number = 0; number < count; number += 1) {
    const topic = `retained-${number % 100}/site-${number % 1000}/device-${number}/sensor/value`;
    writer.clear();
    writer.byte(1);
    writeMessage(
      writer,
      new Message({
        ...{ topic, payload: PAYLOAD, propertyBytes: new Uint8Array(0), qos: 1, retain: true, expiresAt: 0, publisher: "p" },
        ...{ origin: "n/broker@1", sequence: number + 1, repeated: false, settledBelow: 0 },
      }),
    );
    store.putRetained({ topic, message: writer.finish(), expiresAt: 0 });
  }
}

export interface Measured {
  /** Until the object knows all that it has to know to serve. */
  readonly startMs: number;
  /** What it holds then beside what a new object holds, bytes. */
  readonly startBytes: number;
  readonly ledgerBytes: Readonly<Record<string, number>>;
  readonly rowsRead: number;
  /** Clients come back and take all that waits for them. */
  readonly resumed: number;
  readonly resumeMs: number;
  /** Messages for clients that are away. */
  readonly published: number;
  readonly publishMs: number;
  /** Retained messages that a new subscription with wildcards was given. */
  readonly scanned: number;
  readonly scanMs: number;
  /** What it holds while all of that has just been done. */
  readonly servingBytes: number;
}

/** Starts an object over a database that was filled, and has it serve. */
export async function measure(database: ObjectDatabase, fill: Fill, now: number): Promise<Measured> {
  const settings = settingsFor(fill);
  const before = await heldBytes();
  let object!: FullObject;
  const startMs = processorMs(() => {
    object = new FullObject(database, settings, now);
  });
  const rowsRead = object.meter.rowsRead;
  const startBytes = (await heldBytes()) - before;
  const ledgerBytes = { ...object.host.ledger.bytes };
  const resumed = Math.min(200, fill.sessions / 2);
  const resumeMs = processorMs(() => {
    for (let number = 0; number < resumed; number += 1) resume(object, clientName(number), fill.messages);
  });
  const published = 1000;
  const publisher = object.connect("publisher", true);
  const publishMs = processorMs(() => {
    for (let count = 0; count < published; count += 1) {
      object.publish(publisher, topicOf(fill.sessions - 1 - (count % (fill.sessions / 2))));
      object.settle();
    }
  });
  const reader = object.connect("reader", true);
  const scanMs = processorMs(() => {
    object.subscribe(reader, ["retained-7/+/+/#"], 0);
    object.settle();
    for (let packetId = 1; packetId <= fill.retained / 100; packetId += 1) {
      object.puback(reader, packetId);
      object.settle();
    }
  });
  const servingBytes = (await heldBytes()) - before;
  const { waiting } = object.host.core.sessions.get(clientName(fill.sessions - 1))!;
  if (waiting < fill.messages) throw new Error(`${waiting} messages wait for the last session, where ${fill.messages} were sent`);
  return {
    ...{ startMs, startBytes, ledgerBytes, rowsRead, resumed, resumeMs, published, publishMs },
    ...{ scanned: object.host.core.counters.messagesDelivered - resumed * fill.messages, scanMs, servingBytes },
  };
}

function resume(object: FullObject, clientId: string, messages: number): void {
  const socket = object.connect(clientId);
  object.settle();
  const { session } = [...object.host.core.connections].at(-1)!;
  for (let packetId = 1; packetId <= messages; packetId += 1) object.puback(socket, packetId);
  object.settle();
  if (session.outstanding > 0) throw new Error(`${session.outstanding} messages for ${clientId} are still there`);
  object.lose(socket);
  object.settle();
}
