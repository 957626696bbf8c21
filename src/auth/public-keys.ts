/**
 * Public keys in PEM: what each is and which algorithms of JWT it can check, read from its bytes without importing it. Importing takes
 * time, and settings are judged at once. Knows no tokens.
 */

import { fromBase64 } from "./base64.ts";

/** Of RSA, bits: RFC 7518, 3.3 and 3.5 want no fewer. */
export const RSA_BITS_MIN = 2048;

export const RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const;
export const ED25519_ALGORITHMS = ["EdDSA", "Ed25519"] as const;

export interface PublicKey {
  /** SubjectPublicKeyInfo with its frame. */
  readonly pem: string;
  /** The `alg` of tokens that it may check; never one of a shared secret. */
  readonly algorithms: readonly string[];
}

/** Object identifiers as they stand in DER, in hex. */
const RSA = "2a864886f70d010101";
const EC = "2a8648ce3d0201";
const ED25519 = "2b6570";
const CURVES: Readonly<Record<string, readonly string[]>> = {
  "2a8648ce3d030107": ["ES256"],
  "2b81040022": ["ES384"],
  "2b81040023": ["ES512"],
};

const FRAME = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----/g;

/**
 * Reads one or more keys.
 * @param text PEM; line breaks may be written as `\n`, as files of variables have them
 * @returns undefined when there is none, or anything that is no usable public key
 */
export function parsePublicKeys(text: string): readonly PublicKey[] | undefined {
  const lines = text.replaceAll("\\n", "\n");
  const keys = [...lines.matchAll(FRAME)].map(([pem, base64]) => publicKey(pem, base64!.replaceAll(/\s/g, "")));
  if (keys.length === 0 || lines.replaceAll(FRAME, "").trim() !== "") return undefined;
  return keys.every((key) => key !== undefined) ? keys : undefined;
}

function publicKey(pem: string, base64: string): PublicKey | undefined {
  const der = fromBase64(base64);
  const algorithms = der && algorithmsOf(der);
  return algorithms && { pem, algorithms };
}

/** SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING } */
function algorithmsOf(der: Uint8Array): readonly string[] | undefined {
  const whole = element(der, 0);
  const identifier = whole && element(der, whole.start);
  const algorithm = identifier && element(der, identifier.start);
  if (whole?.end !== der.length || algorithm === undefined) return undefined;
  const name = hex(der, algorithm);
  if (name === ED25519) return ED25519_ALGORITHMS;
  const parameters = element(der, algorithm.end);
  if (name === EC) return parameters && CURVES[hex(der, parameters)];
  return name === RSA && rsaBits(der, identifier!.end) >= RSA_BITS_MIN ? RSA_ALGORITHMS : undefined;
}

/** BIT STRING { SEQUENCE { INTEGER modulus ... } }; the first byte of a BIT STRING counts unused bits, and a modulus has a zero before it. */
function rsaBits(der: Uint8Array, at: number): number {
  const bits = element(der, at);
  const sequence = bits && element(der, bits.start + 1);
  const modulus = sequence && element(der, sequence.start);
  return modulus === undefined ? 0 : (modulus.end - modulus.start - (der[modulus.start] === 0 ? 1 : 0)) * 8;
}

interface Element {
  /** Where its content begins. */
  readonly start: number;
  readonly end: number;
}

/** An element of DER; undefined when it does not end within the bytes. */
function element(der: Uint8Array, at: number): Element | undefined {
  const first = der[at + 1];
  if (first === undefined) return undefined;
  const more = first < 0x80 ? 0 : first - 0x80;
  if (more > 2) return undefined;
  let length = more === 0 ? first : 0;
  for (let index = 0; index < more; index += 1) length = (length << 8) | (der[at + 2 + index] ?? 0);
  const start = at + 2 + more;
  return start + length <= der.length ? { start, end: start + length } : undefined;
}

function hex(der: Uint8Array, { start, end }: Element): string {
  return [...der.subarray(start, end)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
