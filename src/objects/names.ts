/**
 * Which object owns what: the names of Durable Objects, made of namespace, role and shard. Who changes this changes where sessions
 * and retained messages are looked for.
 */

import type { Settings } from "../settings.ts";
import type { TopicShape } from "../shape-settings.ts";
import { isOfEvents } from "../topic/events.ts";
import { hasWildcard, matches } from "../topic/filter.ts";
import { hash } from "../topic/hash.ts";
import { filterOfPresence, isOfPresence } from "../topic/presence.ts";

/** What decides on the owner of a Client Identifier. */
type SessionShape = Pick<Settings, "topology" | "sessionShards">;

export type Shape = SessionShape & TopicShape;

/** The Session object that owns a Client Identifier. */
export function sessionObjectName(shape: SessionShape, namespace: string, clientId: string): string {
  if (shape.topology === "compact") return `${namespace}/broker`;
  if (shape.sessionShards === 0) return clientObjectName(namespace, clientId);
  return sessionShardName(namespace, hash(clientId) % shape.sessionShards);
}

function clientObjectName(namespace: string, clientId: string): string {
  return `${namespace}/client/${clientId}`;
}

export function sessionShardName(namespace: string, shard: number): string {
  return `${namespace}/session/${shard}`;
}

/** The one Session object of a namespace, or undefined when there are several. */
export function onlySessionObject(shape: SessionShape, namespace: string): string | undefined {
  return shape.topology === "compact" || shape.sessionShards === 1 ? sessionObjectName(shape, namespace, "") : undefined;
}

/**
 * The number, from 0, of the Topic object that owns a Topic Name: one of those that share all topics, or behind them one that has this topic
 * alone. One has all events: what one Session object tells stays in its order. Who is there under a filter is known where that filter is.
 */
export function topicShard(shape: TopicShape, topic: string): number {
  const { topicShards, topicsWithObject } = shape;
  if (topicsWithObject.length === 0 && topicShards === 1) return 0;
  if (isOfPresence(topic)) return topicShard(shape, filterOfPresence(topic));
  const own = topicsWithObject.indexOf(topic);
  return own < 0 ? hash(isOfEvents(topic) ? EVENTS : topic) % topicShards : topicShards + own;
}

const EVENTS = "$events";

/** The Topic object that has the events. */
export function eventsShard(shape: TopicShape): number {
  return topicShard(shape, EVENTS);
}

/** One of those that share all topics. */
export function topicObjectName(namespace: string, shard: number): string {
  return `${namespace}/topic/${shard}`;
}

/** The object that has one topic alone: who it is depends on the topic, not on the others that have one. */
function ownTopicObjectName(namespace: string, topic: string): string {
  return `${namespace}/topic/own/${topic}`;
}

/** The Topic objects, by their numbers. */
export function topicObjects({ topicShards, topicsWithObject }: TopicShape, namespace: string): string[] {
  const shared = Array.from({ length: topicShards }, (_, shard) => topicObjectName(namespace, shard));
  return [...shared, ...topicsWithObject.map((topic) => ownTopicObjectName(namespace, topic))];
}

/** The Topic object that owns a Topic Name. */
export function topicObjectOf(shape: TopicShape, namespace: string, topic: string): string {
  const number = topicShard(shape, topic);
  const own = shape.topicsWithObject[number - shape.topicShards];
  return own === undefined ? topicObjectName(namespace, number) : ownTopicObjectName(namespace, own);
}

/** The number of a Topic object; -1 for one that has no topics in this shape. */
export function topicNumber(shape: TopicShape, topicObject: string): number {
  return topicObjects(shape, namespaceOf(topicObject)).indexOf(topicObject);
}

/**
 * Whether a Topic object has to do with a filter, which is without `$share/NAME/`. One without wildcards lives with its topic; one with wildcards is
 * known to all that have topics it matches, and one of events to all: whichever of them a Session object has to do with tells it that
 * somebody wants them.
 */
export function isConcerned(shape: TopicShape, number: number, filter: string): boolean {
  if (isOfEvents(filter)) return true;
  if (!hasWildcard(filter)) return topicShard(shape, filter) === number;
  const own = shape.topicsWithObject[number - shape.topicShards];
  return own === undefined || matches(filter, own);
}

/** The numbers of the Topic objects that have to do with a filter. */
export function topicNumbers(shape: TopicShape, filter: string): number[] {
  if (!hasWildcard(filter) && !isOfEvents(filter)) return [topicShard(shape, filter)];
  const all = [...Array(shape.topicShards + shape.topicsWithObject.length).keys()];
  return all.filter((number) => isConcerned(shape, number, filter));
}

/** The object that knows the users and bans of a namespace. */
export function directoryObjectName(namespace: string): string {
  return `${namespace}/directory`;
}

/** The objects of a namespace that can be named: all, but for Session objects where every client ID has one of its own. */
export function objectsOf(shape: Shape, namespace: string): { sessions: string[]; topics: string[] } {
  const { topology, sessionShards } = shape;
  if (topology === "compact") return { sessions: [sessionObjectName(shape, namespace, "")], topics: [] };
  return {
    sessions: Array.from({ length: sessionShards }, (_, shard) => sessionShardName(namespace, shard)),
    topics: topicObjects(shape, namespace),
  };
}

/** The Session objects that may have sessions, those of earlier shapes too, as far as they can be named. */
export interface AllSessionObjects {
  readonly named: readonly string[];
  /** Some shape has one for each client: the directory knows those. */
  readonly hasOwn: boolean;
}

