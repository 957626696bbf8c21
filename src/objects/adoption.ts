/**
 * A Topic object's part in a change of their number, or of the topics that have one of their own. Before it handles anything it fetches from the
 * others what its topics had with them: routes, and retained messages, which they then delete. So whoever publishes or subscribes first
 * waits for it once.
 */

import type { RoutingCore } from "../routing/core.ts";
import { compareLineage, givenLineage, isGiven, latestOf, lineageOf, type Part, retainedFor, routesFor } from "../routing/move.ts";
import type { RetainedRow, RouteRow, RoutingStore } from "../routing/ports.ts";
import type { Settings } from "../settings.ts";
import type { TopicShape } from "../shape-settings.ts";
import { nextTopic } from "../topic/order.ts";
import { log } from "./log.ts";
import {
  isAlikeFor,
  isConcerned,
  namespaceOf,
  previousTopicObjects,
  refuseEarlierShape,
  shapeHistory,
  topicNumber,
  topicObjectOf,
  topicShapeOf,
  topicShard,
  topicsText,
} from "./names.ts";

/** Who asks, and which Topic objects it knows. */
export interface Adopter extends TopicShape {
  /** Its name. */
  readonly object: string;
  /** As it will remember it. */
  readonly lineage: string;
  /** Its `shapeHistory`. */
  readonly shapes: string;
}

/** Rows are for other Topic objects, which no setting names: only an operator can mend that. */
export class Misplaced extends Error {}

/** Another Topic object. */
export interface TopicPeer {
  /** @returns or in a sentence why it is misplaced itself */
  giveRoutes(adopter: Adopter): Promise<RouteRow[] | string>;
  /**
   * @param from the least topic that is asked for
   * @param stored topics of an earlier answer, which the adopter has stored: they are deleted
   */
  giveRetained(adopter: Adopter, from: string, stored: readonly string[]): Promise<RetainedRow[]>;
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
  /** What it will remember. */
  readonly #lineage: string;
  #complete: boolean;
  #remembers: boolean;
  #underWay: Promise<void> | undefined;
  readonly #isMisplaced: boolean;
  /** Why this object may serve nobody. */
  #refusal: string | undefined;
  /** What was said of another one that is misplaced. */
  #told = "";

  constructor({ settings, name, store, routing, peers }: AdoptionOptions) {
    this.#settings = settings;
    this.#name = name;
    this.#store = store;
    this.#routing = routing;
    this.#peers = peers;
    const present = topicsText(settings);
    const previous = settings.previousShapes.map(topicsText);
    this.#lineage = lineageOf(present, previous);
    const remembered = store.lineage();
    const answer = compareLineage(remembered, present, previous, (one, other) => isAlikeFor(settings, name, one, other));
    // One that has a topic alone asks the one that would have it else, though no setting says that it had.
    const isNew = !remembered && topicNumber(settings, name) >= settings.topicShards;
    this.#complete = answer.kind === "same" && !isNew;
    this.#isMisplaced = answer.kind === "unknown";
    if (answer.kind === "unknown") this.#refuse(misplaced(answer.before, settings));
    // A former build that gave to others has left nothing there by which a change is noticed.
    this.#remembers = remembered !== undefined && remembered !== "";
  }

