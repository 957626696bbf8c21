/** What happens to clients is told to the hooks of the Worker's code, and as events. */

import type { SubscriptionRequest } from "../mqtt/packet.ts";
import type { Events } from "./events.ts";
import type { Beginning, ClientPort, Ended, Identity } from "./ports.ts";

export class ClientNews implements ClientPort {
  readonly #hooks: ClientPort | undefined;
  readonly #events: Events;

  constructor(hooks: ClientPort | undefined, events: Events) {
    this.#hooks = hooks;
    this.#events = events;
  }

  connected(identity: Identity, clientId: string, beginning: Beginning): void {
    this.#hooks?.connected(identity, clientId, beginning);
    this.#events.connected(identity, clientId, beginning);
  }

  disconnected(identity: Identity, clientId: string, ended: Ended, willPublished: boolean): void {
    this.#hooks?.disconnected(identity, clientId, ended, willPublished);
    this.#events.disconnected(identity, clientId, ended, willPublished);
  }

  subscribed(identity: Identity, clientId: string, request: SubscriptionRequest): void {
    this.#hooks?.subscribed(identity, clientId, request);
    this.#events.subscribed(identity, clientId, request);
  }

  unsubscribed(identity: Identity, clientId: string, filter: string): void {
    this.#hooks?.unsubscribed(identity, clientId, filter);
    this.#events.unsubscribed(identity, clientId, filter);
  }
}
