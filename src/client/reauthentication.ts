/** Authentication anew on a connection that there is (MQTT 5.0, 4.12.1): one at a time. */

import { AUTH, type Auth } from "../mqtt/packet.ts";
import { CONTINUE_AUTHENTICATION, REAUTHENTICATE, SUCCESS } from "../mqtt/reason-code.ts";
import type { OpenExchange } from "./authentication.ts";
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
    if (this.#open !== undefined) throw new MqttError("invalid", "Reauthenticate: expected none that is under way");
    return new Promise((resolve, reject) => {
      this.#open = { exchange, resolve, reject };
      link.send({ type: AUTH, reasonCode: REAUTHENTICATE, properties: exchange.properties });
    });
  }

  packet(link: Link, packet: Auth): void {
    const open = this.#open;
    if (!open?.exchange.accepts(packet) || packet.reasonCode === REAUTHENTICATE) link.violated("AUTH that was not asked for");
    else if (packet.reasonCode === CONTINUE_AUTHENTICATION)
      open.exchange.answer(link, packet).catch((cause) => this.#unproved(link, cause));
    else if (packet.reasonCode === SUCCESS) void this.#finish(link, open, packet);
  }

  async #finish(link: Link, open: Open, packet: Auth): Promise<void> {
    try {
      await open.exchange.finish(packet);
      this.#open = undefined;
      open.resolve();
    } catch (cause) {
      this.#unproved(link, cause);
    }
  }

  #unproved(link: Link, cause: unknown): void {
    link.fail(new MqttError("protocol", "The server did not prove who it is", { cause }));
  }

  close(error: MqttError): void {
    this.#open?.reject(error);
    this.#open = undefined;
  }
}