  /** Why it handles nothing any more, also of what is inside already: another object may have its routes by now. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** @returns undefined when this object has all that it needs; else a promise that rejects when something is out of reach, or with Misplaced */
  ready(): Promise<void> | undefined {
    if (this.#refusal !== undefined) return Promise.reject(this.#isMisplaced ? new Misplaced(this.#refusal) : new Error(this.#refusal));
    if (this.#complete) return undefined;
    this.#underWay ??= this.#adopt().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #adopt(): Promise<void> {
    const { topicShards, topicsWithObject } = this.#settings;
    const shapes = shapeHistory(this.#settings);
    const adopter: Adopter = { topicShards, topicsWithObject, object: this.#name, lineage: this.#lineage, shapes };
    for (const name of previousTopicObjects(this.#settings, this.#name)) {
      const peer = this.#peers(name);
      const routes = await peer.giveRoutes(adopter);
      if (typeof routes === "string") throw this.#misplacedBy(routes);
      for (const route of routes) this.#routing.adoptRoute(route);
      await this.#adoptRetained(peer, adopter);
    }
    this.#remember();
    this.#complete = true;
  }

  /** It may have heard of other settings by the next time. */
  #misplacedBy(problem: string): Misplaced {
    if (this.#told !== problem) log("a Topic object serves nobody", { object: this.#name, problem });
    this.#told = problem;
    return new Misplaced(problem);
  }

  async #adoptRetained(peer: TopicPeer, adopter: Adopter): Promise<void> {
    let from = "";
    let stored: string[] = [];
    for (;;) {
      const rows = await peer.giveRetained(adopter, from, stored);
      if (rows.length === 0) return;
      for (const row of rows) if (this.#store.retained(row.topic) === undefined) this.#store.putRetained(row);
      stored = rows.map(({ topic }) => topic);
      from = nextTopic(stored.at(-1)!);
    }
  }

  /** After a batch: an object with rows remembers the shape that they are for. */
  handled(): void {
    if (this.#refusal === undefined && !this.#remembers && (this.#routing.routeCount > 0 || this.#store.seek("") !== undefined))
      this.#remember();
  }

  #remember(): void {
    this.#remembers = true;
    this.#store.putLineage(this.#lineage);
  }

  /** Another Topic object asks for the routes of its topics. What this one still believes to own and does not is for the settings to say. */
  giveRoutes(adopter: Adopter): RouteRow[] | string {
    refuseEarlierShape(this.#settings, adopter.shapes);
    if (this.#isMisplaced) return this.#refusal!;
    this.#gives(adopter);
    if (topicsText(adopter) !== topicsText(this.#settings))
      this.#refuse("its topics have moved: it has not heard of the new TOPIC_SHARDS or TOPICS_WITH_OBJECT yet");
    return routesFor(this.#store, partOf(adopter));
  }

  /** What it has is for other Topic objects from now on. */
  #gives(adopter: Adopter): void {
    const remembered = this.#store.lineage();
    if (remembered === adopter.lineage) return;
    const { only } = partOf(adopter);
    const { topicShards } = adopter;
    const before = remembered === undefined ? `${topicShards}` : latestOf(remembered);
    const isHome =
      only !== undefined &&
      !(remembered !== undefined && isGiven(remembered)) &&
      topicShapeOf(before).topicShards === topicShards &&
      this.#name === topicObjectOf({ topicShards, topicsWithObject: [] }, namespaceOf(this.#name), only);
    if (!isHome) {
      const isOne = topicNumber(adopter, this.#name) >= 0;
      if (remembered !== undefined) this.#store.putLineage(givenLineage(remembered, topicsText(adopter), isOne));
    } else if (before !== topicsText(adopter)) {
      // Should the topic be taken from the list, and PREVIOUS_SHAPES not say so, this one notices.
      this.#store.putLineage(topicsText(adopter));
      this.#remembers = true;
    }
  }

  /** Another Topic object asks for the retained messages of its topics, and says which of them it has. */
  giveRetained(adopter: Adopter, from: string, stored: readonly string[]): RetainedRow[] {
    refuseEarlierShape(this.#settings, adopter.shapes);
    for (const topic of stored) this.#store.deleteRetained(topic);
    return retainedFor(this.#store, partOf(adopter), from);
  }

  #refuse(problem: string): void {
    this.#refusal = problem;
    log("a Topic object serves nobody", { object: this.#name, problem });
  }
}

/** What an adopter has to do with. */
function partOf(adopter: Adopter): Part {
  const number = topicNumber(adopter, adopter.object);
  return {
    owns: (topic) => topicShard(adopter, topic) === number,
    only: adopter.topicsWithObject[number - adopter.topicShards],
    isConcerned: (filter) => isConcerned(adopter, number, filter),
  };
}

/** @param before the `topicsText` of the Topic objects that there were */
function misplaced(before: string, settings: Settings): string {
  const present = topicsText(settings);
  const areNumbers = !before.includes("+") && !present.includes("+");
  const change = areNumbers
    ? `there were ${before} Topic objects, and TOPIC_SHARDS is ${present}`
    : `TOPIC_SHARDS and TOPICS_WITH_OBJECT were ${inWords(before)}, and are ${inWords(present)}`;
  return `${change}: PREVIOUS_SHAPES must name that shape`;
}

function inWords(text: string): string {
  const { topicShards, topicsWithObject } = topicShapeOf(text);
  return `${topicShards} and ${JSON.stringify(topicsWithObject.join())}`;
}
