/**
 * Which object owns what: the names of Durable Objects, made of namespace, role and shard. Who changes this changes where sessions
 * and retained messages are looked for.
 */

import type { Settings } from "../settings.ts";
import { isOfEvents } from "../topic/events.ts";
import { hash } from "../topic/hash.ts";
import { filterOfPresence, isOfPresence } from "../topic/presence.ts";

export type Shape = Pick<Settings, "topology" | "sessionShards" | "topicShards">;

/** The Session object that owns a Client Identifier. */
export function sessionObjectName(shape: Shape, namespace: string, clientId: string): string {
  if (shape.topology === "compact") return `${namespace}/broker`;
  if (shape.sessionShards === 0) return `${namespace}/client/${clientId}`;
  return sessionShardName(namespace, hash(clientId) % shape.sessionShards);
}

export function sessionShardName(namespace: string, shard: number): string {
  return `${namespace}/session/${shard}`;
}

/** The one Session object of a namespace, or undefined when there are several. */
export function onlySessionObject(shape: Shape, namespace: string): string | undefined {
  return shape.topology === "compact" || shape.sessionShards === 1 ? sessionObjectName(shape, namespace, "") : undefined;
}

/**
 * The number, from 0, of the Topic object that owns a Topic Name. One has all events: what one Session object tells stays
 * in its order. Who is there under a filter is known where that filter is.
 */
export function topicShard(shape: Pick<Shape, "topicShards">, topic: string): number {
  if (shape.topicShards === 1) return 0;
  if (isOfPresence(topic)) return topicShard(shape, filterOfPresence(topic));
  return hash(isOfEvents(topic) ? EVENTS : topic) % shape.topicShards;
}

const EVENTS = "$events";

/** The Topic object that has the events. */
export function eventsShard(shape: Pick<Shape, "topicShards">): number {
  return topicShard(shape, EVENTS);
}

export function topicObjectName(namespace: string, shard: number): string {
  return `${namespace}/topic/${shard}`;
}

/** The object that knows the users and bans of a namespace. */
export function directoryObjectName(namespace: string): string {
  return `${namespace}/directory`;
}

/** The objects of a namespace that can be named: all, but for Session objects where every client ID has one of its own. */
export function objectsOf(shape: Shape, namespace: string): { sessions: string[]; topics: string[] } {
  const { topology, sessionShards, topicShards } = shape;
  if (topology === "compact") return { sessions: [sessionObjectName(shape, namespace, "")], topics: [] };
  return {
    sessions: Array.from({ length: sessionShards }, (_, shard) => sessionShardName(namespace, shard)),
    topics: Array.from({ length: topicShards }, (_, shard) => topicObjectName(namespace, shard)),
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

/**
 * The numbers of objects as one number, for batches: objects that know different ones would look for sessions and topics in different
 * places, so they do not talk until they know the same. How many shapes there were before is part of it: a call of an earlier time in
 * which the numbers were the same is as late as any other.
 */
export function shapeNumber({ sessionShards, topicShards, previousShapes }: Settings): number {
  return (previousShapes.length * 0x800 + sessionShards) * 0x800 + topicShards;
}

/** The objects that owned a Client Identifier in earlier shapes and may still have its session, the latest first. */
export function previousSessionObjects(settings: Settings, namespace: string, clientId: string): string[] {
  if (settings.topology === "compact") return [];
  const owner = sessionObjectName(settings, namespace, clientId);
  const names = settings.previousShapes.map((shape) => sessionObjectName({ topology: "sharded", ...shape }, namespace, clientId));
  return [...new Set(names)].filter((name) => name !== owner);
}

/** The other Topic objects that may still have retained messages and routes of this one's topics; none while their number never changed. */
export function previousTopicObjects(settings: Settings, name: string): string[] {
  const { topicShards, previousShapes } = settings;
  if (previousShapes.every((shape) => shape.topicShards === topicShards)) return [];
  const most = Math.max(...previousShapes.map((shape) => shape.topicShards));
  const names = Array.from({ length: most }, (_, shard) => topicObjectName(namespaceOf(name), shard));
  return names.filter((each) => each !== name);
}

/** The shapes that the broker had, the present one first. */
export function shapeHistory({ sessionShards, topicShards, previousShapes }: Settings): string {
  return [{ sessionShards, topicShards }, ...previousShapes].map((shape) => `${shape.sessionShards}+${shape.topicShards}`).join("<");
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

/** The number of a Topic object, from its name. */
export function shardOf(topicObject: string): number {
  return Number(topicObject.slice(topicObject.lastIndexOf("/") + 1));
}

/** The namespace in an object's name. */
export function namespaceOf(objectName: string): string {
  return objectName.slice(0, objectName.indexOf("/"));
}
