/**
 * What one client may do: its rules with all placeholders filled in, made once and asked for every message. To ask for a message makes
 * nothing new in memory.
 *
 * **A filter is a set of topics.** It is allowed exactly when each topic that it matches is: when of each of them the first rule that speaks
 * of it allows. So a denial matters unless what it has in common with the filter is allowed by rules before it, and together the rules must
 * allow all of the filter. `$` topics are matched by no wildcard, so that only a rule that begins with that very level allows them.
 */

import type { QoS } from "../mqtt/packet.ts";
import { isSystemTopic } from "../topic/name.ts";
import { coversLevels, coversTogether, levelsOf, overlap } from "./covers.ts";
import { type ClientFacts, fill } from "./rule-topics.ts";
import { isForAll, PUBLISH, RECEIVE, type Rule, SUBSCRIBE, speaksTo } from "./rules.ts";

/** A Topic Filter, ready to be held against topics and filters. */
interface Topics {
  readonly levels: readonly string[];
  /** Of a filter without wildcards: the one topic. */
  readonly only: string | undefined;
}

/** A rule for one client. */
interface Ruling {
  readonly allows: boolean;
  readonly speaksOf: number;
  readonly qos: number;
  readonly retain: number;
  readonly topics: readonly Topics[];
  readonly exact: readonly string[];
}

/** What no rule speaks of: denied, allowed but for `$` topics, or allowed. */
export type Otherwise = "nothing" | "ordinary" | "everything";

const SLASH = 0x2f;

export class Rights {
  /** Whether something that a subscription brings may be denied: only then deliveries are looked at. */
  readonly limitsReceive: boolean;
  readonly #publish: readonly Ruling[];
  readonly #subscribe: readonly Ruling[];
  readonly #receive: readonly Ruling[];
  readonly #otherwise: Otherwise;

  /** @param rules of all lists, one behind the other */
  constructor(rules: readonly Rule[], client: ClientFacts, otherwise: Otherwise) {
    const rulings = rules.filter((rule) => speaksTo(rule, client)).map((rule) => rulingOf(rule, client));
    const about = (what: number): readonly Ruling[] => rulings.filter(({ speaksOf }) => (speaksOf & what) !== 0);
    this.#publish = about(PUBLISH);
    this.#subscribe = about(SUBSCRIBE);
    this.#receive = about(RECEIVE).map(withExact);
    this.#otherwise = otherwise;
    // A denial of subscribing as well has kept the subscription out: all of a filter that was let in is allowed by rules before the denial.
    const denies = rulings.some(({ allows, speaksOf }) => !allows && speaksOf === RECEIVE);
    // Somebody who may receive nothing, such as a user who was removed, may have subscriptions of an earlier time.
    this.limitsReceive = denies || (otherwise === "nothing" && !this.#receive.some(({ allows }) => allows));
  }

  mayPublish(topic: string, qos: QoS, retain: boolean): boolean {
    const retainBit = retain ? 2 : 1;
    for (const ruling of this.#publish) {
      const isMeant = (ruling.qos & (1 << qos)) !== 0 && (ruling.retain & retainBit) !== 0;
      if (isMeant && matchesAny(ruling.topics, topic)) return ruling.allows;
    }
    return this.#isOtherwise(topic);
  }

  mayReceive(topic: string): boolean {
    for (const { topics, allows } of this.#receive) if (matchesAny(topics, topic)) return allows;
    return this.#isOtherwise(topic);
  }

  maySubscribe(filter: string, qos: QoS): boolean {
    const asked = levelsOf(filter);
    const allowed: (readonly string[])[] = [];
    for (const ruling of this.#subscribe) {
      if ((ruling.qos & (1 << qos)) === 0) continue;
      const isExact = ruling.exact.includes(filter);
      if (ruling.allows) {
        if (isExact || ruling.topics.some(({ levels }) => coversLevels(levels, asked))) return true;
        for (const { levels } of ruling.topics) allowed.push(levels);
      } else if (isExact ? !coversTogether(allowed, asked) : deniesAny(ruling.topics, asked, allowed)) return false;
    }
    return this.#isOtherwise(filter) || coversTogether(allowed, asked);
  }

  #isOtherwise(topic: string): boolean {
    return this.#otherwise === "ordinary" ? !isSystemTopic(topic) : this.#otherwise === "everything";
  }
}

/** Whether a denial has something of the filter that no rule before it allows. */
function deniesAny(denied: readonly Topics[], asked: readonly string[], allowed: readonly (readonly string[])[]): boolean {
  return denied.some(({ levels }) => {
    const common = overlap(levels, asked);
    return common !== undefined && !coversTogether(allowed, common);
  });
}

/** Of rules that say the same to all clients: they are made once, however many clients there are. */
const shared = new WeakMap<Rule, Ruling>();

function rulingOf(rule: Rule, client: ClientFacts): Ruling {
  if (!isForAll(rule)) return filled(rule, client);
  const ruling = shared.get(rule) ?? filled(rule, client);
  shared.set(rule, ruling);
  return ruling;
}

function filled(rule: Rule, client: ClientFacts): Ruling {
  const { allows, speaksOf, qos, retain, filters, exact } = rule;
  const all = filters.map((template) => fill(template, client, !allows)).filter((levels) => levels !== undefined);
  const topics = all.map((levels) => ({ levels, only: isSingle(levels) ? levels.join("/") : undefined }));
  return { allows, speaksOf, qos, retain, topics, exact };
}

/** Who may have a subscription by its text gets what comes for it; to deny one by its text says nothing of what is delivered. */
function withExact(ruling: Ruling): Ruling {
  const { allows, topics, exact } = ruling;
  return allows && exact.length > 0 ? { ...ruling, topics: [...topics, ...exact.map(topicsOf)] } : ruling;
}

function topicsOf(filter: string): Topics {
  return { levels: levelsOf(filter), only: undefined };
}

function isSingle(levels: readonly string[]): boolean {
  return !levels.includes("+") && levels.at(-1) !== "#";
}

function matchesAny(topics: readonly Topics[], topic: string): boolean {
  for (const each of topics) if (each.only === undefined ? matchesLevels(each.levels, topic) : each.only === topic) return true;
  return false;
}

/** `matches` of topic/filter.ts, without taking the topic apart. */
function matchesLevels(levels: readonly string[], topic: string): boolean {
  // [MQTT5-4.7.2-1] [MQTT311-4.7.2-1]
  if (levels[0] === "+" && isSystemTopic(topic)) return false;
  /** Where the next level begins; behind the end when there is none. */
  let at = 0;
  for (const level of levels) {
    // Before the end is looked for: `a/#` matches `a` too [5.0/4.7.1/parent].
    if (level === "#") return true;
    if (at > topic.length) return false;
    if (level === "+") {
      const slash = topic.indexOf("/", at);
      at = slash === -1 ? topic.length + 1 : slash + 1;
    } else {
      const end = at + level.length;
      if (!topic.startsWith(level, at) || (end < topic.length && topic.charCodeAt(end) !== SLASH)) return false;
      at = end + 1;
    }
  }
  return at > topic.length;
}
