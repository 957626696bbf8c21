/** SUBSCRIBE and UNSUBSCRIBE and the answers to them: asked again on the next connection when they were not answered on this one. */

import { encodeClientPacket } from "../mqtt/encode-client.ts";
import { PACKET_NAMES } from "../mqtt/fixed-header.ts";
import { SUBACK, SUBSCRIBE, type Suback, type Subscribe, type Unsuback, type Unsubscribe } from "../mqtt/packet.ts";
import { PACKET_TOO_LARGE } from "../mqtt/reason-code.ts";
import { MqttError } from "./error.ts";
import { ANSWER_MS } from "./limits.ts";
import type { Link } from "./link.ts";
import type { Server } from "./options.ts";
import type { PacketIds } from "./packet-ids.ts";
import type { Clock } from "./platform.ts";

export interface Ask {
  /** Whether it only says again what the server knew before. */
  readonly isRenewal: boolean;
  readonly filters: readonly string[];
  /** @throws MqttError when this server has no such thing */
  packet(server: Server, packetId: number): Subscribe | Unsubscribe;
  answered(answer: Suback | Unsuback): void;
  failed(error: MqttError): void;
}

interface Sent {
  readonly ask: Ask;
  readonly type: number;
  readonly cancel: () => void;
}

export class Asks {
  readonly #ids: PacketIds;
  readonly #clock: Clock;
  readonly #open = new Set<Ask>();
  readonly #sent = new Map<number, Sent>();
  /** Identifiers whose answers are late: until the connection ends, nothing else goes by them. */
  #late: number[] = [];
  #link: Link | undefined;
  #server: Server | undefined;

  constructor(ids: PacketIds, clock: Clock) {
    this.#ids = ids;
    this.#clock = clock;
  }

  ask(ask: Ask): void {
    this.#open.add(ask);
    this.#send(ask);
  }

  /**
   * @param renewals what comes before all that is open
   * @param isKnown the server has the session: what was renewed on an earlier connection still has to be
   */
  attach(link: Link, server: Server, renewals: readonly Ask[], isKnown: boolean): void {
    this.#link = link;
    this.#server = server;
    const open = [...this.#open].filter(({ isRenewal }) => !isRenewal || isKnown);
    this.#open.clear();
    for (const ask of [...renewals, ...open]) this.ask(ask);
  }

  detach(): void {
    this.#link = undefined;
    for (const packetId of [...this.#sent.keys(), ...this.#late]) {
      this.#taken(packetId);
      this.#ids.free(packetId);
    }
    this.#late = [];
  }

  close(error: MqttError): void {
    this.detach();
    const open = [...this.#open];
    this.#open.clear();
    for (const ask of open) ask.failed(error);
  }

  #send(ask: Ask): void {
    if (this.#link === undefined) return;
    let packetId = 0;
    try {
      packetId = this.#ids.take();
      const packet = ask.packet(this.#server!, packetId);
      const bytes = encodeClientPacket(packet, this.#link.version);
      const { maximumPacketSize = bytes.length } = this.#server!.properties;
      if (bytes.length > maximumPacketSize) {
        const message = `${PACKET_NAMES[packet.type]}: ${bytes.length} bytes, this server takes at most ${maximumPacketSize}`;
        throw new MqttError("invalid", message, { reasonCode: PACKET_TOO_LARGE });
      }
      const cancel = this.#clock.after(ANSWER_MS, () => this.#missed(packetId));
      this.#sent.set(packetId, { ask, type: packet.type === SUBSCRIBE ? SUBACK : packet.type + 1, cancel });
      this.#link.sendBytes(bytes);
    } catch (error) {
      this.#ids.free(packetId);
      this.#open.delete(ask);
      ask.failed(error instanceof MqttError ? error : new MqttError("invalid", `${ask.filters.join(", ")}: ${(error as Error).message}`));
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
    ask.failed(new MqttError("timeout", `${ask.filters.join(", ")}: no ${PACKET_NAMES[type]} within ${ANSWER_MS} ms`));
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
    ask.answered(answer);
  }
}
