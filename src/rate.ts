/**
 * Rates: how operators write them, and the bucket that holds somebody to one. "300/1m" is 300 in each minute: as many at once, and then
 * one every 200 ms. "300/1m+1000/h" lets 1,000 more through that come back in the course of an hour. Pure: the time is given in.
 */

/** So many in so long. */
interface Pour {
  readonly count: number;
  readonly ms: number;
}

export interface Rate extends Pour {
  /** What may be taken beyond that, and how fast it comes back. */
  readonly burst: Pour | undefined;
}

export const UNLIMITED: Rate = { count: Number.POSITIVE_INFINITY, ms: 1, burst: undefined };

export function isLimited({ count }: Rate): boolean {
  return count !== Number.POSITIVE_INFINITY;
}

/** Milliseconds of the units in which times are written. */
export const MS: { readonly [unit: string]: number } = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: { readonly [unit: string]: number } = { "": 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Above any that is meant, and far below where numbers lose their ones. */
const COUNT_MAX = 1e12;
const MS_MAX = 31 * MS.d!;

export const RATE_FORM = "a number and a time such as 300/1m (s, m, h or d), perhaps a burst behind it (300/1m+1000/h), or unlimited";
export const BYTE_RATE_FORM = "bytes and a time such as 1MB/1m (KB, MB, GB; s, m, h or d), perhaps a burst behind it, or unlimited";

/** @returns undefined when it is no rate */
export function parseRate(text: string): Rate | undefined {
  return parse(text, false);
}

/** The same of bytes, which may be written with KB, MB and GB (1,024 of the next smaller one). */
export function parseByteRate(text: string): Rate | undefined {
  return parse(text, true);
}

function parse(text: string, isBytes: boolean): Rate | undefined {
  // "infinity" is what EMQX says.
  if (text === "unlimited" || text === "infinity") return UNLIMITED;
  const [rate, burst, ...more] = text.split("+").map((each) => parsePour(each.trim(), isBytes));
  if (rate === undefined || more.length > 0 || (text.includes("+") && burst === undefined)) return undefined;
  return { ...rate, burst };
}

function parsePour(text: string, isBytes: boolean): Pour | undefined {
  const [, digits, unit, times, time] = /^(\d{1,13})([a-zA-Z]{0,2})\/(\d{0,6})([smhd])$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const factor = isBytes || unit === "" ? BYTES[unit!.toLowerCase()] : undefined;
  if (factor === undefined) return undefined;
  const count = Number(digits) * factor;
  const ms = (times === "" ? 1 : Number(times)) * MS[time!]!;
  return count >= 1 && count <= COUNT_MAX && ms >= 1 && ms <= MS_MAX ? { count, ms } : undefined;
}

/** What rounding may have lost of one. */
const ROUNDING = 1e-6;

/** Holds somebody to a rate. It begins full, and takes nothing from memory but itself. */
export class Bucket {
  readonly #rate: Rate;
  /** Below 0 after something that was larger than the whole bucket. */
  #left: number;
  #leftOfBurst: number;
  /** Milliseconds since the epoch. */
  #at: number;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#left = rate.count;
    this.#leftOfBurst = rate.burst?.count ?? 0;
    this.#at = now;
  }

  /** Takes so much, if it is there. What is larger than the whole bucket is taken from a full one, which is then in debt. */
  take(amount: number, now: number): boolean {
    this.#fill(now);
    if (this.#lacking(amount) > ROUNDING) return false;
    const rest = amount - Math.max(0, Math.min(amount, this.#left));
    const ofBurst = Math.min(rest, this.#leftOfBurst);
    this.#leftOfBurst -= ofBurst;
    this.#left -= amount - ofBurst;
    return true;
  }

  /** What was taken was not used. */
  giveBack(amount: number): void {
    const { count, burst } = this.#rate;
    const left = this.#left + amount;
    this.#left = Math.min(count, left);
    if (burst !== undefined) this.#leftOfBurst = Math.min(burst.count, this.#leftOfBurst + left - this.#left);
  }

  /** For how long so much can't be taken, milliseconds; 0 when it can. */
  waitMs(amount: number, now: number): number {
    this.#fill(now);
    const lacking = this.#lacking(amount);
    return lacking > ROUNDING ? Math.ceil((lacking * this.#rate.ms) / this.#rate.count) : 0;
  }

  /** Nothing would be lost by forgetting it. */
  isFull(now: number): boolean {
    this.#fill(now);
    const { count, burst } = this.#rate;
    return this.#left >= count && this.#leftOfBurst >= (burst?.count ?? 0);
  }

  #lacking(amount: number): number {
    const { count, burst } = this.#rate;
    return Math.min(amount, count + (burst?.count ?? 0)) - this.#left - this.#leftOfBurst;
  }

  #fill(now: number): void {
    // A clock that was set back gives nothing.
    const elapsedMs = Math.max(0, now - this.#at);
    this.#at = now;
    if (elapsedMs === 0) return;
    const { count, ms, burst } = this.#rate;
    this.#left = Math.min(count, this.#left + (elapsedMs * count) / ms);
    if (burst !== undefined) this.#leftOfBurst = Math.min(burst.count, this.#leftOfBurst + (elapsedMs * burst.count) / burst.ms);
  }
}

/** The part of a full table that must be free for it to count as having room. */
export const ROOM = 0.9;

/** A bucket for each of many, of whom a bounded number is remembered: whoever is not has a full one. */
export class Buckets {
  readonly #rate: Rate;
  readonly #max: number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param max how many are remembered; more are forgotten, those with full buckets first, then those known longest */
  constructor(rate: Rate, max: number) {
    this.#rate = rate;
    this.#max = max;
  }

  take(key: string, amount: number, now: number): boolean {
    return !isLimited(this.#rate) || this.#of(key, now).take(amount, now);
  }

  /** Whether so much could be taken. */
  has(key: string, amount: number, now: number): boolean {
    return (this.#buckets.get(key)?.waitMs(amount, now) ?? 0) === 0;
  }

  giveBack(key: string, amount: number): void {
    this.#buckets.get(key)?.giveBack(amount);
  }

  /** For how long so much can't be taken, milliseconds. */
  waitMs(key: string, amount: number, now: number): number {
    return this.#buckets.get(key)?.waitMs(amount, now) ?? 0;
  }

  #of(key: string, now: number): Bucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    if (this.#buckets.size >= this.#max) this.#forgetSome(now);
    const bucket = new Bucket(this.#rate, now);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #forgetSome(now: number): void {
    for (const [key, bucket] of this.#buckets) if (bucket.isFull(now)) this.#buckets.delete(key);
    // Room for one would have all looked at again for the next.
    if (this.#buckets.size <= ROOM * this.#max) return;
    let more = this.#buckets.size - this.#max / 2;
    for (const key of this.#buckets.keys()) {
      if (more <= 0) return;
      this.#buckets.delete(key);
      more -= 1;
    }
  }
}

/** All rates that an operator may set. */
export interface Rates {
  /** PUBLISH packets of a client. */
  readonly clientMessages: Rate;
  /** Their bytes. */
  readonly clientBytes: Rate;
  /** SUBSCRIBE packets of a client. */
  readonly clientSubscribes: Rate;
  /** WebSocket upgrades that an address asks for. */
  readonly addressConnects: Rate;
  /** Logins of an address that fail. */
  readonly addressLoginFailures: Rate;
  /** Requests of one token to the HTTP API in one namespace. */
  readonly apiRequests: Rate;
}

export const DEFAULT_RATES: Rates = {
  clientMessages: UNLIMITED,
  clientBytes: UNLIMITED,
  clientSubscribes: UNLIMITED,
  addressConnects: UNLIMITED,
  // Somebody who mistypes a password has tries enough, a list of passwords has not; and one hash in three seconds, 20 ms, is not to be seen
  // in the 99th percentile of others.
  addressLoginFailures: { count: 10, ms: 30_000, burst: undefined },
  // A program that asks one thing after the other is rarely faster, and one gone wild is no more than 100 requests a second.
  apiRequests: { count: 1000, ms: 10_000, burst: undefined },
};
