/**
 * Rules: who may do what, in one shape for all that brings them (the setting ACL, users, tokens, hooks, the directory). Keeps one law above
 * all: no sentence that comes out of here repeats anything of what was given, neither values nor names of unknown fields; a place is named
 * by index and field. A field that is not known is refused: it might be a condition, and the rule mean less than it says.
 *
 * **What a rule speaks of.** The first rule that speaks of what a client does, and matches, decides. `publish` and `subscribe` speak of that,
 * `receive` of what is delivered, `all` of all three; what is said of subscribing is said of receiving too. `qos` is that of PUBLISH or
 * SUBSCRIBE, `retain` that of PUBLISH: neither is looked at for what is delivered. An allowance for some QoS allows to receive, for a
 * subscription of that QoS does; a denial for some QoS says nothing of it.
 */

import * as z from "zod/mini";
import { contains, parseAddress, parseNetwork } from "../directory/network.ts";
import { PATTERN_TEXT_CHARACTERS_MAX, RULE_FILTERS_MAX } from "../login-limits.ts";
import { parsePattern } from "../pattern.ts";
import { BRIDGE_STATE } from "./bridge-state.ts";
import { type ClientFacts, hasPlaceholder, parseRuleTopic, type Template, topicProblem } from "./rule-topics.ts";

/** What a rule speaks of, as bits. */
export const PUBLISH = 1;
export const SUBSCRIBE = 2;
export const RECEIVE = 4;

/** QoS 0, 1 and 2 as bits; RETAIN 0 and 1 as bits. */
const ANY_QOS = 0b111;
const ANY_RETAIN = 0b11;

/** @returns undefined when it can't be told: then it holds in a denial and does not in an allowance */
type Condition = (client: ClientFacts) => boolean | undefined;

export interface Rule {
  /** Where it stands, for people: `ACL[2]`. */
  readonly place: string;
  readonly allows: boolean;
  /** PUBLISH, SUBSCRIBE, RECEIVE. */
  readonly speaksOf: number;
  /** A bit for each QoS. */
  readonly qos: number;
  /** 1 = RETAIN 0, 2 = RETAIN 1. */
  readonly retain: number;
  readonly filters: readonly Template[];
  /** Texts of filters with wildcards: the subscriptions with these very texts. */
  readonly exact: readonly string[];
  /** All of them must hold. */
  readonly conditions: readonly Condition[];
}

/** A list of rules. */
export interface Acl {
  readonly rules: readonly Rule[];
  /** What none of its rules speaks of is denied, instead of being left to the next list. */
  readonly closed: boolean;
}

export const NO_RULES: Acl = { rules: [], closed: false };

const ACTIONS: { readonly [name: string]: number } = {
  publish: PUBLISH,
  pub: PUBLISH,
  subscribe: SUBSCRIBE | RECEIVE,
  sub: SUBSCRIBE | RECEIVE,
  receive: RECEIVE,
  all: PUBLISH | SUBSCRIBE | RECEIVE,
};

const isOneOf = (names: readonly unknown[]) => (value: unknown) => names.includes(value);
const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isQos = isOneOf([0, 1, 2]);

/** A topic of a rule. */
export const TOPIC = z.string().check((context) => {
  const message = topicProblem(context.value);
  if (message !== undefined) context.issues.push({ code: "custom", message, input: undefined });
});
const TOPICS = z.array(TOPIC);
const NAME = z.optional(z.custom<string>(isText, "must be text that is not empty"));
const PATTERN = z.optional(
  z.custom<string>(
    (value) => isText(value) && parsePattern(value) !== undefined,
    "must be a regular expression of at most 256 characters, without references to groups and looking around",
  ),
);

