/** The messages that came for the subscriptions of the view of messages, and those that were published here; bounded, the oldest go. */
import { effect, signal } from "@preact/signals";
import type { Client, Message, MessageProperties } from "../../client/index.ts";
import { apart, weightOf } from "../payload/property-rows.ts";
import { sentence } from "../session/link.ts";
import { link, login } from "../session/session.ts";
import { stored } from "../session/stored.ts";

const ENTRIES_MAX = 10_000;
const BYTES_MAX = 64 * 1024 * 1024;

export interface Entry {
  /** Counted from 1. */
  readonly id: number;
  readonly isSent: boolean;
  readonly time: number;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly properties: MessageProperties;
}

/** A subscription, as it was asked for. */
export interface Wanted {
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
}

export type Standing =
  | { readonly kind: "asked" }
  | { readonly kind: "granted"; readonly qos: number }
  | { readonly kind: "refused"; readonly problem: string };

class MessageLog {
  readonly subscriptions = stored<readonly Wanted[]>("subscriptions", []);
  /** What the broker says of each filter. */
  readonly standing = signal<ReadonlyMap<string, Standing>>(new Map());
  /** Grows with each frame in which something has come. */
  readonly frame = signal(0);
  /** The oldest first. */
  entries: Entry[] = [];
  /** Of all that came or was sent since the page was opened, or cleared. */
  count = 0;
  /** How often it was cleared. */
  clears = 0;
  #bytes = 0;
  #isAsked = false;
  /** One message may come for several subscriptions; it is one entry. */
  #last: Message | undefined;
  #client: Client | undefined;

  constructor() {
    let as = login.peek();
    effect(() => {
      // What one has received is not for another.
      if (login.value !== as) this.clear();
      as = login.value;
    });
    effect(() => {
      const isOpen = link.state.value.kind === "open";
      const { client } = link;
      if (!isOpen || client === undefined || client === this.#client) return;
      this.#client = client;
      for (const wanted of this.subscriptions.peek()) void this.#ask(client, wanted);
    });
  }

  /** Subscribes; the same filter again is subscribed anew, as it is with a broker. */
  async subscribe(wanted: Wanted): Promise<void> {
    const others = this.subscriptions.peek().filter(({ filter }) => filter !== wanted.filter);
    const isThere = others.length < this.subscriptions.peek().length;
    const { client } = link;
    if (isThere) await client?.unsubscribe(wanted.filter).catch(() => {});
    this.subscriptions.value = [...others, wanted];
    if (client !== undefined) await this.#ask(client, wanted);
  }

  async unsubscribe(filter: string): Promise<void> {
    this.subscriptions.value = this.subscriptions.peek().filter((each) => each.filter !== filter);
    const wasGranted = this.standing.peek().get(filter)?.kind === "granted";
    this.#say(filter, undefined);
    if (wasGranted) await link.client?.unsubscribe(filter);
  }

  sent(topic: string, payload: Uint8Array, qos: number, retain: boolean, properties: MessageProperties): void {
    this.#add({ isSent: true, time: Date.now(), topic, payload, qos, retain, dup: false, properties });
  }

  clear(): void {
    this.clears += 1;
    this.entries = [];
    this.count = 0;
    this.#bytes = 0;
    this.frame.value += 1;
  }

  async #ask(client: Client, { filter, ...options }: Wanted): Promise<void> {
    this.#say(filter, { kind: "asked" });
    try {
      const { granted } = await client.subscribe(filter, {
        ...options,
        onMessage: (message) => client === link.client && this.#came(message),
      });
      this.#say(filter, { kind: "granted", qos: granted[0]!.qos });
    } catch (error) {
      this.#say(filter, { kind: "refused", problem: sentence(error) });
    }
  }

  #say(filter: string, standing: Standing | undefined): void {
    const all = new Map(this.standing.peek());
    if (standing === undefined) all.delete(filter);
    else all.set(filter, standing);
    this.standing.value = all;
  }

  #came(message: Message): void {
    if (message === this.#last) return;
    this.#last = message;
    const { topic, payload, qos, retain, dup, properties } = message;
    this.#add({ isSent: false, time: Date.now(), topic, payload: payload.slice(), qos, retain, dup, properties: apart(properties) });
  }

  #add(entry: Omit<Entry, "id">): void {
    this.count += 1;
    this.entries.push({ id: this.count, ...entry });
    this.#bytes += bytesOf(entry);
    // Not one by one: taking from the front moves all others.
    if (this.entries.length > ENTRIES_MAX * 1.1 || this.#bytes > BYTES_MAX) this.#trim();
    if (this.#isAsked) return;
    this.#isAsked = true;
    const draw = (): void => {
      this.#isAsked = false;
      this.frame.value += 1;
    };
    if (document.hidden) setTimeout(draw, 500);
    else requestAnimationFrame(draw);
  }

  #trim(): void {
    let drop = Math.max(0, this.entries.length - ENTRIES_MAX);
    for (let index = 0; index < drop; index += 1) this.#bytes -= bytesOf(this.entries[index]!);
    for (; this.#bytes > BYTES_MAX && drop < this.entries.length - 1; drop += 1) this.#bytes -= bytesOf(this.entries[drop]!);
    this.entries = this.entries.slice(drop);
  }
}

function bytesOf({ topic, payload, properties }: Omit<Entry, "id">): number {
  return topic.length + payload.length + weightOf(properties);
}

export const log = new MessageLog();
