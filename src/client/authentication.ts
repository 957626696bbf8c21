/**
 * Enhanced authentication of MQTT 5.0 (4.12): who takes part in it, and one exchange on one connection, at CONNECT or anew. The method
 * itself (SCRAM, Kerberos ...) is the user's.
 */

import { AUTH, type Auth, type Connack, type Properties } from "../mqtt/packet.ts";
import { CONTINUE_AUTHENTICATION } from "../mqtt/reason-code.ts";
import type { Link } from "./link.ts";
import { said } from "./said.ts";

type Bytes = Uint8Array | undefined;

/** The client's side of one exchange. */
export interface Exchange {
  /** Authentication Data of CONNECT, or of the AUTH that begins anew. */
  readonly data?: Uint8Array;
  /** The answer to an AUTH of the server. */
  next?(data: Uint8Array | undefined): Bytes | Promise<Bytes>;
  /** The server is done. Throw when it did not prove who it is. */
  end?(data: Uint8Array | undefined): void | Promise<void>;
}

export interface Authenticator {
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
    return said({ authenticationMethod: this.method, authenticationData });
  }

  /** Whether a packet of the server is of this exchange [MQTT5-4.12.0-5]. */
  accepts({ properties }: Auth | Connack): boolean {
    return properties.authenticationMethod === this.method;
  }

  /** Answers an AUTH of the server [MQTT5-4.12.0-3]. */
  async answer(link: Link, { properties }: Auth): Promise<void> {
    const data = await this.#exchange.next?.(properties.authenticationData);
    if (!link.isOver) link.send({ type: AUTH, reasonCode: CONTINUE_AUTHENTICATION, properties: this.#with(data) });
  }

  /** @returns what to wait for, if anything: the server has to prove itself first */
  finish({ properties }: Auth | Connack): void | Promise<void> {
    return this.#exchange.end?.(properties.authenticationData);
  }
}