const RULE = z
  .strictObject({
    permission: z.custom<"allow" | "deny">(isOneOf(["allow", "deny"]), "must be allow or deny"),
    action: z.custom<string>((value) => isText(value) && Object.hasOwn(ACTIONS, value), "must be publish, subscribe, receive or all"),
    topic: z.optional(TOPIC),
    topics: z.optional(TOPICS),
    qos: z.optional(
      z.custom<number | number[]>(
        (value) => isQos(value) || (Array.isArray(value) && value.length > 0 && value.every(isQos)),
        "must be 0, 1 or 2, or a list of them",
      ),
    ),
    retain: z.optional(z.custom<boolean | "all">(isOneOf([true, false, "all"]), 'must be true, false or "all"')),
    clientid: NAME,
    username: NAME,
    clientid_re: PATTERN,
    username_re: PATTERN,
    ipaddr: z.optional(
      z.custom<string>(
        (value) => typeof value === "string" && parseNetwork(value) !== undefined,
        "must be an address or a network, such as 192.0.2.0/24 or 2001:db8::/32",
      ),
    ),
  })
  .check((context) => {
    const message = ruleProblem(context.value);
    if (message !== undefined) context.issues.push({ code: "custom", message, input: undefined });
  });

type GivenRule = z.infer<typeof RULE>;

/** The older form of tokens: what is listed is allowed, all else is refused. */
const LISTS = z.strictObject({ pub: z.optional(TOPICS), sub: z.optional(TOPICS), all: z.optional(TOPICS) });

const RULE_FIELDS = "permission, action, topic, topics, qos, retain, clientid, username, clientid_re, username_re and ipaddr";
const LIST_FIELDS = "pub, sub and all";

/**
 * @param json a list of rules, or lists of topics `{"pub", "sub", "all"}`
 * @param place what it is called in sentences
 * @returns the rules, or at least one problem: a sentence that names place and field and quotes nothing
 */
export function parseAcl(json: unknown, place: string): { readonly acl: Acl; readonly problems: readonly string[] } {
  const isList = Array.isArray(json);
  const result = isList ? z.array(RULE).safeParse(json) : LISTS.safeParse(json);
  if (!result.success) {
    const fields = isList ? RULE_FIELDS : LIST_FIELDS;
    return { acl: NO_RULES, problems: result.error.issues.map((issue) => sentenceOf(place, issue, fields)) };
  }
  const acl = Array.isArray(result.data)
    ? { rules: result.data.flatMap((given, index) => ruleOf(given, `${place}[${index}]`)), closed: false }
    : listsOf(result.data, place);
  const filters = acl.rules.reduce((count, rule) => count + rule.filters.length + rule.exact.length, 0);
  const problems = filters > RULE_FILTERS_MAX ? [`${place} has more than ${RULE_FILTERS_MAX} topics.`] : [];
  return { acl: problems.length > 0 ? NO_RULES : acl, problems };
}

/** @param text JSON; blank = no rules */
export function parseAclText(text: string, place: string): { readonly acl: Acl; readonly problems: readonly string[] } {
  if (text.trim() === "") return { acl: NO_RULES, problems: [] };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { acl: NO_RULES, problems: [`${place} is not valid JSON: a list of rules {"permission", "action", "topics"} was expected.`] };
  }
  return parseAcl(json, place);
}

/** What is listed may be published. @param topics without problems */
export function allowPublish(topics: readonly string[], place: string): readonly Rule[] {
  return allowance(ACTIONS.publish!, topics, place);
}

/** What is listed may be subscribed to and received. @param topics without problems */
export function allowSubscribe(topics: readonly string[], place: string): readonly Rule[] {
  return allowance(ACTIONS.subscribe!, topics, place);
}

function allowance(speaksOf: number, topics: readonly string[], place: string): readonly Rule[] {
  return withBridge(topics, {
    place,
    allows: true,
    speaksOf,
    qos: ANY_QOS,
    retain: ANY_RETAIN,
    ...topicsOf(topics),
    conditions: [],
  });
}

/** Whether it says the same to all clients. */
export function isForAll({ filters, conditions }: Rule): boolean {
  return conditions.length === 0 && !filters.some(hasPlaceholder);
}

/** Whether it speaks to this client. */
export function speaksTo({ allows, conditions }: Rule, client: ClientFacts): boolean {
  return conditions.every((condition) => condition(client) ?? !allows);
}

/**
 * The sentence for something that zod found: its own messages may quote what they found.
 * @param fields those that are known
 */
