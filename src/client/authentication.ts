/**
 * Enhanced authentication of MQTT 5.0 (4.12): who takes part in it, and one exchange on one connection, at CONNECT or anew. The method
 * itself (SCRAM, Kerberos ...) is the user's.
 */

import { AUTH, type Auth, type Connack, type Properties } from "../mqtt/packet.ts";
import { CONTINUE_AUTHENTICATION, NOT_AUTHORIZED, SUCCESS } from "../mqtt/reason-code.ts";
import { MqttError } from "./error.ts";
import type { Link } from "./link.ts";

/** What is wrong with a packet of an exchange that there is not. */
export const OF_NONE = "AUTH, or a CONNACK, of an exchange that there is not";

type Bytes = Uint8Array | undefined;

/** The client's side of one exchange. */
export interface Exchange {
  /** Authentication Data of CONNECT, or of the AUTH that begins anew. */
  readonly data?: Uint8Array;
  /** The answer to an AUTH of the server; undefined: without data. Throw, or reject, and the connection ends. */
  next?(data: Uint8Array | undefined): Bytes | Promise<Bytes>;
  /** The server is done. Throw when it did not prove who it is; nothing else that it sends is taken before. */
  end?(data: Uint8Array | undefined): void;
}

/** Who takes part in enhanced authentication, for as long as there is a client. */
export interface Authenticator {
  /** The Authentication Method, such as `SCRAM-SHA-256`. */
  readonly method: string;
  /** An exchange for each connection and each `reauthenticate`. */
  begin(): Exchange | Promise<Exchange>;
}

export class OpenExchange {
  readonly method: string;
  readonly #exchange: Exchange;

  constructor(method: string, exchange: Exchange) {
    this.method = method;
    this.#exchange = exchange;
  }

  /** What CONNECT or AUTH begins with. */
  get properties(): Properties {
    return this.#with(this.#exchange.data);
  }

  #with(authenticationData: Bytes): Properties {
    return { authenticationMethod: this.method, authenticationData } as Properties;
  }

  /**
   * Takes a packet of the server, which must be of this exchange [MQTT5-4.12.0-5]; an AUTH that asks is answered [MQTT5-4.12.0-3].
   * @param done the server is, and has proved itself
   */
  take(link: Link, { type, reasonCode, properties }: Auth | Connack, done: () => void): void {
    const data = properties.authenticationData;
    const fail = (cause: unknown): void => {
      link.fail(new MqttError("protocol", "The server did not prove who it is", { reasonCode: NOT_AUTHORIZED, cause }));
    };
    if (properties.authenticationMethod !== this.method) link.violated(OF_NONE);
    else if (type === AUTH && reasonCode === CONTINUE_AUTHENTICATION) this.#answer(link, data).catch(fail);
    else if (reasonCode === SUCCESS) {
      try {
        this.#exchange.end?.(data);
      } catch (cause) {
        fail(cause);
        return;
      }
      done();
    } else link.violated(OF_NONE);
  }

  async #answer(link: Link, asked: Bytes): Promise<void> {
    const data = await this.#exchange.next?.(asked);
    if (!link.isOver) link.send({ type: AUTH, reasonCode: CONTINUE_AUTHENTICATION, properties: this.#with(data) });
  }
}
