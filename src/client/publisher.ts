/**
 * What the client publishes, from `publish` until it is settled: QoS 1 and 2 outlive connections and are repeated in their order, with
 * DUP and under the same Packet Identifier, as long as the server has the session [MQTT5-4.4.0-1] [MQTT311-4.4.0-1]. Keeps the server's
 * Receive Maximum [MQTT5-3.3.4-9] and everything else that it said it cannot do.
 */

import { EMPTY_BYTES } from "../mqtt/bytes.ts";
import {
  type Acknowledgement,
  NO_PROPERTIES,
  type Properties,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type QoS,
} from "../mqtt/packet.ts";
import { PACKET_IDENTIFIER_NOT_FOUND, QOS_NOT_SUPPORTED, RETAIN_NOT_SUPPORTED, SUCCESS, UNSPECIFIED_ERROR } from "../mqtt/reason-code.ts";
import { type AbortSignalLike, abortable } from "./abort.ts";
import { MqttError, refusal } from "./error.ts";
import { Fifo } from "./fifo.ts";
import { IN_FLIGHT_MAX } from "./limits.ts";
import type { Link } from "./link.ts";
import type { Receipt, Server } from "./options.ts";
import { pack } from "./pack.ts";
import type { PacketIds } from "./packet-ids.ts";
import { OutgoingAliases } from "./topic-aliases.ts";

export interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: Properties;
}

interface Letter extends Outgoing {
  /** 0 before it was sent. */
  packetId: number;
  /** It was sent on the connection of now, and counts against the Receive Maximum. */
  isOnLink: boolean;
  /** What PUBREC said: PUBCOMP says nothing of what became of it. */
  receipt: Receipt;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: MqttError) => void;
}

const SENT: Receipt = { reasonCode: SUCCESS, properties: NO_PROPERTIES };

export class Publisher {
  readonly #ids: PacketIds;
  readonly #queueMax: number;
  readonly #waiting = new Fifo<Letter>();
  /** Sent, without PUBACK or PUBREC; in the order of their first sending. */
  readonly #unacknowledged = new Map<number, Letter>();
  /** With PUBREC, without PUBCOMP; in the order of PUBREC [MQTT5-4.6.0-4]. */
  readonly #releases = new Map<number, Letter>();
  /** Of those unacknowledged: sent on an earlier connection and not yet on this one. */
  #again = new Fifo<Letter>();
  #link: Link | undefined;
  #server: Server | undefined;
  #aliases = new OutgoingAliases(0);
  #inFlight = 0;
  #window = 0;
  #idle: (() => void) | undefined;

  constructor(ids: PacketIds, queueMax: number) {
    this.#ids = ids;
    this.#queueMax = queueMax;
  }

