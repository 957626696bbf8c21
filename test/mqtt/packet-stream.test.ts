import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import type { Packet, ProtocolVersion } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { VIOLATION, type Violation } from "../../src/mqtt/violation.ts";
import { arbitraryPacket, arbitraryVersion } from "../support/arbitrary-packet.ts";
import { processorMs } from "../support/processor-time.ts";
import { bytesOf } from "../vectors/vector.ts";

const BYTES_MAX = 1_048_576;

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** All packets of a stream up to the first time it has none. */
function drain(stream: PacketStream): (Uint8Array | Violation)[] {
  const found: (Uint8Array | Violation)[] = [];
  for (let next = stream.next(); next !== undefined; next = stream.next()) {
    found.push(next);
    if (!(next instanceof Uint8Array)) break;
  }
  return found;
}

function feed(chunks: readonly Uint8Array[], bytesMax = BYTES_MAX): (Uint8Array | Violation)[] {
  const stream = new PacketStream(bytesMax);
  return chunks.flatMap((chunk) => {
    stream.push(chunk);
    return drain(stream);
  });
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const sorted = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
}

const packetsOfVersion: fc.Arbitrary<[ProtocolVersion, Packet[]]> = arbitraryVersion.chain((version) =>
  fc.tuple(fc.constant(version), fc.array(arbitraryPacket(version), { minLength: 1, maxLength: 6 })),
);

