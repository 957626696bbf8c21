/**
 * The client's side of SCRAM-SHA-256 for tests, written from RFC 5802: it shares nothing with the broker's side. Only what Node and
 * workerd both have.
 */

export const SCRAM_SHA_256 = "SCRAM-SHA-256";

export interface ScramClientOptions {
  /** `n,,` by default. */
  readonly gs2Header?: string;
  /** A random one by default. */
  readonly nonce?: string;
  /** Instead of what is derived from the password. */
  readonly saltedPassword?: Uint8Array;
  /** Changes client-final-message-without-proof before it is signed. */
  readonly tamper?: (withoutProof: string) => string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class ScramClient {
  readonly #password: string;
  readonly #gs2Header: string;
  readonly #bare: string;
  readonly #nonce: string;
  readonly #options: ScramClientOptions;
  #serverFinal: string | undefined;

  constructor(userName: string, password: string, options: ScramClientOptions = {}) {
    const { gs2Header = "n,,", nonce = crypto.randomUUID() } = options;
    this.#options = options;
    this.#password = password;
    this.#gs2Header = gs2Header;
    this.#nonce = nonce;
    this.#bare = `n=${userName.replaceAll("=", "=3D").replaceAll(",", "=2C")},r=${nonce}`;
  }

  /** client-first-message */
  first(): Uint8Array {
    return encoder.encode(this.#gs2Header + this.#bare);
  }

  /**
   * client-final-message
   * @param serverFirst what the broker answered to `first`
   * @throws Error when the answer has not the form or does not continue this exchange
   */
  async final(serverFirst: Uint8Array | undefined): Promise<Uint8Array> {
    const text = decoder.decode(serverFirst);
    const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(text) ?? [];
    if (nonce === undefined || !nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw new Error(`not a server's answer: ${text}`);
    const { saltedPassword = await saltedPasswordOf(this.#password.normalize("NFKC"), fromBase64(salt!), Number(iterations)) } =
      this.#options;
    const { tamper = (same) => same } = this.#options;
    const withoutProof = tamper(`c=${btoa(this.#gs2Header)},r=${nonce}`);
    const authMessage = `${this.#bare},${text},${withoutProof}`;
    const clientKey = await hmac(saltedPassword, "Client Key");
    const storedKey = new Uint8Array(await crypto.subtle.digest("SHA-256", clientKey));
    const clientSignature = await hmac(storedKey, authMessage);
    this.#serverFinal = `v=${toBase64(await hmac(await hmac(saltedPassword, "Server Key"), authMessage))}`;
    return encoder.encode(`${withoutProof},p=${toBase64(clientKey.map((byte, index) => byte ^ clientSignature[index]!))}`);
  }

  /** Whether the broker has proved that it knows the password's hash. */
  verify(serverFinal: Uint8Array | undefined): boolean {
    return this.#serverFinal !== undefined && decoder.decode(serverFinal) === this.#serverFinal;
  }
}

async function saltedPasswordOf(password: string, salt: BufferSource, iterations: number): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", encoder.encode(password), "PBKDF2", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, key, 256));
}

async function hmac(keyBytes: Uint8Array, data: string): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", keyBytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(data)));
}

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
