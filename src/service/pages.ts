/** Walks through all objects of a namespace, page by page: what a page costs is bounded, so that it may be short, or empty, and not the last. */

import { CLIENTS_PAGE_MAX, PAGE_CALLS_MAX } from "../code-limits.ts";
import type { HookMessage } from "../hooks/contract.ts";
import type { DirectoryCalls, MemberPage, RetainedMessages, SubscriptionView } from "../objects/calls.ts";
import { type BrokerEnv, stubs } from "../objects/env.ts";
import {
  allSessionObjects,
  directoryObjectName,
  isSessionObject,
  sessionObjectName,
  topicNumbers,
  topicObjectName,
  topicObjectOf,
  topicObjects,
} from "../objects/names.ts";
import type { Settings } from "../settings.ts";
import { hasWildcard } from "../topic/filter.ts";
import type { Member } from "../topic/presence.ts";
import type { ClientsPage, RetainedPage } from "./contract.ts";
import { decodeCursor, encodeCursor, type Position, wrongCursor } from "./cursor.ts";
import { ArgumentError } from "./error.ts";

/** Who is asked, and where. */
export interface Walk {
  readonly env: BrokerEnv;
  readonly settings: Settings;
  readonly namespace: string;
  readonly cursor: unknown;
}

/** @throws TypeError that says what to do where nobody knows all clients */
function directoryFor({ env, settings, namespace }: Walk, method: string): Pick<DirectoryCalls, "presentAfter"> {
  const { DIRECTORY } = env;
  if (settings.directory.adminToken === "" || DIRECTORY === undefined)
    throw new ArgumentError(
      `${method}: where every client has an object of its own (SESSION_SHARDS=0) only the directory knows them: set ADMIN_TOKEN and bind DIRECTORY, or keep SESSION_SHARDS above 0`,
    );
  return stubs(DIRECTORY)(directoryObjectName(namespace));
}

/** Some of what an object has, in its order. */
interface Slice<Item> {
  readonly items: readonly Item[];
  /** Behind which there are more; undefined when there are none. */
  readonly next: string | undefined;
}

interface Page<Item> {
  readonly items: readonly Item[];
  /** Undefined after the last page. */
  readonly cursor: string | undefined;
}

/** Asks a Session object, by its name, for what it has behind this place: at most so many. */
type SliceReader<Item> = (object: string, from: string, most: number) => Promise<Slice<Item>>;

/** A page of what Session objects have. */
async function pageOf<Item>(walk: Walk, method: string, limit: number, read: SliceReader<Item>): Promise<Page<Item>> {
  const { named, hasOwn } = allSessionObjects(walk.settings, walk.namespace);
  const directory = hasOwn ? directoryFor(walk, method) : undefined;
  const items: Item[] = [];
  let { object, from } = decodeCursor(method, walk.cursor, named.length + (hasOwn ? 1 : 0));
  let calls = 0;
  for (; object < named.length; calls += 1) {
    if (calls === PAGE_CALLS_MAX || items.length === limit) return { items, cursor: encodeCursor({ object, from }) };
    const slice = await read(named[object]!, from, limit - items.length);
    items.push(...slice.items);
    if (slice.next === undefined) [object, from] = [object + 1, ""];
    else from = slice.next;
  }
  if (directory === undefined) return { items, cursor: undefined };
  // Each of them is asked, and the directory itself.
  const most = Math.min(PAGE_CALLS_MAX - calls - 1, limit - items.length);
  if (most <= 0) return { items, cursor: encodeCursor({ object, from }) };
  const present = await directory.presentAfter(from, most);
  const all = await Promise.all(present.map((name) => allOf(name, read)));
  items.push(...all.flat());
  return { items, cursor: present.length < most ? undefined : encodeCursor({ object, from: present.at(-1)! }) };
}

/** What one client has, in an object of its own, is told together. */
async function allOf<Item>(object: string, read: SliceReader<Item>): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (let from: string | undefined = ""; from !== undefined; ) {
    const slice: Slice<Item> = await read(object, from, CLIENTS_PAGE_MAX);
    items.push(...slice.items);
    from = slice.next;
  }
  return items;
}

export async function clientsPage(walk: Walk, limit: number): Promise<ClientsPage> {
  const sessions = stubs(walk.env.SESSIONS);
  const { items, cursor } = await pageOf(walk, "clients", limit, async (object, from, most) => {
    const { clients, more } = await sessions(object).clientsAfter(from, most);
    return { items: clients, next: more ? clients.at(-1)!.clientId : undefined };
  });
  return { clients: items, cursor };
}

