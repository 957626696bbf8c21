/**
 * Stands last: a login that nobody has let in or refused has cost a call, where the directory was asked for a user who is not there. It counts as
 * one that failed, so that names that nobody has are no way to have it asked without end.
 */

import type { Connect } from "../mqtt/packet.ts";
import type { Authenticator, Caller } from "../session/ports.ts";
import type { FailedLogins } from "./failed-logins.ts";
import type { LoginDirectory } from "./login-directory.ts";

export class UnknownNames implements Authenticator {
  readonly #directory: LoginDirectory;
  readonly #failures: FailedLogins;

  constructor(directory: LoginDirectory, failures: FailedLogins) {
    this.#directory = directory;
    this.#failures = failures;
  }

  authenticate({ clientId, userName = clientId }: Connect, caller: Caller): undefined {
    if (this.#directory.hasMissed(caller)) this.#failures.failed(caller.address, userName);
  }
}
