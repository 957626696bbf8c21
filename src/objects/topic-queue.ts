/**
 * The way from a Session object to one Topic object: an outbox, and the requests whose outcome the Topic object could not tell at once.
 * Those are asked for from time to time. A Topic object that has lost its memory has forgotten them: it handles nothing before they have
 * been sent again, ahead of all that came after them, so that the order stays.
 */

import type { FaultPort } from "../fault.ts";
import type { Ledger } from "../ledger.ts";
import { AWAITED_MS, AWAITED_MS_FIRST, LATER_MS, LATER_NEXT_MS, LATER_REQUESTS_MAX, OUTBOX_BYTES_MAX } from "../limits.ts";
import {
  type BatchRecord,
  BatchWriter,
  RECORD_AWAITED,
  RECORD_PUBLISH,
  RECORD_SHARE,
  RECORD_SUBSCRIBE,
  RECORD_UNSUBSCRIBE,
  sentAgain,
} from "../mqtt/batch.ts";
import { decodeExchangeAnswer, type ExchangeAnswer, NOT_WRITTEN, type Outcomes, PENDING } from "../mqtt/exchange-answer.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, SUCCESS } from "../mqtt/reason-code.ts";
import type { Runtime, Timer } from "../runtime.ts";
import type { Ticket, Wanted } from "../session/ports.ts";
import { hash } from "../topic/hash.ts";
import { CallQueue } from "./call-queue.ts";
import type { CallMeter } from "./meter.ts";
import { Request } from "./request.ts";
import { ToldAgain } from "./told-again.ts";

/** What a Session object has in a shared subscription. */
export interface Share {
  /** The whole filter. */
  readonly filter: string;
  readonly members: number;
  readonly online: number;
  readonly version: number;
}

export interface TopicQueueOptions {
  /** The name of the Session object. */
  readonly name: string;
  readonly shape: number;
  readonly runtime: Runtime;
  /** Makes the call. */
  readonly exchange: (batch: Uint8Array) => Promise<Uint8Array>;
  /** Which events the Session object tells. */
  readonly events: () => number;
  /**
   * Called after outcomes, and when something is to be sent: flushes this queue, once all is in rows that has to be. Tickets may have left more to
   * flush, and no PUBLISH may leave before its exchange is on record.
   */
  readonly settled: () => void;
  readonly meter: CallMeter;
  readonly faults: FaultPort;
  readonly ledger: Ledger;
}

export class TopicQueue {
  readonly #runtime: Runtime;
  readonly #settled: () => void;
  readonly #faults: FaultPort;
  readonly #writer: BatchWriter;
  readonly #events: () => number;
  readonly #calls: CallQueue<Request, ExchangeAnswer>;
  /** Requests whose outcome is pending, by the number of their batch, each in the place of its record there. */
  readonly #awaited = new Map<number, (Request | undefined)[]>();
  #awaitedBytes = 0;
  readonly #ledger: Ledger;
  /** The life of the Topic object that knows them. */
  #life = "";
  #asking: Timer | undefined;
  /** After how long they are asked for next. */
  #askMs = AWAITED_MS_FIRST;
  /** What is not wanted any more, and how many members shared subscriptions have now, by filter: it rides with the next request. */
  readonly #later = new Map<string, Request>();
  /** Members are among it: nobody waits for those, but they are to be known soon. */
  #isUrgent = false;
  /** What only sessions that are not kept want and the Topic object has in no row yet, by filter. */
  readonly #unwritten = new Map<string, Wanted>();
  /** Announcements of shared subscriptions that are in no row, or were not heard. */
  readonly #shares: ToldAgain<Share>;
  /** Of `unwritten` what was refused its row. */
  readonly #refused: ToldAgain<Wanted>;
  #laterTimer: Timer | undefined;
  /** When it runs out, milliseconds since the epoch. */
  #laterAt = 0;
  /** How much of both was added since the last call was made. */
  #late = 0;

