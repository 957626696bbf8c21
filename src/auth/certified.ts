/**
 * Lets in whom a gateway has certified: it has checked the client's certificate and says whom that names, in a statement that the broker
 * believes. It needs no password. Its rights are those of the user of that name, of USERS or of the directory, or else what ACL says.
 */

import type { Connect } from "../mqtt/packet.ts";
import { type Admission, type Authenticator, type Caller, NOBODY } from "../session/ports.ts";
import { makeGrants } from "./grants.ts";
import type { LoginDirectory } from "./login-directory.ts";
import type { User } from "./users.ts";

/** Of a login that brings no rights of its own. */
const NO_GRANTS = makeGrants({}).text;

export class CertifiedAuthenticator implements Authenticator {
  readonly #users: ReadonlySet<string>;
  readonly #directory: LoginDirectory | undefined;

  constructor(users: readonly User[], directory: LoginDirectory | undefined) {
    this.#users = new Set(users.map(({ user }) => user));
    this.#directory = directory;
  }

  /** @returns undefined for a client that no certificate speaks for */
  async authenticate(_connect: Connect, caller: Caller): Promise<Admission | undefined> {
    const { certifiedUserName: userName, address } = caller;
    if (userName === undefined) return undefined;
    const grants = this.#users.has(userName) ? "" : (await this.#directory?.look(caller, userName))?.user?.grants;
    return { ...NOBODY, userName, address, grants: grants ?? NO_GRANTS };
  }
}
