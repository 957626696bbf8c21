/**
 * What the Session objects of a namespace have told of themselves, summed up, under the names that mosquitto gives it below `$SYS/broker/`. One
 * object keeps it, in a row: the others tell what they have now, and what they have counted since they told it last, for what they count is gone
 * with their memory.
 */

import { intact, RecordError } from "../mqtt/record.ts";
import type { SessionRow } from "./ports.ts";

/** In the table of sessions, under a name that no client can have [MQTT5-1.5.4-2]. */
const ROW_NAME = "\u0000system";

/** No version of a session: older code leaves such a row alone. */
const ROW_VERSION = 0x53;

/** What an object has now. */
export interface Gauges {
  readonly connections: number;
  /** With and without connection. */
  readonly sessions: number;
  readonly subscriptions: number;
}

/** What it has counted. */
export interface Counts {
  readonly received: number;
  readonly sent: number;
  readonly dropped: number;
}

/** What an object tells of itself. */
export interface Reported {
  readonly gauges: Gauges;
  /** Since it has told it last. */
  readonly counts: Counts;
  /** Undefined where it keeps none, or has not counted them. */
  readonly retained: number | undefined;
}

interface Stored {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly toldAt: number;
  readonly objects: Readonly<Record<string, Gauges>>;
  readonly counts: Counts;
  /** What stands at which topic. */
  readonly told: Readonly<Record<string, string>>;
}

const RETAINED = "retained messages/count";

const NOTHING: Counts = { received: 0, sent: 0, dropped: 0 };

export class SystemTotals {
  readonly #version: string;
  readonly #objects = new Map<string, Gauges>();
  #counts = NOTHING;
  /** As it was told last; undefined when nobody has. */
  retained: number | undefined;
  #since = 0;
  #told = new Map<string, string>();
  /** When something was told last, milliseconds since the epoch. */
  toldAt = 0;
  /** Of its row; 0 when it has none. */
  number = 0;

  /** @param version of the broker */
  constructor(version: string) {
    this.#version = version;
  }

  /** An object tells of itself. @param known the objects that there are: what others have told is over */
  take(object: string, { gauges, counts, retained }: Reported, known: readonly string[], now: number): void {
    if (this.#since === 0) this.#since = now;
    this.#objects.set(object, gauges);
    const there = new Set(known);
    for (const name of this.#objects.keys()) if (!there.has(name)) this.#objects.delete(name);
    const { received, sent, dropped } = this.#counts;
    this.#counts = { received: received + counts.received, sent: sent + counts.sent, dropped: dropped + counts.dropped };
    this.retained = retained ?? this.retained;
  }

  /** What an object has told last, as far as this one's row has it. */
  gaugesOf(object: string): Gauges | undefined {
    return this.#objects.get(object);
  }

  /** This object is not the one that sums up, and keeps what it has told of itself. */
  keep(object: string, gauges: Gauges): void {
    this.#objects.set(object, gauges);
  }

  /** What has changed since it was told last. @returns texts by their topics */
  tell(now: number): ReadonlyMap<string, string> {
    const all = new Map(Object.entries(this.#texts(now)).map(([name, text]) => [topicOf(name), text]));
    const changed = new Map([...all].filter(([topic, text]) => this.#told.get(topic) !== text));
    this.#told = all;
    this.toldAt = now;
    return changed;
  }

  #texts(now: number): Readonly<Record<string, string>> {
    const sum = { connections: 0, sessions: 0, subscriptions: 0 };
    for (const { connections, sessions, subscriptions } of this.#objects.values()) {
      sum.connections += connections;
      sum.sessions += sessions;
      sum.subscriptions += subscriptions;
    }
    const { received, sent, dropped } = this.#counts;
    const numbers = {
      "clients/connected": sum.connections,
      "clients/disconnected": sum.sessions - sum.connections,
      "clients/total": sum.sessions,
      "messages/received": received,
      "messages/sent": sent,
      "publish/messages/received": received,
      "publish/messages/sent": sent,
      "publish/messages/dropped": dropped,
      "subscriptions/count": sum.subscriptions,
      ...(this.retained === undefined ? {} : { [RETAINED]: this.retained }),
    };
    return {
      version: `durable-mqtt version ${this.#version}`,
      uptime: `${Math.floor(Math.max(0, now - this.#since) / 1000)} seconds`,
      ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)])),
    };
  }

  /** The topics at which something stands. */
  get topics(): readonly string[] {
    return [...this.#told.keys()];
  }

  row(): SessionRow {
    const stored: Stored = {
      since: this.#since,
      toldAt: this.toldAt,
      objects: Object.fromEntries(this.#objects),
      counts: this.#counts,
      told: Object.fromEntries(this.#told),
    };
    const text = new TextEncoder().encode(JSON.stringify(stored));
    const state = new Uint8Array(1 + text.length);
    state[0] = ROW_VERSION;
    state.set(text, 1);
    return { number: this.number, clientId: ROW_NAME, state };
  }

  /** @throws RecordError when the bytes are of another version: then it begins anew, and the row is replaced */
  restore(row: SessionRow): void {
    this.number = row.number;
    const { state } = intact(row);
    if (state[0] !== ROW_VERSION) throw new RecordError(`system figures of version ${state[0]}, where ${ROW_VERSION} was expected`);
    const { since, toldAt, objects, counts, told } = JSON.parse(new TextDecoder().decode(state.subarray(1))) as Stored;
    this.#since = since;
    this.toldAt = toldAt;
    this.#counts = counts;
    this.#told = new Map(Object.entries(told));
    // What stands there stays until it is counted anew.
    const retained = this.#told.get(topicOf(RETAINED));
    if (retained !== undefined) this.retained = Number(retained);
    for (const [object, gauges] of Object.entries(objects)) this.#objects.set(object, gauges);
  }
}

function topicOf(name: string): string {
  return `$SYS/broker/${name}`;
}

export function isSystemRow({ clientId }: SessionRow): boolean {
  return clientId === ROW_NAME;
}
