/**
 * Bearer tokens of operators: whether a request shows one of those that open what it asks for. Who guesses is bounded like one who guesses
 * passwords (`ADDRESS_LOGIN_FAILURE_RATE`), each token's path for itself: above the rate nothing that is shown from there is looked at.
 */

import { FailedLogins } from "../auth/failed-logins.ts";
import { equalConstantTime } from "../auth/password.ts";
import { addressOf } from "../handshake/handover.ts";
import { log } from "../objects/log.ts";
import { PLATFORM } from "../runtime.ts";
import type { Settings } from "../settings.ts";

export type Shown = "right" | "wrong" | "too many were wrong";

/** Of this isolate. */
const failures = new WeakMap<Settings, FailedLogins>();

function failuresOf(settings: Settings): FailedLogins {
  const tell = (address: string): void => log("tokens are refused: too many were wrong", { address });
  const known = failures.get(settings) ?? new FailedLogins(settings.rates.addressLoginFailures, PLATFORM, tell);
  failures.set(settings, known);
  return known;
}

/**
 * Looks at the token that a request has. The time it takes tells nothing of those that are right.
 * @param opens what is asked for, for the count
 * @param tokens any of which opens it
 */
export async function tokenShown(request: Request, settings: Settings, opens: string, tokens: readonly string[]): Promise<Shown> {
  const [, shown] = /^Bearer +(\S+)$/i.exec(request.headers.get("Authorization") ?? "") ?? [];
  // Who shows none guesses nothing.
  if (shown === undefined) return "wrong";
  const address = addressOf(request);
  const failed = failuresOf(settings);
  if (failed.isShut(address, opens)) return "too many were wrong";
  const same = await Promise.all(tokens.map((token) => isSame(shown, token)));
  if (same.includes(true)) return "right";
  failed.guessed(address, opens);
  return "wrong";
}

/** Compares digests, to the last byte: the time it takes tells nothing of either text. */
async function isSame(one: string, other: string): Promise<boolean> {
  const digest = async (text: string): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return equalConstantTime(...(await Promise.all([digest(one), digest(other)])));
}
