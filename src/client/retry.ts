/** When to connect again: not where it would not help, and otherwise after a wait that doubles and that chance shortens. */

import {
  BAD_AUTHENTICATION_METHOD,
  BAD_USER_NAME_OR_PASSWORD,
  BANNED,
  CLIENT_IDENTIFIER_NOT_VALID,
  NOT_AUTHORIZED,
  SERVER_MOVED,
  SESSION_TAKEN_OVER,
  UNSUPPORTED_PROTOCOL_VERSION,
  USE_ANOTHER_SERVER,
} from "../mqtt/reason-code.ts";
import type { MqttError } from "./error.ts";
import { RECONNECT_MAX_MS, RECONNECT_MIN_MS, STABLE_MS } from "./limits.ts";
import type { ReconnectOptions } from "./options.ts";
import type { Clock } from "./platform.ts";

/** The server would say the same again; where somebody has taken over, coming back would take over in turn, for ever. */
const FINAL: ReadonlySet<number | undefined> = new Set([
  UNSUPPORTED_PROTOCOL_VERSION,
  CLIENT_IDENTIFIER_NOT_VALID,
  BANNED,
  BAD_AUTHENTICATION_METHOD,
  SESSION_TAKEN_OVER,
  USE_ANOTHER_SERVER,
  SERVER_MOVED,
]);

/** Final too, unless the password is asked for anew each time. */
const FINAL_FOR_A_PASSWORD: ReadonlySet<number | undefined> = new Set([BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED]);

export class Retry {
  #attempt = 0;
  #connectedAt = 0;
  readonly #options: ReconnectOptions;
  readonly #renewsPassword: boolean;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(options: ReconnectOptions, renewsPassword: boolean, clock: Clock, random: () => number) {
    this.#options = options;
    this.#renewsPassword = renewsPassword;
    this.#clock = clock;
    this.#random = random;
  }

  connected(): void {
    this.#connectedAt = this.#clock.now();
  }

  /** The connection, or the attempt at one, has ended. @param wasConnected it was one */
  ended(wasConnected: boolean): void {
    if (wasConnected && this.#clock.now() - this.#connectedAt >= STABLE_MS) this.#attempt = 0;
  }

  /** Whether to try again. */
  wants(error: MqttError): boolean {
    const { when } = this.#options;
    if (when !== undefined) return when(error, this.#attempt + 1);
    const { kind, reasonCode } = error;
    return kind !== "invalid" && !FINAL.has(reasonCode) && (this.#renewsPassword || !FINAL_FOR_A_PASSWORD.has(reasonCode));
  }

  /** Counts an attempt. */
  next(): { readonly attempt: number; readonly delayMs: number } {
    const { minMs = RECONNECT_MIN_MS, maxMs = RECONNECT_MAX_MS } = this.#options;
    const most = Math.min(maxMs, minMs * 2 ** this.#attempt);
    this.#attempt += 1;
    return { attempt: this.#attempt, delayMs: Math.round(most * this.#random()) };
  }
}
