/**
 * Packets as data: annotated bytes and what they mean. One line of `bytes` is one field: hex digits and quoted ASCII, then `;` and what
 * it is. Lengths are written out, never computed, so that a vector says the same whatever the codec does.
 */

import type { Packet, ProtocolVersion } from "../../src/mqtt/packet.ts";

export interface Vector {
  /** A test title. It begins with the clauses that the vector proves. */
  readonly name: string;
  /** The version of the Network Connection. */
  readonly version: ProtocolVersion;
  readonly bytes: Uint8Array;
  readonly expected:
    | { readonly packet: Packet /** The encoder writes exactly these bytes. */; readonly canonical: boolean }
    | { readonly reasonCode: number; readonly clause: string };
}

/** The bytes of annotated lines. */
export function bytesOf(annotated: string): Uint8Array {
  const bytes: number[] = [];
  for (const line of annotated.split("\n")) {
    const field = line.split(";")[0];
    for (const [, quoted, hex] of field.matchAll(/"([^"]*)"|([0-9a-fA-F]+)/g)) {
      if (hex === undefined) bytes.push(...Buffer.from(quoted, "latin1"));
      else if (hex.length % 2 === 0) bytes.push(...Buffer.from(hex, "hex"));
      else throw new Error(`odd number of hex digits: ${line}`);
    }
  }
  return Uint8Array.from(bytes);
}

/** A packet that is valid in the given versions and that the encoder writes just so. */
export function valid(name: string, versions: readonly ProtocolVersion[], annotated: string, packet: Packet): Vector[] {
  const bytes = bytesOf(annotated);
  return versions.map((version) => ({ name: `${name} (version ${version})`, version, bytes, expected: { packet, canonical: true } }));
}

/** A packet that is valid but has a shorter form, or one that another field order would do as well. */
export function tolerated(name: string, versions: readonly ProtocolVersion[], annotated: string, packet: Packet): Vector[] {
  const bytes = bytesOf(annotated);
  return versions.map((version) => ({ name: `${name} (version ${version})`, version, bytes, expected: { packet, canonical: false } }));
}

/** The clause that is broken in each version that refuses the bytes, as it stands in titles: with brackets. */
export type Clauses = { readonly [version in ProtocolVersion]?: string };

/** Bytes that are refused with one Reason Code and, in each version, its own clause. */
export function invalid(name: string, reasonCode: number, clauses: Clauses, annotated: string): Vector[] {
  const bytes = bytesOf(annotated);
  return ([3, 4, 5] as const).flatMap((version) => {
    const clause = clauses[version];
    if (clause === undefined) return [];
    return [
      { name: `${clause} refuses ${name} (version ${version})`, version, bytes, expected: { reasonCode, clause: clause.slice(1, -1) } },
    ];
  });
}

export const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
