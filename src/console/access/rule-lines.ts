/**
 * Rules as lines that a person writes, one for each: `allow publish home/#`, `deny all secret/# qos=0`. A topic that has blanks, or would be taken
 * for something else, stands in quotes. What lines say is what the broker keeps as JSON, and the other way round.
 */

/** As the HTTP API has it. */
export interface Rule {
  readonly permission: string;
  readonly action: string;
  readonly topic?: string;
  readonly topics?: readonly string[];
  readonly qos?: number | readonly number[];
  readonly retain?: boolean | "all";
  readonly clientid?: string;
  readonly username?: string;
  readonly clientid_re?: string;
  readonly username_re?: string;
  readonly ipaddr?: string;
}

const TEXTS = ["clientid", "username", "clientid_re", "username_re", "ipaddr"] as const;
const CONDITION = /^(qos|retain|clientid|username|clientid_re|username_re|ipaddr)=(.*)$/s;
const PERMISSIONS = ["allow", "deny"];
const ACTIONS = ["publish", "subscribe", "receive", "all"];
const SHORT_ACTIONS: Readonly<Record<string, string>> = { pub: "publish", sub: "subscribe" };

/** Words of a line, apart at blanks; one in quotes is JSON. */
const WORD = /(?:[^\s"]|"(?:[^"\\]|\\.)*")+/g;

export function linesOf(rules: readonly Rule[]): string {
  return rules.map(lineOf).join("\n");
}

function lineOf(rule: Rule): string {
  const { permission, action, topic, topics = topic === undefined ? [] : [topic], qos, retain } = rule;
  const conditions = TEXTS.flatMap((name) => (rule[name] === undefined ? [] : [`${name}=${written(rule[name])}`]));
  if (retain !== undefined && retain !== "all") conditions.unshift(`retain=${retain}`);
  if (qos !== undefined) conditions.unshift(`qos=${[qos].flat().join(",")}`);
  return [permission, SHORT_ACTIONS[action] ?? action, ...topics.map(writtenTopic), ...conditions].join(" ");
}

function written(text: string): string {
  return text === "" || /[\s"]/.test(text) ? JSON.stringify(text) : text;
}

function writtenTopic(topic: string): string {
  return CONDITION.test(topic) || topic === "eq" ? JSON.stringify(topic) : written(topic);
}

/** Rules, and the line of each, from 1; or what is wrong with a line, in a sentence. */
export type Parsed = { readonly rules: readonly Rule[]; readonly lines: readonly number[] } | { readonly problem: string };

export function parseLines(text: string): Parsed {
  const rules: Rule[] = [];
  const lines: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const rule = parseLine(line);
    if (typeof rule === "string") return { problem: `Line ${index + 1} ${rule}.` };
    rules.push(rule);
    lines.push(index + 1);
  }
  return { rules, lines };
}

/** @returns what is wrong with it, as the end of a sentence */
function parseLine(line: string): Rule | string {
  // What belongs to no word is a quotation mark, and what stands behind it.
  if (line.replace(WORD, "").trim() !== "") return "has a quotation mark that is not closed";
  const words = line.match(WORD) ?? [];
  const [permission = "", action = "", ...rest] = words;
  if (!PERMISSIONS.includes(permission)) return `must begin with ${PERMISSIONS.join(" or ")}`;
  const known = SHORT_ACTIONS[action] ?? action;
  if (!ACTIONS.includes(known)) return `must have ${ACTIONS.slice(0, -1).join(", ")} or ${ACTIONS.at(-1)} behind ${permission}`;
  const topics: string[] = [];
  const conditions: Record<string, unknown> = {};
  let isLiteral = false;
  for (const word of rest) {
    const [, name, value] = CONDITION.exec(word) ?? [];
    if (name === undefined) {
      const topic = read(word);
      if (topic === undefined) return "has a quoted text that can't be read";
      // A filter that is meant literally: it is one text.
      if (isLiteral) topics.push(`eq ${topic}`);
      else if (word !== "eq") topics.push(topic);
      isLiteral = word === "eq";
      continue;
    }
    const meant = meaningOf(name, value!);
    if (meant === undefined) return `must have ${name === "qos" ? "0, 1 or 2, or several with commas," : "true or false"} behind ${name}=`;
    conditions[name] = meant;
  }
  if (topics.length === 0) return "must name a topic filter";
  return { permission, action: known, topics, ...conditions } as Rule;
}

function meaningOf(name: string, value: string): unknown {
  if (name === "qos") {
    const all = value.split(",");
    return all.every((each) => /^[012]$/.test(each)) ? all.map(Number) : undefined;
  }
  if (name === "retain") return { true: true, false: false }[value];
  return read(value);
}

function read(word: string): string | undefined {
  if (!word.includes('"')) return word;
  try {
    const text: unknown = JSON.parse(word);
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
}
