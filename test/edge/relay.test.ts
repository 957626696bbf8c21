/** How a relay passes frames on: what it gathers, and that it keeps nothing back. */

import { expect, test } from "vitest";
import { type RelayedSocket, relaySocket } from "../../src/edge/relay.ts";
import { unknownCaller } from "../../src/handshake/handover.ts";
import {
  EARLY_PACKETS_MAX,
  RELAYED_BYTES_FULL,
  RELAYED_BYTES_MAX,
  RELAYED_BYTES_SHORT,
  RELAYED_LEASE_MS,
  RELAYED_PACKETS_MAX,
  RELAYED_PINGS_MAX,
  RELAYED_PINGS_MS,
  RELAYED_STRANGERS_BYTES_FULL,
  RELAYED_STRANGERS_BYTES_MAX,
} from "../../src/limits.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { DISCONNECT, NO_PROPERTIES, PINGREQ } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import type { Runtime } from "../../src/runtime.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { FRAME_BYTES } from "../../src/work-limits.ts";
import { type ConnectOptions, connectPacket, publishPacket } from "../support/mqtt-client.ts";

type Listener = (event: { data: ArrayBuffer; code: number; reason: string }) => void;

/** A socket whose other end is the test. */
class TestSocket {
  binaryType = "arraybuffer";
  readonly sent: Uint8Array[] = [];
  closed = false;
  readonly #listeners = new Map<string, Listener>();

  accept(): void {}
  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, listener);
  }
  send(data: Uint8Array): void {
    if (this.closed) throw new Error("the socket is closed");
    this.sent.push(data);
  }
  close(): void {
    this.closed = true;
  }
  tell(type: "message" | "close", bytes: Uint8Array = new Uint8Array(0)): void {
    this.#listeners.get(type)!({ data: new Uint8Array(bytes).buffer, code: 1000, reason: "" });
  }
  get asRelayed(): RelayedSocket {
    return this as unknown as RelayedSocket;
  }
}

/**
 * A client whose CONNECT has been passed on, unless its object is not to be reached; time moves, and the tick ends, when told.
 * @param connect bytes are what it sends instead
 */
