/**
 * Lets in the users of the variable USERS and of the directory who know their password. Nothing that it answers, nor the time it takes, tells
 * whether a user exists, as long as all passwords are hashed with the same number of iterations, and nobody else is asked after this.
 */

import { BoundedMap } from "../bounded-map.ts";
import type { Known } from "../directory/ports.ts";
import { PASSWORD_REMEMBERED_BYTES, PASSWORDS_REMEMBERED_BYTES_MAX } from "../login-limits.ts";
import type { Connect } from "../mqtt/packet.ts";
import { SERVER_BUSY } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import { type Admission, type Authenticator, type Caller, NOBODY, type Refusal } from "../session/ports.ts";
import { NOT_KNOWN } from "./chain.ts";
import type { FailedLogins } from "./failed-logins.ts";
import { HashTurns } from "./hash-turns.ts";
import { headerOf } from "./jwt-token.ts";
import type { Attempt, Compared } from "./login-attempt.ts";
import type { LoginDirectory } from "./login-directory.ts";
import { dummyHash, hashShare, verifyPassword } from "./password.ts";
import type { User } from "./users.ts";
import { VerifiedPasswords } from "./verified-passwords.ts";

/** Server busy; a 3.x connection gets return code 3. */
const BUSY: Refusal = { reasonCode: SERVER_BUSY, message: "Too many passwords are being checked; try again." };

/** Those who are asked behind this one. */
export interface Later {
  /** That were right there, by namespace and name. */
  readonly passwords: VerifiedPasswords;
  readonly takesTokens: boolean;
}

/** Somebody who names himself and has a password. */
interface Login {
  readonly address: string;
  readonly userName: string;
  /** With its namespace. */
  readonly name: string;
  readonly password: Uint8Array;
  readonly digest: Uint8Array;
  readonly attempt: Attempt;
}

export class UsersAuthenticator implements Authenticator {
  readonly #users: ReadonlyMap<string, User>;
  readonly #directory: LoginDirectory | undefined;
  readonly #later: Later | undefined;
  readonly #dummy: string;
  readonly #verified = new VerifiedPasswords();
  readonly #turns: HashTurns;
  readonly #failures: FailedLogins;
  /** The hashes of users of the directory whose passwords were right, by namespace and name: whom the directory may be asked about again. */
  readonly #hashes = new BoundedMap<string, string>(PASSWORDS_REMEMBERED_BYTES_MAX);

  /**
   * @param later who else is asked about users who are not known here: nothing is hashed for them, and the time tells it
   */
  constructor(users: readonly User[], runtime: Runtime, failures: FailedLogins, directory?: LoginDirectory, later?: Later) {
    this.#failures = failures;
    this.#later = later;
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
    const failures = this.#failures;
    const attempt = failures.attempt(address, userName);
    caller.whenGone?.(() => attempt.fail());
    const name = `${caller.namespace} ${userName}`;
    const digest = password && (await this.#verified.digestOf(password));
    const login: Login | undefined = password && { address, userName, name, password, digest: digest!, attempt };
    const unread = login && this.#directory && (await failures.admit(address, attempt, () => this.#mayBeLookedUp(login)));
    if (unread !== undefined) {
      attempt.fail();
      // Where there are no users names say nothing; and a token is no guess, whose ever it is.
      if (this.#users.size === 0 && (await this.#directory!.look(caller, undefined)).isEmpty) return undefined;
      return this.#later?.takesTokens && isToken(password!) ? undefined : unread;
    }
    // Nobody is let in without a password, whoever is named; but whom somebody else may know has to be found out.
    const asked = login === undefined && this.#later === undefined ? undefined : userName;
    const known = await this.#directory?.look(caller, asked);
    if (this.#users.size === 0 && known?.isEmpty !== false) return undefined;
    const user = this.#find(userName, known);
    if (user === undefined && this.#later !== undefined) return undefined;
    if (login === undefined) return NOT_KNOWN;
    // An unknown user costs the same work as a wrong password.
    const hash = user?.password ?? (known?.like === undefined ? this.#dummy : dummyHash(known.like));
    return this.#check(login, hash, user && { ...NOBODY, userName, address, grants: user.grants });
  }

  /**
   * Compares the password with the one that was right last, and else hashes it.
   * @param admission undefined where there is no such user: whatever the hash says, the password is wrong
   */
  async #check(login: Login, hash: string, admission: Admission | undefined): Promise<Admission | Refusal> {
    const { address, userName, name, password, digest, attempt } = login;
    const failures = this.#failures;
    const verified = this.#verified;
    let compared: Compared | undefined;
    const unread = await failures.admit(address, attempt, () => {
      compared = attempt.compare(admission !== undefined && verified.knows(hash), () => verified.fits(hash, digest));
      return compared !== undefined;
    });
    if (unread !== undefined) return unread;
    if (compared === "right") return admission!;
    for (;;) {
      const refusal = await failures.admit(address, attempt, () => attempt.couldBegin);
      const turn =
        refusal === undefined ? await this.#turns.run(address, () => this.#verify(attempt, password, hash), hashShare(hash)) : undefined;
      if (turn === undefined) {
        attempt.fail();
        return refusal ?? BUSY;
      }
      // Others of its address have failed while it waited.
      if (turn.result === undefined) continue;
      if (admission === undefined || !turn.result) {
        attempt.fail();
        return NOT_KNOWN;
      }
      verified.add(hash, digest);
      if (!this.#users.has(userName)) this.#hashes.set(name, hash, PASSWORD_REMEMBERED_BYTES + 2 * name.length);
      attempt.giveBack();
      return admission;
    }
  }

  /**
   * Whether the directory may be asked about a name, which costs a call: where no more may fail it is for those alone whose password was
   * right before.
   */
  #mayBeLookedUp({ attempt, userName, name, digest }: Login): boolean {
    const hash = this.#users.get(userName)?.password ?? this.#hashes.get(name);
    const mine = hash !== undefined && this.#verified.knows(hash);
    const passwords = this.#later?.passwords;
    const compared = attempt.compare(
      mine || passwords?.knows(name) === true,
      () => (mine && this.#verified.fits(hash, digest)) || passwords?.fits(name, digest) === true,
    );
    if (compared === undefined || compared === "right") return compared === "right";
    if (!attempt.couldBegin) return false;
    // A hash will show it.
    attempt.giveBack();
    return true;
  }

  /** @returns undefined where it may not be hashed for */
  #verify(attempt: Attempt, password: Uint8Array, hash: string): Promise<boolean> | undefined {
    return attempt.look() && attempt.begin() ? verifyPassword(password, hash) : undefined;
  }

  /** USERS, which only a deploy changes, goes before. */
  #find(userName: string, known: Known | undefined): { readonly password: string; readonly grants: string } | undefined {
    const user = this.#users.get(userName);
    return user === undefined ? known?.user : { password: user.password, grants: "" };
  }
}

function isToken(password: Uint8Array): boolean {
  return headerOf(new TextDecoder().decode(password)) !== undefined;
}
