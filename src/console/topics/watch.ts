/**
 * The topics of the broker as they are now: its own connection, whose messages go into the tree once a frame, in slices that leave a frame time for
 * everything else.
 */
import { computed, effect, signal, untracked } from "@preact/signals";
import { type Client, type Message, MqttError } from "../../client/index.ts";
import { apart } from "../payload/property-rows.ts";
import { Link, sentence } from "../session/link.ts";
import type { Login } from "../session/login.ts";
import { clientId, login, link as main } from "../session/session.ts";
import { stored } from "../session/stored.ts";
import { Held } from "./held.ts";
import { Histories } from "./histories.ts";
import { TopicTree } from "./tree.ts";
import { BYTES_MAX, bytesOf, type Came } from "./value.ts";

/** How long a slice may take, ms. */
const SLICE_MS = 8;
/** More than these wait for a frame: then of each topic only the last is looked at, and the others are counted. */
const WAITING_MAX = 20_000;
/** Nor do more than these wait: a page that is not seen may get its next frame in minutes. */
const UNSEEN_MAX = 100_000;
/** How often what is looked at is drawn anew, ms: nobody reads faster. */
const LOOKED_AT_MS = 200;
/** A page that is not seen gets no frames. */
const HIDDEN_MS = 500;

const NOTHING: ReadonlySet<string> = new Set();

