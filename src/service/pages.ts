/** Walks through all objects of a namespace, page by page: what a page costs is bounded, so that it may be short, or empty, and not the last. */

import { PAGE_CALLS_MAX } from "../code-limits.ts";
import type { HookMessage } from "../hooks/contract.ts";
import type { ClientView, DirectoryCalls, RetainedMessages } from "../objects/calls.ts";
import { type BrokerEnv, stubs } from "../objects/env.ts";
import { allSessionObjects, directoryObjectName, sessionObjectName, topicObjectName, topicShard } from "../objects/names.ts";
import type { Settings } from "../settings.ts";
import { hasWildcard } from "../topic/filter.ts";
import type { ClientsPage, RetainedPage } from "./contract.ts";
import { decodeCursor, encodeCursor, type Position } from "./cursor.ts";
import { ArgumentError } from "./error.ts";

/** Who is asked, and where. */
export interface Walk {
  readonly env: BrokerEnv;
  readonly settings: Settings;
  readonly namespace: string;
  readonly cursor: unknown;
}

/** @throws TypeError that says what to do where nobody knows all clients */
function directoryFor({ env, settings, namespace }: Walk): Pick<DirectoryCalls, "presentAfter"> {
  const { DIRECTORY } = env;
  if (settings.directory.adminToken === "" || DIRECTORY === undefined)
    throw new ArgumentError(
      "clients: where every client has an object of its own (SESSION_SHARDS=0) only the directory knows them: set ADMIN_TOKEN and bind DIRECTORY, or keep SESSION_SHARDS above 0",
    );
  return stubs(DIRECTORY)(directoryObjectName(namespace));
}

export async function clientsPage(walk: Walk, limit: number): Promise<ClientsPage> {
  const { named, hasOwn } = allSessionObjects(walk.settings, walk.namespace);
  const directory = hasOwn ? directoryFor(walk) : undefined;
  const sessions = stubs(walk.env.SESSIONS);
  const clients: ClientView[] = [];
  let { object, from } = decodeCursor("clients", walk.cursor, named.length + (hasOwn ? 1 : 0));
  let calls = 0;
  for (; object < named.length; calls += 1) {
    if (calls === PAGE_CALLS_MAX || clients.length === limit) return { clients, cursor: encodeCursor({ object, from }) };
    const page = await sessions(named[object]!).clientsAfter(from, limit - clients.length);
    clients.push(...page.clients);
    if (page.more) from = page.clients.at(-1)!.clientId;
    else [object, from] = [object + 1, ""];
  }
  if (directory === undefined) return { clients, cursor: undefined };
  // Each of them is asked, and the directory itself.
  const most = Math.min(PAGE_CALLS_MAX - calls - 1, limit - clients.length);
  if (most <= 0) return { clients, cursor: encodeCursor({ object, from }) };
  const present = await directory.presentAfter(from, most);
  const pages = await Promise.all(present.map((name) => sessions(name).clientsAfter("", 1)));
  clients.push(...pages.flatMap((page) => page.clients));
  return { clients, cursor: present.length < most ? undefined : encodeCursor({ object, from: present.at(-1)! }) };
}

/** Asks the objects that own topics for retained messages. */
type RetainedReader = (position: Position) => Promise<RetainedMessages>;

/** The types of calls know no tuples: what the answer has they say less of. */
type Retaining = (name: string) => { retainedFrom(filter: string, from: string): Promise<RetainedMessages> };

/** @returns how many objects have topics that match, and how one of them is asked */
function retainedReader({ env, settings, namespace }: Walk, filter: string): { readonly objects: number; readonly read: RetainedReader } {
  if (settings.topology === "compact") {
    const broker = sessionObjectName(settings, namespace, "");
    const sessions = stubs(env.SESSIONS) as unknown as Retaining;
    return { objects: 1, read: ({ from }) => sessions(broker).retainedFrom(filter, from) };
  }
  const topics = stubs(env.TOPICS) as unknown as Retaining;
  const shards = hasWildcard(filter) ? [...Array(settings.topicShards).keys()] : [topicShard(settings, filter)];
  return {
    objects: shards.length,
    read: ({ object, from }) => topics(topicObjectName(namespace, shards[object]!)).retainedFrom(filter, from),
  };
}

export async function retainedPage(walk: Walk, filter: string): Promise<RetainedPage> {
  const { objects, read } = retainedReader(walk, filter);
  let { object, from } = decodeCursor("retained", walk.cursor, objects);
  const messages: HookMessage[] = [];
  for (let calls = 0; object < objects; calls += 1) {
    // What one answer may have is bounded; two of them need not fit into a page.
    if (calls === PAGE_CALLS_MAX || messages.length > 0) return { messages, cursor: encodeCursor({ object, from }) };
    const slice = await read({ object, from });
    messages.push(...slice.messages);
    if (slice.next === undefined) [object, from] = [object + 1, ""];
    else from = slice.next;
  }
  return { messages, cursor: undefined };
}
