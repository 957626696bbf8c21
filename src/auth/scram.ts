/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677): client and broker prove to each other that they know the password, or what is derived from it,
 * and neither says it. For the broker it is cheap: the slow hash is the client's work. The rules are here; the text of the messages
 * is in scram-message.ts.
 *
 * The hashes of USERS serve as they are: PBKDF2-HMAC-SHA-256 of 32 bytes with a salt and a number of iterations is exactly what SCRAM
 * calls SaltedPassword. Whoever reads USERS can therefore pose as any of its users by SCRAM without knowing a password, which a hash
 * does not allow on the way of user name and password: keep the secret secret.
 *
 * User names are compared code point by code point, as everywhere in the broker; SASLprep is not applied to them. Of a password the
 * broker has only the hash: a client that prepares passwords (RFC 4013, NFKC) fits a hash that was made from the prepared password.
 * For ASCII that is the password itself.
 */

import type { DirectoryPort } from "../directory/ports.ts";
import {
  type AuthenticationExchange,
  type AuthenticationStep,
  type Caller,
  type EnhancedAuthenticator,
  NOBODY,
  type Refusal,
} from "../session/ports.ts";
import { toBase64 } from "./base64.ts";
import type { FailedLogins } from "./failed-logins.ts";
import type { Attempt } from "./login-attempt.ts";
import { equalConstantTime, ITERATIONS_MAX, type PasswordHash, parsePasswordHash } from "./password.ts";
import { type ClientFirst, parseClientFinal, parseClientFirst, ScramProblem } from "./scram-message.ts";
import type { User } from "./users.ts";

export const SCRAM_SHA_256 = "SCRAM-SHA-256";

const NONCE_BYTES = 18;
const SALT_BYTES_MAX = 64;
const HASH_BYTES = 32;
const NOTHING = new Uint8Array(0);

const encoder = new TextEncoder();

/** Lets in the users of the variable USERS and of the directory by SCRAM-SHA-256. */
export class ScramAuthenticator implements EnhancedAuthenticator {
  readonly methods = [SCRAM_SHA_256];
  readonly #credentials: Credentials;
  readonly #failures: FailedLogins;

  /** @param secret what nobody else knows, where there may be no users */
  constructor(users: readonly User[], failures: FailedLogins, directory?: DirectoryPort, secret = "") {
    this.#failures = failures;
    this.#credentials = new Credentials(users, directory, secret);
  }

  begin(method: string, _clientId: string, caller: Caller): AuthenticationExchange | undefined {
    if (method !== SCRAM_SHA_256) return undefined;
    const nonce = toBase64(crypto.getRandomValues(new Uint8Array(NONCE_BYTES)));
    return new ScramExchange(this.#credentials, nonce, caller, this.#failures);
  }
}

/** What a user's proof is checked against; for an unknown user something that looks the same and that no proof fits. */
interface Credential {
  readonly known: boolean;
  readonly passwordHash: PasswordHash;
  /** Rights that come with the login. */
  readonly grants: string;
}

/** The server's side of one exchange. */
export class ScramExchange implements AuthenticationExchange {
  readonly #credentials: Credentials;
  readonly #serverNonce: string;
  readonly #caller: Caller;
  readonly #failures: FailedLogins;
  #asked = false;
  #first:
    | { readonly message: ClientFirst; readonly answer: string; readonly credential: Credential; readonly attempt: Attempt }
    | undefined;

  /** @param serverNonce printable ASCII without comma, never used before */
  constructor(credentials: Credentials, serverNonce: string, caller: Caller, failures: FailedLogins) {
    this.#failures = failures;
    this.#credentials = credentials;
    this.#caller = caller;
    this.#serverNonce = serverNonce;
  }

