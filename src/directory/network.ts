/** Addresses of clients (IPv4, IPv6) and networks in the form of CIDR, compared by their bits, however they are written. */

/** Sixteen bytes; an address of IPv4 as IPv6 writes it, ::ffff:a.b.c.d. */
export type Address = readonly number[];

export interface Network {
  readonly address: Address;
  /** How many of its bits count, of 128. */
  readonly bits: number;
}

const MAPPED = [...Array<number>(10).fill(0), 255, 255];

/** @returns undefined when it is no address */
export function parseAddress(text: string): Address | undefined {
  const v4 = parseV4(text);
  return v4 === undefined ? parseV6(text) : [...MAPPED, ...v4];
}

/** @param text an address, with `/` and the number of bits that count, or without: all */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf("/");
  const written = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(written);
  if (address === undefined) return undefined;
  const offset = written.includes(":") ? 0 : 96;
  if (slash < 0) return { address, bits: 128 };
  const length = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length) || Number(length) + offset > 128) return undefined;
  return { address, bits: Number(length) + offset };
}

export function contains({ address, bits }: Network, other: Address): boolean {
  const whole = bits >> 3;
  for (let index = 0; index < whole; index += 1) if (address[index] !== other[index]) return false;
  const rest = bits & 7;
  return rest === 0 || (address[whole]! ^ other[whole]!) >> (8 - rest) === 0;
}

/**
 * The address of a socket, which may have its port behind it.
 * @returns empty for what is none
 */
export function withoutPort(text: string): string {
  const [, bracketed, plain] = /^(?:\[(.+)\]|([^:]+))(?::\d+)?$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  return parseAddress(address) === undefined ? "" : address;
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return undefined;
  return parts.map(Number);
}

function parseV6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === "" ? [] : groupsOf(half)));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 16 ? head : undefined;
  const gap = 16 - head.length - tail.length;
  return gap < 2 ? undefined : [...head, ...Array<number>(gap).fill(0), ...tail];
}

function groupsOf(text: string): number[] | undefined {
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    const v4 = index === groups.length - 1 ? parseV4(group) : undefined;
    if (v4 !== undefined) bytes.push(...v4);
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255);
    else return undefined;
  }
  return bytes;
}

/** Bytes of an address of IPv6 that are one network: whoever has one address of it has 2^64. */
const NETWORK_BYTES = 8;

/**
 * Who is one where something is limited for each address: an address of IPv4, a /64 of IPv6.
 * @param address as the platform writes it; empty when it is not known: all those are one
 */
export function limitedAs(address: string): string {
  if (!address.includes(":")) return address;
  const bytes = parseAddress(address);
  if (bytes === undefined) return address;
  const isV4 = contains({ address: [...MAPPED, 0, 0, 0, 0], bits: 96 }, bytes);
  return isV4 ? bytes.slice(12).join(".") : `${bytes.slice(0, NETWORK_BYTES).join(":")}/64`;
}
