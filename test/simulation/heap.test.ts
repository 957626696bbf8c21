/**
 * The ledger beside the heap: for everything that clients can make many or large, what the ledger counts is no less than what V8 holds, and not
 * far more. Numbers of other machines differ; what a pointer needs does not.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { REFUSED_ABOVE } from "../../src/memory-limits.ts";
import { BatchWriter, RECORD_SHARED } from "../../src/mqtt/batch.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNECT, NO_PROPERTIES, type Packet, PUBLISH, type Publish, type QoS, SUBSCRIBE, type Will } from "../../src/mqtt/packet.ts";
import { ANY_QUEUE } from "../../src/mqtt/share-target.ts";
import { LocalRouter } from "../../src/objects/local-router.ts";
import { Meter } from "../../src/objects/meter.ts";
import { shapeNumber } from "../../src/objects/names.ts";
import { SessionHost } from "../../src/objects/session-host.ts";
import type { Runtime } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { ATTACHMENT_GATHER_MS } from "../../src/storage-limits.ts";
import { messageTo } from "../session/support.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function heapBytes(): number {
  // Buffers go in the second round.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Rows are on disk, not in the heap. */
class NoRows extends MemorySessionStore {
  override putSession(): void {}
  override putSubscription(): void {}
  override putWill(): void {}
  override putChunk(): void {}
}

class DeadSocket {
  readonly readyState = 1;
  send(): void {}
  close(): void {}
  serializeAttachment(): void {}
}

const settings = parseSettings({ TOPOLOGY: "compact", ALLOW_ANONYMOUS: "true", OBJECT_BYTES_MAX: String(1 << 30) }) as Settings;
let clock = 1_800_000_000_000;
const runtime: Runtime = {
  now: () => clock,
  after: () => ({ cancel: () => {} }),
  incarnation: () => "1",
} as unknown as Runtime;

/** There is no later tick to which anything could be left. */
const ALL = Number.MAX_SAFE_INTEGER;

class Broker {
  readonly host: SessionHost;
  #packetId = 0;

  constructor() {
    const meter = new Meter();
    let local: LocalRouter | undefined;
    const storage = { getAlarm: () => Promise.resolve(null), setAlarm: () => Promise.resolve() };
    this.host = new SessionHost({
      state: { storage, getWebSockets: () => [], abort: () => {}, acceptWebSocket: () => {} },
      store: new NoRows(meter),
      settings,
      name: "n/broker",
      meter,
      runtime,
      slices: { share: ALL, tick: ALL, many: ALL, frames: ALL, attachments: ALL },
      peers: () => {
        throw new Error("there are no others");
      },
      router: (machine, ledger) => {
        local = new LocalRouter(settings, "n/broker", new MemoryRoutingStore(meter), runtime, ledger, machine, () => this.host.flush());
        return local;
      },
    });
    local!.restore(this.host.core);
  }

  connect(clientId: string, will?: Will): WebSocket {
    const socket = new DeadSocket() as unknown as WebSocket;
    this.host.adopt(socket, { relayed: true, admission: NOBODY });
    const properties = { sessionExpiryInterval: 1000 };
    const rest = { keepAliveSeconds: 60, will, userName: undefined, password: undefined };
    this.send(socket, { type: CONNECT, version: 5, clean: false, clientId, properties, ...rest });
    return socket;
  }

  send(socket: WebSocket, packet: Packet): void {
    this.host.receive(socket, encodePacket(packet, 5).slice().buffer as ArrayBuffer);
  }

