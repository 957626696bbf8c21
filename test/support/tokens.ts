/** Tokens for tests, made by another library than the broker's, and keys to sign them with. */

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import jwt, { type SignOptions } from "jsonwebtoken";

/** A shared secret of 40 characters. */
export const SECRET = "a secret that is long enough for a HS256";

export interface TokenKeys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The public one in PEM. */
  readonly pem: string;
}

export type KeyKind = "RSA" | "P-256" | "P-384" | "P-521" | "Ed25519";

export function tokenKeys(kind: KeyKind, bits = 2048): TokenKeys {
  const { privateKey } =
    kind === "RSA"
      ? generateKeyPairSync("rsa", { modulusLength: bits })
      : kind === "Ed25519"
        ? generateKeyPairSync("ed25519")
        : generateKeyPairSync("ec", { namedCurve: kind });
  const publicKey = createPublicKey(privateKey);
  return { privateKey, publicKey, pem: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

/** A public key as an entry of a JWK Set. */
export function jwkOf({ publicKey }: TokenKeys, kid: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { ...publicKey.export({ format: "jwk" }), kid, use: "sig", ...more };
}

/** Seconds since the epoch. */
export const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;

/** Signs claims as they are: nothing is added to them but `iat`. */
export function signed(claims: object, key: string | Buffer | KeyObject = SECRET, options: SignOptions = {}): string {
  return jwt.sign(claims, key, { allowInvalidAsymmetricKeyTypes: true, ...options });
}

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token from its parts, for headers that no library makes. */
export function assembled(header: object, claims: object, signature: (data: Buffer) => Buffer): string {
  const data = `${base64(header)}.${base64(claims)}`;
  return `${data}.${signature(Buffer.from(data)).toString("base64url")}`;
}

/** Signed by Ed25519, which jsonwebtoken does not know. */
export function signedByEd25519(claims: object, { privateKey }: TokenKeys, header: object = {}): string {
  return assembled({ alg: "EdDSA", ...header }, claims, (data) => sign(null, data, privateKey));
}
