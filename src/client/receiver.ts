/**
 * What comes from the server: messages are handed on, and acknowledged in the order in which they came [MQTT5-4.6.0-2] [MQTT5-4.6.0-3],
 * each when it is settled. A QoS 2 message is handed on once, however often it comes and over however many connections, as long as the
 * server has the session [MQTT5-4.3.3-10]. Holds the server to the Receive Maximum.
 */

import { type Acknowledgement, NO_PROPERTIES, PUBACK, PUBCOMP, PUBREC, type Publish } from "../mqtt/packet.ts";
import {
  PACKET_IDENTIFIER_NOT_FOUND,
  RECEIVE_MAXIMUM_EXCEEDED,
  SUCCESS,
  TOPIC_ALIAS_INVALID,
  UNSPECIFIED_ERROR,
} from "../mqtt/reason-code.ts";
import { Arrival } from "./arrival.ts";
import { Fifo } from "./fifo.ts";
import type { Link } from "./link.ts";
import { IncomingAliases } from "./topic-aliases.ts";

/** Hands an arrival to those who want it. */
export type Route = (arrival: Arrival, subscriptionIdentifiers: readonly number[] | undefined) => void;

export class Receiver {
  readonly #route: Route;
  readonly #receiveMaximum: number;
  readonly #aliasMaximum: number;
  #aliases = new IncomingAliases(0);
  #link: Link | undefined;
  /** Of this connection, not acknowledged, in the order of their coming. */
  #order = new Fifo<Arrival>();
  /** QoS 2, by Packet Identifier, until PUBREL. */
  readonly #exchanges = new Map<number, Arrival>();
  /** What counts against the Receive Maximum on this connection: QoS 1 until PUBACK, QoS 2 until PUBCOMP. */
  readonly #counted = new Set<Arrival>();

  constructor(route: Route, receiveMaximum: number, aliasMaximum: number) {
    this.#route = route;
    this.#receiveMaximum = receiveMaximum;
    this.#aliasMaximum = aliasMaximum;
  }

  attach(link: Link, sessionPresent: boolean): void {
    this.#link = link;
    this.#aliases = new IncomingAliases(this.#aliasMaximum);
    this.#counted.clear();
    // What was not acknowledged comes again, or nobody has it but we.
    for (const arrival of this.#order.drain()) arrival.isObsolete = sessionPresent && arrival.message.qos === 1;
    if (!sessionPresent) this.#exchanges.clear();
  }

  detach(): void {
    this.#link = undefined;
  }

  published(link: Link, packet: Publish): void {
    const topic = this.#aliases.resolve(packet.topic, packet.properties.topicAlias);
    if (topic === undefined) {
      link.violated(`Topic Alias ${packet.properties.topicAlias}: none that was given`, TOPIC_ALIAS_INVALID);
      return;
    }
    if (packet.qos === 2 && this.#repeated(link, packet.packetId)) return;
    const arrival = new Arrival(topic, packet, packet.qos === 0 ? undefined : this.#settled);
    if (packet.qos > 0) {
      if (packet.qos === 2) this.#exchanges.set(packet.packetId, arrival);
      if (!this.#count(link, arrival)) return;
      this.#order.push(arrival);
    }
    this.#route(arrival, packet.properties.subscriptionIdentifiers);
  }

  /** @returns whether it is within the Receive Maximum */
  #count(link: Link, arrival: Arrival): boolean {
    this.#counted.add(arrival);
    // 3.x has none: there the server decides.
    if (link.version !== 5 || this.#counted.size <= this.#receiveMaximum) return true;
    link.violated(`more than ${this.#receiveMaximum} messages at once`, RECEIVE_MAXIMUM_EXCEEDED);
    return false;
  }

  /** A QoS 2 message that is known: it is acknowledged again, or when it is settled. */
  #repeated(link: Link, packetId: number): boolean {
    const arrival = this.#exchanges.get(packetId);
    if (arrival === undefined) return false;
    if (!this.#counted.has(arrival)) {
      if (!this.#count(link, arrival)) return true;
      this.#order.push(arrival);
      this.#acknowledge();
    } else if (arrival.isReceived) {
      link.send({ type: PUBREC, packetId, reasonCode: SUCCESS, properties: NO_PROPERTIES });
    }
    return true;
  }

  readonly #settled = (arrival: Arrival): void => {
    // On another connection it is not waited for.
    if (this.#counted.has(arrival)) this.#acknowledge();
  };

  /** Acknowledges what is settled, up to the first that is not. */
  #acknowledge(): void {
    const link = this.#link;
    if (link === undefined) return;
    for (let first = this.#order.peek(); first?.outcome !== undefined; first = this.#order.peek()) {
      this.#order.shift();
      const { packetId, outcome: reasonCode, message } = first;
      link.send({ type: message.qos === 1 ? PUBACK : PUBREC, packetId, reasonCode, properties: NO_PROPERTIES });
      // In 3.x nothing can be refused.
      first.isReceived = message.qos === 2 && (reasonCode < UNSPECIFIED_ERROR || link.version !== 5);
      if (first.isReceived) continue;
      this.#counted.delete(first);
      if (message.qos === 2) this.#exchanges.delete(packetId);
    }
  }

  /** PUBREL */
  released(link: Link, { packetId }: Acknowledgement): void {
    const arrival = this.#exchanges.get(packetId);
    if (arrival !== undefined && !arrival.isReceived) {
      link.violated(`PUBREL ${packetId} before PUBREC`);
      return;
    }
    this.#exchanges.delete(packetId);
    if (arrival !== undefined) this.#counted.delete(arrival);
    // [MQTT5-4.3.3-11]
    const reasonCode = arrival === undefined ? PACKET_IDENTIFIER_NOT_FOUND : SUCCESS;
    link.send({ type: PUBCOMP, packetId, reasonCode, properties: NO_PROPERTIES });
  }
}
