/** The broker of a test in the Workers runtime: which objects there are, how clients come to them, and how objects lose their memory. */

import {
  abortAllDurableObjects,
  evictAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect, vi } from "vitest";
import { LATER_MS } from "../../src/limits.ts";
import type { ProtocolVersion } from "../../src/mqtt/packet.ts";
import { Definition } from "../../src/objects/definition.ts";
import type { Usage } from "../../src/objects/meter.ts";
import { sessionObjectName, topicObjectName, topicShard } from "../../src/objects/names.ts";
import type { SessionObject } from "../../src/objects/session-object.ts";
import type { TopicObject } from "../../src/objects/topic-object.ts";
import { type ConnectOptions, WorkerdClient } from "../support/workerd-client.ts";

export const settings = new Definition().requireSettings(env);
export const compact = settings.topology === "compact";

/** How a socket reaches its Session object. */
export type Way = "relayed" | "handed over";
export const ways: readonly Way[] = compact ? ["handed over"] : ["relayed", "handed over"];

/** Where two clients live. */
export type Place = "the same object" | "different objects";
export const places: readonly Place[] = compact
  ? ["the same object"]
  : settings.sessionShards === 0
    ? ["different objects"]
    : ["the same object", "different objects"];

let count = 0;

/** Client Identifiers and a topic that no other run uses. */
export function names(place: Place): { publisherId: string; subscriberId: string; topic: string } {
  count += 1;
  const run = `${crypto.randomUUID().slice(0, 8)}-${count}`;
  const publisherId = `publisher-${run}`;
  const home = sessionObject(publisherId);
  for (let index = 0; ; index += 1) {
    const subscriberId = `subscriber-${run}-${index}`;
    if ((sessionObject(subscriberId) === home) === (place === "the same object"))
      return { publisherId, subscriberId, topic: `topic/${run}` };
  }
}

export function sessionObject(clientId: string): string {
  return sessionObjectName(settings, "default", clientId);
}

/** The object that owns the topic: in the compact topology the one that owns everything. */
export function topicObject(topic: string): string {
  return compact ? sessionObject("") : topicObjectName("default", topicShard(settings, topic));
}

export function sessionStub(name: string): DurableObjectStub<SessionObject> {
  return env.SESSIONS.get(env.SESSIONS.idFromName(name));
}

export function topicStub(name: string): DurableObjectStub<TopicObject> {
  return env.TOPICS.get(env.TOPICS.idFromName(name));
}

const isTopicObject = (name: string): boolean => name.includes("/topic/");

export async function usage(name: string): Promise<Usage> {
  return isTopicObject(name) ? topicStub(name).usage() : sessionStub(name).usage();
}

const open = new Set<WorkerdClient>();

export async function connect(clientId: string, options: ConnectOptions & { readonly way?: Way } = {}): Promise<WorkerdClient> {
  const path = options.way === "handed over" && !compact ? `/mqtt?clientId=${encodeURIComponent(clientId)}` : "/mqtt";
  const headers = { Upgrade: "websocket", "Sec-WebSocket-Protocol": "mqtt" };
  const upgrade = (): Promise<Response> => exports.default.fetch(new Request(`https://broker.test${path}`, { headers }));
  const client = await WorkerdClient.connect(upgrade, clientId, options);
  open.add(client);
  void client.closed.then(() => open.delete(client));
  return client;
}

/** Ends every connection, so that what follows meets objects that have little to restore. */
export async function dropClients(): Promise<void> {
  await Promise.all([...open].map((client) => client.drop()));
}

/** What makes a session outlive its connection. */
export function durable(version: ProtocolVersion): ConnectOptions {
  return version === 5 ? { clean: false, properties: { sessionExpiryInterval: 3600 } } : { clean: false };
}

/** One object by its name, or every object there is. */
export type Victim = "all objects" | string;

/** The object hibernates: its memory is gone, its sockets stay. Or, with `close`, they are gone as well. */
export async function evict(victim: Victim, webSockets: "hibernate" | "close" = "hibernate"): Promise<void> {
  if (victim === "all objects") await evictAllDurableObjects({ webSockets });
  else await evictDurableObject(isTopicObject(victim) ? topicStub(victim) : sessionStub(victim), { webSockets });
}

/** The object crashes: its memory and its sockets are gone. */
export async function crash(victim: Victim): Promise<void> {
  if (victim === "all objects") {
    await abortAllDurableObjects();
    return;
  }
  const stub = isTopicObject(victim) ? topicStub(victim) : sessionStub(victim);
  await runInDurableObject(stub, (_object, state) => state.abort("a crash")).catch(() => {});
}

const clock = Date.now;
let aheadMs = 0;

/**
 * Time passes for everybody; timers and alarms do not run for it. It never goes back within a file: objects outlive tests, and to a
 * broker a clock that was set back is a fault of its own.
 */
export function passTime(ms: number): void {
  aheadMs += ms;
  Date.now = () => clock() + aheadMs;
}

/** Runs the alarm of a Session object now. @returns whether one was set */
export function runAlarm(name: string): Promise<boolean> {
  return runDurableObjectAlarm(sessionStub(name));
}

/** When the alarm of a Session object is set for, milliseconds since the epoch; null when it is not. */
export function alarmOf(name: string): Promise<number | null> {
  return runInDurableObject(sessionStub(name), (_object, state) => state.storage.getAlarm());
}

/**
 * What objects and relays do after this delay they do at once, from now on in this file: in the same order and in their own context, but
 * no test waits for it.
 */
export function hurry(delayMs: number): void {
  const set = globalThis.setTimeout;
  globalThis.setTimeout = ((run: () => void, ms = 0) => set(run, ms === delayMs ? 0 : ms)) as typeof setTimeout;
}

/** The timers that are pending in objects and relays, with their delays. A pending timer keeps an object from hibernating. */
export class Timers {
  readonly pending = new Map<unknown, { readonly delayMs: number; readonly run: () => void }>();
  readonly #set = globalThis.setTimeout;
  readonly #clear = globalThis.clearTimeout;

  constructor() {
    globalThis.setTimeout = ((run: () => void, delayMs = 0) => {
      const timer = this.#set(() => {
        this.pending.delete(timer);
        run();
      }, delayMs);
      this.pending.set(timer, { delayMs, run });
      return timer;
    }) as typeof setTimeout;
    globalThis.clearTimeout = ((timer: number | null) => {
      this.pending.delete(timer);
      this.#clear(timer);
    }) as typeof clearTimeout;
  }

  delays(): number[] {
    return [...this.pending.values()].map(({ delayMs }) => delayMs);
  }

  /** Runs those of this delay now. To be called in the object that set them. */
  fire(ofDelayMs: number): void {
    for (const [timer, { delayMs, run }] of [...this.pending]) {
      if (delayMs !== ofDelayMs) continue;
      clearTimeout(timer as number);
      run();
    }
  }

  restore(): void {
    globalThis.setTimeout = this.#set;
    globalThis.clearTimeout = this.#clear;
  }
}

/** Resolves when routes to so many Session objects have their rows: those of sessions that are not kept get them later. */
export async function routesWritten(topic: string, count: number): Promise<void> {
  if (compact) return;
  const rows = (): Promise<number> =>
    runInDurableObject(
      topicStub(topicObject(topic)),
      (_object, { storage }) => storage.sql.exec("SELECT 1 FROM route WHERE filter = ?", topic).toArray().length,
    );
  await vi.waitFor(async () => expect(await rows()).toBe(count), { timeout: 10 * LATER_MS, interval: 5 });
}