class TopicWatch {
  readonly filters = stored<readonly string[]>("watched filters", ["#"]);
  readonly pinned = stored<readonly string[]>("pinned topics", []);
  readonly selected = signal<string | undefined>(undefined);
  readonly isPaused = signal(false);
  /** A part of the topics that are shown; empty: all are. */
  readonly searched = signal("");
  /** Filters that the broker has granted on the connection that there is: what is published from then on is shown. */
  readonly granted = computed(() => (this.link.state.value.kind === "open" ? this.#kept.value : NOTHING));
  /** Filters that the broker refuses, with why. */
  readonly refused = signal<ReadonlyMap<string, string>>(new Map());
  /** Grows with each frame in which something has come. */
  readonly frame = signal(0);
  /** Grows some times a second while something comes. */
  readonly moment = signal(0);
  readonly histories = new Histories();
  readonly tree = new TopicTree((topic) => this.histories.has(topic));
  readonly link: Link = new Link((client) => this.#watch(client));
  readonly #isWanted = signal(false);
  #login: Login | undefined;
  #subscribed = new Set<string>();
  /** Those of them that the broker's session has, whether there is a connection or not. */
  readonly #kept = signal<ReadonlySet<string>>(NOTHING);
  #waiting: Came[] = [];
  #waitingBytes = 0;
  /** What came since it is paused. */
  #held = new Held();
  /** One message may come for several filters; it has come once. */
  #last: Message | undefined;
  #isAsked = false;
  #momentAt = 0;

  constructor() {
    effect(() => {
      const isWanted = this.#isWanted.value;
      const { kind } = main.state.value;
      const as = login.value;
      untracked(() => {
        // Another one may see other topics.
        if (this.#login !== undefined && this.#login !== as) this.clear();
        if (isWanted && kind === "open") this.#open(as);
        else if (kind === "closed") this.link.close();
      });
    });
  }

  /** From now on it is connected whenever somebody is signed in, as who that is. */
  start(): void {
    this.#isWanted.value = true;
  }

  /** After the broker has ended the connection, or refused it. */
  again(): void {
    this.#login = undefined;
    this.#open(login.peek());
  }

  #open(as: Login): void {
    const isSame = this.#login === as;
    if (isSame && this.link.state.peek().kind !== "closed") return;
    this.#login = as;
    void this.link.open(as, `${clientId.peek()}-topics`, { sessionExpirySeconds: 0 });
  }

  /** It is connected, or is about to be: what is not granted yet may be soon. */
  get isUnderWay(): boolean {
    const { value: state } = this.link.state;
    return main.state.value.kind !== "closed" && (state.kind !== "closed" || state.problem === undefined);
  }

  /** Messages that came since it is paused. */
  get held(): number {
    return this.#held.messages;
  }

  pause(isPaused: boolean): void {
    this.isPaused.value = isPaused;
    if (isPaused) return;
    for (const { came, messages } of this.#held.all()) this.#put(came, messages);
    this.tree.leave(this.#held.leftOut);
    this.#held = new Held();
    this.drawn();
  }

  search(text: string): void {
    this.searched.value = text;
    this.tree.search(text);
    this.drawn();
  }

  clear(): void {
    this.tree.clear();
    this.histories.clear();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#held = new Held();
    this.drawn();
  }

  /** Something else than a message has changed what is to be seen. */
  drawn(): void {
    this.frame.value += 1;
    this.moment.value += 1;
  }

  look(topic: string | undefined): void {
    const before = this.selected.peek();
    if (before !== undefined && before !== topic && !this.pinned.peek().includes(before)) this.histories.end(before);
    if (topic !== undefined) this.#remember(topic);
    this.selected.value = topic;
  }

  pin(topic: string, isPinned: boolean): void {
    const others = this.pinned.peek().filter((each) => each !== topic);
    this.pinned.value = isPinned ? [...others, topic] : others;
    if (isPinned) this.#remember(topic);
    else if (topic !== this.selected.peek()) this.histories.end(topic);
  }

  #remember(topic: string): void {
    const node = this.tree.find(topic);
    this.histories.begin(topic, [node?.previous, node?.value]);
  }

  #watch(client: Client): void {
    this.#subscribed = new Set();
    this.#keep([]);
    for (const topic of this.pinned.peek()) this.#remember(topic);
    const end = effect(() => this.#subscribe(client, this.filters.value));
    client.on("closed", end);
    client.on("connected", ({ sessionPresent }) => {
      if (!sessionPresent) this.#keep([]);
    });
    client.on("subscribed", (filters) => {
      if (client === this.link.client) this.#keep([...this.#kept.peek(), ...filters]);
    });
    client.on("failed", (error) => {
      if (!(error instanceof MqttError && error.filter !== undefined)) throw error;
      this.#refuse(client, error.filter, error);
    });
  }

  #keep(filters: Iterable<string>): void {
    this.#kept.value = new Set([...filters].filter((filter) => this.#subscribed.has(filter)));
  }

  #refuse(client: Client, filter: string, error: unknown): void {
    if (client !== this.link.client || !this.#subscribed.delete(filter)) return;
    this.refused.value = new Map([...this.refused.peek(), [filter, sentence(error)]]);
  }

  /** Subscribes to what is new among the filters, and no more to what is not among them. */
  #subscribe(client: Client, filters: readonly string[]): void {
    for (const filter of this.#subscribed) {
      if (filters.includes(filter)) continue;
      this.#subscribed.delete(filter);
      client.unsubscribe(filter).catch(() => {});
    }
    this.#keep(this.#kept.peek());
    this.refused.value = new Map();
    for (const filter of filters) {
      if (this.#subscribed.has(filter)) continue;
      this.#subscribed.add(filter);
      void this.#watchFilter(client, filter);
    }
  }

  async #watchFilter(client: Client, filter: string): Promise<void> {
    try {
      await client.subscribe(filter, {
        qos: 0,
        retainAsPublished: true,
        onMessage: (message) => client === this.link.client && this.#came(message),
      });
    } catch (error) {
      this.#refuse(client, filter, error);
    }
  }

  #came(message: Message): void {
    if (message === this.#last) return;
    this.#last = message;
    const { topic, payload, qos, retain, properties } = message;
    const isAlone = payload.buffer.byteLength <= payload.length + 256;
    const kept = isAlone ? payload : payload.slice();
    const came: Came = { topic, payload: kept, size: kept.length, qos, retain, time: Date.now(), properties: apart(properties) };
    this.#waiting.push(came);
    this.#waitingBytes += weightOf(came);
    if (this.#waiting.length > UNSEEN_MAX || this.#waitingBytes > BYTES_MAX) this.#gather();
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#ask();
  }

  #ask(): void {
    if (document.hidden) setTimeout(() => this.#slice(), HIDDEN_MS);
    else requestAnimationFrame(() => this.#slice());
  }

  #slice(): void {
    const until = performance.now() + SLICE_MS;
    if (this.#waiting.length > WAITING_MAX) this.#gather();
    let next = 0;
    for (; next < this.#waiting.length; next += 1) {
      if (next % 64 === 63 && performance.now() > until) break;
      this.#waitingBytes -= weightOf(this.#waiting[next]!);
      this.#take(this.#waiting[next]!, 1);
    }
    this.#waiting = this.#waiting.slice(next);
    this.frame.value += 1;
    const now = performance.now();
    if (now - this.#momentAt > LOOKED_AT_MS) {
      this.#momentAt = now;
      this.moment.value += 1;
    } else if (this.#waiting.length === 0) setTimeout(() => this.#lastMoment(now), LOOKED_AT_MS);
    this.#isAsked = this.#waiting.length > 0;
    if (this.#isAsked) this.#ask();
  }

  /** What came last is drawn, too. */
  #lastMoment(before: number): void {
    if (this.#momentAt < before) this.moment.value += 1;
  }

  #gather(): void {
    const last = new Map<string, { came: Came; messages: number }>();
    for (const came of this.#waiting) {
      const known = last.get(came.topic);
      if (known === undefined) last.set(came.topic, { came, messages: 1 });
      else {
        known.came = came;
        known.messages += 1;
      }
    }
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const { came, messages } of last.values()) this.#take(came, messages);
  }

  #take(came: Came, messages: number): void {
    if (this.isPaused.peek()) this.#held.put(came, messages);
    else this.#put(came, messages);
  }

  #put(came: Came, messages: number): void {
    this.tree.put(came, messages);
    this.histories.came(came.topic, came);
  }
}

/** What a message takes while it waits, bytes. */
function weightOf(came: Came): number {
  return came.topic.length + bytesOf(came);
}

export const watch = new TopicWatch();
