/** The parts of the gateway that decide without a socket: the first packet, where packets end, turns, and whom a certificate names. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeRefusal, reasonCodeOf, SHUTTING_DOWN } from "../../src/gateway/answers.ts";
import { userNameOf } from "../../src/gateway/client-name.ts";
import { type First, FirstPacket } from "../../src/gateway/first-packet.ts";
import { CONNECT_BYTES_MAX } from "../../src/gateway/limits.ts";
import { PacketEdge } from "../../src/gateway/packet-edge.ts";
import { Proxies } from "../../src/gateway/proxies.ts";
import { Turns } from "../../src/gateway/turns.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNACK, CONNECT, type Connect, NO_PROPERTIES, PINGRESP } from "../../src/mqtt/packet.ts";
import { arbitraryPacket } from "../support/arbitrary-packet.ts";

const BASE: Connect = {
  type: CONNECT,
  version: 5,
  clean: true,
  keepAliveSeconds: 60,
  clientId: "device 7/ü",
  will: undefined,
  userName: "ada",
  password: Buffer.from("secret"),
  properties: NO_PROPERTIES,
};

const bytesOf = (connect: Partial<Connect>): Buffer => {
  const packet = { ...BASE, ...connect };
  return Buffer.from(encodePacket(packet, packet.version));
};

function readIn(pieces: readonly Uint8Array[]): First | string | undefined {
  const reader = new FirstPacket();
  for (const [index, piece] of pieces.entries()) {
    const first = reader.push(piece);
    if (first !== undefined) {
      expect(index).toBe(pieces.length - 1);
      return typeof first === "string" ? first : { ...first, bytes: new Uint8Array(first.bytes) };
    }
  }
  return undefined;
}

describe("the first packet", () => {
  it.each([
    [3, "device"],
    [4, "device 7/ü"],
    [5, "device 7/ü"],
  ] as const)("of version %d is read the same however it is cut, with what came behind it", (version, clientId) => {
    const bytes = bytesOf({ version, clientId });
    const behind = Buffer.from("82050001", "hex");
    const whole = { version, clientId, packetBytesMax: Number.POSITIVE_INFINITY };
    expect(readIn([Buffer.concat([bytes, behind])])).toEqual({ ...whole, bytes: new Uint8Array(Buffer.concat([bytes, behind])) });
    expect(readIn([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual({ ...whole, bytes: new Uint8Array(bytes) });
    const middle = bytes.length >> 1;
    const rest = Buffer.concat([bytes.subarray(middle), behind]);
    expect(readIn([bytes.subarray(0, middle), rest])).toEqual({ ...whole, bytes: new Uint8Array(Buffer.concat([bytes, behind])) });
  });

  it("has no Client Identifier for a URL where it is empty, longer than any broker takes, or where the packet is malformed", () => {
    expect(readIn([bytesOf({ clientId: "" })])).toMatchObject({ clientId: "", version: 5 });
    expect(readIn([bytesOf({ clientId: "x".repeat(1024) })])).toMatchObject({ clientId: "x".repeat(1024) });
    expect(readIn([bytesOf({ clientId: "x".repeat(1025) })])).toMatchObject({ clientId: "", version: 5 });
    const malformed = bytesOf({});
    malformed[9]! |= 1;
    expect(readIn([malformed])).toEqual({
      bytes: new Uint8Array(malformed),
      clientId: "",
      version: 5,
      packetBytesMax: Number.POSITIVE_INFINITY,
    });
  });

  it("tells what the client takes, and whether its version is known", () => {
    expect(readIn([bytesOf({ properties: { maximumPacketSize: 7 } })])).toMatchObject({ packetBytesMax: 7 });
    const later = bytesOf({});
    later[8] = 6;
    expect(readIn([later])).toMatchObject({ version: undefined, clientId: "" });
  });

  it("is none where it begins otherwise, and is not waited for where it is too large", () => {
    for (const byte of [0x00, 0x11, 0x16, 0x30, 0x47, 0xc0]) expect(readIn([Uint8Array.of(byte)])).toBe("not MQTT");
    expect(readIn([Buffer.of(0x10, 0x80, 0x80, 0x09)])).toBe("CONNECT too large");
    expect(readIn([Buffer.of(0x10, 0x80, 0x80, 0x80, 0x80)])).toBe("CONNECT too large");
    const largest = bytesOf({ will: { qos: 0, retain: false, topic: "w", payload: Buffer.alloc(65_535), properties: NO_PROPERTIES } });
    expect(largest.length).toBeLessThan(CONNECT_BYTES_MAX);
    expect(readIn([largest])).toMatchObject({ clientId: "device 7/ü" });
  });

  it("holds no more than has come", () => {
    const reader = new FirstPacket();
    reader.push(Buffer.of(0x10, 0x80, 0x80, 0x04));
    reader.push(Buffer.alloc(1000));
    expect(reader.pendingBytes).toBe(1004);
  });
});

describe("where packets end", () => {
  it("is known between any of them, however they are cut", () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryPacket(5), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(300), { maxLength: 20 }),
        (packets, cuts) => {
          const parts = packets.map((packet) => Buffer.from(encodePacket(packet, 5)));
          const all = Buffer.concat(parts);
          const ends = new Set(parts.map((_part, index) => Buffer.concat(parts.slice(0, index + 1)).length));
          const edge = new PacketEdge();
          let at = 0;
          for (const size of [...cuts, all.length]) {
            edge.push(all.subarray(at, at + size));
            at = Math.min(all.length, at + size);
            expect(edge.isBetween).toBe(at === 0 || ends.has(at));
          }
          expect(edge.hasConnack).toBe(packets.some(({ type }) => type === CONNACK));
        },
      ),
    );
  });

  it("is not found in a stream that is no MQTT", () => {
    const edge = new PacketEdge();
    edge.push(Buffer.alloc(100, 0xff));
    expect(edge.isBetween).toBe(false);
  });

  it("follows a packet as large as there is", () => {
    const edge = new PacketEdge();
    edge.push(Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f));
    for (let left = 268_435_455; left > 0; left -= Math.min(left, 1 << 20)) {
      expect(edge.isBetween).toBe(false);
      edge.push(Buffer.alloc(Math.min(left, 1 << 20)));
    }
    expect(edge.isBetween).toBe(true);
    edge.push(encodePacket({ type: PINGRESP }, 5));
    expect(edge.isBetween).toBe(true);
  });
});

describe("answers", () => {
  const first = (version: First["version"], packetBytesMax = Number.POSITIVE_INFINITY): First => ({
    bytes: new Uint8Array(0),
    version,
    packetBytesMax,
    clientId: "c",
  });

  it("are in the client's version", () => {
    expect(encodeRefusal(first(4), 0x87, "no")).toEqual(Uint8Array.of(0x20, 2, 0, 5));
    expect(encodeRefusal(first(3), 0x88, "no")).toEqual(Uint8Array.of(0x20, 2, 0, 3));
    expect(decodePacket(encodeRefusal(first(5), 0x88, "no")!, 5)).toMatchObject({
      type: CONNACK,
      reasonCode: 0x88,
      properties: { reasonString: "no" },
    });
    expect(encodeRefusal(first(undefined), 0x88, "no")).toBeUndefined();
  });

  it("are no larger than a client takes", () => {
    expect(encodeRefusal(first(5, 8), 0x88, "a long sentence")).toEqual(Uint8Array.of(0x20, 3, 0, 0x88, 0));
    expect(encodeRefusal(first(5, 4), 0x88, "a long sentence")).toBeUndefined();
  });

  it("say that the gateway stops", () => {
    expect(SHUTTING_DOWN).toEqual(Uint8Array.of(0xe0, 1, 0x8b));
  });

  it.each([
    [400, 0x85],
    [401, 0x87],
    [403, 0x87],
    [404, 0x88],
    [426, 0x88],
    [429, 0x9f],
    [500, 0x88],
    [503, 0x88],
    [301, 0x88],
  ])("HTTP %d is Reason Code %s", (status, reasonCode) => {
    expect(reasonCodeOf({ status, isHandedOver: true, isSigned: false })).toBe(reasonCode);
  });

  it("do not tell a client that it is not authorized where it is the gateway that is not believed", () => {
    expect(reasonCodeOf({ status: 401, isHandedOver: true, isSigned: true })).toBe(0x88);
    expect(reasonCodeOf({ status: 400, isHandedOver: false, isSigned: false })).toBe(0x88);
  });
});

describe("turns", () => {
  it("are taken by so many at a time, the others in their order, and who leaves takes none", () => {
    const turns = new Turns(2);
    const ran: number[] = [];
    const ends = [1, 2, 3, 4, 5].map((n) => turns.take(() => ran.push(n)));
    expect([ran, turns.waiting]).toEqual([[1, 2], 3]);
    ends[3]!();
    ends[1]!();
    expect(ran).toEqual([1, 2, 3]);
    ends[0]!();
    ends[2]!();
    expect([ran, turns.waiting]).toEqual([[1, 2, 3, 5], 0]);
    ends[4]!();
    const more = [6, 7, 8].map((n) => turns.take(() => ran.push(n)));
    expect(ran).toEqual([1, 2, 3, 5, 6, 7]);
    expect(more).toHaveLength(3);
  });
});

describe("proxies", () => {
  it("are the addresses and networks that were named, and no others", () => {
    const proxies = Proxies.of(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]) as Proxies;
    for (const address of ["10.1.2.3", "192.0.2.7", "2001:db8:1::1", "::ffff:10.1.2.3"]) expect(proxies.has(address), address).toBe(true);
    for (const address of ["11.0.0.1", "192.0.2.8", "2001:db9::1", "", "nobody"]) expect(proxies.has(address), address).toBe(false);
  });

  it("need to be some", () => {
    expect(Proxies.of(["10.0.0.0/8", "everybody"])).toBe("everybody");
    expect((Proxies.of([]) as Proxies).has("127.0.0.1")).toBe(false);
  });
});

describe("whom a certificate names", () => {
  const named = (CN: unknown, subjectaltname?: string) =>
    ({ subject: { CN } as never, ...(subjectaltname === undefined ? {} : { subjectaltname }) }) as never;

  it.each([
    ["its Common Name", named("device-7"), "device-7"],
    ["a name in any script", named("Gerät 7 \u{1f4a1}"), "Gerät 7 \u{1f4a1}"],
    ["several Common Names", named(["ada", "bob"]), undefined],
    ["none", named(undefined), undefined],
    ["an empty one", named(""), undefined],
    ["one with U+0000", named("ada\0.evil"), undefined],
    ["one that is too long", named("x".repeat(1025)), undefined],
    ["half a character", named("\ud800"), undefined],
  ])("by cert-cn: %s", (_what, certificate, name) => {
    expect(userNameOf(certificate, "cert-cn")).toBe(name);
  });

  it.each([
    ["DNS:device-7", "device-7"],
    ["DNS:device-7, DNS:other", "device-7"],
    ["DNS:device-7, email:ada@example.com", "ada@example.com"],
    ["IP Address:192.0.2.1, URI:urn:device:7", "urn:device:7"],
    // What Node writes for a name that would look like two.
    ['DNS:"a, DNS:ada"', "a, DNS:ada"],
    ['URI:"http://example.com/\\"a, DNS:b"', 'http://example.com/"a, DNS:b'],
    ["IP Address:192.0.2.1", undefined],
    ["", undefined],
    ['DNS:"half', undefined],
    ['DNS:a"b', undefined],
  ])("by cert-san: %s", (text, name) => {
    expect(userNameOf(named("not this", text), "cert-san")).toBe(name);
  });
});
