/** Through all objects of a namespace, page by page, for an export: what one page costs is bounded, so that it may have nothing and not be the last. */

import { PAGE_CALLS_MAX } from "../code-limits.ts";
import type { HookMessage } from "../hooks/contract.ts";
import type { DirectoryCalls, PortablePage, RetainedMessages, TakenRetained, TakenSession } from "../objects/calls.ts";
import { type BrokerEnv, stubs } from "../objects/env.ts";
import { allSessionObjects, topicObjects as namesOfTopicObjects, sessionObjectName, topicShard } from "../objects/names.ts";
import { decodeCursor, encodeCursor } from "../service/cursor.ts";
import type { PortableMessage, PortableSession } from "../session/portable.ts";
import type { Settings } from "../settings.ts";
import { PORTABLE_PAGE_BYTES } from "../storage-limits.ts";

export interface Walk {
  readonly env: BrokerEnv;
  readonly settings: Settings;
  readonly namespace: string;
  /** Of the page before. */
  readonly cursor: string | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Undefined on the last page. */
  readonly cursor: string | undefined;
}

/** The types of calls lose what is in lists of lists. */
export type Sessions = (name: string) => {
  sessionsAfter(clientId: string): Promise<PortablePage>;
  takeSession(told: PortableSession, replaces: boolean): Promise<TakenSession>;
};

type Retaining = (name: string) => {
  retainedFrom(filter: undefined, from: string): Promise<RetainedMessages>;
  keepRetained(messages: readonly PortableMessage[], replaces: boolean): Promise<TakenRetained[]>;
};

export function sessionsOf(env: BrokerEnv): Sessions {
  return stubs(env.SESSIONS) as unknown as Sessions;
}

export interface SessionsPage extends Page<PortableSession> {
  readonly tooLarge: readonly string[];
}

/** Sessions: of the objects that can be named, and then of those that the directory knows. */
export async function sessionsPage(walk: Walk, directory: Pick<DirectoryCalls, "presentAfter">): Promise<SessionsPage> {
  const { named, hasOwn } = allSessionObjects(walk.settings, walk.namespace);
  const sessions = sessionsOf(walk.env);
  let { object, from } = decodeCursor("sessions", walk.cursor, named.length + (hasOwn ? 1 : 0));
  for (let calls = 0; object < named.length; calls += 1) {
    if (calls === PAGE_CALLS_MAX) return { items: [], tooLarge: [], cursor: encodeCursor({ object, from }) };
    const { sessions: items, tooLarge, next } = await sessions(named[object]!).sessionsAfter(from);
    [object, from] = next === undefined ? [object + 1, ""] : [object, next];
    if (items.length + tooLarge.length > 0)
      return { items, tooLarge, cursor: object < named.length || hasOwn ? encodeCursor({ object, from }) : undefined };
  }
  const items: PortableSession[] = [];
  const tooLarge: string[] = [];
  // The directory is asked, too.
  const present = hasOwn ? await directory.presentAfter(from, PAGE_CALLS_MAX - 1) : [];
  let bytes = 0;
  for (const name of present) {
    if (bytes >= PORTABLE_PAGE_BYTES) break;
    const page = await sessions(name).sessionsAfter("");
    items.push(...page.sessions);
    tooLarge.push(...page.tooLarge);
    for (const session of page.sessions) bytes += bytesOf(session);
    from = name;
  }
  return { items, tooLarge, cursor: present.length === 0 ? undefined : encodeCursor({ object, from }) };
}

/** About: of what there may be much of. */
function bytesOf({ subscriptions, deliveries }: PortableSession): number {
  let bytes = 0;
  for (const { filter } of subscriptions) bytes += filter.length;
  for (const { message } of deliveries) bytes += message.topic.length + message.propertyBytes.length + message.payload.length;
  return bytes;
}

/** The objects that have topics, by their numbers. */
function topicObjects({ env, settings, namespace }: Omit<Walk, "cursor">): {
  readonly objects: readonly string[];
  readonly ask: Retaining;
} {
  if (settings.topology === "compact")
    return { objects: [sessionObjectName(settings, namespace, "")], ask: stubs(env.SESSIONS) as unknown as Retaining };
  return { objects: namesOfTopicObjects(settings, namespace), ask: stubs(env.TOPICS) as unknown as Retaining };
}

/** What the broker tells of itself, which another one has its own figures for; where clients' bridges tell of themselves is theirs. */
const FIGURE = /^\$SYS\/broker\/(?!connection\/)/;

export async function retainedPage(walk: Walk): Promise<Page<HookMessage>> {
  const { objects, ask } = topicObjects(walk);
  let { object, from } = decodeCursor("retained", walk.cursor, objects.length);
  const items: HookMessage[] = [];
  for (let calls = 0; object < objects.length && items.length === 0; calls += 1) {
    if (calls === PAGE_CALLS_MAX) return { items, cursor: encodeCursor({ object, from }) };
    const slice = await ask(objects[object]!).retainedFrom(undefined, from);
    items.push(...slice.messages.filter(({ topic }) => !FIGURE.test(topic)));
    if (slice.next === undefined) [object, from] = [object + 1, ""];
    else from = slice.next;
  }
  return { items, cursor: object < objects.length ? encodeCursor({ object, from }) : undefined };
}

/** @returns what became of each */
export async function keepRetained(
  walk: Omit<Walk, "cursor">,
  messages: readonly PortableMessage[],
  replaces: boolean,
): Promise<readonly TakenRetained[]> {
  const { objects, ask } = topicObjects(walk);
  const { settings } = walk;
  const outcomes = new Map<PortableMessage, TakenRetained>();
  for (const [shard, object] of objects.entries()) {
    const own = messages.filter(({ topic }) => objects.length === 1 || topicShard(settings, topic) === shard);
    if (own.length === 0) continue;
    const kept = await ask(object).keepRetained(own, replaces);
    for (const [index, message] of own.entries()) outcomes.set(message, kept[index]!);
  }
  return messages.map((message) => outcomes.get(message)!);
}
