/**
 * How fast clients may send: the rates of PUBLISH packets, of their bytes and of SUBSCRIBE packets, a bucket each. What is above a rate
 * is dropped (QoS 0) or refused; a client of 3.x, which can't be refused, is read more slowly by its host (`waitMs`). A client that
 * connects anew finds its buckets as it left them. They are in memory alone: an object that sleeps or starts again forgets them, and
 * all are full then.
 */

import { CountedMap, type Ledger } from "../ledger.ts";
import { MEMORY } from "../memory-limits.ts";
import { type ProtocolVersion, PUBLISH, SUBSCRIBE } from "../mqtt/packet.ts";
import { Bucket, isLimited, type Rate, type Rates, ROOM } from "../rate.ts";
import { PACES_KEPT_MAX } from "../share-limits.ts";
import type { SessionCounters } from "./counters.ts";

/** Of one client; undefined what is not limited. */
export interface Pace {
  readonly messages: Bucket | undefined;
  readonly bytes: Bucket | undefined;
  readonly subscribes: Bucket | undefined;
}

/** What of a connection is looked at. */
export interface Paced {
  readonly version: ProtocolVersion;
  readonly session: { readonly clientId: string };
  /** How long the packet at hand is. */
  readonly packetBytes: number;
  pace: Pace | undefined;
}

export class Paces {
  readonly #rates: Rates;
  readonly #counters: SessionCounters;
  /** Of clients that have sent something lately, the longest known first. */
  readonly #kept: CountedMap<string, Pace>;
  readonly #limitsMessages: boolean;
  readonly #limitsSubscribes: boolean;

  constructor(rates: Rates, counters: SessionCounters, ledger: Ledger) {
    this.#rates = rates;
    this.#counters = counters;
    this.#kept = new CountedMap(ledger, "connections", () => MEMORY.paceBytes);
    this.#limitsMessages = isLimited(rates.clientMessages) || isLimited(rates.clientBytes);
    this.#limitsSubscribes = isLimited(rates.clientSubscribes);
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Whether a client may send this PUBLISH now; counts one that it may not. */
  takesMessage(connection: Paced, now: number): boolean {
    if (!this.#limitsMessages) return true;
    const { messages, bytes } = this.#of(connection, now);
    if (messages?.take(1, now) === false) return this.#above("messages");
    if (bytes?.take(connection.packetBytes, now) !== false) return true;
    messages?.giveBack(1);
    return this.#above("bytes");
  }

  /** Whether this PUBLISH would be taken now. */
  mayPublish(connection: Paced, now: number): boolean {
    if (!this.#limitsMessages) return true;
    const { messages, bytes } = this.#of(connection, now);
    return (messages?.waitMs(1, now) ?? 0) === 0 && (bytes?.waitMs(connection.packetBytes, now) ?? 0) === 0;
  }

  /** Whether a client may send a SUBSCRIBE now; counts one that it may not. */
  takesSubscribe(connection: Paced, now: number): boolean {
    if (!this.#limitsSubscribes) return true;
    return this.#of(connection, now).subscribes?.take(1, now) !== false || this.#above("subscribes");
  }

  /** Whether a SUBSCRIBE would be taken now. */
  maySubscribe(connection: Paced, now: number): boolean {
    return !this.#limitsSubscribes || (this.#of(connection, now).subscribes?.waitMs(1, now) ?? 0) === 0;
  }

  /**
   * How long a packet of 3.x that can't be refused has to wait until it is in time, milliseconds.
   * @param packet as it came
   */
  waitMs(connection: Paced, packet: Uint8Array, now: number): number {
    if (connection.version === 5 || (!this.#limitsMessages && !this.#limitsSubscribes)) return 0;
    const type = packet[0]! >> 4;
    const isAnswered = (packet[0]! & 0x06) !== 0;
    if (type === SUBSCRIBE && this.#limitsSubscribes) return this.#of(connection, now).subscribes?.waitMs(1, now) ?? 0;
    if (type !== PUBLISH || !isAnswered || !this.#limitsMessages) return 0;
    const { messages, bytes } = this.#of(connection, now);
    return Math.max(messages?.waitMs(1, now) ?? 0, bytes?.waitMs(packet.length, now) ?? 0);
  }

  #above(rate: keyof SessionCounters["aboveRate"]): false {
    this.#counters.aboveRate[rate] += 1;
    return false;
  }

  #of(connection: Paced, now: number): Pace {
    if (connection.pace !== undefined) return connection.pace;
    const { clientId } = connection.session;
    const pace = this.#kept.get(clientId) ?? this.#begin(clientId, now);
    connection.pace = pace;
    return pace;
  }

  #begin(clientId: string, now: number): Pace {
    if (this.#kept.size >= PACES_KEPT_MAX) this.#forgetSome(now);
    const bucket = (rate: Rate): Bucket | undefined => (isLimited(rate) ? new Bucket(rate, now) : undefined);
    const { clientMessages, clientBytes, clientSubscribes } = this.#rates;
    const pace = { messages: bucket(clientMessages), bytes: bucket(clientBytes), subscribes: bucket(clientSubscribes) };
    this.#kept.set(clientId, pace);
    return pace;
  }

  /** Those that are as good as new, and where that does not make room the half that is known longest: connections keep their own. */
  #forgetSome(now: number): void {
    for (const [clientId, { messages, bytes, subscribes }] of this.#kept) {
      if ([messages, bytes, subscribes].every((bucket) => bucket?.isFull(now) !== false)) this.#kept.delete(clientId);
    }
    if (this.#kept.size <= ROOM * PACES_KEPT_MAX) return;
    let left = this.#kept.size / 2;
    for (const clientId of this.#kept.keys()) {
      if (left <= 0) return;
      this.#kept.delete(clientId);
      left -= 1;
    }
  }
}
