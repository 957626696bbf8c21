/**
 * Lets in the users of the variable USERS and of the directory who know their password. Nothing that it answers, nor the time it takes, tells
 * whether a user exists, as long as all passwords are hashed with the same number of iterations, and nobody else is asked after this.
 */

import { BoundedMap } from "../bounded-map.ts";
import type { Known } from "../directory/ports.ts";
import { PASSWORDS_REMEMBERED_MAX } from "../login-limits.ts";
import type { Connect } from "../mqtt/packet.ts";
import { SERVER_BUSY } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import { type Admission, type Authenticator, type Caller, NOBODY, type Refusal } from "../session/ports.ts";
import { NOT_KNOWN } from "./chain.ts";
import { type FailedLogins, TOO_MANY_FAILED } from "./failed-logins.ts";
import { HashTurns } from "./hash-turns.ts";
import type { LoginDirectory } from "./login-directory.ts";
import { dummyHash, equalConstantTime, hashShare, verifyPassword } from "./password.ts";
import type { User } from "./users.ts";

/** Server busy; a 3.x connection gets return code 3. */
const BUSY: Refusal = { reasonCode: SERVER_BUSY, message: "Too many passwords are being checked; try again." };

export class UsersAuthenticator implements Authenticator {
  readonly #users: ReadonlyMap<string, User>;
  readonly #directory: LoginDirectory | undefined;
  readonly #passesOn: boolean;
  readonly #dummy: string;
  readonly #verified = new VerifiedPasswords();
  readonly #turns: HashTurns;
  readonly #failures: FailedLogins;

  /** @param passesOn whether somebody else is asked about users who are not known here: nothing is hashed for them, and the time tells it */
  constructor(users: readonly User[], runtime: Runtime, failures: FailedLogins, directory?: LoginDirectory, passesOn = false) {
    this.#failures = failures;
    this.#passesOn = passesOn;
    this.#turns = new HashTurns(runtime);
    this.#users = new Map(users.map((user) => [user.user, user]));
    this.#directory = directory;
    this.#dummy = dummyHash(users[0]?.password);
  }

  /**
   * Refuses with 0x86 whoever does not give the password of a user, with 0x89 whom too many others are before, and with 0x9F whoever is
   * where too many logins have failed. Where there are no users at all, names say nothing, and this has nothing to decide.
   */
  async authenticate({ userName, password }: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    if (userName === undefined) return undefined;
    const { address } = caller;
    const known = await this.#directory?.look(caller, userName);
    if (this.#users.size === 0 && known?.isEmpty !== false) return undefined;
    const user = this.#find(userName, known);
    if (user === undefined && this.#passesOn) return undefined;
    if (password === undefined) return NOT_KNOWN;
    const failures = this.#failures;
    if (failures.isShut(address, userName)) return TOO_MANY_FAILED;
    const admission = { ...NOBODY, userName, address, grants: user?.grants ?? "" };
    if (user !== undefined && (await this.#verified.has(user.password, password))) return admission;
    if (!failures.mayTry(address)) return this.#tooMany(address, userName, user?.password);
    // An unknown user costs the same work as a wrong password.
    const hash = user?.password ?? (known?.like === undefined ? this.#dummy : dummyHash(known.like));
    // Others of its address may have failed while it waited.
    const run = () => (failures.mayTry(address) ? verifyPassword(password, hash) : undefined);
    const turn = await this.#turns.run(address, run, hashShare(hash));
    if (turn === undefined) return BUSY;
    if (turn.result === undefined) return this.#tooMany(address, userName, user?.password);
    if (user === undefined || !turn.result) {
      failures.failed(address, userName);
      return NOT_KNOWN;
    }
    await this.#verified.add(user.password, password);
    return admission;
  }

  /** It was not hashed for; but where there is a password to compare with, it was looked at. */
  #tooMany(address: string, userName: string, hash: string | undefined): Refusal {
    if (hash !== undefined && this.#verified.knows(hash)) this.#failures.guessed(address, userName);
    return TOO_MANY_FAILED;
  }

  /** USERS, which only a deploy changes, goes before. */
  #find(userName: string, known: Known | undefined): { readonly password: string; readonly grants: string } | undefined {
    const user = this.#users.get(userName);
    return user === undefined ? known?.user : { password: user.password, grants: "" };
  }
}

/**
 * Passwords that were right, as keyed digests under a key that never leaves memory, each by the hash that it fits. After a restart a whole
 * fleet comes back at once, often under one user name: only the first of them then costs a slow hash. A wrong password always does.
 */
export class VerifiedPasswords {
  readonly #digests = new BoundedMap<string, Uint8Array>(PASSWORDS_REMEMBERED_MAX);
  /** Made when first needed: a Worker has no randomness before its first request. */
  #key: CryptoKey | undefined;

  /** Whether a password was right that has this hash. */
  knows(hash: string): boolean {
    return this.#digests.has(hash);
  }

  async has(hash: string, password: Uint8Array): Promise<boolean> {
    const known = this.#digests.get(hash);
    return known !== undefined && equalConstantTime(known, await this.#digest(password));
  }

  async add(hash: string, password: Uint8Array): Promise<void> {
    this.#digests.set(hash, await this.#digest(password), 1);
  }

  async #digest(password: Uint8Array): Promise<Uint8Array> {
    this.#key ??= (await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"])) as CryptoKey;
    return new Uint8Array(await crypto.subtle.sign("HMAC", this.#key, password));
  }
}
