/** Who is let in under some settings and by a Worker's code: made once, because it keeps what is costly to make. */

import { type Auth, createAuth } from "../auth/compose.ts";
import type { BrokerHooks, HookContext } from "../hooks/contract.ts";
import type { Runtime } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import type { DirectoryService } from "./directory-watch.ts";
import { log } from "./log.ts";

interface Known {
  readonly bySettings: WeakMap<Settings, Auth>;
  /** By what the settings say: the Worker and each object of an isolate have read them for themselves. */
  readonly byText: Map<string, Auth>;
}

export interface AuthSources {
  /** Undefined where there is no directory. */
  readonly directory: DirectoryService | undefined;
  /** The binding AUTH; undefined where there is none. */
  readonly service?: unknown;
  /** Of the Worker's code. */
  readonly hooks?: BrokerHooks | undefined;
}

/** One for each isolate, which has one runtime, and each `defineBroker` that says who may connect, and setting. */
const auths = new WeakMap<Runtime | BrokerHooks, Known>();

export function authOf(settings: Settings, runtime: Runtime, sources: AuthSources): Auth {
  const { hooks } = sources;
  const owner = hooks?.authenticate === undefined ? runtime : hooks;
  const known = auths.get(owner) ?? { bySettings: new WeakMap(), byText: new Map() };
  auths.set(owner, known);
  const auth = known.bySettings.get(settings) ?? made(settings, runtime, sources, known.byText);
  known.bySettings.set(settings, auth);
  return auth;
}

function made(settings: Settings, runtime: Runtime, { directory, service, hooks }: AuthSources, byText: Map<string, Auth>): Auth {
  const { authenticate } = hooks ?? {};
  const text = JSON.stringify(settings);
  const known = byText.get(text);
  if (known !== undefined) return known;
  const auth = createAuth(settings, runtime, {
    fetch: (url, init) => fetch(url, init),
    directory: directory?.memory,
    service,
    authenticate: authenticate && ((request, context) => authenticate(request, context as HookContext)),
    failed: (problem) => log("authentication is not available", { problem }),
    tooManyFailed: (address) => log("logins are refused: too many have failed", { address }),
  });
  byText.set(text, auth);
  for (const problem of auth.problems) log("a setting is wrong", { problem });
  return auth;
}
