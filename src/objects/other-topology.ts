/**
 * Data of another topology than that of the settings: it is with objects that nobody asks, so that sessions and retained messages seem
 * lost. Such an object knows it by its own name, and says so when it wakes; and the object that begins to store in the topology of the
 * settings wakes those, once. Nothing of it is served, moved or deleted.
 */

import type { Settings } from "../settings.ts";
import { type BrokerEnv, stubs } from "./env.ts";
import { log } from "./log.ts";
import { namespaceOf, sessionObjectName, sessionShardName, topicObjectName } from "./names.ts";

/** On one's own machine nobody is woken: there the folder is looked through, and to wake an object would make it a database. */
export const OTHERS = { areWoken: true };

interface Held {
  readonly sessions: number;
  readonly retained: number;
}

function compactName(namespace: string): string {
  return sessionObjectName({ topology: "compact", sessionShards: 1 }, namespace, "");
}

/** Says that an object has no part in the topology of the settings, if there is anything in it. */
export function tellIfOther(name: string, { topology }: Settings, held: () => Held): void {
  const other = name === compactName(namespaceOf(name)) ? "compact" : "sharded";
  if (other === topology) return;
  const { sessions, retained } = held();
  if (sessions + retained === 0) return;
  const problem = `TOPOLOGY is ${topology}: what this object has of ${other} is not served and stays here`;
  log("data of another topology", { object: name, sessions, retained, problem });
}

/**
 * What an object does when it stores something for the first time: one of each namespace wakes those of the other topology that every
 * broker of it has. Where each client had an object of its own, only the Topic object is such a one.
 * @returns undefined for the others
 */
export function wakingOthers(name: string, { topology }: Settings, env: BrokerEnv, ctx: Pick<DurableObjectState, "waitUntil">) {
  const namespace = namespaceOf(name);
  const first = topology === "compact" ? compactName(namespace) : topicObjectName(namespace, 0);
  if (name !== first) return undefined;
  return (): void => {
    if (!OTHERS.areWoken) return;
    const session = stubs(env.SESSIONS);
    const names = topology === "compact" ? [sessionShardName(namespace, 0)] : [compactName(namespace)];
    const calls: Promise<unknown>[] = names.map((other) => session(other).usage());
    if (topology === "compact") calls.push(stubs(env.TOPICS)(topicObjectName(namespace, 0)).usage());
    // Whoever can't be woken tells nothing; nothing depends on it.
    ctx.waitUntil(Promise.allSettled(calls));
  };
}
