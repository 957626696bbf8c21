/** How an isolate reaches the directories: made once, because it keeps what it knows of them. */

import type { Runtime } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { DirectoryMemory } from "./directory-memory.ts";
import type { DirectoryService } from "./directory-watch.ts";
import { type BrokerEnv, stubs } from "./env.ts";
import { directoryObjectName } from "./names.ts";

/** One for each isolate, which has one runtime, and admin token. */
const services = new WeakMap<Runtime, Map<string, DirectoryService>>();

/** @returns undefined where nobody can put anything into a directory, so that none has to be asked */
export function directoryOf(env: BrokerEnv, { directory: settings }: Settings, runtime: Runtime): DirectoryService | undefined {
  if (settings.adminToken === "" || env.DIRECTORY === undefined) return undefined;
  const here = services.get(runtime) ?? new Map<string, DirectoryService>();
  services.set(runtime, here);
  const key = JSON.stringify(settings);
  let service = here.get(key);
  if (service === undefined) {
    const stub = stubs(env.DIRECTORY);
    const of: DirectoryService["of"] = (namespace) => stub(directoryObjectName(namespace));
    service = { settings, memory: new DirectoryMemory((namespace) => stub(directoryObjectName(namespace)), runtime), of };
    here.set(key, service);
  }
  return service;
}
