/** PROXY headers as load balancers write them, cut anywhere, and what is none. */

import { describe, expect, it } from "vitest";
import { PROXY_V2_BYTES_MAX } from "../../src/gateway/limits.ts";
import { readProxyHeader } from "../../src/gateway/proxy-header.ts";
import { proxyV2 } from "./proxy-v2.ts";

const ascii = (text: string): Buffer => Buffer.from(text, "latin1");

const GOOD: readonly [what: string, bytes: Buffer, address: string | undefined][] = [
  ["TCP4", ascii("PROXY TCP4 192.0.2.1 192.0.2.2 56324 1883\r\n"), "192.0.2.1"],
  ["TCP6", ascii("PROXY TCP6 2001:db8::1 2001:db8::2 56324 1883\r\n"), "2001:db8::1"],
  ["UNKNOWN", ascii("PROXY UNKNOWN\r\n"), undefined],
  [
    "UNKNOWN with addresses, the longest there is",
    ascii(`PROXY UNKNOWN ${`${"f".repeat(4)}:`.repeat(7)}ffff ${`${"f".repeat(4)}:`.repeat(7)}ffff 65535 65535\r\n`),
    undefined,
  ],
  ["version 2, TCP4", proxyV2({ source: [192, 0, 2, 1] }), "192.0.2.1"],
  ["version 2, TCP6", proxyV2({ source: [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] }), "2001:db8::1"],
  ["version 2 with more behind the addresses", proxyV2({ source: [192, 0, 2, 1], more: 200 }), "192.0.2.1"],
  ["version 2, LOCAL: a health check", proxyV2({ command: 0x20, family: 0, source: [] }), undefined],
  ["version 2, a UNIX socket", proxyV2({ family: 0x31, source: [], more: 216 }), undefined],
];

describe.each(GOOD)("%s", (_what, bytes, address) => {
  it("says where the client is, and how long it is, with or without more behind it", () => {
    expect(readProxyHeader(bytes)).toEqual({ length: bytes.length, address });
    expect(readProxyHeader(Buffer.concat([bytes, ascii("\x10\x0c")]))).toEqual({ length: bytes.length, address });
  });

  it("is waited for until it is whole", () => {
    for (let length = 0; length < bytes.length; length += 1)
      expect(readProxyHeader(bytes.subarray(0, length)), `${length} bytes`).toBeUndefined();
  });
});

describe("refused", () => {
  it.each([
    ["CONNECT", ascii("\x10\x0c\x00\x04MQTT")],
    ["a ClientHello", ascii("\x16\x03\x01")],
    ["HTTP", ascii("POST / HTTP/1.1\r\n")],
    ["an unknown family", ascii("PROXY UDP4 192.0.2.1 192.0.2.2 56324 1883\r\n")],
    ["no addresses", ascii("PROXY TCP4\r\n")],
    ["an address that is none", ascii("PROXY TCP4 192.0.2.256 192.0.2.2 56324 1883\r\n")],
    ["an address of the other family", ascii("PROXY TCP4 2001:db8::1 2001:db8::2 56324 1883\r\n")],
    ["a name", ascii("PROXY TCP6 localhost localhost 56324 1883\r\n")],
    ["a line without CR", ascii("PROXY TCP4 192.0.2.1 192.0.2.2 56324 1883\n")],
    ["a line that never ends", ascii(`PROXY TCP4 ${"1".repeat(200)}`)],
    ["version 3", Buffer.concat([proxyV2({ source: [] }).subarray(0, 12), ascii("\x31\x11\x00\x0c")])],
    [
      "version 2 that is too long",
      Buffer.concat([proxyV2({ source: [] }).subarray(0, 12), ascii("\x21\x11"), Buffer.of(PROXY_V2_BYTES_MAX >> 8, 0xff)]),
    ],
    ["version 2 with addresses that are too short", proxyV2({ family: 0x11, source: [192, 0, 2] })],
    ["version 2 of UDP", proxyV2({ family: 0x12, source: [192, 0, 2, 1], more: 8 })],
  ])("%s", (_what, bytes) => {
    expect(readProxyHeader(bytes)).toMatch(/PROXY header/);
  });
});
