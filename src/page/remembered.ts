/**
 * What the page remembers of the sessions that it left to be resumed: their subscriptions, which a broker tells nobody. By namespace and
 * client ID, in this browser only; where it keeps nothing, nothing is remembered.
 */

export interface Remembered {
  readonly filter: string;
  readonly qos: number;
}

/** More sessions than this are not remembered; the oldest goes. */
const SESSIONS_MAX = 20;

const KEY = "durable-mqtt subscriptions";

type All = Record<string, readonly Remembered[]>;

const nameOf = (namespace: string, clientId: string): string => JSON.stringify([namespace, clientId]);

function read(): All {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? "{}") as All) ?? {};
  } catch {
    return {};
  }
}

export function recall(namespace: string, clientId: string): readonly Remembered[] {
  return read()[nameOf(namespace, clientId)] ?? [];
}

/** @param subscriptions none: the session is forgotten */
export function remember(namespace: string, clientId: string, subscriptions: readonly Remembered[]): void {
  const { [nameOf(namespace, clientId)]: _before, ...others } = read();
  const kept = Object.entries(others).slice(subscriptions.length === 0 ? 0 : 1 - SESSIONS_MAX);
  if (subscriptions.length > 0) kept.push([nameOf(namespace, clientId), subscriptions]);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(kept)));
  } catch {
    // A browser that keeps nothing, or has no room.
  }
}
