/**
 * Tokens of operators and programs: whether a request shows one of those that open what it asks for. Who guesses is bounded like one who guesses
 * passwords (`ADDRESS_LOGIN_FAILURE_RATE`), each token's path for itself: above the rate nothing that is shown from there is looked at.
 */

import { FailedLogins } from "../auth/failed-logins.ts";
import { equalConstantTime } from "../auth/password.ts";
import type { SignedRefusal } from "../auth/signed-logins.ts";
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

/** Why nothing is opened: what was shown is nothing here; it is not looked at, and when it will be; or who has signed it says so. */
export type Refused = { readonly kind: "wrong" } | { readonly kind: "too many were wrong"; readonly waitMs: number } | SignedRefusal;

/** Of this isolate. */
const failures = new WeakMap<Settings, FailedLogins>();

function failuresOf(settings: Settings): FailedLogins {
  const tell = (address: string): void => log("tokens are refused: too many were wrong", { address });
  const known = failures.get(settings) ?? new FailedLogins(settings.rates.addressLoginFailures, PLATFORM, tell);
  failures.set(settings, known);
  return known;
}

/** SHA-256. */
export async function digestOf(of: string | Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", typeof of === "string" ? new TextEncoder().encode(of) : of));
}

/**
 * Looks at the token that a request has. The time it takes tells nothing of those that are right.
 * @param opens what is asked for, for the count
 * @param keys any of which opens it
 * @param signed what a token that is none of them says of itself
 * @returns the key that it has
 */
export async function keyShown<Known extends Key, Signed extends object = never>(
  request: Request,
  settings: Settings,
  opens: string,
  keys: readonly Known[],
  signed: (token: string) => Promise<Signed | SignedRefusal | undefined> = async () => undefined,
): Promise<Known | Signed | Refused> {
  const shown = credentialOf(request.headers.get("Authorization") ?? "");
  // Who shows none guesses nothing.
  if (shown === undefined) return { kind: "wrong" };
  return looked(request, settings, opens, async () => {
    const digest = await digestOf(shown.token);
    const [key] = keys.filter((each) => equalConstantTime(each.digest, digest) && (shown.name === undefined || shown.name === each.name));
    return key ?? (shown.name === undefined ? signed(shown.token) : undefined);
  });
}

/** Looks at something that is shown, unless too much of what was shown from there was wrong. */
export async function looked<Found extends object>(
  request: Request,
  settings: Settings,
  opens: string,
  look: () => Promise<Found | SignedRefusal | undefined>,
): Promise<Found | Refused> {
  const address = addressOf(request);
  const failed = failuresOf(settings);
  const shut = (): Refused => ({ kind: "too many were wrong", waitMs: failed.shutMs(address, opens) });
  if (failed.isShut(address, opens)) return shut();
  const found = (await look()) ?? { kind: "wrong" as const };
  // Others have been looked at meanwhile: of many that come at once no more are answered than one after the other.
  if (failed.isShut(address, opens)) return shut();
  if ("kind" in found && (found.kind === "wrong" || found.kind === "guess")) failed.guessed(address, opens);
  return found;
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
