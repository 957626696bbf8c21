/**
 * Tokens of operators and programs: whether a request shows one of those that open what it asks for. Who guesses is bounded like one who guesses
 * passwords (`ADDRESS_LOGIN_FAILURE_RATE`), each token's path for itself: above the rate nothing that is shown from there is looked at.
 */

import { FailedLogins } from "../auth/failed-logins.ts";
import { equalConstantTime } from "../auth/password.ts";
import { addressOf } from "../handshake/handover.ts";
import { log } from "../objects/log.ts";
import { PLATFORM } from "../runtime.ts";
import type { Settings } from "../settings.ts";

/** What a token is known by. */
export interface Key {
  /** SHA-256 of the token. */
  readonly digest: Uint8Array;
  /** By which it is shown with `Basic`; undefined: it is shown with `Bearer` alone. */
  readonly name?: string;
}

/** Of this isolate. */
const failures = new WeakMap<Settings, FailedLogins>();

function failuresOf(settings: Settings): FailedLogins {
  const tell = (address: string): void => log("tokens are refused: too many were wrong", { address });
  const known = failures.get(settings) ?? new FailedLogins(settings.rates.addressLoginFailures, PLATFORM, tell);
  failures.set(settings, known);
  return known;
}

export async function digestOf(token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
}

/**
 * Looks at the token that a request has. The time it takes tells nothing of those that are right.
 * @param opens what is asked for, for the count
 * @param keys any of which opens it
 * @returns the key that it has
 */
export async function keyShown<Known extends Key>(
  request: Request,
  settings: Settings,
  opens: string,
  keys: readonly Known[],
): Promise<Known | "wrong" | "too many were wrong"> {
  const shown = credentialOf(request.headers.get("Authorization") ?? "");
  // Who shows none guesses nothing.
  if (shown === undefined) return "wrong";
  const address = addressOf(request);
  const failed = failuresOf(settings);
  if (failed.isShut(address, opens)) return "too many were wrong";
  const digest = await digestOf(shown.token);
  const [key] = keys.filter((each) => equalConstantTime(each.digest, digest) && (shown.name === undefined || shown.name === each.name));
  if (key === undefined) failed.guessed(address, opens);
  return key ?? "wrong";
}

/** `Bearer TOKEN`, or `Basic` of NAME:TOKEN. */
function credentialOf(authorization: string): { readonly name: string | undefined; readonly token: string } | undefined {
  const [, scheme = "", shown = ""] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization) ?? [];
  if (scheme === "") return undefined;
  if (scheme.toLowerCase() === "bearer") return { name: undefined, token: shown };
  try {
    const [, name = "", token = ""] = /^([^:]*):(.*)$/s.exec(atob(shown)) ?? [];
    return { name, token };
  } catch {
    return { name: "", token: "" };
  }
}
