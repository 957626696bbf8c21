/** Rights of users beside anonymous clients. */

import type { QoS } from "../mqtt/packet.ts";
import type { Authorizer, Identity } from "../session/ports.ts";

export class MixedAuthorizer implements Authorizer {
  readonly #named: Authorizer;
  readonly #anonymous: Authorizer;

  constructor(named: Authorizer, anonymous: Authorizer) {
    this.#named = named;
    this.#anonymous = anonymous;
  }

  mayPublish(identity: Identity, clientId: string, topic: string, qos: QoS, retain: boolean): boolean {
    return this.#of(identity).mayPublish(identity, clientId, topic, qos, retain);
  }

  maySubscribe(identity: Identity, clientId: string, topicFilter: string, qos: QoS): boolean {
    return this.#of(identity).maySubscribe(identity, clientId, topicFilter, qos);
  }

  limitsReceive(identity: Identity, clientId: string): boolean {
    return this.#of(identity).limitsReceive(identity, clientId);
  }

  mayReceive(identity: Identity, clientId: string, topic: string): boolean {
    return this.#of(identity).mayReceive(identity, clientId, topic);
  }

  #of(identity: Identity): Authorizer {
    return identity.userName === undefined && identity.grants === "" ? this.#anonymous : this.#named;
  }
}