/** Some of the subscriptions of all clients, those of one client together. */
export interface SubscriptionsPage {
  readonly subscriptions: readonly SubscriptionView[];
  /** Undefined after the last page. */
  readonly cursor: string | undefined;
}

export async function subscriptionsPage(walk: Walk, limit: number): Promise<SubscriptionsPage> {
  const sessions = stubs(walk.env.SESSIONS);
  const { items, cursor } = await pageOf(walk, "subscriptions", limit, async (object, from, most) => {
    const { subscriptions, next } = await sessions(object).subscriptionsAfter(from, most);
    return { items: subscriptions, next };
  });
  return { subscriptions: items, cursor };
}

/** A filter that clients of one object are subscribed to. */
export interface FilterOfObject {
  readonly filter: string;
  readonly object: string;
}

export interface FiltersPage {
  readonly filters: readonly FilterOfObject[];
  /** Undefined after the last page. */
  readonly cursor: string | undefined;
}

export async function filtersPage(walk: Walk, limit: number): Promise<FiltersPage> {
  const sessions = stubs(walk.env.SESSIONS);
  const { items, cursor } = await pageOf(walk, "filters", limit, async (object, from, most) => {
    const { filters, more } = await sessions(object).filtersAfter(from, most);
    return { items: filters.map((filter) => ({ filter, object })), next: more ? filters.at(-1)! : undefined };
  });
  return { filters: items, cursor };
}

/** Some of those that are connected and subscribed to a filter. */
export interface MembersPage {
  readonly members: readonly Member[];
  /** Undefined after the last page. */
  readonly cursor: string | undefined;
}

/** Between the name of an object and a Client Identifier: neither has it. */
const BEHIND = "\0";

/** The types of calls know no tuples. */
type Wanting = (name: string) => { sessionsWanting(filter: string, object: string, most: number): Promise<readonly string[]> };
type Having = (name: string) => { membersAfter(filter: string, clientId: string, most: number): Promise<MemberPage> };

/** The object that has the filter knows which Session objects want it: no other one is asked. */
export async function membersPage({ env, settings, namespace, cursor }: Walk, filter: string, limit: number): Promise<MembersPage> {
  const sessions = stubs(env.SESSIONS) as unknown as Having;
  const [object = "", within] = decodeCursor("presence", cursor, 1).from.split(BEHIND);
  // The one name of an object that comes from outside.
  if (within !== undefined && !isSessionObject(settings, namespace, object)) throw wrongCursor("presence");
  const begun = within === undefined ? [] : [object];
  const most = PAGE_CALLS_MAX - 2;
  const objects = [...begun, ...(await objectsWanting({ env, settings, namespace, cursor }, filter, object, most))];
  const members: Member[] = [];
  let last = object;
  // What a client has in an object of its own is one: some are asked at once.
  const atOnce = settings.topology !== "compact" && settings.sessionShards === 0 && settings.previousShapes.length === 0;
  for (let at = 0; at < objects.length; ) {
    const room = limit - members.length;
    if (room === 0) return { members, cursor: encodeCursor({ object: 0, from: last }) };
    const asked = objects.slice(at, at + (atOnce ? room : 1));
    const pages = await Promise.all(
      asked.map((name, index) => sessions(name).membersAfter(filter, at + index < begun.length ? within! : "", room)),
    );
    members.push(...pages.flatMap((page) => page.members));
    last = asked.at(-1)!;
    at += asked.length;
    if (pages.at(-1)!.more) return { members, cursor: encodeCursor({ object: 0, from: `${last}${BEHIND}${members.at(-1)!.clientid}` }) };
  }
  return { members, cursor: objects.length - begun.length < most ? undefined : encodeCursor({ object: 0, from: last }) };
}

/** The Session objects that want a filter, in the order of their names, behind this one. */
async function objectsWanting(
  { env, settings, namespace }: Walk,
  filter: string,
  object: string,
  most: number,
): Promise<readonly string[]> {
  if (settings.topology === "compact") return object === "" ? [sessionObjectName(settings, namespace, "")] : [];
  const topics = stubs(env.TOPICS) as unknown as Wanting;
  // What has wildcards is known to all that share topics.
  const owner = hasWildcard(filter) ? topicObjectName(namespace, 0) : topicObjectOf(settings, namespace, filter);
  return topics(owner).sessionsWanting(filter, object, most);
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
  const all = topicObjects(settings, namespace);
  const objects = topicNumbers(settings, filter).map((number) => all[number]!);
  return {
    objects: objects.length,
    read: ({ object, from }) => topics(objects[object]!).retainedFrom(filter, from),
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