  subscribe(socket: WebSocket, filter: string, qos: QoS = 1): void {
    const request = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 2 } as const;
    this.#packetId = (this.#packetId % 60_000) + 1;
    this.send(socket, { type: SUBSCRIBE, packetId: this.#packetId, subscriptions: [request], properties: NO_PROPERTIES });
  }

  publish(socket: WebSocket, topic: string, bytes: number, more: Partial<Publish> = {}): void {
    this.#packetId = (this.#packetId % 60_000) + 1;
    const payload = new Uint8Array(bytes);
    const rest = { dup: false, retain: false, properties: NO_PROPERTIES, propertyBytes: new Uint8Array(0) };
    this.send(socket, { type: PUBLISH, topic, packetId: this.#packetId, qos: 1, payload, ...rest, ...more });
  }

  /** No timer runs here: nothing waits for what comes next. */
  #flush(): void {
    clock += ATTACHMENT_GATHER_MS;
    this.host.flush();
  }

  /** @returns what the heap and the ledger grew by, for each of so many */
  grows(count: number, run: (number: number) => void): { readonly heap: number; readonly ledger: number } {
    this.#flush();
    const [heap, ledger] = [heapBytes(), this.host.ledger.total];
    for (let number = 0; number < count; number += 1) {
      run(number);
      // Before anybody's share of a tick is used up.
      if (number % 16 === 15) this.#flush();
    }
    return { heap: (heapBytes() - heap) / count, ledger: (this.host.ledger.total - ledger) / count };
  }
}

const COUNT = 2000;

const warm = new Broker();
for (let number = 0; number < 300; number += 1) warm.subscribe(warm.connect(`w${number}`), `${number}/+`);

/** How far above the heap the ledger may be. */
const FACTOR_MAX = 3;

/** What is made many or large. */
const CASES: readonly (readonly [what: string, run: (broker: Broker, sockets: readonly WebSocket[]) => (number: number) => void])[] = [
  ["sessions that are kept", (broker) => (number) => broker.host.lost(broker.connect(`another-client-${number}`))],
  ["sessions with connections", (broker) => (number) => void broker.connect(`another-client-${number}`)],
  ["filters of five levels", (broker, sockets) => (number) => broker.subscribe(sockets[number]!, `site/${number % 50}/device/${number}/t`)],
  ["filters with wildcards", (broker, sockets) => (number) => broker.subscribe(sockets[number]!, `site/${number % 50}/device/${number}/+`)],
  ["filters of 128 levels", (broker, sockets) => (number) => broker.subscribe(sockets[number]!, `${number}/${"x/".repeat(126)}+`)],
  ["shared subscriptions", (broker, sockets) => (number) => broker.subscribe(sockets[number]!, `$share/group-${number}/${number}/+`)],
  [
    "wills",
    (broker) => (number) =>
      void broker.connect(`with-will-${number}`, {
        topic: `wills/${number}`,
        payload: new Uint8Array(1000),
        qos: 0,
        retain: false,
        properties: { willDelayInterval: 900 },
      }),
  ],
  ["messages of 100 bytes in flight", (broker, sockets) => waiting(broker, sockets, 100, false)],
  ["messages of 10,000 bytes in flight", (broker, sockets) => waiting(broker, sockets, 10_000, false)],
  ["messages that wait for clients that are away", (broker, sockets) => waiting(broker, sockets, 100, true)],
  ["QoS 2 exchanges", (broker, sockets) => (number) => broker.publish(sockets[number % 100]!, "nobody", 10, { qos: 2 })],
];

function waiting(broker: Broker, sockets: readonly WebSocket[], bytes: number, away: boolean): (number: number) => void {
  for (const [number, socket] of sockets.entries()) {
    broker.subscribe(socket, `to/${number}`);
    if (away) broker.host.lost(socket);
  }
  const publisher = broker.connect("publisher");
  return (number) => broker.publish(publisher, `to/${number}`, bytes);
}

test("as many connections as an object takes by default fit into what it may hold by default", () => {
  const { connectionsMax, objectBytesMax } = DEFAULT_LIMITS;
  const broker = new Broker();
  const { ledger } = broker.grows(100, (number) => void broker.connect(`a-client-of-usual-length-${number}`));
  expect(connectionsMax * ledger).toBeLessThan(REFUSED_ABOVE.sessions * objectBytesMax);
});

for (const [what, run] of CASES) {
  test(`${what}: the ledger counts no less than the heap holds, and not far more`, () => {
    const broker = new Broker();
    const sockets = [...Array(COUNT).keys()].map((number) => broker.connect(`client-number-${number}`));
    const { heap, ledger } = broker.grows(COUNT, run(broker, sockets));
    expect(ledger).toBeGreaterThan(heap * 0.9);
    expect(ledger).toBeLessThan(heap * FACTOR_MAX);
  });
}

test.each([
  ["", 0],
  [" that their publishers may repeat", 1],
])("messages%s that shares with long names were given: the ledger counts what the heap remembers of them", async (_, settledBelow) => {
  const broker = new Broker();
  const filter = `$share/${"x".repeat(60_000)}/t`;
  broker.subscribe(broker.connect("member"), filter, 0);
  const writer = new BatchWriter("n/topic/0", 1, shapeNumber(settings), 0);
  const come = async (count: number): Promise<void> => {
    for (let each = 0; each < count; each += 1) {
      writer.begin();
      const message = messageTo("t", { qos: 2, sequence: 1_800_000_000_000_000 + writer.number, settledBelow });
      writer.add({ kind: RECORD_SHARED, message, live: false, shares: [{ filter, key: 0, demand: ANY_QUEUE }] });
      const answer = broker.host.deliver(writer.finish());
      broker.host.flush();
      await answer;
    }
  };
  await come(1000);
  const [heap, ledger] = [heapBytes(), broker.host.ledger.bytes.exchanges];
  await come(COUNT);
  const counted = broker.host.ledger.bytes.exchanges - ledger;
  expect(counted).toBeGreaterThan(0.7 * (heapBytes() - heap));
  expect(counted).toBeLessThan(COUNT * 400);
});
