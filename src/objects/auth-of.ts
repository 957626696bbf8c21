/** Who is let in under some settings: made once, because it keeps what is costly to make. */

import { type Auth, createAuth } from "../auth/compose.ts";
import type { Settings } from "../settings.ts";
import { log } from "./log.ts";

/** One for each isolate and setting. */
const auths = new Map<string, Auth>();

export function authOf(settings: Settings): Auth {
  const key = `${settings.allowAnonymous} ${settings.users}`;
  let auth = auths.get(key);
  if (auth === undefined) {
    auth = createAuth(settings);
    auths.set(key, auth);
    for (const problem of auth.problems) log("setting USERS is wrong", { problem });
  }
  return auth;
}
