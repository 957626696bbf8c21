/** What hooks are given in the Worker, where no object is at hand: what they publish goes through the Session object of no client. */

import type { HookContext } from "../hooks/contract.ts";
import { type BrokerEnv, sessionsOf } from "../objects/env.ts";
import { log } from "../objects/log.ts";
import { sessionObjectName } from "../objects/names.ts";
import type { Settings } from "../settings.ts";

export function edgeContext(env: BrokerEnv, settings: Settings, namespace: string): HookContext {
  return {
    env,
    namespace,
    publish: (message) => {
      const published = sessionsOf(env)(sessionObjectName(settings, namespace, "")).publish(message);
      // Whoever called it may not look at what becomes of it.
      published.catch((error: Error) => log("a hook failed", { hook: "publish", problem: error.message }));
      return published;
    },
  };
}