  get #count(): number {
    return this.#waiting.length + this.#unacknowledged.size + this.#releases.size;
  }

  /** @returns what becomes of it: at QoS 0 when it is sent, else when the server has acknowledged it */
  publish(message: Outgoing, signal: AbortSignalLike | undefined): Promise<Receipt> {
    if (this.#count >= this.#queueMax) throw new MqttError("full", `Publish: ${this.#queueMax} messages wait already`);
    let letter: Letter;
    const begin = (): Promise<Receipt> =>
      new Promise((resolve, reject) => {
        letter = { ...message, packetId: 0, isOnLink: false, receipt: SENT, resolve, reject };
        this.#waiting.push(letter);
        this.flush();
      });
    return abortable(signal, begin, () => {
      this.#waiting.remove(letter);
      this.#settled();
    });
  }

  /** Everything that was published is settled. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle = resolve;
      this.#settled();
    });
  }

  #settled(): void {
    if (this.#count === 0) this.#idle?.();
  }

  attach(link: Link, server: Server): void {
    this.#link = link;
    this.#server = server;
    this.#aliases = new OutgoingAliases(server.properties.topicAliasMaximum ?? 0);
    this.#window = Math.min(server.properties.receiveMaximum ?? IN_FLIGHT_MAX, IN_FLIGHT_MAX);
    if (!server.sessionPresent) this.#beginAnew();
    for (const letter of this.#releases.values()) this.#release(link, letter);
    for (const letter of this.#unacknowledged.values()) this.#again.push(letter);
    this.flush();
  }

  detach(): void {
    this.#link = undefined;
    this.#inFlight = 0;
    this.#again = new Fifo();
    for (const letter of [...this.#unacknowledged.values(), ...this.#releases.values()]) letter.isOnLink = false;
  }

  /** Rejects whatever is not settled. */
  close(error: MqttError): void {
    this.detach();
    const letters = [...this.#releases.values(), ...this.#unacknowledged.values(), ...this.#waiting.drain()];
    this.#releases.clear();
    this.#unacknowledged.clear();
    for (const { reject } of letters) reject(error);
    this.#settled();
  }

  /**
   * The server has no session: what was on its way is no state of a session any more [MQTT5-3.2.2-5]. QoS 1 goes out as new; of QoS 2 nobody
   * knows whether sending it again would make it arrive twice.
   */
  #beginAnew(): void {
    const again: Letter[] = [];
    for (const letter of [...this.#releases.values(), ...this.#unacknowledged.values()]) {
      this.#forget(letter);
      if (letter.qos === 1) again.push(letter);
      else letter.reject(new MqttError("unknown", `Publish to ${letter.topic}: the server has lost the session, it may have arrived`));
    }
    this.#waiting.unshift(again);
    this.#settled();
  }

  #forget(letter: Letter): void {
    if (letter.packetId === 0) return;
    this.#unacknowledged.delete(letter.packetId);
    this.#releases.delete(letter.packetId);
    this.#ids.free(letter.packetId);
    letter.packetId = 0;
    if (letter.isOnLink) this.#inFlight -= 1;
    letter.isOnLink = false;
  }

  /** Sends what can be sent now. */
  flush(): void {
    const link = this.#link;
    if (link === undefined) return;
    for (;;) {
      const queue = this.#again.length > 0 ? this.#again : this.#waiting;
      const letter = queue.peek();
      if (letter === undefined || link.isOver || link.isCongested || (letter.qos > 0 && this.#inFlight >= this.#window)) return;
      queue.shift();
      // It may have been acknowledged before it was repeated.
      if (queue === this.#waiting || this.#unacknowledged.get(letter.packetId) === letter) this.#send(link, letter);
    }
  }

  #send(link: Link, letter: Letter): void {
    const { topic, qos, retain, payload } = letter;
    const dup = letter.packetId !== 0;
    try {
      this.#check(letter);
      if (qos > 0 && !dup) letter.packetId = this.#ids.take();
      const { alias, isKnown } = this.#aliases.choose(topic);
      const properties = alias === 0 ? letter.properties : { ...letter.properties, topicAlias: alias };
      const { packetId } = letter;
      const name = isKnown ? "" : topic;
      const packet = { type: PUBLISH, dup, qos, retain, topic: name, packetId, properties, propertyBytes: EMPTY_BYTES, payload } as const;
      const bytes = pack(`Publish to ${topic}`, packet, link.version, this.#server!.properties.maximumPacketSize);
      if (alias !== 0 && !isKnown) this.#aliases.sent(topic, alias);
      link.sendBytes(bytes);
    } catch (error) {
      this.#forget(letter);
      letter.reject(error as MqttError);
      this.#settled();
      return;
    }
    if (qos === 0) {
      letter.resolve(SENT);
      this.#settled();
      return;
    }
    letter.isOnLink = true;
    this.#inFlight += 1;
    this.#unacknowledged.set(letter.packetId, letter);
  }

  /** [MQTT5-3.2.2-11] [MQTT5-3.2.2-14] */
  #check({ topic, qos, retain }: Letter): void {
    const { maximumQoS = 2, retainAvailable } = this.#server!.properties;
    const code = qos > maximumQoS ? QOS_NOT_SUPPORTED : retain && retainAvailable === 0 ? RETAIN_NOT_SUPPORTED : 0;
    if (code !== 0) throw refusal("invalid", `Publish to ${topic}`, code);
  }

  #release(link: Link, letter: Letter): void {
    if (!letter.isOnLink) this.#inFlight += 1;
    letter.isOnLink = true;
    link.send({ type: PUBREL, packetId: letter.packetId, reasonCode: SUCCESS, properties: NO_PROPERTIES });
  }

  /** PUBACK, PUBREC or PUBCOMP. */
  acknowledged(link: Link, packet: Acknowledgement): void {
    const { type, packetId } = packet;
    const letter = (type === PUBCOMP ? this.#releases : this.#unacknowledged).get(packetId);
    if (type === PUBREC) this.#received(link, letter, packet);
    else if (letter !== undefined) {
      if (type === PUBACK && letter.qos === 2) link.violated("PUBACK for a message of QoS 2");
      else this.#settle(letter, packet);
    }
    // One that nobody waits for says nothing.
    this.flush();
  }

  #received(link: Link, letter: Letter | undefined, packet: Acknowledgement): void {
    const { packetId, reasonCode, properties } = packet;
    if (letter === undefined) {
      // [MQTT5-4.3.3-4] For one that is released already, the same again.
      const code = this.#releases.has(packetId) ? SUCCESS : PACKET_IDENTIFIER_NOT_FOUND;
      link.send({ type: PUBREL, packetId, reasonCode: code, properties: NO_PROPERTIES });
    } else if (letter.qos === 1) link.violated("PUBREC for a message of QoS 1");
    else if (reasonCode >= UNSPECIFIED_ERROR) this.#settle(letter, packet);
    else {
      letter.receipt = { reasonCode, properties };
      this.#unacknowledged.delete(packetId);
      this.#releases.set(packetId, letter);
      this.#release(link, letter);
    }
  }

  #settle(letter: Letter, { type, reasonCode, properties }: Acknowledgement): void {
    this.#forget(letter);
    // PUBCOMP may say 0x92, where it was settled before.
    if (type === PUBCOMP) letter.resolve(letter.receipt);
    else if (reasonCode < UNSPECIFIED_ERROR) letter.resolve({ reasonCode, properties });
    else letter.reject(refusal("refused", `Publish to ${letter.topic} was refused`, reasonCode, properties));
    this.#settled();
  }
}
