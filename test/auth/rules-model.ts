/**
 * Rights as one would explain them, without any cleverness: a small world of names, all topics in it, and for each topic the first rule that
 * speaks of it. What the broker says about filters is held against all topics that they match. Rules are random ones of the shape that
 * people write.
 */

import { matches } from "../../src/topic/filter.ts";

export interface ModelRule {
  readonly permission: "allow" | "deny";
  readonly action: "publish" | "subscribe" | "receive" | "all";
  readonly topics: readonly string[];
  readonly qos?: readonly number[];
  readonly retain?: boolean | "all";
  readonly clientid?: string;
  readonly username?: string;
  readonly clientid_re?: string;
  readonly username_re?: string;
  readonly ipaddr?: string;
}

export interface ModelClient {
  readonly clientId: string;
  readonly userName: string | undefined;
  readonly address: string;
  /** "superuser" in place of rules: may do everything. */
  readonly own: readonly ModelRule[] | "superuser";
  readonly claims: Readonly<Record<string, string>>;
}

export interface ModelCase {
  readonly client: ModelClient;
  readonly acl: readonly ModelRule[];
  readonly noMatch: "allow" | "deny";
}

/** Names of levels: those of rules, what clients are called, and one that no rule names. */
const NAMES = ["a", "b", "", "$s", "me", "other"];
const DEPTH = 4;
/** Beyond the longest filter of a rule by one, so that what goes on for ever is told from what ends. */
export const TOPICS: readonly string[] = topicsOf(DEPTH);

const ANONYMOUS_NAMES = [undefined, "a", "me", "b/c", "+", ""];
const ADDRESSES = ["10.0.0.1", "10.1.0.1", "2001:db8::1", ""];
const FILTERS: readonly string[] = filtersOf();
const PLACEHOLDERS = ["%c", "%u", "${clientid}", "${username}", "${claim.role}", "${client_attrs.role}"];

export type Random = () => number;

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomCase(random: Random): ModelCase {
  const claims: Record<string, string> = random() < 0.5 ? { role: pick(random, ["a", "me", "b/c", "", "$s"]) } : {};
  const client: ModelClient = {
    clientId: pick(random, ["me", "me", "a", "b", "$s", "a/b", "#", ""]),
    userName: pick(random, ANONYMOUS_NAMES),
    address: pick(random, ADDRESSES),
    own: random() < 0.02 ? "superuser" : rulesOf(random, 5),
    claims,
  };
  return { client, acl: random() < 0.5 ? [] : rulesOf(random, 3), noMatch: random() < 0.3 ? "allow" : "deny" };
}

export function randomFilter(random: Random, { client, acl }: ModelCase): string {
  const rules = [...(client.own === "superuser" ? [] : client.own), ...acl];
  if (random() < 0.05) return `${pick(random, ["a", "+", "me"])}/#`;
  // Often one that a rule names, or a little beside.
  if (rules.length > 0 && random() < 0.4) {
    const topic = pick(random, pick(random, rules).topics).replace(/^eq /, "");
    const filled = topic.split("/").map((level) => (PLACEHOLDERS.includes(level) ? pick(random, ["me", "a", "+"]) : level));
    return filled.join("/") === "" ? "+" : filled.join("/");
  }
  return pick(random, FILTERS);
}

/** What the model says to all questions about one case. */
export class Model {
  readonly #rules: readonly ModelRule[];
  readonly #client: ModelClient;
  readonly #noMatch: "allow" | "deny";

  constructor({ client, acl, noMatch }: ModelCase) {
    this.#rules = [...(client.own === "superuser" ? [] : client.own), ...acl].filter((rule) => this.#speaksTo(rule, client));
    this.#client = client;
    this.#noMatch = noMatch;
  }

