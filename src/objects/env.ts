/** The bindings of wrangler.toml, and the settings in them. */

import { parseSettings, type Settings } from "../settings.ts";
import type { SessionObject } from "./session-object.ts";
import type { TopicObject } from "./topic-object.ts";

export interface BrokerEnv {
  readonly SESSIONS: DurableObjectNamespace<SessionObject>;
  readonly TOPICS: DurableObjectNamespace<TopicObject>;
  readonly ASSETS?: Fetcher;
  readonly [variable: string]: unknown;
}

const known = new WeakMap<object, ReturnType<typeof parseSettings>>();

/** The settings, parsed once for each isolate; or what is wrong with them. */
export function settingsOf(env: BrokerEnv): ReturnType<typeof parseSettings> {
  let settings = known.get(env);
  if (settings === undefined) {
    settings = parseSettings(env);
    known.set(env, settings);
  }
  return settings;
}

/** The settings of an object, which the Worker reaches only when they are right. */
export function requireSettings(env: BrokerEnv): Settings {
  const settings = settingsOf(env);
  if (Array.isArray(settings)) throw new Error(settings.map(({ sentence }) => sentence).join(" "));
  return settings as Settings;
}
