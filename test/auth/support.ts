/** What the tests of authentication share. */

import { FailedLogins } from "../../src/auth/failed-logins.ts";
import { hashPassword, ITERATIONS_MIN } from "../../src/auth/password.ts";
import { CONNECT, type Connect, NO_PROPERTIES } from "../../src/mqtt/packet.ts";
import { UNLIMITED } from "../../src/rate.ts";
import { PLATFORM } from "../../src/runtime.ts";
import type { Caller } from "../../src/session/ports.ts";

/** Logins may fail as often as they like. */
export const UNCOUNTED = new FailedLogins(UNLIMITED, PLATFORM, () => {});

/** A client of which nothing is known. */
export const CALLER: Caller = { namespace: "default", address: "", token: "" };

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export function connect(userName?: string, password?: string, clientId = "c"): Connect {
  return {
    type: CONNECT,
    version: 5,
    clean: true,
    keepAliveSeconds: 60,
    clientId,
    will: undefined,
    userName,
    password: password === undefined ? undefined : utf8(password),
    properties: NO_PROPERTIES,
  };
}

/** A quick hash: as few iterations as are allowed. */
export const quickHash = (password: string): Promise<string> => hashPassword(utf8(password), ITERATIONS_MIN);
