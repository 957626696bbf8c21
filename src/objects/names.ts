/**
 * Which object owns what: the names of Durable Objects, made of namespace, role and shard. Who changes this changes where sessions
 * and retained messages are looked for.
 */

import type { Settings } from "../settings.ts";

export type Shape = Pick<Settings, "topology" | "sessionShards" | "topicShards">;

/** FNV-1a over UTF-16 code units, mixed at the end so that neighbouring names spread. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}

/** The Session object that owns a Client Identifier. */
export function sessionObjectName(shape: Shape, namespace: string, clientId: string): string {
  if (shape.topology === "compact") return `${namespace}/broker`;
  if (shape.sessionShards === 0) return `${namespace}/client/${clientId}`;
  return `${namespace}/session/${hash(clientId) % shape.sessionShards}`;
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
