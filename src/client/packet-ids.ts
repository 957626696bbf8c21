/** The Packet Identifiers of what the client sends: each in use once [MQTT5-2.2.1-3] [MQTT311-2.3.1-2]. */

import { MqttError } from "./error.ts";

const IDS = 65_535;

export class PacketIds {
  readonly #used = new Set<number>();
  #last: number;

  /**
   * @param random the first is one by chance: the server may remember others of an earlier life of this client, whose QoS 2 messages it
   *   would take for those that are sent now
   */
  constructor(random: () => number) {
    this.#last = Math.floor(random() * IDS);
  }

  take(): number {
    if (this.#used.size >= IDS) throw new MqttError("full", "Packet Identifiers: all 65,535 are in use");
    do this.#last = (this.#last % IDS) + 1;
    while (this.#used.has(this.#last));
    this.#used.add(this.#last);
    return this.#last;
  }

  free(id: number): void {
    this.#used.delete(id);
  }
}
