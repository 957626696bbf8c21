/**
 * Tells hooks what has happened to clients, after it has: of one client one thing after the other, in order. It runs in microtasks behind the
 * event that it is about, never in the midst of it. Nothing waits for it but the next thing about the same client.
 */

import { clientView } from "../hooks/client-view.ts";
import type { BrokerHooks, GrantedSubscription, HookContext } from "../hooks/contract.ts";
import type { HookFaults } from "../hooks/hook-faults.ts";
import { HOOK_EVENTS_MAX, HOOK_MS_MAX } from "../limits.ts";
import type { SubscriptionRequest } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import type { Beginning, ClientPort, Ended, Identity } from "../session/ports.ts";
import { inTime } from "./in-time.ts";

type Told = "onConnect" | "onDisconnect" | "onSubscribe" | "onUnsubscribe";

interface News {
  readonly hook: Told;
  /** Of SUBSCRIBE and UNSUBSCRIBE: several of one packet are told together. */
  readonly list: unknown[] | undefined;
  readonly tell: () => unknown;
}

export interface ClientTellerOptions {
  readonly hooks: Pick<BrokerHooks, Told>;
  readonly context: HookContext;
  readonly faults: HookFaults;
  readonly runtime: Runtime;
}

/** @returns undefined where there is nobody to tell */
export function clientTeller(options: ClientTellerOptions): ClientTeller | undefined {
  const { onConnect, onDisconnect, onSubscribe, onUnsubscribe } = options.hooks;
  return (onConnect ?? onDisconnect ?? onSubscribe ?? onUnsubscribe) === undefined ? undefined : new ClientTeller(options);
}

export class ClientTeller implements ClientPort {
  readonly #options: ClientTellerOptions;
  /** What is to be told, by Client Identifier; one with an entry is being told. */
  readonly #waiting = new Map<string, News[]>();
  #count = 0;

  constructor(options: ClientTellerOptions) {
    this.#options = options;
  }

  connected(identity: Identity, clientId: string, { version, ...beginning }: Beginning): void {
    const { hooks, context } = this.#options;
    const { onConnect } = hooks;
    if (onConnect === undefined) return;
    const client = { ...clientView(identity, clientId), protocolVersion: version, ...beginning };
    this.#add(clientId, { hook: "onConnect", list: undefined, tell: () => onConnect(client, context) });
  }

  disconnected(identity: Identity, clientId: string, { reasonCode, reason }: Ended, willPublished: boolean): void {
    const { hooks, context } = this.#options;
    const { onDisconnect } = hooks;
    if (onDisconnect === undefined) return;
    const client = clientView(identity, clientId);
    const tell = (): unknown => onDisconnect(client, { reasonCode, reason, willPublished }, context);
    this.#add(clientId, { hook: "onDisconnect", list: undefined, tell });
  }

  subscribed(identity: Identity, clientId: string, { filter, qos, noLocal, retainAsPublished, retainHandling }: SubscriptionRequest): void {
    const { hooks, context } = this.#options;
    const { onSubscribe } = hooks;
    if (onSubscribe === undefined) return;
    const granted: GrantedSubscription = { filter, qos, noLocal, retainAsPublished, retainHandling };
    this.#gather("onSubscribe", clientId, granted, (list) => onSubscribe(clientView(identity, clientId), list, context));
  }

  unsubscribed(identity: Identity, clientId: string, filter: string): void {
    const { hooks, context } = this.#options;
    const { onUnsubscribe } = hooks;
    if (onUnsubscribe === undefined) return;
    this.#gather("onUnsubscribe", clientId, filter, (list) => onUnsubscribe(clientView(identity, clientId), list, context));
  }

  /** With the last of what is to be told of this client, if that is of the same kind. */
  #gather<Item>(hook: Told, clientId: string, item: Item, tell: (list: readonly Item[]) => unknown): void {
    const last = this.#waiting.get(clientId)?.at(-1);
    if (last?.hook === hook && this.#count < HOOK_EVENTS_MAX) {
      last.list!.push(item);
      this.#count += 1;
      return;
    }
    const list = [item];
    this.#add(clientId, { hook, list, tell: () => tell(list) });
  }

  #add(clientId: string, news: News): void {
    if (this.#count >= HOOK_EVENTS_MAX) {
      this.#options.faults.caught(news.hook, `more than ${HOOK_EVENTS_MAX} things wait to be told: this one is not`, clientId);
      return;
    }
    this.#count += 1;
    const waiting = this.#waiting.get(clientId);
    if (waiting !== undefined) {
      waiting.push(news);
      return;
    }
    const first = [news];
    this.#waiting.set(clientId, first);
    void Promise.resolve().then(() => this.#tellAll(clientId, first));
  }

  async #tellAll(clientId: string, waiting: News[]): Promise<void> {
    const { faults, runtime } = this.#options;
    for (let news = waiting.shift(); news !== undefined; news = waiting.shift()) {
      this.#count -= news.list?.length ?? 1;
      try {
        const told = news.tell();
        if (told !== undefined && told !== null) await inTime(Promise.resolve(told), HOOK_MS_MAX, runtime);
      } catch (error) {
        faults.caught(news.hook, error, clientId);
      }
    }
    this.#waiting.delete(clientId);
  }
}