export function allSessionObjects(settings: Settings, namespace: string): AllSessionObjects {
  if (settings.topology === "compact") return { named: [sessionObjectName(settings, namespace, "")], hasOwn: false };
  const shapes = [settings, ...settings.previousShapes.map((shape) => ({ ...settings, ...shape }))];
  const named = shapes.flatMap((shape) => objectsOf(shape, namespace).sessions);
  return { named: [...new Set(named)], hasOwn: shapes.some(({ sessionShards }) => sessionShards === 0) };
}

/** Whether this is the name of a Session object that may have sessions of the namespace: a text from outside may be any. */
export function isSessionObject(settings: Settings, namespace: string, name: string): boolean {
  const { named, hasOwn } = allSessionObjects(settings, namespace);
  return named.includes(name) || (hasOwn && name.startsWith(clientObjectName(namespace, "")));
}

/**
 * The shape as one number, for batches: objects that know different ones would look for sessions and topics in different places, so they do not
 * talk until they know the same. How many shapes there were before is part of it: a call of an earlier time in which the shape was the
 * same is as late as any other.
 */
export function shapeNumber({ sessionShards, topicShards, topicsWithObject, previousShapes }: Settings): number {
  const topics = topicsWithObject.length === 0 ? 0 : 1 + (hash(topicsWithObject.join("+")) % TOPICS_NUMBERS);
  return ((topics * 0x800 + previousShapes.length) * 0x800 + sessionShards) * 0x800 + topicShards;
}

/** The whole is below 2^53. */
const TOPICS_NUMBERS = 0xf_ffff;

/** The objects that owned a Client Identifier in earlier shapes and may still have its session, the latest first. */
export function previousSessionObjects(settings: Settings, namespace: string, clientId: string): string[] {
  if (settings.topology === "compact") return [];
  const owner = sessionObjectName(settings, namespace, clientId);
  const names = settings.previousShapes.map((shape) => sessionObjectName({ topology: "sharded", ...shape }, namespace, clientId));
  return [...new Set(names)].filter((name) => name !== owner);
}

/**
 * The other Topic objects that may still have retained messages and routes of this one's topics. One that has a topic alone always asks the one
 * that would have it else: so that is noticed if nobody said that it had.
 */
export function previousTopicObjects(settings: Settings, name: string): string[] {
  const namespace = namespaceOf(name);
  const number = topicNumber(settings, name);
  const { topicShards, topicsWithObject, previousShapes } = settings;
  const own = topicsWithObject[number - topicShards];
  const earlier = previousShapes.filter((shape) => topicsText(shape) !== topicsText(settings));
  const names =
    own === undefined
      ? earlier.flatMap((shape) => [
          ...(shape.topicShards === topicShards ? [] : topicObjects({ ...shape, topicsWithObject: [] }, namespace)),
          ...shape.topicsWithObject
            .filter((topic) => topicShard(settings, topic) === number)
            .map((topic) => ownTopicObjectName(namespace, topic)),
        ])
      : [...earlier, { topicShards, topicsWithObject: [] }].map((shape) => topicObjectOf(shape, namespace, own));
  return [...new Set(names)].filter((each) => each !== name);
}

/**
 * Which Topic objects there are, as a text that no other shape has: `4`, or `4+TOPIC+TOPIC`. Several are put behind each other with `<`, in the
 * place of which a Topic Name has `#`, which none has by itself.
 */
export function topicsText({ topicShards, topicsWithObject }: TopicShape): string {
  return [topicShards, ...topicsWithObject.map((topic) => topic.replaceAll("<", "#"))].join("+");
}

/** @param text as `topicsText` makes it */
export function topicShapeOf(text: string): TopicShape {
  const [topicShards, ...topics] = text.split("+");
  return { topicShards: Number(topicShards), topicsWithObject: topics.map((topic) => topic.replaceAll("#", "<")) };
}

/**
 * Whether a Topic object has the same topics in two shapes, as texts. With another number of those that share topics than there is now it matters
 * what the others had, too.
 */
export function isAlikeFor(settings: Settings, name: string, one: string, other: string): boolean {
  if (one === other) return true;
  const [first, second] = [topicShapeOf(one), topicShapeOf(other)];
  const { topicShards } = settings;
  if (first.topicShards !== topicShards || second.topicShards !== topicShards) return false;
  const namespace = namespaceOf(name);
  const isOf = (topic: string): boolean =>
    name === ownTopicObjectName(namespace, topic) || name === topicObjectOf({ topicShards, topicsWithObject: [] }, namespace, topic);
  const lists = [first, second].map(({ topicsWithObject }) => topicsWithObject.filter(isOf).join("+"));
  return lists[0] === lists[1];
}

/** The shapes that the broker had, the present one first. */
export function shapeHistory(settings: Settings): string {
  return [settings, ...settings.previousShapes].map((shape) => `${shape.sessionShards}+${topicsText(shape)}`).join("<");
}

/**
 * What one object asks of another because the shape has changed must not arrive after the next change: by then it takes away what has
 * come back.
 * @param asker the `shapeHistory` of the object that asked
 * @throws Error when this object's shape is a later one
 */
export function refuseEarlierShape(settings: Settings, asker: string): void {
  const own = shapeHistory(settings);
  if (own.endsWith(`<${asker}`)) throw new Error(`asked in the shape ${asker}, which is over: now it is ${own}`);
}

/** The namespace in an object's name. */
export function namespaceOf(objectName: string): string {
  return objectName.slice(0, objectName.indexOf("/"));
}