  constructor({ name, shape, runtime, exchange, events, settled, meter, faults, ledger }: TopicQueueOptions) {
    this.#runtime = runtime;
    this.#events = events;
    this.#settled = settled;
    this.#faults = faults;
    this.#writer = new BatchWriter(name, runtime.now(), shape, hash(runtime.incarnation()));
    this.#calls = new CallQueue<Request, ExchangeAnswer>(runtime, {
      encode: (requests) => this.#encode(requests),
      again: sentAgain,
      call: async (batch) => decodeExchangeAnswer(await exchange(batch)),
      answered: (requests, answer) => this.#answered(requests, answer),
      goOn: settled,
      gaveUp: () => this.#abandon(),
      meter,
      faults,
      ledger,
    });
    this.#ledger = ledger;
    this.#shares = new ToldAgain(runtime, (share) => this.#put(this.#shareRequest(share, undefined)), settled);
    this.#refused = new ToldAgain(runtime, (wanted) => this.#write(wanted), settled);
  }

  get bytes(): number {
    return this.#calls.bytes;
  }

  /** Requests that wait for the call under way to end. */
  get waiting(): number {
    return this.#calls.waiting;
  }

  /** What is in memory of all that waits, is under way or awaits its outcome. */
  get heldBytes(): number {
    return this.#calls.heldBytes + this.#awaitedBytes;
  }

  #countAwaited(bytes: number): void {
    this.#awaitedBytes += bytes;
    this.#ledger.add("outboxes", bytes);
  }

  /**
   * A filter is wanted. Where only sessions that are not kept want it, it gets a row when it is still wanted some time later: those that
   * come and go cost none. Should the Topic object have been reset meanwhile, it knows the filter again from then on.
   */
  subscribe(wanted: Wanted, ticket: Ticket): void {
    const { filter, lasting } = wanted;
    // Wanted again before it was told that it is not.
    this.#later.delete(filter);
    this.#refused.delete(filter);
    this.#tellsSoon();
    if (!lasting) {
      this.#unwritten.set(filter, wanted);
      this.#callLater();
    }
    this.add(new Request({ kind: RECORD_SUBSCRIBE, ...wanted }, ticket));
  }

  /** A filter is wanted no more. Nobody waits for that: it leaves with the next request, and makes a call of its own only if none comes. */
  unsubscribe(filter: string, version: number): void {
    this.#unwritten.delete(filter);
    this.#refused.delete(filter);
    this.#later.set(filter, new Request({ kind: RECORD_UNSUBSCRIBE, filter, version }, undefined));
    this.#callLater();
  }

  /** The members of a shared subscription. What was to be told of it before is not told any more. */
  share(share: Share, ticket: Ticket | undefined): void {
    const request = this.#shareRequest(share, ticket);
    this.#shares.delete(share.filter);
    this.#later.delete(share.filter);
    this.#tellsSoon();
    if (ticket !== undefined) {
      this.add(request);
      return;
    }
    this.#later.set(share.filter, request);
    this.#isUrgent = true;
  }

  #shareRequest(share: Share, ticket: Ticket | undefined): Request {
    const settled = (reasonCode: number): void => {
      if (reasonCode < 0x80) this.#tellsSoon();
      this.#heard(share, reasonCode === NOT_WRITTEN || reasonCode >= 0x80);
      ticket?.settled(reasonCode === NOT_WRITTEN ? SUCCESS : reasonCode);
    };
    return new Request({ kind: RECORD_SHARE, ...share }, { settled });
  }

  /** @param isLeft it is in no row yet, or the Topic object does not know it: nothing else would tell it before it changes */
  #heard(share: Share, isLeft: boolean): void {
    const { filter, version } = share;
    if (version <= this.#shares.versionOf(filter)) return;
    // What is known stands above what was left to be told before it.
    this.#shares.delete(filter);
    if (isLeft && !this.#later.has(filter)) this.#shares.add(share);
  }

  /** The Topic object takes something, or there is something new: what it has refused need not wait for long. */
  #tellsSoon(): void {
    this.#shares.anew();
    this.#refused.anew();
  }

  #callLater(afterMs = LATER_MS): void {
    const at = this.#runtime.now() + afterMs;
    if (this.#laterTimer !== undefined && this.#laterAt <= at) return;
    this.#laterTimer?.cancel();
    this.#laterAt = at;
    this.#laterTimer = this.#runtime.after(afterMs, () => {
      this.#laterTimer = undefined;
      this.#addLate();
      for (const [filter, wanted] of this.#unwritten) {
        if (this.#late >= LATER_REQUESTS_MAX) break;
        this.#late += 1;
        this.#unwritten.delete(filter);
        this.#write(wanted);
      }
      this.#settled();
      if (this.#later.size + this.#unwritten.size > 0) this.#callLater(LATER_NEXT_MS);
    });
  }

  #write(wanted: Wanted): void {
    const settled = (reasonCode: number): void => {
      if (reasonCode < 0x80) this.#tellsSoon();
      else if (!this.#later.has(wanted.filter) && !this.#unwritten.has(wanted.filter)) this.#refused.add(wanted);
    };
    this.add(new Request({ kind: RECORD_SUBSCRIBE, ...wanted, lasting: true }, { settled }));
  }

  /** As much of it as one call may have: whoever has given up very much stands in nobody's way with that. */
  #addLate(): void {
    for (const [filter, request] of this.#later) {
      if (this.#late >= LATER_REQUESTS_MAX) return;
      this.#late += 1;
      this.#later.delete(filter);
      this.#put(request);
    }
    this.#isUrgent = false;
    if (this.#unwritten.size > 0) return;
    this.#laterTimer?.cancel();
    this.#laterTimer = undefined;
  }

  /** Takes a request; one that finds no room is settled at once. */
  add(request: Request): void {
    if (this.#later.size > 0) this.#addLate();
    this.#put(request);
  }

  /**
   * @param beyond nobody else keeps it: it has room while memory has
   * @returns whether it was taken; one that was not is never settled
   */
  offer(request: Request, beyond: boolean): boolean {
    if (this.#later.size > 0) this.#addLate();
    if (beyond && !this.#ledger.isShortFor("messages")) return this.#calls.add(request, true);
    return this.#awaitedBytes <= OUTBOX_BYTES_MAX && this.#calls.add(request);
  }

  #put(request: Request): void {
    const isShort = request.record.kind === RECORD_PUBLISH && !this.#ledger.takes("messages");
    if (isShort || this.#awaitedBytes > OUTBOX_BYTES_MAX || !this.#calls.add(request)) request.abandoned();
  }

  flush(): void {
    if (this.#isUrgent) this.#addLate();
    if (this.#isUrgent) this.#callLater(LATER_NEXT_MS);
    this.#calls.flush();
  }

  /** The first record says what is awaited, if anything is: the requests' own follow it. */
  #encode(requests: readonly Request[]): Uint8Array {
    this.#late = 0;
    this.#writer.begin();
    if (this.#awaited.size > 0) {
      const asked = requests.some(({ record }) => record === ASK);
      this.#writer.add({ kind: RECORD_AWAITED, life: this.#life, batches: asked ? [...this.#awaited.keys()] : [] });
    }
    for (const { record } of requests) if (record !== ASK) this.#writer.add(record);
    if (requests.some(({ again }) => again)) this.#writer.again();
    this.#writer.events(this.#events());
    return this.#writer.finish();
  }

  #answered(sent: readonly Request[], { life, codes, counts, late }: ExchangeAnswer): void {
    const requests = sent.filter(({ record }) => record !== ASK);
    if (codes === undefined) {
      this.#sendAgain(requests);
      return;
    }
    const first = codes.length - requests.length;
    for (const each of counts) requests[each.record - first]?.count(each);
    const pending: (Request | undefined)[] = new Array(codes.length).fill(undefined);
    let some = false;
    for (const [index, request] of requests.entries()) {
      const code = codes[first + index] ?? IMPLEMENTATION_SPECIFIC_ERROR;
      if (code !== PENDING) {
        this.#settle(request, code);
        continue;
      }
      some = true;
      pending[first + index] = request;
      this.#countAwaited(request.size);
    }
    if (some) {
      this.#awaited.set(this.#writer.number, pending);
      this.#life = life;
    }
    for (const outcomes of late) this.#came(outcomes);
    this.#askLater();
  }

  /** Each of its own: what comes of one outcome is nothing to the others. */
  #settle(request: Request, reasonCode: number): void {
    try {
      request.settled(reasonCode);
    } catch (error) {
      this.#faults.caught(error, "taking an outcome", request.client);
    }
  }

  #came({ batch, codes, counts }: Outcomes): void {
    const requests = this.#awaited.get(batch);
    if (requests === undefined) return;
    for (const each of counts) requests[each.record]?.count(each);
    // Where one is known others may be soon.
    if (codes.some((code, index) => code !== PENDING && requests[index] !== undefined)) this.#askMs = AWAITED_MS_FIRST;
    for (const [index, request] of requests.entries()) {
      const code = codes[index];
      if (request === undefined || code === undefined || code === PENDING) continue;
      requests[index] = undefined;
      this.#countAwaited(-request.size);
      this.#settle(request, code);
    }
    if (requests.every((request) => request === undefined)) this.#awaited.delete(batch);
  }

  #askLater(): void {
    if (this.#awaited.size === 0) {
      this.#askMs = AWAITED_MS_FIRST;
      return;
    }
    this.#asking ??= this.#runtime.after(this.#askMs, () => {
      this.#asking = undefined;
      this.#askMs = Math.min(2 * this.#askMs, AWAITED_MS);
      if (this.#awaited.size === 0) return;
      this.#calls.add(new Request(ASK, undefined));
      this.#settled();
    });
  }

  #sendAgain(requests: readonly Request[]): void {
    const all = [...this.#takeAwaited(), ...requests];
    for (const request of all) request.again = true;
    this.#calls.putBack(all);
  }

  #takeAwaited(): Request[] {
    const requests = [...this.#awaited.values()].flat().filter((request) => request !== undefined);
    this.#awaited.clear();
    this.#countAwaited(-this.#awaitedBytes);
    return requests;
  }

  #abandon(): void {
    for (const request of this.#takeAwaited()) this.#settle(request, IMPLEMENTATION_SPECIFIC_ERROR);
    this.#settled();
  }
}

/** In the place of a record: asks for what is awaited. */
const ASK: BatchRecord = { kind: RECORD_AWAITED, life: "", batches: [] };
