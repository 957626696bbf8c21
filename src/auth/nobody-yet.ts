/** Stands last where users can only be in the directory: while nobody is in it, clients hear that, and not that their password is wrong. */

import type { Connect } from "../mqtt/packet.ts";
import type { Authenticator, Caller, Refusal } from "../session/ports.ts";
import type { LoginDirectory } from "./login-directory.ts";

/** Not authorized; a 3.x connection gets return code 5. */
const NOBODY_YET: Refusal = {
  reasonCode: 0x87,
  message: "This broker lets nobody in until its operator adds users, or sets ALLOW_ANONYMOUS=true.",
};

export class NobodyYet implements Authenticator {
  readonly #directory: LoginDirectory;

  constructor(directory: LoginDirectory) {
    this.#directory = directory;
  }

  async authenticate(_connect: Connect, caller: Caller): Promise<Refusal | undefined> {
    const { isEmpty } = await this.#directory.look(caller, undefined);
    return isEmpty ? NOBODY_YET : undefined;
  }
}