async function relayed(
  connect: ConnectOptions | Uint8Array = {},
  isReached = true,
): Promise<{
  client: TestSocket;
  object: TestSocket;
  publish(payload: string): void;
  pass(ms: number): void;
  endTick(): void;
}> {
  let now = 1_800_000_000_000;
  const due: (() => void)[] = [];
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();
  const runtime: Runtime = {
    now: () => now,
    after: (ms, run) => {
      if (ms > 0) {
        const timer = { at: now + ms, run };
        timers.add(timer);
        return { cancel: () => void timers.delete(timer) };
      }
      due.push(run);
      return { cancel: () => void due.splice(due.indexOf(run), 1) };
    },
    incarnation: () => "1",
  };
  const [client, object] = [new TestSocket(), new TestSocket()];
  const settings = parseSettings({ TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true" }) as Settings;
  const opened = new Promise<void>((resolve) => {
    object.accept = resolve;
  });
  relaySocket(client.asRelayed, {
    settings,
    namespace: "default",
    caller: unknownCaller("default"),
    reach: () => (isReached ? Promise.resolve(object.asRelayed) : new Promise(() => {})),
    runtime,
  });
  client.tell("message", connect instanceof Uint8Array ? connect : encodePacket(connectPacket({ version: 4, ...connect }), 4));
  if (isReached) await opened;
  object.sent.length = 0;
  const publish = (payload: string): void => {
    client.tell("message", encodePacket(publishPacket("t", payload), 4));
  };
  const pass = (ms: number): void => {
    now += ms;
    for (const timer of timers) {
      if (timer.at > now) continue;
      timers.delete(timer);
      timer.run();
    }
  };
  const endTick = (): void => {
    for (const run of due.splice(0)) run();
  };
  pass(1000);
  return { client, object, publish, pass, endTick };
}

/** The last byte of each packet of each frame. */
function payloads(frames: readonly Uint8Array[]): string[] {
  return frames.map((frame) => {
    const stream = new PacketStream(1000);
    stream.push(frame);
    let text = "";
    for (let packet = stream.next(); packet instanceof Uint8Array; packet = stream.next()) text += String.fromCharCode(packet.at(-1)!);
    return text;
  });
}

test("a frame that comes alone is passed on at once", async () => {
  const { object, publish, pass } = await relayed();
  for (const payload of ["1", "2", "3"]) {
    publish(payload);
    pass(2);
  }
  expect(payloads(object.sent)).toEqual(["1", "2", "3"]);
});

test("frames that come right after another are passed on as one, in their order", async () => {
  const { object, publish, endTick, pass } = await relayed();
  for (const payload of ["1", "2", "3"]) publish(payload);
  expect(payloads(object.sent)).toEqual(["1"]);
  endTick();
  expect(payloads(object.sent)).toEqual(["1", "23"]);
  publish("4");
  pass(2);
  publish("5");
  expect(payloads(object.sent)).toEqual(["1", "23", "45"]);
  endTick();
  expect(object.sent).toHaveLength(3);
});

test("what a client sent before it went is passed on", async () => {
  const { client, object, publish } = await relayed();
  publish("1");
  publish("2");
  client.tell("close");
  expect([payloads(object.sent), object.closed]).toEqual([["1", "2"], true]);
});

test("what a client sent before it broke the protocol is passed on", async () => {
  const { client, object, publish } = await relayed();
  publish("1");
  publish("2");
  client.tell("message", Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff));
  expect([payloads(object.sent), object.closed, client.closed]).toEqual([["1", "2"], true, true]);
});

test("DISCONNECT is passed on behind what came before it", async () => {
  const { client, object, publish, endTick } = await relayed();
  publish("1");
  publish("2");
  client.tell("message", encodePacket({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES }, 4));
  endTick();
  expect(payloads(object.sent)).toEqual(["1", "2\0"]);
});

test.each([3, 4, 5] as const)(
  "[MQTT5-3.1.2-22] [MQTT311-3.1.2-24] parts of a packet that is never whole keep no Keep Alive of version %s alive, and whole ones do",
  async (version) => {
    const { client, pass } = await relayed({ version, keepAliveSeconds: 2 });
    for (let seconds = 0; seconds < 6; seconds += 1) {
      client.tell("message", encodePacket({ type: PINGREQ }, version));
      pass(1000);
    }
    expect(client.closed).toBe(false);
    client.tell("message", Uint8Array.of(0x30, 0xc8, 0x01));
    for (const passed of [1000, 1000, 999]) {
      client.tell("message", Uint8Array.of(0));
      pass(passed);
    }
    expect(client.closed).toBe(true);
  },
);

test("pings of one frame are answered in one frame, each, and who pings without end is disconnected", async () => {
  const { client, object, pass } = await relayed({ version: 5 });
  const pings = (count: number): Uint8Array => Buffer.alloc(2 * count, encodePacket({ type: PINGREQ }, 5));
  client.tell("message", pings(10));
  expect(client.sent).toEqual([]);
  // CONNACK: what came before is answered behind it.
  object.tell("message", Uint8Array.of(0x20, 3, 0, 0, 0));
  expect(client.sent.map(({ byteLength }) => byteLength)).toEqual([5, 20]);
  client.tell("message", pings(RELAYED_PINGS_MAX - 10));
  expect(client.sent.at(-1)).toEqual(new Uint8Array(Buffer.alloc(2 * (RELAYED_PINGS_MAX - 10), Uint8Array.of(0xd0, 0))));
  pass(RELAYED_PINGS_MS);
  client.tell("message", pings(RELAYED_PINGS_MAX));
  expect([client.sent.length, client.closed]).toEqual([4, false]);
  object.sent.length = 0;
  client.tell("message", Buffer.concat([encodePacket(publishPacket("t", "1"), 5), pings(1)]));
  expect(payloads(object.sent)).toEqual(["1"]);
  expect([client.sent.at(-1)!.slice(0, 3), client.closed, object.closed]).toEqual([expect.toSatisfy(isRateTooHigh), true, true]);
});

const isRateTooHigh = ([type, , reasonCode]: Uint8Array): boolean => type === 0xe0 && reasonCode === 0x96;

/** A frame with so many packets. */
function many(count: number): Uint8Array {
  const packet = encodePacket(publishPacket("t", "x"), 4);
  return Buffer.alloc(count * packet.length, packet);
}

test("a frame with very many packets is passed on in pieces, a tick for each, in order with what comes after it", async () => {
  const { client, object, endTick, publish } = await relayed();
  const count = (): number => payloads(object.sent).join("").length;
  client.tell("message", many(RELAYED_PACKETS_MAX + 10));
  expect(count()).toBe(RELAYED_PACKETS_MAX);
  publish("y");
  expect(count()).toBe(RELAYED_PACKETS_MAX);
  endTick();
  endTick();
  expect(count()).toBe(RELAYED_PACKETS_MAX + 11);
  expect(payloads(object.sent).join("").endsWith("xy")).toBe(true);
});

test("what waits for the next tick when the client goes is passed on before", async () => {
  const { client, object } = await relayed();
  client.tell("message", many(3 * RELAYED_PACKETS_MAX));
  client.tell("close");
  expect([payloads(object.sent).join("").length, object.closed]).toEqual([3 * RELAYED_PACKETS_MAX, true]);
});

test("what comes before a client is let in is bounded, by bytes and by frames", async () => {
  const packet = new Uint8Array(2 ** 20);
  for (const [frame, most] of [
    [packet, EARLY_PACKETS_MAX],
    [Uint8Array.of(0), (EARLY_PACKETS_MAX * 2 ** 20) / (FRAME_BYTES + 1)],
  ] as const) {
    const { client } = await relayed({}, false);
    let count = 0;
    for (; !client.closed && count < 2 * most; count += 1) client.tell("message", frame);
    expect(Math.abs(count - most)).toBeLessThanOrEqual(1);
  }
});

test("what is held by relays that have been ended without a word counts no longer than its lease", async () => {
  const half = encodePacket(publishPacket("t", new Uint8Array(2 ** 19)), 4).slice(0, 2 ** 19);
  const left = await Promise.all(Array.from({ length: RELAYED_BYTES_MAX / half.length }, () => relayed()));
  for (const { client } of left) client.tell("message", half);
  const late = await relayed();
  late.pass(RELAYED_LEASE_MS);
  late.client.tell("message", half);
  expect(late.client.closed).toBe(false);
  for (const { client } of [...left, late]) client.tell("close");
});

test("what waits in all relays together is bounded: who has much of it goes, who has little stays, and what is over counts no more", async () => {
  const half = new Uint8Array(2 ** 19);
  half.set(encodePacket({ ...publishPacket("t", new Uint8Array(2 ** 19 + 100)) }, 4).subarray(0, half.length));
  const clients = [];
  for (let held = 0; held < RELAYED_BYTES_MAX; held += half.length) {
    const { client } = await relayed();
    client.tell("message", half);
    clients.push(client);
  }
  const [small, large] = [await relayed(), await relayed()];
  small.client.tell("message", half.subarray(0, 1000));
  large.client.tell("message", half);
  expect([clients.some(({ closed }) => closed), small.client.closed, large.client.closed]).toEqual([false, false, true]);
  for (const client of clients) client.tell("close");
  const after = await relayed();
  after.client.tell("message", half);
  expect(after.client.closed).toBe(false);
  for (const { client } of [small, after]) client.tell("close");
});

/** The beginning of a CONNECT of 200,000 bytes. */
function partOfConnect(bytes: number): Uint8Array {
  const part = new Uint8Array(bytes);
  part.set([0x10, 0xc0, 0x9a, 0x0c]);
  return part;
}

const ofNobody = (bytes: Uint8Array | ConnectOptions): Promise<{ client: TestSocket }> => relayed(bytes, false);

test("what strangers send is bounded, however little each of them: they go before clients that are connected, and who sends a short CONNECT is let in", async () => {
  const large = await relayed();
  const strangers = [];
  for (let count = 0; count < 2200; count += 1) strangers.push((await ofNobody(partOfConnect(65_000))).client);
  const left = strangers.filter(({ closed }) => !closed).length;
  expect(Math.abs(left - RELAYED_STRANGERS_BYTES_FULL / 65_000)).toBeLessThanOrEqual(1);
  const short = await Promise.all(Array.from({ length: 100 }, () => ofNobody(partOfConnect(RELAYED_BYTES_SHORT))));
  // A whole one, which waits for its object.
  const whole = await ofNobody({ will: { topic: "t", payload: new Uint8Array(2000) } });
  const late = await relayed();
  large.client.tell("message", encodePacket(publishPacket("t", new Uint8Array(2 ** 19)), 4).subarray(0, 2 ** 19));
  expect(short.filter(({ client }) => client.closed)).toEqual([]);
  expect([whole.client.closed, late.client.closed, large.client.closed]).toEqual([true, false, false]);
  for (const { client } of [...short, whole, late, large]) client.tell("close");
  for (const client of strangers) client.tell("close");
});

test("strangers that send much go before those whose CONNECT is a little longer than others", async () => {
  const large = [];
  for (let count = 0; count < 400; count += 1) large.push((await ofNobody(partOfConnect(190_000))).client);
  const left = large.filter(({ closed }) => !closed).length;
  expect(Math.abs(left - RELAYED_STRANGERS_BYTES_MAX / 190_000)).toBeLessThanOrEqual(1);
  const signed = await ofNobody({ userName: "u", password: new Uint8Array(4000) });
  expect(signed.client.closed).toBe(false);
  for (const client of [...large, signed.client]) client.tell("close");
});

test("whole CONNECTs that wait for their objects count, until they have been passed on", async () => {
  const will = { topic: "t", payload: new Uint8Array(60_000) };
  const clients = [];
  for (let count = 0; count < 1500; count += 1) clients.push((await ofNobody({ will })).client);
  const left = clients.filter(({ closed }) => !closed).length;
  expect(Math.abs(left - RELAYED_STRANGERS_BYTES_FULL / 60_000)).toBeLessThanOrEqual(2);
  for (const client of clients) client.tell("close");
  const passedOn = [];
  for (const _ of clients) passedOn.push(await relayed({ will }));
  expect(passedOn.filter(({ client }) => client.closed)).toEqual([]);
  for (const { client } of passedOn) client.tell("close");
});

test("what clients that are connected send is bounded as well, however little each of them", async () => {
  const part = encodePacket(publishPacket("t", new Uint8Array(100_000)), 4).subarray(0, 65_000);
  const clients = await Promise.all(Array.from({ length: 1500 }, () => relayed()));
  for (const { client } of clients) client.tell("message", part);
  const left = clients.filter(({ client }) => !client.closed).length;
  expect(Math.abs(left - RELAYED_BYTES_FULL / 65_000)).toBeLessThanOrEqual(1);
  const little = await relayed();
  little.client.tell("message", part.subarray(0, RELAYED_BYTES_SHORT));
  expect(little.client.closed).toBe(false);
  for (const { client } of [...clients, little]) client.tell("close");
});

test("a client that is too far ahead of what is passed on is disconnected", async () => {
  const { client, object } = await relayed();
  client.tell("message", many(1_000_000));
  expect([client.closed, object.closed]).toEqual([true, true]);
});
