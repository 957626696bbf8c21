/** What happens to clients is told to the hooks of the Worker's code, as events, and to who asks who is there. */

import type { SubscriptionRequest } from "../mqtt/packet.ts";
import type { Events } from "./events.ts";
import type { Beginning, ClientPort, Ended, Identity } from "./ports.ts";
import type { Presence } from "./presence.ts";

export class ClientNews implements ClientPort {
  readonly #hooks: ClientPort | undefined;
  readonly #events: Events;
  readonly #presence: Presence;

  constructor(hooks: ClientPort | undefined, events: Events, presence: Presence) {
    this.#hooks = hooks;
    this.#events = events;
    this.#presence = presence;
  }

  connected(identity: Identity, clientId: string, beginning: Beginning): void {
    this.#hooks?.connected(identity, clientId, beginning);
    this.#events.connected(identity, clientId, beginning);
    this.#presence.connected(clientId);
  }

  disconnected(identity: Identity, clientId: string, ended: Ended, willPublished: boolean): void {
    this.#hooks?.disconnected(identity, clientId, ended, willPublished);
    this.#events.disconnected(identity, clientId, ended, willPublished);
    this.#presence.disconnected(identity, clientId);
  }

  subscribed(identity: Identity, clientId: string, request: SubscriptionRequest): void {
    this.#hooks?.subscribed(identity, clientId, request);
    this.#events.subscribed(identity, clientId, request);
    this.#presence.subscribed(clientId, request.filter);
  }

  unsubscribed(identity: Identity, clientId: string, filter: string): void {
    this.#hooks?.unsubscribed(identity, clientId, filter);
    this.#events.unsubscribed(identity, clientId, filter);
    this.#presence.unsubscribed(identity, clientId, filter);
  }
}
