/**
 * Lets in the configured users who know their password. Nothing that it answers, nor the time it takes, tells whether a user exists,
 * as long as all passwords are hashed with the same number of iterations.
 */

import type { Connect } from "../mqtt/packet.ts";
import { SERVER_BUSY } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import { type Admission, type Authenticator, type Caller, NOBODY, type Refusal } from "../session/ports.ts";
import { NOT_KNOWN } from "./chain.ts";
import { HashTurns } from "./hash-turns.ts";
import { dummyHash, equalConstantTime, verifyPassword } from "./password.ts";
import type { User } from "./users.ts";

/** Server busy; a 3.x connection gets return code 3. */
const BUSY: Refusal = { reasonCode: SERVER_BUSY, message: "Too many passwords are being checked; try again." };

export class UsersAuthenticator implements Authenticator {
  readonly #users: ReadonlyMap<string, User>;
  readonly #dummy: string;
  readonly #verified = new VerifiedPasswords();
  readonly #turns: HashTurns;

  constructor(users: readonly User[], runtime: Runtime) {
    this.#turns = new HashTurns(runtime);
    this.#users = new Map(users.map((user) => [user.user, user]));
    this.#dummy = dummyHash(users[0]?.password);
  }

  /** Refuses with 0x86 whoever does not give the password of a configured user, and with 0x89 whom too many others are before. */
  async authenticate({ userName, password }: Connect, { address }: Caller): Promise<Admission | Refusal | undefined> {
    if (userName === undefined) return undefined;
    if (password === undefined) return NOT_KNOWN;
    const admission = { ...NOBODY, userName, address };
    const user = this.#users.get(userName);
    if (user !== undefined && (await this.#verified.has(userName, password))) return admission;
    // An unknown user costs the same work as a wrong password.
    const isRight = await this.#turns.run(address, () => verifyPassword(password, user?.password ?? this.#dummy));
    if (isRight === undefined) return BUSY;
    if (user === undefined || !isRight) return NOT_KNOWN;
    await this.#verified.add(userName, password);
    return admission;
  }
}

/**
 * The last right password of each user, as a keyed digest under a key that never leaves memory. After a restart a whole fleet comes
 * back at once, often under one user name: only the first of them then costs a slow hash. A wrong password always does.
 */
class VerifiedPasswords {
  readonly #digests = new Map<string, Uint8Array>();
  /** Made when first needed: a Worker has no randomness before its first request. */
  #key: CryptoKey | undefined;

  async has(userName: string, password: Uint8Array): Promise<boolean> {
    const known = this.#digests.get(userName);
    return known !== undefined && equalConstantTime(known, await this.#digest(password));
  }

  async add(userName: string, password: Uint8Array): Promise<void> {
    this.#digests.set(userName, await this.#digest(password));
  }

  async #digest(password: Uint8Array): Promise<Uint8Array> {
    this.#key ??= (await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"])) as CryptoKey;
    return new Uint8Array(await crypto.subtle.sign("HMAC", this.#key, password));
  }
}
