/** The client's side of SCRAM-SHA-256 for tests, written from RFC 5802 with node:crypto: it shares nothing with the broker's side. */

import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";

export const SCRAM_SHA_256 = "SCRAM-SHA-256";

export interface ScramClientOptions {
  /** `n,,` by default. */
  readonly gs2Header?: string;
  /** A random one by default. */
  readonly nonce?: string;
}

export class ScramClient {
  readonly #password: string;
  readonly #gs2Header: string;
  readonly #bare: string;
  readonly #nonce: string;
  #serverSignature: Buffer | undefined;

  constructor(
    userName: string,
    password: string,
    { gs2Header = "n,,", nonce = randomBytes(18).toString("base64") }: ScramClientOptions = {},
  ) {
    this.#password = password;
    this.#gs2Header = gs2Header;
    this.#nonce = nonce;
    this.#bare = `n=${userName.replaceAll("=", "=3D").replaceAll(",", "=2C")},r=${nonce}`;
  }

  /** client-first-message */
  first(): Uint8Array {
    return Buffer.from(this.#gs2Header + this.#bare);
  }

  /**
   * client-final-message
   * @param serverFirst what the broker answered to `first`
   * @throws Error when the answer has not the form or does not continue this exchange
   */
  final(serverFirst: Uint8Array): Uint8Array {
    const text = Buffer.from(serverFirst).toString();
    const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(text) ?? [];
    if (nonce === undefined || !nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw new Error(`not a server's answer: ${text}`);
    const saltedPassword = pbkdf2Sync(this.#password.normalize("NFKC"), Buffer.from(salt!, "base64"), Number(iterations), 32, "sha256");
    const withoutProof = `c=${Buffer.from(this.#gs2Header).toString("base64")},r=${nonce}`;
    const authMessage = `${this.#bare},${text},${withoutProof}`;
    const clientKey = hmac(saltedPassword, "Client Key");
    const clientSignature = hmac(createHash("sha256").update(clientKey).digest(), authMessage);
    this.#serverSignature = hmac(hmac(saltedPassword, "Server Key"), authMessage);
    const proof = clientKey.map((byte, index) => byte ^ clientSignature[index]!);
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString("base64")}`);
  }

  /** Whether the broker has proved that it knows the password's hash. */
  verify(serverFinal: Uint8Array | undefined): boolean {
    if (serverFinal === undefined || this.#serverSignature === undefined) return false;
    const [, signature] = /^v=(.+)$/.exec(Buffer.from(serverFinal).toString()) ?? [];
    const found = Buffer.from(signature ?? "", "base64");
    return found.length === this.#serverSignature.length && timingSafeEqual(found, this.#serverSignature);
  }
}

function hmac(key: Uint8Array, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}
