/**
 * What a Topic object does around the routing core: takes batches from Session objects, gathers what leaves for each Session object
 * within one tick, and answers a batch when all that it promised is done.
 */

import {
  type Batch,
  type BatchRecord,
  BatchWriter,
  type DeliveryAnswer,
  decodeBatch,
  decodeDeliveryAnswer,
  RECORD_BARRIER,
  RECORD_LIVE,
  RECORD_PUBLISH,
  RECORD_REDISTRIBUTE,
  RECORD_RETAINED,
  RECORD_SHARE,
  RECORD_SHARED,
  RECORD_SUBSCRIBE,
  RECORD_UNSUBSCRIBE,
} from "../mqtt/batch.ts";
import type { Message } from "../mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, SUCCESS } from "../mqtt/reason-code.ts";
import { RoutingCore } from "../routing/core.ts";
import { Fence } from "../routing/fence.ts";
import type { Outgoing } from "../routing/outbox.ts";
import type { Addressed, DeliveryPort, RoutingStore } from "../routing/ports.ts";
import type { Settings } from "../settings.ts";
import { Adoption, type TopicPeer } from "./adoption.ts";
import { CallQueue } from "./call-queue.ts";
import { log } from "./log.ts";
import type { Meter } from "./meter.ts";
import { shapeNumber, shardOf, topicShard } from "./names.ts";
import type { Runtime, Timer } from "./runtime.ts";

/** One message for one Session object, or a barrier behind those before it. */
class Delivery implements Outgoing {
  readonly record: BatchRecord;
  readonly message: Message | undefined;
  readonly size: number;
  readonly tried: readonly string[];
  readonly done: ((delivered: boolean) => void) | undefined;

  constructor(
    record: BatchRecord,
    message: Message | undefined,
    tried: readonly string[],
    done: ((delivered: boolean) => void) | undefined,
  ) {
    this.tried = tried;
    this.record = record;
    this.message = message;
    this.size = 64 + (message?.size ?? 0);
    this.done = done;
  }

  abandoned(): void {
    this.done?.(false);
  }
}

/** Session objects whose last answer is kept: with an object for each client ID there may be many. The oldest are forgotten first. */
const ANSWERS_MAX = 4096;

interface Answered {
  readonly epoch: number;
  readonly number: number;
  readonly codes: Promise<Uint8Array>;
}

function recordOf(message: Message, { live, shares, retained }: Addressed): BatchRecord {
  if (retained !== undefined) return { kind: RECORD_RETAINED, message, ...retained };
  return shares.length === 0 ? { kind: RECORD_LIVE, message } : { kind: RECORD_SHARED, message, live, shares };
}

export interface TopicHostOptions {
  readonly settings: Settings;
  readonly name: string;
  readonly store: RoutingStore;
  readonly sessions: SessionObjects;
  /** The other Topic objects. */
  readonly topics: (name: string) => TopicPeer;
  readonly meter: Meter;
  readonly runtime: Runtime;
}

/** Gives a Session object by its name, a new stub for every call: one whose object was reset stays broken. */
export type SessionObjects = (name: string) => { deliver(batch: Uint8Array): Promise<Uint8Array> };

export class TopicHost implements DeliveryPort {
  readonly adoption: Adoption;
  readonly #routing: RoutingCore;
  readonly #name: string;
  readonly #shape: number;
  readonly #sessions: SessionObjects;
  readonly #meter: Meter;
  readonly #runtime: Runtime;
  readonly #epoch: number;
  readonly #fence = new Fence();
  readonly #queues = new Map<string, CallQueue<Delivery, DeliveryAnswer>>();
  /** Queues that got something in this tick. */
  readonly #filled = new Set<CallQueue<Delivery, DeliveryAnswer>>();
  /** The last batch of each Session object and its answer: one that comes again is not done again. */
  readonly #answers = new Map<string, Answered>();
  #tick: Timer | undefined;

