/**
 * Certificates for tests, made as they are needed: an authority, what it certifies, and what it has revoked (X.509, RFC 5280, in DER). Node has no
 * way to make them, and not every machine has openssl.
 */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

const SEQUENCE = 0x30;
const SET = 0x31;

function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  const { length } = body;
  const long = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...long), body]);
}

function oid(text: string): Buffer {
  const [first, second, ...rest] = text.split(".").map(Number);
  const bytes = [first! * 40 + second!];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

const integer = (bytes: Uint8Array): Buffer => der(0x02, bytes[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
const text = (value: string): Buffer => der(0x0c, Buffer.from(value));
const ALGORITHM = der(SEQUENCE, oid("1.2.840.10045.4.3.2"));

function time(date: Date): Buffer {
  return der(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`));
}

function name(commonNames: readonly string[]): Buffer {
  return der(SEQUENCE, ...commonNames.map((each) => der(SET, der(SEQUENCE, oid("2.5.4.3"), text(each)))));
}

function pem(kind: string, bytes: Uint8Array): string {
  return `-----BEGIN ${kind}-----\n${Buffer.from(bytes)
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n")}\n-----END ${kind}-----\n`;
}

function signed(body: Buffer, key: KeyObject): Buffer {
  return der(SEQUENCE, body, ALGORITHM, der(0x03, Buffer.of(0), sign("sha256", body, key)));
}

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly serial: Buffer;
}

/** Alternative names by the number of their kind: 1 email, 2 DNS, 6 URI. */
export type AlternativeName = readonly [kind: 1 | 2 | 6, value: string];

export interface Certified {
  readonly commonNames?: readonly string[];
  readonly alternativeNames?: readonly AlternativeName[];
  readonly validTo?: Date;
}

const DAY_MS = 86_400_000;

export class Authority {
  readonly cert: string;
  readonly #key: KeyObject;
  readonly #name: Buffer;

  constructor(commonName: string) {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#key = privateKey;
    this.#name = name([commonName]);
    const isAuthority = der(SEQUENCE, oid("2.5.29.19"), der(0x01, Buffer.of(0xff)), der(0x04, der(SEQUENCE, der(0x01, Buffer.of(0xff)))));
    this.cert = this.#certificate(this.#name, publicKey, [isAuthority], randomBytes(8));
  }

  certify({ commonNames = [], alternativeNames = [], validTo }: Certified): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const names = alternativeNames.map(([kind, value]) => der(0x80 | kind, Buffer.from(value, "latin1")));
    const extensions = names.length === 0 ? [] : [der(SEQUENCE, oid("2.5.29.17"), der(0x04, der(SEQUENCE, ...names)))];
    const serial = Buffer.concat([Buffer.of(1), randomBytes(7)]);
    return {
      cert: this.#certificate(name(commonNames), publicKey, extensions, serial, validTo),
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      serial,
    };
  }

  /** A list of revoked certificates. */
  revoke(certificates: readonly Certificate[]): string {
    const [now, later] = [new Date(Date.now() - DAY_MS), new Date(Date.now() + DAY_MS)];
    const entries = certificates.map(({ serial }) => der(SEQUENCE, integer(serial), time(now)));
    const list = entries.length === 0 ? [] : [der(SEQUENCE, ...entries)];
    return pem("X509 CRL", signed(der(SEQUENCE, integer(Buffer.of(1)), ALGORITHM, this.#name, time(now), time(later), ...list), this.#key));
  }

  #certificate(
    subject: Buffer,
    publicKey: KeyObject,
    extensions: readonly Buffer[],
    serial: Buffer,
    validTo = new Date(Date.now() + DAY_MS),
  ): string {
    const validity = der(SEQUENCE, time(new Date(Math.min(Date.now(), validTo.getTime()) - DAY_MS)), time(validTo));
    const version = der(0xa0, integer(Buffer.of(2)));
    const spki = publicKey.export({ type: "spki", format: "der" });
    const more = extensions.length === 0 ? [] : [der(0xa3, der(SEQUENCE, ...extensions))];
    const body = der(SEQUENCE, version, integer(serial), ALGORITHM, this.#name, validity, subject, spki, ...more);
    return pem("CERTIFICATE", signed(body, this.#key));
  }
}