  mayPublish(topic: string, qos: number, retain: boolean): boolean {
    return this.#first(topic, (rule) => {
      const isAbout = rule.action === "publish" || rule.action === "all";
      const isRetain = rule.retain === undefined || rule.retain === "all" || rule.retain === retain;
      return isAbout && isRetain && (rule.qos?.includes(qos) ?? true) ? this.#has(rule, topic) : false;
    });
  }

  /** Each topic that the filter matches must be allowed; a rule with this very filter behind `eq ` speaks of all of them. */
  maySubscribe(filter: string, qos: number): boolean {
    const isAllowed = (topic: string): boolean =>
      this.#first(topic, (rule) => {
        const isAbout = (rule.action === "subscribe" || rule.action === "all") && (rule.qos?.includes(qos) ?? true);
        return isAbout && (rule.topics.includes(`eq ${filter}`) || this.#has(rule, topic));
      });
    return matchedBy(filter).every(isAllowed);
  }

  mayReceive(topic: string): boolean {
    return this.#first(topic, (rule) => {
      if (rule.action === "publish") return false;
      if (rule.permission === "allow" && rule.topics.some((each) => each.startsWith("eq ") && matches(each.slice(3), topic))) return true;
      const isOfSomeQos = rule.permission === "deny" && rule.qos !== undefined && new Set(rule.qos).size < 3;
      return !isOfSomeQos && this.#has(rule, topic);
    });
  }

  #first(topic: string, speaks: (rule: ModelRule) => boolean): boolean {
    if (this.#client.own === "superuser") return true;
    const rule = this.#rules.find(speaks);
    return rule === undefined ? this.#noMatch === "allow" && !topic.startsWith("$") : rule.permission === "allow";
  }

  #has(rule: ModelRule, topic: string): boolean {
    return rule.topics.some((text) => {
      if (text.startsWith("eq ")) return text.slice(3) === topic;
      const filter = this.#filled(text, rule.permission === "deny");
      return filter !== undefined && matches(filter, topic);
    });
  }

  #filled(text: string, isDenial: boolean): string | undefined {
    const { clientId, userName, claims } = this.#client;
    let reach = "";
    const levels = text.split("/").map((level, index) => {
      if (!PLACEHOLDERS.includes(level)) return level;
      const value = /%c|clientid/.test(level) ? clientId : /%u|username/.test(level) ? (userName ?? "") : (claims.role ?? "");
      const isOdd = value === "" || /[/+#]/.test(value);
      if (isOdd || (index === 0 && value.startsWith("$") && !isDenial)) reach = "nobody's";
      return isDenial && isOdd ? "+" : value;
    });
    return reach !== "" && !isDenial ? undefined : levels.join("/");
  }

  #speaksTo(rule: ModelRule, { clientId, userName, address }: ModelClient): boolean {
    if (rule.clientid !== undefined && rule.clientid !== clientId) return false;
    if (rule.username !== undefined && rule.username !== userName) return false;
    if (rule.clientid_re !== undefined && !new RegExp(rule.clientid_re, "u").test(clientId)) return false;
    if (rule.username_re !== undefined && (userName === undefined || !new RegExp(rule.username_re, "u").test(userName))) return false;
    if (rule.ipaddr === undefined) return true;
    // Where nobody knows where a client is, denials hold and allowances do not.
    if (address === "") return rule.permission === "deny";
    return rule.ipaddr === "10.0.0.0/16" ? address === "10.0.0.1" : address === "2001:db8::1";
  }
}

const matched = new Map<string, readonly string[]>();

export function matchedBy(filter: string): readonly string[] {
  const topics = matched.get(filter) ?? TOPICS.filter((topic) => matches(filter, topic));
  matched.set(filter, topics);
  return topics;
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

function rulesOf(random: Random, max: number): readonly ModelRule[] {
  return Array.from({ length: Math.floor(random() * (max + 1)) }, () => ruleOf(random));
}

function ruleOf(random: Random): ModelRule {
  const action = pick(random, ["publish", "subscribe", "subscribe", "receive", "all", "all"] as const);
  const permission = random() < 0.6 ? "allow" : "deny";
  const some = <T>(value: T, chance: number): T | undefined => (random() < chance ? value : undefined);
  const conditions = {
    qos: action === "receive" ? undefined : some(pick(random, [[0], [1], [0, 1], [1, 2], [0, 1, 2]]), 0.2),
    retain: action === "receive" ? undefined : some(pick(random, [true, false, "all"] as const), 0.2),
    clientid: some(pick(random, ["me", "a"]), 0.1),
    username: some(pick(random, ["me", "a"]), 0.1),
    clientid_re: some(pick(random, ["^m", "b$", "^(me|a)$"]), 0.1),
    username_re: some(pick(random, ["^m", "c$", "."]), 0.1),
    ipaddr: some(pick(random, ["10.0.0.0/16", "2001:db8::/32"]), 0.15),
  };
  const given = Object.fromEntries(Object.entries(conditions).filter(([, value]) => value !== undefined));
  const several = Array.from({ length: random() < 0.75 ? 1 : 3 }, () => topicOf(random, action === "subscribe" || action === "all"));
  const topics = random() < 0.06 ? ladder(random) : several;
  return { permission, action, topics, ...given };
}

/** What together is a whole tree, now and then without a rung. */
function ladder(random: Random): readonly string[] {
  const base = pick(random, ["a", "+", "me"]);
  const rungs = [base, `${base}/+`, `${base}/+/+`, `${base}/+/+/#`];
  return random() < 0.3 ? rungs.filter(() => random() < 0.8).concat(base) : rungs;
}

function topicOf(random: Random, mayBeExact: boolean): string {
  const filter = pick(random, FILTERS);
  if (random() < 0.1) return mayBeExact || !/[+#]/.test(filter) ? `eq ${filter}` : "eq a/b";
  if (random() > 0.2) return filter;
  const levels = filter.split("/");
  const at = Math.floor(random() * levels.length);
  const placeholder = pick(random, PLACEHOLDERS);
  return levels[at] === "#" ? filter : levels.with(at, placeholder).join("/");
}

function topicsOf(depth: number): string[] {
  let longest = [...NAMES];
  const all = [...longest];
  for (let count = 2; count <= depth; count++) {
    longest = longest.flatMap((text) => NAMES.map((name) => `${text}/${name}`));
    all.push(...longest);
  }
  return all.filter((text) => text !== "");
}

/** Few names, so that they meet, up to three levels. */
function filtersOf(): string[] {
  const levels = ["a", "b", "+", "+", "me"];
  const one = [...levels, "", "$s"];
  const two = one.flatMap((first) => levels.map((second) => `${first}/${second}`));
  const three = two.flatMap((first) => ["a", "+"].map((third) => `${first}/${third}`));
  const plain = [...one.filter((text) => text !== ""), ...two, ...two, ...three];
  const deep = [...one, ...one, ...two].map((text) => `${text}/#`);
  return [...plain, ...deep, ...Array<string>(12).fill("#"), "+/+/+", "+/+/#"];
}
