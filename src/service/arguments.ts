/** What another Worker says, looked at before anything is done: a sentence names what is wrong and what was expected. */

import { DEFAULT_NAMESPACE, exists, noNamespaceText } from "../edge/answers.ts";
import type { Limits } from "../limits.ts";
import { CLIENTS_PAGE, CLIENTS_PAGE_MAX } from "../limits.ts";
import type { Settings } from "../settings.ts";
import { parseFilter, SHARE_PREFIX } from "../topic/filter.ts";

/**
 * Options of a method, of which no other ones are known.
 * @throws TypeError for what is no such object
 */
export function expectOptions<Options extends object>(
  method: string,
  options: Options | undefined,
  known: readonly (keyof Options & string)[],
): Options {
  if (options === undefined) return {} as Options;
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new TypeError(`${method}: the options must be an object`);
  const unknown = Object.keys(options).find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined) throw new TypeError(`${method} has no option ${unknown}; expected: ${known.join(", ")}`);
  return options;
}

/** @throws TypeError for a namespace that the broker does not serve */
export function expectNamespace(method: string, settings: Settings, namespace: unknown = DEFAULT_NAMESPACE): string {
  if (typeof namespace !== "string") throw new TypeError(`${method}: namespace must be a text`);
  if (!exists(settings, namespace)) throw new TypeError(`${method}: ${noNamespaceText(namespace)}`);
  return namespace;
}

/** @throws TypeError for what is no Topic Filter */
export function expectFilter(method: string, limits: Limits, filter: unknown, mayBeShared = true): string {
  if (typeof filter !== "string") throw new TypeError(`${method}: the Topic Filter must be a text`);
  const parsed = parseFilter(filter, limits);
  if (!("levels" in parsed)) throw new TypeError(`${method}: ${parsed.message}`);
  if (!mayBeShared && filter.startsWith(SHARE_PREFIX))
    throw new TypeError(`${method}: the Topic Filter must not be a shared one: retained messages are not shared`);
  return filter;
}

export function expectClientId(method: string, clientId: unknown): string {
  if (typeof clientId !== "string" || clientId === "")
    throw new TypeError(`${method}: the Client Identifier must be a text, and not empty`);
  return clientId;
}

export function expectPageSize(limit: unknown = CLIENTS_PAGE): number {
  const isOne = Number.isInteger(limit) && (limit as number) >= 1 && (limit as number) <= CLIENTS_PAGE_MAX;
  if (!isOne) throw new TypeError(`clients: limit must be 1 to ${CLIENTS_PAGE_MAX}`);
  return limit as number;
}
