/**
 * The directory, asked once for a login, though several want to know something of it: what is not remembered from one login to the next, who is
 * not there, would else cost a call for each of them.
 */

import type { DirectoryPort, Known } from "../directory/ports.ts";
import type { Caller } from "../session/ports.ts";

interface Told {
  readonly userName: string | undefined;
  readonly known: Known;
}

export class LoginDirectory {
  readonly #directory: DirectoryPort;
  /** By the caller of a login, an object that no other login has. */
  readonly #told = new WeakMap<Caller, Told>();

  constructor(directory: DirectoryPort) {
    this.#directory = directory;
  }

  /** @param userName undefined where no user is asked for. @throws as the directory */
  async look(caller: Caller, userName: string | undefined): Promise<Known> {
    const told = this.#told.get(caller);
    if (told !== undefined && (userName === undefined || userName === told.userName)) return told.known;
    const known = await this.#directory.look(caller.namespace, userName);
    this.#told.set(caller, { userName, known });
    return known;
  }

  /** Whether it was asked for a user who is not there, where there are others. */
  hasMissed(caller: Caller): boolean {
    const told = this.#told.get(caller);
    return told?.userName !== undefined && told.known.user === undefined && !told.known.isEmpty;
  }
}
