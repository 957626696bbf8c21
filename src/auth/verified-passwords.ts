/**
 * Passwords that were right, as keyed digests under a key that never leaves memory, each by the hash that it fits or by whose it is. After a
 * restart a whole fleet comes back at once, often under one user name: only the first of them then costs a slow hash. A wrong password always does.
 *
 * The digest takes time and says nothing: make it first, so that nobody comes between what is counted and what is compared.
 */

import { BoundedMap } from "../bounded-map.ts";
import { PASSWORD_REMEMBERED_BYTES, PASSWORDS_REMEMBERED_BYTES_MAX } from "../login-limits.ts";
import { equalConstantTime } from "./password.ts";

export class VerifiedPasswords {
  readonly #digests = new BoundedMap<string, Uint8Array>(PASSWORDS_REMEMBERED_BYTES_MAX);
  /** Made when first needed: a Worker has no randomness before its first request. */
  #key: CryptoKey | undefined;

  async digestOf(password: Uint8Array): Promise<Uint8Array> {
    // Of several that come first one key counts.
    const made = this.#key ?? ((await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"])) as CryptoKey);
    this.#key ??= made;
    return new Uint8Array(await crypto.subtle.sign("HMAC", this.#key, password));
  }

  /** Whether a password was right there. */
  knows(name: string): boolean {
    return this.#digests.has(name);
  }

  /** Whether it was this one. */
  fits(name: string, digest: Uint8Array): boolean {
    const known = this.#digests.get(name);
    return known !== undefined && equalConstantTime(known, digest);
  }

  add(name: string, digest: Uint8Array): void {
    // Names are strings of two bytes a character at the most; whose is too long is asked about each time.
    const bytes = PASSWORD_REMEMBERED_BYTES + 2 * name.length;
    if (bytes <= PASSWORDS_REMEMBERED_BYTES_MAX / 2) this.#digests.set(name, digest, bytes);
  }

  forget(name: string): void {
    this.#digests.delete(name);
  }
}
