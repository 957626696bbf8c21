/** Authentication anew on a connection that there is (MQTT 5.0, 4.12.1): one at a time. */

import { AUTH, type Auth } from "../mqtt/packet.ts";
import { REAUTHENTICATE } from "../mqtt/reason-code.ts";
import { OF_NONE, type OpenExchange } from "./authentication.ts";
import { MqttError } from "./error.ts";
import type { Link } from "./link.ts";

interface Open {
  readonly exchange: OpenExchange;
  readonly resolve: () => void;
  readonly reject: (error: MqttError) => void;
}

export class Reauthentication {
  #open: Open | undefined;

  begin(link: Link, exchange: OpenExchange): Promise<void> {
    if (this.#open !== undefined) throw new MqttError("invalid", "Reauthenticate: expected one at a time");
    return new Promise((resolve, reject) => {
      this.#open = { exchange, resolve, reject };
      link.send({ type: AUTH, reasonCode: REAUTHENTICATE, properties: exchange.properties });
    });
  }

  packet(link: Link, packet: Auth): void {
    const open = this.#open;
    if (open === undefined) link.violated(OF_NONE);
    else {
      open.exchange.take(link, packet, () => {
        this.#open = undefined;
        open.resolve();
      });
    }
  }

  close(error: MqttError): void {
    this.#open?.reject(error);
    this.#open = undefined;
  }
}
