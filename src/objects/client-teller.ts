/**
 * Tells hooks what has happened to clients, after it has: of one client one thing after the other, in order. It runs in microtasks behind the
 * event that it is about, never in the midst of it. Nothing waits for it but the next thing about the same client.
 */

import { HOOK_MS_MAX, HOOK_NEWS_BYTES_MAX, HOOK_NEWS_BYTES_PER_CLIENT_MAX } from "../code-limits.ts";
import { clientView } from "../hooks/client-view.ts";
import type { BrokerHooks, GrantedSubscription, HookContext } from "../hooks/contract.ts";
import type { HookFaults } from "../hooks/hook-faults.ts";
import { MEMORY } from "../memory-limits.ts";
import type { SubscriptionRequest } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import type { Beginning, ClientPort, Ended, Identity } from "../session/ports.ts";
import { inTime } from "./in-time.ts";

type Told = "onConnect" | "onDisconnect" | "onSubscribe" | "onUnsubscribe";

interface News {
  readonly hook: Told;
  /** Of SUBSCRIBE and UNSUBSCRIBE: several of one packet are told together. */
  readonly list: unknown[] | undefined;
  bytes: number;
  readonly tell: () => unknown;
}

/** What is to be told of one client, in order. */
interface Waiting {
  readonly news: News[];
  bytes: number;
}

export interface ClientTellerOptions {
  readonly hooks: Pick<BrokerHooks, Told>;
  readonly context: HookContext;
  readonly faults: HookFaults;
  readonly runtime: Runtime;
  /** Counts what waits to be told. @param bytes negative when it goes */
  readonly count: (bytes: number) => void;
}

/** @returns undefined where there is nobody to tell */
export function clientTeller(options: ClientTellerOptions): ClientTeller | undefined {
  const { onConnect, onDisconnect, onSubscribe, onUnsubscribe } = options.hooks;
  return (onConnect ?? onDisconnect ?? onSubscribe ?? onUnsubscribe) === undefined ? undefined : new ClientTeller(options);
}

export class ClientTeller implements ClientPort {
  readonly #options: ClientTellerOptions;
  /** What is to be told, by Client Identifier; one with an entry is being told. */
  readonly #waiting = new Map<string, Waiting>();
  /** Of all that waits. */
  #bytes = 0;

  constructor(options: ClientTellerOptions) {
    this.#options = options;
  }

  connected(identity: Identity, clientId: string, { version, sessionPresent, keepAliveSeconds, sessionExpirySeconds }: Beginning): void {
    const { hooks, context } = this.#options;
    const { onConnect } = hooks;
    if (onConnect === undefined) return;
    const beginning = { sessionPresent, keepAliveSeconds, sessionExpirySeconds };
    const client = { ...clientView(identity, clientId), protocolVersion: version, ...beginning };
    this.#add(clientId, { hook: "onConnect", list: undefined, bytes: bytesOf(""), tell: () => onConnect(client, context) });
  }

  disconnected(identity: Identity, clientId: string, { reasonCode, reason }: Ended, willPublished: boolean): void {
    const { hooks, context } = this.#options;
    const { onDisconnect } = hooks;
    if (onDisconnect === undefined) return;
    const client = clientView(identity, clientId);
    const tell = (): unknown => onDisconnect(client, { reasonCode, reason, willPublished }, context);
    this.#add(clientId, { hook: "onDisconnect", list: undefined, bytes: bytesOf(reason), tell });
  }

  subscribed(identity: Identity, clientId: string, { filter, qos, noLocal, retainAsPublished, retainHandling }: SubscriptionRequest): void {
    const { hooks, context } = this.#options;
    const { onSubscribe } = hooks;
    if (onSubscribe === undefined) return;
    const granted: GrantedSubscription = { filter, qos, noLocal, retainAsPublished, retainHandling };
    this.#gather("onSubscribe", clientId, granted, bytesOf(filter), (list) => onSubscribe(clientView(identity, clientId), list, context));
  }

  unsubscribed(identity: Identity, clientId: string, filter: string): void {
    const { hooks, context } = this.#options;
    const { onUnsubscribe } = hooks;
    if (onUnsubscribe === undefined) return;
    this.#gather("onUnsubscribe", clientId, filter, bytesOf(filter), (list) =>
      onUnsubscribe(clientView(identity, clientId), list, context),
    );
  }

  /** With the last of what is to be told of this client, if that is of the same kind. */
  #gather<Item>(hook: Told, clientId: string, item: Item, bytes: number, tell: (list: readonly Item[]) => unknown): void {
    const last = this.#waiting.get(clientId)?.news.at(-1);
    if (last?.hook !== hook) {
      const list = [item];
      this.#add(clientId, { hook, list, bytes, tell: () => tell(list) });
    } else if (this.#takes(hook, clientId, bytes)) {
      last.list!.push(item);
      last.bytes += bytes;
    }
  }

  #takes(hook: Told, clientId: string, bytes: number): boolean {
    const waiting = this.#waiting.get(clientId);
    const isTooMuch = this.#bytes + bytes > HOOK_NEWS_BYTES_MAX || (waiting?.bytes ?? 0) + bytes > HOOK_NEWS_BYTES_PER_CLIENT_MAX;
    if (isTooMuch) this.#options.faults.caught(hook, "too much waits to be told: this is not", clientId);
    else if (waiting !== undefined) this.#count(waiting, bytes);
    return !isTooMuch;
  }

  #count(waiting: Waiting, bytes: number): void {
    waiting.bytes += bytes;
    this.#bytes += bytes;
    this.#options.count(bytes);
  }

  #add(clientId: string, news: News): void {
    if (!this.#takes(news.hook, clientId, news.bytes)) return;
    const waiting = this.#waiting.get(clientId);
    if (waiting !== undefined) {
      waiting.news.push(news);
      return;
    }
    const first: Waiting = { news: [news], bytes: 0 };
    this.#count(first, news.bytes);
    this.#waiting.set(clientId, first);
    void Promise.resolve().then(() => this.#tellAll(clientId, first));
  }

  async #tellAll(clientId: string, waiting: Waiting): Promise<void> {
    const { faults, runtime } = this.#options;
    for (let news = waiting.news.shift(); news !== undefined; news = waiting.news.shift()) {
      try {
        const told = news.tell();
        if (told !== undefined && told !== null) await inTime(Promise.resolve(told), HOOK_MS_MAX, runtime);
      } catch (error) {
        faults.caught(news.hook, error, clientId);
      }
      this.#count(waiting, -news.bytes);
    }
    this.#waiting.delete(clientId);
  }
}

function bytesOf(text: string): number {
  return MEMORY.newsBytes + MEMORY.characterBytes * text.length;
}
