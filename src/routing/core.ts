/**
 * The routing core: what one Topic object decides. It knows which Session objects want which filters, keeps the retained messages of
 * its topics, and hands each message to every Session object that wants it. It knows no clients, except the one whose new subscription
 * asks for retained messages.
 */

import type { Limits } from "../limits.ts";
import { Message, readMessage, writeMessage } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, NO_MATCHING_SUBSCRIBERS, QUOTA_EXCEEDED, SUCCESS } from "../mqtt/reason-code.ts";
import { RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { FilterTree } from "../topic/filter-tree.ts";
import { scanTopics } from "../topic/retained-scan.ts";
import type { DeliveryPort, RoutingStore } from "./ports.ts";

/** The outcome of a publish: the 5.0 Reason Code for its publisher; 0x80 and above: it did not reach everyone and may be repeated. */
export type Published = (reasonCode: number) => void;

interface Route {
  qos: QoS;
  version: number;
}

export interface RoutingCoreOptions {
  /** The object's name, with something after an `@` that no earlier incarnation had. */
  readonly origin: string;
  readonly limits: Limits;
  readonly store: RoutingStore;
  readonly delivery: DeliveryPort;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** An interest of a Session object, as it arrives. */
export interface InterestChange {
  readonly sessionObject: string;
  readonly filter: string;
  readonly qos: QoS;
  readonly version: number;
}

export class RoutingCore {
  readonly #limits: Limits;
  readonly #store: RoutingStore;
  readonly #delivery: DeliveryPort;
  readonly #origin: string;
  readonly #routes = new FilterTree<Route>();
  /** The highest QoS wanted by each Session object that the message at hand goes to; reused for every message. */
  readonly #targets = new Map<string, QoS>();
  #number: number;

  constructor(options: RoutingCoreOptions) {
    this.#limits = options.limits;
    this.#store = options.store;
    this.#delivery = options.delivery;
    this.#origin = options.origin;
    this.#number = options.now * 1000;
    for (const { filter, sessionObject, qos, version } of options.store.routes()) {
      this.#routes.add(filter, sessionObject, { qos, version });
    }
  }

  get routeCount(): number {
    return this.#routes.size;
  }

  /**
   * Keeps the message if it is to be retained, and hands it to every Session object that wants it.
   * @param published called once, when all of them have it
   */
  publish(message: Message, now: number, published: Published | undefined): void {
    const kept = message.retain ? this.#retain(message, now) : true;
    const targets = this.#targets;
    targets.clear();
    this.#routes.match(message.topic, this.#collect);
    if (published === undefined || targets.size === 0) {
      for (const sessionObject of targets.keys()) this.#delivery.deliver(sessionObject, message, undefined, undefined);
      published?.(kept ? NO_MATCHING_SUBSCRIBERS : QUOTA_EXCEEDED);
      return;
    }
    // One for this loop: a delivery may be done before the next one begins.
    let waiting = 1;
    let reached = true;
    const done = (delivered: boolean): void => {
      waiting -= 1;
      reached &&= delivered;
      if (waiting === 0) published(reached ? (kept ? SUCCESS : QUOTA_EXCEEDED) : IMPLEMENTATION_SPECIFIC_ERROR);
    };
    for (const [sessionObject, qos] of targets) {
      // Where everybody takes it at QoS 0, nothing is promised that the publisher would have to wait for.
      const awaited = Math.min(qos, message.qos) > 0;
      if (awaited) waiting += 1;
      this.#delivery.deliver(sessionObject, message, undefined, awaited ? done : undefined);
    }
    done(true);
  }

  readonly #collect = (route: Route, sessionObject: string): void => {
    const known = this.#targets.get(sessionObject);
    if (known === undefined || route.qos > known) this.#targets.set(sessionObject, route.qos);
  };

  /** A Session object wants a filter from now on. */
  subscribe(change: InterestChange): void {
    const { filter, sessionObject, qos, version } = change;
    const known = this.#routes.get(filter, sessionObject);
    if (known !== undefined && known.version >= version) return;
    this.#routes.add(filter, sessionObject, { qos, version });
    // A route is written when it is new or wider; its version alone is not worth a row: after a restart an older one only prunes later.
    if (known === undefined || known.qos !== qos) this.#store.putRoute(change);
  }

  /** A Session object wants a filter no longer. */
  unsubscribe(sessionObject: string, filter: string, version: number): void {
    const known = this.#routes.get(filter, sessionObject);
    if (known === undefined || known.version > version) return;
    this.#routes.remove(filter, sessionObject);
    this.#store.deleteRoute(filter, sessionObject);
  }

  /** A Session object said of a message that nobody there wants it: the routes that led it there are stale. */
  nobodyWants(sessionObject: string, topic: string, version: number): void {
    const stale: string[] = [];
    this.#routes.match(topic, (route, key, filter) => {
      if (key === sessionObject && route.version <= version) stale.push(filter);
    });
    for (const filter of stale) this.unsubscribe(sessionObject, filter, version);
  }

  /**
   * Sends the retained messages that match a new subscription, on the way that live messages take. To be called in the same step as
   * `subscribe`: then an older value never overtakes a newer one, and none is missed in between.
   */
  sendRetained(sessionObject: string, clientId: string, filter: string, now: number): void {
    for (const topic of scanTopics(filter, this.#store)) {
      const row = this.#store.retained(topic);
      // [MQTT5-3.3.2-5] [5.0/3.3.1.3/expiry]
      if (row === undefined || (row.expiresAt !== 0 && row.expiresAt <= now)) continue;
      const message = decodeRetained(row.message);
      if (message === undefined) continue;
      this.#number += 1;
      const numbered = new Message({ ...message, topic, origin: this.#origin, sequence: this.#number, repeated: false });
      this.#delivery.deliver(sessionObject, numbered, { clientId, filter }, undefined);
    }
  }

  /** [MQTT5-3.3.1-5..8] [MQTT311-3.3.1-5] [MQTT311-3.3.1-10..12]. @returns false when there is no room for one more */
  #retain(message: Message, now: number): boolean {
    const { topic } = message;
    if (message.payload.length === 0) {
      this.#store.deleteRetained(topic);
      return true;
    }
    if (message.expiresAt !== 0 && message.expiresAt <= now) return true;
    // In this order: counting reads the whole table once after each start, and a topic that is known needs no count.
    if (this.#store.retained(topic) === undefined && this.#store.retainedCount() >= this.#limits.retainedMessagesMax) return false;
    const writer = new RecordWriter(message.size + 128);
    writer.byte(RETAINED_VERSION);
    writeMessage(writer, message);
    this.#store.putRetained({ topic, message: writer.finish(), expiresAt: message.expiresAt });
    return true;
  }
}

const RETAINED_VERSION = 1;

/** @returns undefined for bytes of another version or that end too early: such a row is as good as none */
function decodeRetained(bytes: Uint8Array): Message | undefined {
  try {
    const reader = new RecordReader(bytes);
    return reader.byte() === RETAINED_VERSION ? readMessage(reader) : undefined;
  } catch (error) {
    if (error instanceof RecordError) return undefined;
    throw error;
  }
}
