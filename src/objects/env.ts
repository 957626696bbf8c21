/** The bindings of wrangler.toml, and the objects behind them. */

import type { DirectoryCalls, SessionCalls, TopicCalls } from "./calls.ts";

export interface BrokerEnv {
  readonly SESSIONS: DurableObjectNamespace<SessionCalls>;
  readonly TOPICS: DurableObjectNamespace<TopicCalls>;
  /** Missing where a broker was deployed without it: then there is no directory, whatever the settings say. */
  readonly DIRECTORY?: DurableObjectNamespace<DirectoryCalls>;
  readonly ASSETS?: Fetcher;
  /** A service binding: the Worker that is asked who may connect (`auth/service-contract.ts`). */
  readonly AUTH?: unknown;
  readonly [variable: string]: unknown;
}

/** Ids whose making, which costs a hash, is remembered. */
const IDS_MAX = 4096;

/** Gives an object by its name, a new stub for every call: one whose object was reset stays broken. */
export function stubs<Object extends Rpc.DurableObjectBranded>(
  namespace: DurableObjectNamespace<Object>,
): (name: string) => DurableObjectStub<Object> {
  const ids = new Map<string, DurableObjectId>();
  return (name) => {
    let id = ids.get(name);
    if (id === undefined) {
      if (ids.size >= IDS_MAX) ids.clear();
      id = namespace.idFromName(name);
      ids.set(name, id);
    }
    return namespace.get(id);
  };
}

const sessions = new WeakMap<BrokerEnv, ReturnType<typeof stubs<SessionCalls>>>();

/** The Session objects, for the Worker. */
export function sessionsOf(env: BrokerEnv): (name: string) => DurableObjectStub<SessionCalls> {
  const known = sessions.get(env) ?? stubs(env.SESSIONS);
  sessions.set(env, known);
  return known;
}
