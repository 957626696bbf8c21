/**
 * Which object owns what: the names of Durable Objects, made of namespace, role and shard. Who changes this changes where sessions
 * and retained messages are looked for.
 */

import type { Settings } from "../settings.ts";
import { hash } from "../topic/hash.ts";

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

/** The number, from 0, of the Topic object that owns a Topic Name. */
export function topicShard(shape: Shape, topic: string): number {
  return shape.topicShards === 1 ? 0 : hash(topic) % shape.topicShards;
}

export function topicObjectName(namespace: string, shard: number): string {
  return `${namespace}/topic/${shard}`;
}

/** The namespace in an object's name. */
export function namespaceOf(objectName: string): string {
  return objectName.slice(0, objectName.indexOf("/"));
}
