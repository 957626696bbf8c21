/** SUBSCRIBE and UNSUBSCRIBE and the answers to them: asked again on the next connection when they were not answered on this one. */

import { PACKET_NAMES } from "../mqtt/fixed-header.ts";
import { NO_PROPERTIES, type Properties, type Suback, type Subscribe, type Unsuback, type Unsubscribe } from "../mqtt/packet.ts";
import { MqttError } from "./error.ts";
import { ANSWER_MS } from "./limits.ts";
import type { Link } from "./link.ts";
import type { Server } from "./options.ts";
import { pack } from "./pack.ts";
import type { PacketIds } from "./packet-ids.ts";
import type { Clock } from "./platform.ts";

export interface Ask {
  /** Whether it only says again what the server knew before. */
  readonly isRenewal: boolean;
  readonly filters: readonly string[];
  /**
   * @param server what it said in CONNACK
   * @throws MqttError when this server has no such thing
   */
  packet(server: Properties, packetId: number): Subscribe | Unsubscribe;
}

interface Open extends Ask {
  /** 0 before it was sent; when it is asked again it keeps its own [MQTT311-2.3.1-3]. */
  packetId: number;
  readonly resolve: (answer: Suback | Unsuback) => void;
  readonly reject: (error: unknown) => void;
}

interface Sent {
  readonly ask: Open;
  /** Of the answer. */
  readonly type: number;
  readonly cancel: () => void;
}

export class Asks {
  readonly #ids: PacketIds;
  readonly #clock: Clock;
  readonly #open = new Set<Open>();
  readonly #sent = new Map<number, Sent>();
  /** Identifiers whose answers are late: until the connection ends, nothing else goes by them. */
  readonly #late: number[] = [];
  #link: Link | undefined;
  #server: Properties = NO_PROPERTIES;

  constructor(ids: PacketIds, clock: Clock) {
    this.#ids = ids;
    this.#clock = clock;
  }

  /** @throws MqttError when there is no answer */
  ask(ask: Ask): Promise<Suback | Unsuback> {
    return new Promise((resolve, reject) => this.#add({ ...ask, packetId: 0, resolve, reject }));
  }

  #add(ask: Open): void {
    this.#open.add(ask);
    this.#send(ask);
  }

  /**
   * @param isKnown the server has the session: what was renewed on an earlier connection and not answered still has to be
   * @param renew asks, where it has not, for all that there was: that comes before what is open
   */
  attach(link: Link, server: Server, isKnown: boolean, renew: () => void): void {
    this.#link = link;
    this.#server = server.properties;
    const open = [...this.#open];
    this.#open.clear();
    if (!isKnown) renew();
    for (const ask of open) {
      if (!ask.isRenewal || isKnown) this.#add(ask);
      else this.#ids.free(ask.packetId);
    }
  }

  detach(): void {
    this.#link = undefined;
    for (const packetId of [...this.#sent.keys()]) this.#taken(packetId);
    for (const packetId of this.#late.splice(0)) this.#ids.free(packetId);
  }

  close(error: MqttError): void {
    this.detach();
    const open = [...this.#open];
    this.#open.clear();
    for (const { reject } of open) reject(error);
  }

  #send(ask: Open): void {
    if (this.#link === undefined) return;
    try {
      ask.packetId ||= this.#ids.take();
      const { packetId } = ask;
      const packet = ask.packet(this.#server, packetId);
      const what = `${PACKET_NAMES[packet.type]} ${ask.filters.join(", ")}`;
      const bytes = pack(what, packet, this.#link.version, this.#server.maximumPacketSize);
      const cancel = this.#clock.after(ANSWER_MS, () => this.#missed(packetId));
      // SUBACK and UNSUBACK are the types after them.
      this.#sent.set(packetId, { ask, type: packet.type + 1, cancel });
      this.#link.sendBytes(bytes);
    } catch (error) {
      this.#ids.free(ask.packetId);
      this.#open.delete(ask);
      ask.reject(error);
    }
  }

  #taken(packetId: number): Sent | undefined {
    const sent = this.#sent.get(packetId);
    sent?.cancel();
    this.#sent.delete(packetId);
    return sent;
  }

  #missed(packetId: number): void {
    this.#late.push(packetId);
    const { ask, type } = this.#taken(packetId)!;
    this.#open.delete(ask);
    ask.reject(
      new MqttError("timeout", `${ask.filters.join(", ")}: no ${PACKET_NAMES[type]} within ${ANSWER_MS} ms`, { filter: ask.filters[0] }),
    );
  }

  answered(link: Link, answer: Suback | Unsuback): void {
    const waiting = this.#sent.get(answer.packetId);
    // It may come after its time.
    if (waiting === undefined) return;
    const { ask, type } = waiting;
    const codes = answer.reasonCodes.length;
    const isWhole = codes === ask.filters.length || (codes === 0 && link.version !== 5);
    if (answer.type !== type || !isWhole) {
      link.violated(`${PACKET_NAMES[answer.type]} with ${codes} reason codes: expected ${PACKET_NAMES[type]} with ${ask.filters.length}`);
      return;
    }
    this.#taken(answer.packetId);
    this.#ids.free(answer.packetId);
    this.#open.delete(ask);
    ask.resolve(answer);
  }
}