  async step(data: Uint8Array): Promise<AuthenticationStep> {
    if (this.#first !== undefined) return this.#finish(data);
    if (data.length > 0 || this.#asked) return this.#start(data);
    // RFC 4422, 5: a client that has to speak first and said nothing is asked by an empty challenge.
    this.#asked = true;
    return { kind: "continue", data: NOTHING };
  }

  async #start(data: Uint8Array): Promise<AuthenticationStep> {
    const message = parseClientFirst(data);
    if (message instanceof ScramProblem) return refusal(message.message);
    const { address, namespace, whenGone } = this.#caller;
    const attempt = this.#failures.attempt(address, message.userName);
    // Who is asked for a proof and leaves has guessed that the user exists.
    whenGone?.(() => attempt.fail());
    const refused = await this.#failures.admit(address, attempt, () => attempt.look() && attempt.begin());
    if (refused !== undefined) {
      attempt.giveBack();
      return refused;
    }
    let credential: Credential;
    try {
      credential = await this.#credentials.of(message.userName, namespace);
    } catch (error) {
      // Nobody was asked for a proof: a directory that is out of reach shuts nobody out.
      attempt.giveBack();
      throw error;
    }
    const { salt, iterations } = credential.passwordHash;
    const answer = `r=${message.nonce}${this.#serverNonce},s=${toBase64(salt)},i=${iterations}`;
    this.#first = { message, answer, credential, attempt };
    return { kind: "continue", data: encoder.encode(answer) };
  }

  async #finish(data: Uint8Array): Promise<AuthenticationStep> {
    const { message, answer, credential, attempt } = this.#first!;
    const final = parseClientFinal(data);
    if (final instanceof ScramProblem) return refusal(final.message);
    if (final.channelBinding !== btoaUtf8(message.gs2Header)) return refusal("The channel binding is not that of the first SCRAM message.");
    if (final.nonce !== message.nonce + this.#serverNonce) return refusal("The nonce is not that of this SCRAM exchange.");
    const signed = encoder.encode(`${message.bare},${answer},${final.withoutProof}`);
    const saltedPassword = credential.passwordHash.hash;
    const storedKey = await sha256(await hmac(saltedPassword, "Client Key"));
    const clientSignature = await hmac(storedKey, signed);
    // A proof of another length has another digest.
    const isRight = equalConstantTime(await sha256(xor(final.proof, clientSignature)), storedKey);
    if (!isRight || !credential.known) {
      attempt.fail();
      return refusal("The user name or the password is not right.");
    }
    attempt.giveBack();
    const serverSignature = await hmac(await hmac(saltedPassword, "Server Key"), signed);
    const identity = { ...NOBODY, userName: message.userName, address: this.#caller.address, grants: credential.grants };
    return { kind: "success", identity, data: encoder.encode(`v=${toBase64(serverSignature)}`) };
  }
}

/**
 * The users' password hashes, and for names that no user has the semblance of one: always the same for the same name, in every isolate
 * and after every restart, so that asking tells nothing about who exists. (A change of USERS changes all semblances.)
 */
export class Credentials {
  readonly #users: ReadonlyMap<string, PasswordHash>;
  readonly #hashes: readonly PasswordHash[];
  readonly #directory: DirectoryPort | undefined;
  readonly #secret: Uint8Array;

  constructor(users: readonly User[], directory?: DirectoryPort, secret = "") {
    this.#directory = directory;
    this.#users = new Map(users.map(({ user, password }) => [user, parsePasswordHash(password)!]));
    this.#hashes = [...this.#users.values()];
    this.#secret = encoder.encode(`unknown users\n${secret}${users.map(({ password }) => password).join("\n")}`);
  }

  async of(userName: string, namespace: string): Promise<Credential> {
    const looked = await this.#directory?.look(namespace, userName);
    // Made for known users too: the time must not tell either.
    const semblance = await this.#semblance(userName, looked?.like);
    const configured = this.#users.get(userName);
    // Of a user with a hash of mosquitto nobody can prove a password this way.
    const passwordHash = configured ?? (looked?.user && parsePasswordHash(looked.user.password));
    const grants = configured === undefined ? (looked?.user?.grants ?? "") : "";
    return { known: passwordHash !== undefined, passwordHash: passwordHash ?? semblance, grants };
  }

  /**
   * Iterations and length of the salt are those of one of the users: where they differ among users, they differ among strangers.
   * @param like the hash of one of the directory
   */
  async #semblance(userName: string, like: string | undefined): Promise<PasswordHash> {
    const key = await crypto.subtle.importKey("raw", this.#secret, "HKDF", false, ["deriveBits"]);
    const algorithm = { name: "HKDF", hash: "SHA-256", salt: encoder.encode(userName), info: NOTHING };
    const bytes = new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, (SALT_BYTES_MAX + HASH_BYTES + 4) * 8));
    const choice = new DataView(bytes.buffer).getUint32(SALT_BYTES_MAX + HASH_BYTES);
    const model = (like && parsePasswordHash(like)) || this.#hashes[choice % this.#hashes.length];
    return {
      iterations: model?.iterations ?? ITERATIONS_MAX,
      salt: bytes.subarray(0, model?.salt.length ?? 16),
      hash: bytes.subarray(SALT_BYTES_MAX, SALT_BYTES_MAX + HASH_BYTES),
    };
  }
}

/** Not authorized, for CONNACK as for DISCONNECT. */
function refusal(message: string): Refusal {
  return { reasonCode: 0x87, message };
}

function btoaUtf8(text: string): string {
  return toBase64(encoder.encode(text));
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, index) => byte ^ b[index]);
}

async function hmac(keyBytes: Uint8Array, data: Uint8Array | string): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", keyBytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, typeof data === "string" ? encoder.encode(data) : data));
}

async function sha256(data: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}
