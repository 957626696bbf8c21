/**
 * The PROXY protocol of HAProxy, versions 1 and 2: what a load balancer says, before anything else, of where the connection comes from.
 * https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt. Pure; whether the other end may say so is not known here.
 */

import { utf8Encode } from "../mqtt/bytes.ts";
import { PROXY_V1_BYTES_MAX, PROXY_V2_BYTES_MAX } from "./limits.ts";

export interface ProxyHeader {
  /** Bytes that it takes. */
  readonly length: number;
  /** Where the client is; undefined when the proxy speaks for itself, a health check, or does not know. */
  readonly address: string | undefined;
}

/** The text and the signature with which the two versions begin. */
const V1 = utf8Encode("PROXY ");
const V2 = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);

/** Bytes of version 2 before the addresses. */
const V2_HEAD = 16;

/** The byte of family and protocol, and the bytes of one address. */
const TCP4 = 0x11;
const TCP6 = 0x21;

const LOCAL = 0x20;
const PROXY = 0x21;

/**
 * Reads a header from the first bytes of a connection.
 * @returns undefined when more are needed; a sentence about what is wrong, after which the connection can't be read
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | string | undefined {
  if (beginsAs(bytes, V1)) return bytes.length < V1.length ? undefined : readV1(bytes);
  if (beginsAs(bytes, V2)) return bytes.length < V2_HEAD ? undefined : readV2(bytes);
  return "the connection does not begin with a PROXY header";
}

function beginsAs(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.subarray(0, bytes.length).every((byte, index) => byte === bytes[index]);
}

/** `PROXY TCP4 192.0.2.1 192.0.2.2 56324 1883\r\n` */
function readV1(bytes: Uint8Array): ProxyHeader | string | undefined {
  const end = bytes.subarray(0, PROXY_V1_BYTES_MAX).indexOf(0x0a);
  if (end < 0) return bytes.length < PROXY_V1_BYTES_MAX ? undefined : "the PROXY header is too long";
  const line = String.fromCharCode(...bytes.subarray(0, end + 1));
  const length = end + 1;
  if (/^PROXY UNKNOWN[ -~]*\r\n$/.test(line)) return { length, address: undefined };
  const [, family, address = ""] = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})\r\n$/.exec(line) ?? [];
  const isAddress = family === "4" ? isV4(address) : family === "6" && isV6(address);
  return isAddress ? { length, address } : "the PROXY header is not well-formed";
}

function isV4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

function isV6(text: string): boolean {
  return /^[0-9a-f:.]{2,45}$/i.test(text) && URL.canParse(`http://[${text}]/`);
}

function readV2(bytes: Uint8Array): ProxyHeader | string | undefined {
  const [command, family] = [bytes[12]!, bytes[13]!];
  const length = V2_HEAD + ((bytes[14]! << 8) | bytes[15]!);
  if (length > PROXY_V2_BYTES_MAX) return "the PROXY header is too long";
  if (command !== LOCAL && command !== PROXY) return "the PROXY header is of another version";
  if (bytes.length < length) return undefined;
  if (command === LOCAL) return { length, address: undefined };
  const addresses = bytes.subarray(V2_HEAD, length);
  if (family === TCP4 && addresses.length >= 12) return { length, address: addresses.subarray(0, 4).join(".") };
  if (family === TCP6 && addresses.length >= 36) return { length, address: textOfV6(addresses.subarray(0, 16)) };
  // Of a UNIX socket, or of a family that is not said: nothing is known of where.
  return family === 0x00 || family === 0x31 ? { length, address: undefined } : "the PROXY header is not of TCP over IPv4 or IPv6";
}

/** As it is written by most: short. */
function textOfV6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2]! << 8) | bytes[index * 2 + 1]!).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}
