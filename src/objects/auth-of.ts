/** Who is let in under some settings: made once, because it keeps what is costly to make. */

import { type Auth, createAuth } from "../auth/compose.ts";
import type { Runtime } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import type { DirectoryService } from "./directory-watch.ts";
import { log } from "./log.ts";

interface Known {
  readonly bySettings: WeakMap<Settings, Auth>;
  /** By what the settings say: the Worker and each object of an isolate have read them for themselves. */
  readonly byText: Map<string, Auth>;
}

/** One for each isolate, which has one runtime, and setting. */
const auths = new WeakMap<Runtime, Known>();

/** @param service the binding AUTH; undefined where there is none */
export function authOf(settings: Settings, runtime: Runtime, directory: DirectoryService | undefined, service: unknown): Auth {
  const known = auths.get(runtime) ?? { bySettings: new WeakMap(), byText: new Map() };
  auths.set(runtime, known);
  const auth = known.bySettings.get(settings) ?? made(settings, runtime, directory, service, known.byText);
  known.bySettings.set(settings, auth);
  return auth;
}

function made(
  settings: Settings,
  runtime: Runtime,
  directory: DirectoryService | undefined,
  service: unknown,
  byText: Map<string, Auth>,
): Auth {
  const text = JSON.stringify(settings);
  const known = byText.get(text);
  if (known !== undefined) return known;
  const auth = createAuth(settings, runtime, {
    fetch: (url, init) => fetch(url, init),
    directory: directory?.memory,
    service,
    failed: (problem) => log("authentication is not available", { problem }),
    tooManyFailed: (address) => log("logins are refused: too many have failed", { address }),
  });
  byText.set(text, auth);
  for (const problem of auth.problems) log("a setting is wrong", { problem });
  return auth;
}
