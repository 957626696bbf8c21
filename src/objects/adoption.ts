/**
 * A Topic object's part in a change of their number. Before it handles anything it fetches from the others what its topics had with
 * them: routes, and retained messages, which they then delete. So whoever publishes or subscribes first waits for it once.
 */

import type { RoutingCore } from "../routing/core.ts";
import { compareLineage, lineageOf, retainedFor, routesFor } from "../routing/move.ts";
import type { RetainedRow, RouteRow, RoutingStore } from "../routing/ports.ts";
import type { Settings } from "../settings.ts";
import { nextTopic } from "../topic/order.ts";
import { log } from "./log.ts";
import { previousTopicObjects, refuseEarlierShape, shapeHistory, shardOf, topicShard } from "./names.ts";

/** Who asks: Topic object `shard` of `topicShards`. */
export interface Adopter {
  readonly topicShards: number;
  readonly shard: number;
  /** As it will remember it. */
  readonly lineage: string;
  /** Its `shapeHistory`. */
  readonly shapes: string;
}

/** Another Topic object. */
export interface TopicPeer {
  routesFor(adopter: Adopter): Promise<RouteRow[]>;
  /**
   * @param from the least topic that is asked for
   * @param stored topics of an earlier answer, which the adopter has stored: they are deleted
   */
  retainedFor(adopter: Adopter, from: string, stored: readonly string[]): Promise<RetainedRow[]>;
}

export interface AdoptionOptions {
  readonly settings: Settings;
  readonly name: string;
  readonly store: RoutingStore;
  readonly routing: RoutingCore;
  readonly peers: (topicObject: string) => TopicPeer;
}

export class Adoption {
  readonly #settings: Settings;
  readonly #name: string;
  readonly #store: RoutingStore;
  readonly #routing: RoutingCore;
  readonly #peers: (topicObject: string) => TopicPeer;
  readonly #previous: readonly number[];
  #complete: boolean;
  #remembers: boolean;
  #underWay: Promise<void> | undefined;
  /** Its rows are for another number of Topic objects, which no setting names: only an operator can mend that. */
  readonly isMisplaced: boolean;
  /** Why this object may serve nobody. */
  #refusal: string | undefined;

  constructor({ settings, name, store, routing, peers }: AdoptionOptions) {
    this.#settings = settings;
    this.#name = name;
    this.#store = store;
    this.#routing = routing;
    this.#peers = peers;
    this.#previous = settings.previousShapes.map(({ topicShards }) => topicShards);
    const remembered = store.lineage();
    const answer = compareLineage(remembered, settings.topicShards, this.#previous);
    this.#complete = answer.kind === "same";
    this.isMisplaced = answer.kind === "unknown";
    if (answer.kind === "unknown") {
      this.#refuse(
        `there were ${answer.topicShards} Topic objects, and TOPIC_SHARDS is ${settings.topicShards}: PREVIOUS_SHAPES must name that shape`,
      );
    }
    this.#remembers = remembered !== undefined;
  }

  /** @returns undefined when this object has all that it needs; else a promise that rejects when something is out of reach */
  ready(): Promise<void> | undefined {
    if (this.#refusal !== undefined) return Promise.reject(new Error(this.#refusal));
    if (this.#complete) return undefined;
    this.#underWay ??= this.#adopt().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #adopt(): Promise<void> {
    const { topicShards } = this.#settings;
    const adopter: Adopter = {
      topicShards,
      shard: shardOf(this.#name),
      lineage: lineageOf(topicShards, this.#previous),
      shapes: shapeHistory(this.#settings),
    };
    for (const name of previousTopicObjects(this.#settings, this.#name)) {
      const peer = this.#peers(name);
      for (const route of await peer.routesFor(adopter)) this.#routing.adoptRoute(route);
      await this.#adoptRetained(peer, adopter);
    }
    this.#remember();
    this.#complete = true;
  }

  async #adoptRetained(peer: TopicPeer, adopter: Adopter): Promise<void> {
    let from = "";
    let stored: string[] = [];
    for (;;) {
      const rows = await peer.retainedFor(adopter, from, stored);
      if (rows.length === 0) return;
      for (const row of rows) if (this.#store.retained(row.topic) === undefined) this.#store.putRetained(row);
      stored = rows.map(({ topic }) => topic);
      from = nextTopic(stored.at(-1)!);
    }
  }

  /** After a batch: an object with rows remembers the shape that they are for. */
  handled(): void {
    if (!this.#remembers && (this.#routing.routeCount > 0 || this.#store.seek("") !== undefined)) this.#remember();
  }

  #remember(): void {
    this.#remembers = true;
    this.#store.putLineage(lineageOf(this.#settings.topicShards, this.#previous));
  }

  /** Another Topic object asks for the routes of its topics. What this one still believes to own and does not is for the settings to say. */
  routesFor(adopter: Adopter): RouteRow[] {
    refuseEarlierShape(this.#settings, adopter.shapes);
    if (this.#store.lineage() !== adopter.lineage && this.#store.lineage() !== undefined) this.#store.putLineage("");
    if (adopter.topicShards !== this.#settings.topicShards)
      this.#refuse("its topics have moved: it has not heard of the new TOPIC_SHARDS yet");
    return routesFor(this.#store, ownedBy(adopter));
  }

  /** Another Topic object asks for the retained messages of its topics, and says which of them it has. */
  retainedFor(adopter: Adopter, from: string, stored: readonly string[]): RetainedRow[] {
    refuseEarlierShape(this.#settings, adopter.shapes);
    for (const topic of stored) this.#store.deleteRetained(topic);
    return retainedFor(this.#store, ownedBy(adopter), from);
  }

  #refuse(problem: string): void {
    this.#refusal = problem;
    log("a Topic object serves nobody", { object: this.#name, problem });
  }
}

function ownedBy({ topicShards, shard }: Adopter): (topic: string) => boolean {
  return (topic) => topicShard({ topicShards }, topic) === shard;
}
