/**
 * Random and mutated bytes: whatever comes, the codec answers with a packet or a violation, never throws and never looks outside the
 * packet. FUZZ_RUNS sets how many inputs (20,000 without it), FUZZ_SEED repeats a run.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { connectLevel, connectPacketBytesMax, connectVersion, decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import type { Packet, ProtocolVersion } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { VIOLATION, type Violation } from "../../src/mqtt/violation.ts";
import { arbitraryPacket } from "../support/arbitrary-packet.ts";
import { VECTORS } from "../vectors/index.ts";

const RUNS = Number(process.env.FUZZ_RUNS ?? 20_000);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const CORPUS_PACKETS = 200;

/** A small generator (mulberry32): the same seed gives the same inputs on every machine. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = generator(SEED);
const below = (n: number): number => Math.floor(random() * n);

interface Sample {
  readonly version: ProtocolVersion;
  readonly bytes: Uint8Array;
}

const corpus: Sample[] = [
  ...VECTORS.filter(({ bytes }) => bytes.length > 0),
  ...([3, 4, 5] as const).flatMap((version) =>
    fc
      .sample(arbitraryPacket(version), { numRuns: CORPUS_PACKETS, seed: SEED })
      .map((packet) => ({ version, bytes: encodePacket(packet, version) })),
  ),
].filter(({ bytes }) => bytes.length < 2000);

const INTERESTING = [0x00, 0x01, 0x7f, 0x80, 0xc0, 0xc2, 0xed, 0xf4, 0xff];

function mutate(bytes: Uint8Array): Uint8Array {
  let mutated = Uint8Array.from(bytes);
  for (let i = below(3); i >= 0; i--) {
    const at = below(mutated.length);
    switch (below(5)) {
      case 0:
        mutated[at] = below(256);
        break;
      case 1:
        mutated[at] ^= 1 << below(8);
        break;
      case 2:
        mutated[at] = INTERESTING[below(INTERESTING.length)];
        break;
      case 3:
        mutated = mutated.slice(0, Math.max(1, at));
        break;
      default:
        mutated = Uint8Array.from([...mutated.subarray(0, at), below(256), ...mutated.subarray(at)]);
    }
  }
  return mutated;
}

/** Random content behind a fixed header that fits it, so that the packets are looked at and not only their length. */
function randomPacket(): Uint8Array {
  const bytes = Uint8Array.from({ length: 2 + below(80) }, () => (below(3) === 0 ? below(4) : below(256)));
  bytes[1] = bytes.length - 2;
  return bytes;
}

function input(): Sample {
  const sample = corpus[below(corpus.length)];
  const version = ([3, 4, 5] as const)[below(3)];
  switch (below(4)) {
    case 0:
      return { version, bytes: randomPacket() };
    case 1:
      return { version: below(4) === 0 ? version : sample.version, bytes: mutate(sample.bytes) };
    case 2: {
      // With its length put right again, where that is one byte.
      const bytes = mutate(sample.bytes);
      if (bytes.length >= 2 && bytes.length < 130) bytes[1] = bytes.length - 2;
      return { version: sample.version, bytes };
    }
    default:
      return { version, bytes: Uint8Array.from({ length: below(40) }, () => below(256)) };
  }
}

/** Fails where a read falls outside: those of a typed array come back undefined, which must never be seen. */
function guarded(bytes: Uint8Array): Uint8Array {
  return new Proxy(bytes, {
    get(target, key) {
      if (typeof key === "string" && /^-?\d+$|NaN|Infinity/.test(key) && !(Number(key) >= 0 && Number(key) < target.length)) {
        throw new RangeError(`read at ${key} of ${target.length} bytes`);
      }
      const found = Reflect.get(target, key, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

/** Every view that a packet holds. */
function views(packet: object): Uint8Array[] {
  return Object.values(packet).flatMap((field) => {
    if (field instanceof Uint8Array) return [field];
    return typeof field === "object" && field !== null ? views(field) : [];
  });
}

function check({ version, bytes }: Sample): Packet | Violation {
  const decoded = decodePacket(bytes, version);
  connectVersion(bytes);
  connectLevel(bytes);
  if (decoded.type === VIOLATION) {
    if (decoded.message === "" || decoded.clause === "" || decoded.reasonCode < 0x80) throw new Error("a violation that says nothing");
    return decoded;
  }
  for (const view of views(decoded)) {
    const inside = view.buffer === bytes.buffer && view.byteOffset >= bytes.byteOffset;
    if (view.length > 0 && !(inside && view.byteOffset + view.length <= bytes.byteOffset + bytes.length)) {
      throw new Error("a view outside the packet");
    }
  }
  // What was accepted can be sent on, and means the same.
  const again = decodePacket(encodePacket(decoded, version), version);
  if (again.type !== decoded.type) throw new Error(`encoded again it is ${JSON.stringify(again)}`);
  return decoded;
}

test(`${RUNS} random and mutated packets never throw and are never read outside (FUZZ_SEED=${SEED})`, { timeout: 600_000 }, () => {
  let accepted = 0;
  for (let run = 0; run < RUNS; run++) {
    const sample = input();
    try {
      if (check(sample).type !== VIOLATION) accepted += 1;
      if (run % 10 === 0) {
        const bytes = guarded(sample.bytes);
        decodePacket(bytes, sample.version);
        connectVersion(bytes);
        connectLevel(bytes);
        connectPacketBytesMax(bytes);
      }
    } catch (error) {
      const hex = Buffer.from(sample.bytes).toString("hex");
      throw new Error(`FUZZ_SEED=${SEED}, run ${run}, version ${sample.version}, ${hex}`, { cause: error });
    }
  }
  // Both ways are taken often, or the inputs have become useless.
  expect(accepted).toBeGreaterThan(RUNS / 50);
  expect(accepted).toBeLessThan(RUNS / 2);
});

test(`random streams in random chunks never throw and come to an end (FUZZ_SEED=${SEED})`, () => {
  for (let run = 0; run < RUNS / 20; run++) {
    const stream = new PacketStream(5 + below(300));
    let pushed = 0;
    let taken = 0;
    for (let chunk = 0; chunk < 8; chunk++) {
      const bytes = input().bytes;
      stream.push(bytes);
      pushed += bytes.length;
      let next = stream.next();
      while (next instanceof Uint8Array) {
        taken += next.length;
        next = stream.next();
      }
      if (next !== undefined) {
        expect(stream.pendingBytes).toBe(0);
        break;
      }
      expect(stream.pendingBytes).toBe(pushed - taken);
      expect(stream.pendingBytes).toBeLessThan(stream.packetBytesMax + 1);
    }
  }
});
