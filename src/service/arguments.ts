/** What another Worker says, looked at before anything is done: a sentence names what is wrong and what was expected. */

import { ACKNOWLEDGED_MS, ACKNOWLEDGED_MS_MAX, CLIENTS_PAGE, CLIENTS_PAGE_MAX } from "../code-limits.ts";
import { DEFAULT_NAMESPACE, exists, noNamespaceText } from "../edge/answers.ts";
import type { MessageProperties, MessageToPublish } from "../hooks/contract.ts";
import { draftProblem, ownPublishOf } from "../hooks/message-draft.ts";
import type { Limits } from "../limits.ts";
import type { AcknowledgedWait } from "../objects/calls.ts";
import type { Settings } from "../settings.ts";
import { parseFilter, SHARE_PREFIX } from "../topic/filter.ts";
import type { ServicePublishOptions } from "./contract.ts";
import { ArgumentError } from "./error.ts";

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
    throw new ArgumentError(`${method}: the options must be an object`);
  const unknown = Object.keys(options).find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined) throw new ArgumentError(`${method} has no option ${unknown}; expected: ${known.join(", ")}`);
  return options;
}

/** @throws TypeError for a namespace that the broker does not serve */
export function expectNamespace(method: string, settings: Settings, namespace: unknown = DEFAULT_NAMESPACE): string {
  if (typeof namespace !== "string") throw new ArgumentError(`${method}: namespace must be a text`);
  if (!exists(settings, namespace)) throw new ArgumentError(`${method}: ${noNamespaceText(namespace)}`);
  return namespace;
}

/** @throws TypeError for what is no message */
export function expectMessage(method: string, limits: Limits, message: MessageToPublish): void {
  const publish = draftProblem(message) ?? ownPublishOf(message, limits);
  if (typeof publish === "string") throw new ArgumentError(`${method}: ${publish}`);
}

/** @throws TypeError where a request says itself where its response is to come */
export function expectNoResponseOf(properties: MessageProperties): void {
  const own = (["responseTopic", "correlationData"] as const).find((name) => properties[name] !== undefined);
  if (own !== undefined) throw new ArgumentError(`request: properties.${own} is what the response is found by, and is made here`);
}

/** A Response Topic is subscribed to: it must not mean another filter then. @throws TypeError */
export function expectNoShare(responseTopic: string): void {
  if (responseTopic.startsWith(SHARE_PREFIX))
    throw new ArgumentError(`request: responseTopic must be a Topic Name, and none that begins with ${SHARE_PREFIX}`);
}

/** @throws TypeError for what is no whole number of milliseconds up to this */
export function expectTimeout(method: string, ms: unknown, most: number): number {
  const isOne = Number.isInteger(ms) && (ms as number) >= 1 && (ms as number) <= most;
  if (!isOne) throw new ArgumentError(`${method}: timeoutMs must be 1 to ${most}`);
  return ms as number;
}

/**
 * A signal that came over a call tells its `onabort` alone, no listener, and nobody to whom it is passed on (M, workerd of 2026-07): one that is
 * made here does.
 * @throws TypeError for what is none
 */
export function expectSignal(method: string, signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  if (!(signal instanceof AbortSignal)) throw new ArgumentError(`${method}: signal must be an AbortSignal`);
  const controller = new AbortController();
  signal.onabort = () => controller.abort(signal.reason);
  if (signal.aborted) controller.abort(signal.reason);
  return controller.signal;
}

/**
 * What a message is waited for besides that it is safe.
 * @throws TypeError for what is no such wait, or can't be had at this QoS
 */
export function expectWait({ wait, timeoutMs, signal, qos = 0 }: ServicePublishOptions): AcknowledgedWait | undefined {
  if (wait !== undefined && wait !== "stored" && wait !== "acknowledged")
    throw new ArgumentError('publish: wait must be "stored" or "acknowledged"');
  if (wait !== undefined && qos === 0) throw new ArgumentError("publish: wait needs qos 1 or 2: at 0 nothing is stored or acknowledged");
  if (wait === "acknowledged")
    return {
      timeoutMs: expectTimeout("publish", timeoutMs ?? ACKNOWLEDGED_MS, ACKNOWLEDGED_MS_MAX),
      signal: expectSignal("publish", signal),
    };
  const other = timeoutMs === undefined ? signal && "signal" : "timeoutMs";
  if (other !== undefined) throw new ArgumentError(`publish: ${other} goes with wait: "acknowledged" alone`);
  return undefined;
}

export function expectQoS(method: string, qos: unknown): void {
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new ArgumentError(`${method}: qos must be 0, 1 or 2`);
}

export function expectFilters(limits: Limits, filters: unknown): readonly string[] {
  const list: unknown = typeof filters === "string" ? [filters] : filters;
  const isOne = Array.isArray(list) && list.length >= 1 && list.length <= limits.subscriptionsMax;
  if (!isOne) throw new ArgumentError(`subscribe: expected a Topic Filter, or a list of 1 to ${limits.subscriptionsMax}`);
  return (list as unknown[]).map((filter) => expectFilter("subscribe", limits, filter));
}

/** @throws TypeError for what is no Topic Filter */
export function expectFilter(method: string, limits: Limits, filter: unknown, mayBeShared = true): string {
  if (typeof filter !== "string") throw new ArgumentError(`${method}: the Topic Filter must be a text`);
  const parsed = parseFilter(filter, limits);
  if (!("levels" in parsed)) throw new ArgumentError(`${method}: ${parsed.message}`);
  if (!mayBeShared && filter.startsWith(SHARE_PREFIX))
    throw new ArgumentError(`${method}: the Topic Filter must not be a shared one, with $share`);
  return filter;
}

export function expectClientId(method: string, clientId: unknown): string {
  if (typeof clientId !== "string" || clientId === "")
    throw new ArgumentError(`${method}: the Client Identifier must be a text, and not empty`);
  return clientId;
}

export function expectPageSize(method: string, limit: unknown = CLIENTS_PAGE): number {
  const isOne = Number.isInteger(limit) && (limit as number) >= 1 && (limit as number) <= CLIENTS_PAGE_MAX;
  if (!isOne) throw new ArgumentError(`${method}: limit must be 1 to ${CLIENTS_PAGE_MAX}`);
  return limit as number;
}