describe("every split of the byte stream", () => {
  test("[MQTT5-6.0.0-2] [MQTT311-6.0.0-2] decodes the same", () => {
    fc.assert(
      fc.property(packetsOfVersion, fc.array(fc.nat(), { maxLength: 12 }), ([version, packets], cuts) => {
        const whole = packets.map((packet) => encodePacket(packet, version));
        const found = feed(split(join(whole), cuts));
        expect(found.map((bytes) => decodePacket(bytes as Uint8Array, version))).toStrictEqual(packets);
      }),
      { numRuns: 500 },
    );
  });

  test("[MQTT5-6.0.0-2] [MQTT311-6.0.0-2] decodes the same when it is pushed whole before it is read", () => {
    fc.assert(
      fc.property(packetsOfVersion, fc.array(fc.nat(), { maxLength: 12 }), ([version, packets], cuts) => {
        const bytes = join(packets.map((packet) => encodePacket(packet, version)));
        const stream = new PacketStream(BYTES_MAX);
        for (const chunk of split(bytes, cuts)) stream.push(chunk);
        expect(stream.pendingBytes).toBe(bytes.length);
        expect(join(drain(stream) as Uint8Array[])).toStrictEqual(bytes);
        expect(stream.pendingBytes).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  const annotated = `32 12 0004 "TEST" 0001 "HelloWorld" ; PUBLISH
    c0 00                    ; PINGREQ
    30 80 01 0004 "long"     ; PUBLISH with a Remaining Length of two bytes`;
  const bytes = join([bytesOf(annotated), new Uint8Array(122)]);
  const expected = [bytes.subarray(0, 20), bytes.subarray(20, 22), bytes.subarray(22)];

  test("at every one and every two places", () => {
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        expect(feed(split(bytes, [first, second]))).toEqual(expected);
      }
    }
  });

  test("into single bytes", () => {
    expect(feed(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(expected);
  });
});

test("each packet came when the last of its bytes did", () => {
  const stream = new PacketStream(BYTES_MAX);
  const chunks = [bytesOf("c0 00 30 04"), bytesOf('0001 "a"'), bytesOf("00 c0 00"), bytesOf("c0 00")];
  const times: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    for (const [index, chunk] of chunks.entries()) stream.push(chunk, 10 * round + index);
    // From the second round on something always waits.
    for (let count = round === 0 ? 3 : 4; count > 0; count -= 1) {
      stream.next();
      times.push(stream.cameAt);
    }
  }
  expect(times.slice(0, 9)).toEqual([0, 2, 2, 3, 10, 12, 12, 13, 20]);
  expect(times.at(-1)).toBe(492);
});

describe("copies", () => {
  test("nothing that lies within one chunk", () => {
    const chunk = bytesOf('30 04 0001 "a" 00 c0 00');
    const [publish, ping] = feed([chunk]) as Uint8Array[];
    expect([publish.buffer, publish.byteOffset]).toEqual([chunk.buffer, 0]);
    expect([ping.buffer, ping.byteOffset]).toEqual([chunk.buffer, 6]);
  });

  test("a spanning packet, so that a chunk may be dropped", () => {
    const chunks = [bytesOf("c0 00 30 04"), bytesOf('0001 "a" 00 c0 00')];
    const [, publish, ping] = feed(chunks) as Uint8Array[];
    expect(publish).toEqual(bytesOf('30 04 0001 "a" 00'));
    expect(publish.buffer).not.toBe(chunks[1].buffer);
    expect(ping.buffer).toBe(chunks[1].buffer);
  });

  test("in linear time: 1 MiB in single bytes", () => {
    const payloadBytes = BYTES_MAX - 4;
    const bytes = join([bytesOf("30 fcff3f"), new Uint8Array(payloadBytes).fill(7)]);
    const stream = new PacketStream(BYTES_MAX);
    const ms = processorMs(() => {
      for (let i = 0; i < bytes.length - 1; i++) {
        stream.push(bytes.subarray(i, i + 1));
        if (stream.next() !== undefined) throw new Error(`a packet after ${i} bytes`);
      }
    });
    expect(stream.pendingBytes).toBe(bytes.length - 1);
    stream.push(bytes.subarray(bytes.length - 1));
    expect(Buffer.compare(stream.next() as Uint8Array, bytes)).toBe(0);
    // Quadratic copying would move half a terabyte.
    expect(ms).toBeLessThan(10_000);
  });
});

describe("refuses", () => {
  const tooLarge = { type: VIOLATION, kind: "protocol", reasonCode: 0x95, clause: "MQTT5-3.2.2-15" };

  test("[MQTT5-3.2.2-15] a packet above the maximum as soon as its length is known", () => {
    // 2 bytes of fixed header and 98 of content are 100.
    expect(feed([bytesOf("30 62")], 100)).toEqual([]);
    expect(feed([bytesOf("30 63")], 100)).toMatchObject([tooLarge]);
    expect(feed([bytesOf("30"), bytesOf("63")], 100)).toMatchObject([tooLarge]);
    expect(feed([bytesOf("30 ff"), bytesOf("ff"), bytesOf("7f")], 100)).toMatchObject([tooLarge]);
  });

  test("[MQTT311-4.8.0-2] the same in 3.1.1, which has no word for it", () => {
    const stream = new PacketStream(100);
    stream.version = 4;
    stream.push(bytesOf("30 63"));
    expect(stream.next()).toMatchObject({ ...tooLarge, clause: "MQTT311-4.8.0-2" });
  });

  test("[MQTT5-3.2.2-15] by a maximum that was changed", () => {
    const stream = new PacketStream(100);
    stream.packetBytesMax = 10;
    stream.push(bytesOf("30 09"));
    expect(stream.next()).toMatchObject(tooLarge);
  });

  test.each([
    [3, "3.1.1/2.2.3/length"],
    [4, "3.1.1/2.2.3/length"],
    [5, "5.0/1.5.5/five-bytes"],
  ] as const)("[5.0/1.5.5/five-bytes] [3.1.1/2.2.3/length] a fifth length byte without waiting for it (version %i)", (version, clause) => {
    const stream = new PacketStream(BYTES_MAX);
    stream.version = version;
    stream.push(bytesOf("30 ffffff"));
    expect(stream.next()).toBeUndefined();
    stream.push(bytesOf("ff"));
    expect(stream.next()).toMatchObject({ kind: "malformed", reasonCode: 0x81, clause });
  });

  test("[3.1.1/2.2.3/length] no length of four bytes", () => {
    const stream = new PacketStream(268_435_460);
    stream.push(bytesOf("30 ffffff7f"));
    expect(stream.next()).toBeUndefined();
    expect(stream.pendingBytes).toBe(5);
  });

  test.each(["c0 8000", "c0 808000", "c0 80808000", "30 ff00"])("[MQTT5-1.5.5-1] a length that is not the shortest: %s", (hex) => {
    const chunks = Array.from(bytesOf(hex), (byte) => Uint8Array.of(byte));
    for (const found of [feed([bytesOf(hex)]), feed(chunks)]) {
      expect(found).toMatchObject([{ kind: "malformed", reasonCode: 0x81, clause: "MQTT5-1.5.5-1" }]);
    }
  });

  test("everything after a violation, holding nothing", () => {
    const stream = new PacketStream(10);
    stream.push(bytesOf("c0 00 30 7f"));
    expect(stream.next()).toEqual(bytesOf("c0 00"));
    const violation = stream.next();
    expect(violation).toMatchObject(tooLarge);
    stream.push(bytesOf("c0 00"));
    expect(stream.next()).toBe(violation);
    expect(stream.pendingBytes).toBe(0);
  });
});

test("an announced length takes no memory before its bytes come", () => {
  const streams = Array.from({ length: 2000 }, () => new PacketStream(268_435_460));
  const before = process.memoryUsage().arrayBuffers;
  for (const stream of streams) {
    stream.push(bytesOf("30 ffffff7f 0001"));
    expect(stream.next()).toBeUndefined();
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
});