export function sentenceOf(place: string, issue: z.core.$ZodIssue, fields: string): string {
  const subject = place + issue.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  if (issue.code === "custom") return `${subject} ${issue.message}.`;
  if (issue.code === "unrecognized_keys") return `${subject} has an unknown field: ${fields} are known.`;
  if (issue.code !== "invalid_type") return `${subject} is not valid.`;
  if (issue.expected === "array") return `${subject} must be an array.`;
  return `${subject} must be ${issue.expected === "object" ? `an object with ${fields}` : `a ${issue.expected}`}.`;
}

/** What no single field shows. */
function ruleProblem({ action, topic, topics, qos, retain }: GivenRule): string | undefined {
  if ((topic === undefined) === (topics === undefined)) return "must have either topic or topics";
  if (topics?.length === 0) return "must have a topic";
  if (ACTIONS[action] === RECEIVE && (qos !== undefined || retain !== undefined))
    return "is about receiving, where qos and retain are not looked at";
  const speaksOfSubscribing = (ACTIONS[action]! & SUBSCRIBE) !== 0;
  const isExact = (text: string): boolean => parseRuleTopic(text).kind === "exact";
  if (!speaksOfSubscribing && (topics ?? [topic!]).some(isExact)) return "has wildcards behind eq, which only a SUBSCRIBE can have";
  return undefined;
}

function ruleOf(given: GivenRule, place: string): readonly Rule[] {
  const allows = given.permission === "allow";
  const topics = given.topics ?? [given.topic!];
  const qos = given.qos === undefined ? ANY_QOS : [given.qos].flat().reduce((bits, each) => bits | (1 << each), 0);
  const retain = typeof given.retain === "boolean" ? (given.retain ? 2 : 1) : ANY_RETAIN;
  const action = ACTIONS[given.action]!;
  const speaksOf = !allows && qos !== ANY_QOS ? action & ~RECEIVE : action;
  return withBridge(topics, { place, allows, speaksOf, qos, retain, ...topicsOf(topics), conditions: conditionsOf(given) });
}

function listsOf({ pub = [], sub = [], all = [] }: z.infer<typeof LISTS>, place: string): Acl {
  const rules = [
    ...allowance(ACTIONS.publish!, pub, `${place}.pub`),
    ...allowance(ACTIONS.subscribe!, sub, `${place}.sub`),
    ...allowance(ACTIONS.all!, all, `${place}.all`),
  ];
  return { rules, closed: true };
}

function topicsOf(topics: readonly string[]): Pick<Rule, "filters" | "exact"> {
  const parsed = topics.map(parseRuleTopic);
  return {
    filters: parsed.flatMap((topic) => (topic.kind === "filter" ? [topic.template] : [])),
    exact: parsed.flatMap((topic) => (topic.kind === "exact" ? [topic.filter] : [])),
  };
}

/** Who may publish everything may be a bridge, which tells of itself. */
function withBridge(topics: readonly string[], rule: Rule): readonly Rule[] {
  if (!rule.allows || (rule.speaksOf & PUBLISH) === 0 || !topics.includes("#")) return [rule];
  return [rule, { ...rule, speaksOf: PUBLISH, filters: [BRIDGE_STATE.split("/")], exact: [] }];
}

function conditionsOf({ clientid, username, clientid_re, username_re, ipaddr }: GivenRule): readonly Condition[] {
  const conditions: Condition[] = [];
  if (clientid !== undefined) conditions.push(({ clientId }) => clientId === clientid);
  if (username !== undefined) conditions.push(({ userName }) => userName === username);
  if (ipaddr !== undefined) conditions.push(isWithin(ipaddr));
  if (clientid_re !== undefined) conditions.push(isLike(clientid_re, ({ clientId }) => clientId));
  if (username_re !== undefined) conditions.push(isLike(username_re, ({ userName }) => userName));
  return conditions;
}

function isWithin(text: string): Condition {
  const network = parseNetwork(text)!;
  return ({ address }) => {
    const parsed = parseAddress(address);
    return parsed === undefined ? undefined : contains(network, parsed);
  };
}

/** Somebody without a name is like no pattern. */
function isLike(source: string, of: (client: ClientFacts) => string | undefined): Condition {
  const pattern = parsePattern(source)!;
  return (client) => {
    const text = of(client);
    if (text === undefined) return false;
    return text.length > PATTERN_TEXT_CHARACTERS_MAX ? undefined : pattern(text);
  };
}