  constructor({ settings, name, store, sessions, topics, meter, runtime }: TopicHostOptions) {
    const shard = shardOf(name);
    this.#shape = shapeNumber(settings);
    this.#runtime = runtime;
    this.#epoch = runtime.now();
    this.#name = name;
    this.#sessions = sessions;
    this.#meter = meter;
    this.#routing = new RoutingCore({
      origin: `${name}@${runtime.incarnation()}`,
      limits: settings.limits,
      sharedStrategy: settings.choices.sharedStrategy,
      store,
      delivery: this,
      owns: (topic) => topicShard(settings, topic) === shard,
      damaged: (problem) => log("stored data skipped", { object: name, problem }),
      now: runtime.now(),
    });
    this.adoption = new Adoption({ settings, name, store, routing: this.#routing, peers: topics });
  }

  /** A batch from a Session object; answered when every message in it is safe with all who want it. */
  async exchange(bytes: Uint8Array): Promise<Uint8Array> {
    this.#meter.calls += 1;
    const adopted = this.adoption.ready();
    if (adopted !== undefined) await adopted;
    return this.#exchange(bytes);
  }

  #exchange(bytes: Uint8Array): Promise<Uint8Array> {
    const batch = decodeBatch(bytes);
    const { sender, epoch, shape, number } = batch;
    if (shape !== this.#shape) return Promise.reject(new Error(`${sender} knows another shape of the broker`));
    if (!this.#fence.admits(sender, epoch, this.#runtime.now())) {
      return Promise.reject(new Error("a call of its sender's earlier life"));
    }
    const last = this.#answers.get(sender);
    if (last?.epoch === epoch && last.number === number) return last.codes;
    const codes = this.#handle(batch);
    this.adoption.handled();
    if (last === undefined && this.#answers.size >= ANSWERS_MAX) this.#answers.delete(this.#answers.keys().next().value!);
    this.#answers.set(sender, { epoch, number, codes });
    return codes;
  }

  #handle({ sender, records }: Batch): Promise<Uint8Array> {
    const now = this.#runtime.now();
    const codes = new Uint8Array(records.length);
    return new Promise((resolve) => {
      let waiting = 1;
      const settled = (index: number, reasonCode: number): void => {
        codes[index] = reasonCode;
        waiting -= 1;
        if (waiting === 0) resolve(codes);
      };
      for (const [index, record] of records.entries()) {
        if (record.kind === RECORD_PUBLISH) {
          if (record.message.qos > 0) waiting += 1;
          this.#routing.publish(record.message, now, record.message.qos > 0 ? (reasonCode) => settled(index, reasonCode) : undefined);
        } else if (record.kind === RECORD_SUBSCRIBE) {
          const { filter, qos, version, retainedFor } = record;
          this.#routing.subscribe({ sessionObject: sender, filter, qos, version });
          if (retainedFor !== undefined) this.#routing.sendRetained(sender, retainedFor, filter, now);
        } else if (record.kind === RECORD_UNSUBSCRIBE) {
          this.#routing.unsubscribe(sender, record.filter, record.version);
        } else if (record.kind === RECORD_SHARE) {
          this.#routing.share({ ...record, sessionObject: sender });
        } else if (record.kind === RECORD_BARRIER) {
          waiting += 1;
          this.#barrier(record.sessionObject, (passed) => settled(index, passed ? SUCCESS : IMPLEMENTATION_SPECIFIC_ERROR));
        } else if (record.kind === RECORD_REDISTRIBUTE) {
          this.#routing.redistribute(record.message, record.filter, [], undefined);
        }
      }
      waiting -= 1;
      if (waiting === 0) resolve(codes);
    });
  }

  deliver(sessionObject: string, message: Message, addressed: Addressed, done: ((delivered: boolean) => void) | undefined): void {
    this.#send(sessionObject, new Delivery(recordOf(message, addressed), message, addressed.tried, done));
  }

  /** Done once the Session object has all that is now on its way there. */
  #barrier(sessionObject: string, done: (passed: boolean) => void): void {
    const queue = this.#queues.get(sessionObject);
    if (queue === undefined || queue.idle) done(true);
    else this.#send(sessionObject, new Delivery({ kind: RECORD_BARRIER, sessionObject }, undefined, [], done));
  }

  #send(sessionObject: string, delivery: Delivery): void {
    const queue = this.#queue(sessionObject);
    if (!queue.add(delivery)) {
      delivery.done?.(false);
      return;
    }
    this.#filled.add(queue);
    this.#tick ??= this.#runtime.after(0, () => this.#flush());
  }

  #flush(): void {
    this.#tick = undefined;
    for (const queue of this.#filled) queue.flush();
    this.#filled.clear();
  }

  /** A delivery is done when each shared subscription that had no member where it was sent has given it to one elsewhere. */
  #redistribute(message: Message, shares: readonly string[], tried: readonly string[], done: Delivery["done"]): void {
    let waiting = shares.length;
    let all = true;
    for (const share of shares) {
      this.#routing.redistribute(message, share, tried, (delivered) => {
        waiting -= 1;
        all &&= delivered;
        if (waiting === 0) done?.(all);
      });
    }
  }

  #queue(sessionObject: string): CallQueue<Delivery, DeliveryAnswer> {
    let queue = this.#queues.get(sessionObject);
    if (queue === undefined) {
      const writer = new BatchWriter(this.#name, this.#epoch, this.#shape);
      queue = new CallQueue<Delivery, DeliveryAnswer>(
        this.#runtime,
        (deliveries) => {
          writer.begin();
          for (const { record } of deliveries) writer.add(record);
          return writer.finish();
        },
        async (batch) => decodeDeliveryAnswer(await this.#sessions(sessionObject).deliver(batch)),
        (deliveries, answer) => this.#answered(sessionObject, deliveries, answer),
      );
      this.#queues.set(sessionObject, queue);
    }
    return queue;
  }

  #answered(sessionObject: string, deliveries: readonly Delivery[], { version, unwanted }: DeliveryAnswer): void {
    const again = new Map<Delivery, string[]>();
    for (const { record, share } of unwanted) {
      const delivery = deliveries[record];
      if (delivery?.message === undefined) continue;
      if (share === undefined) this.#routing.nobodyWants(sessionObject, delivery.message.topic, version);
      else {
        this.#routing.noMember(sessionObject, share, version);
        again.set(delivery, [...(again.get(delivery) ?? []), share]);
      }
    }
    for (const delivery of deliveries) {
      const shares = again.get(delivery);
      if (shares === undefined || delivery.message === undefined) delivery.done?.(true);
      else this.#redistribute(delivery.message, shares, [...delivery.tried, sessionObject], delivery.done);
    }
    const queue = this.#queues.get(sessionObject);
    if (queue?.idle) this.#queues.delete(sessionObject);
  }
}
