/** Who is let in under some settings: made once, because it keeps what is costly to make. */

import { type Auth, createAuth } from "../auth/compose.ts";
import type { Runtime } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { log } from "./log.ts";

/** One for each isolate, which has one runtime, and setting. */
const auths = new WeakMap<Runtime, Map<string, Auth>>();

export function authOf(settings: Settings, runtime: Runtime): Auth {
  const here = auths.get(runtime) ?? new Map<string, Auth>();
  auths.set(runtime, here);
  const key = `${settings.allowAnonymous} ${settings.users}`;
  let auth = here.get(key);
  if (auth === undefined) {
    auth = createAuth(settings, runtime);
    here.set(key, auth);
    for (const problem of auth.problems) log("setting USERS is wrong", { problem });
  }
  return auth;
}
