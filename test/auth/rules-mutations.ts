/**
 * Mistakes that somebody could make in what decides about rights, each as a replacement of text in a copy of the source, and the model as
 * what has to find them. A text that is not there exactly once is an error: the source has moved on, and so must the list.
 */

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../../scripts/build/bundle.ts";

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const RIGHTS = "src/auth/rights.ts";
const RULES = "src/auth/rules.ts";
const TOPICS = "src/auth/rule-topics.ts";
const COVERS = "src/auth/covers.ts";
const AUTHORIZER = "src/auth/rules-authorizer.ts";

export const RIGHTS_MUTATIONS: readonly Mutation[] = [
  {
    name: "ACL before the rules of the login",
    file: AUTHORIZER,
    find: "[...acl.rules, ...this.#acl.rules]",
    replace: "[...this.#acl.rules, ...acl.rules]",
  },
  { name: "a superuser has only rules", file: AUTHORIZER, find: "grants.superuser ? EVERYTHING : ", replace: "" },
  { name: "ACL_NO_MATCH turned round", file: AUTHORIZER, find: 'noMatch === "deny"', replace: 'noMatch === "allow"' },
  { name: "$ topics by ACL_NO_MATCH", file: RIGHTS, find: '"ordinary" ? !isSystemTopic(topic)', replace: '"ordinary" ? true' },
  {
    name: "the last rule decides about a publish",
    file: RIGHTS,
    find: "for (const ruling of this.#publish) {",
    replace: "for (const ruling of this.#publish.toReversed()) {",
  },
  {
    name: "the last rule decides about a subscription",
    file: RIGHTS,
    find: "for (const ruling of this.#subscribe) {",
    replace: "for (const ruling of this.#subscribe.toReversed()) {",
  },
  {
    name: "the last rule decides about a delivery",
    file: RIGHTS,
    find: "of this.#receive) if",
    replace: "of this.#receive.toReversed()) if",
  },
  {
    name: "a denial counts only when it covers the filter",
    file: RIGHTS,
    find: "return common !== undefined && !coversTogether(allowed, common);",
    replace: "return common !== undefined && coversLevels(levels, asked);",
  },
  {
    name: "a denial counts whatever was allowed before",
    file: RIGHTS,
    find: "common !== undefined && !coversTogether(allowed, common)",
    replace: "common !== undefined",
  },
  {
    name: "allowances together are not looked at",
    file: COVERS,
    find: 'if (requested.at(-1) !== "#") return false;',
    replace: "return false;",
  },
  {
    name: "allowances together, without what is longer",
    file: COVERS,
    find: 'return isCovered([...levels, "#"]);',
    replace: "return true;",
  },
  { name: "allowances together, without the shorter ones", file: COVERS, find: "if (!isCovered(levels)) return false;", replace: "" },
  {
    name: "a/# has not a in common with a",
    file: COVERS,
    find: 'if (a[at] === "#") return [...levels, ...b.slice(at)];',
    replace: 'if (a[at] === "#") return b[at] === undefined ? undefined : [...levels, ...b.slice(at)];',
  },
  {
    name: "a wildcard has $ levels in common",
    file: COVERS,
    find: 'if (a[0] === "+" ? isSystemTopic(b[0]!) : b[0] === "+" && isSystemTopic(a[0]!)) return undefined;',
    replace: "",
  },
  {
    name: "a wildcard covers $ levels",
    file: COVERS,
    find: 'if (allowed[0] === "+" && isSystemTopic(requested[0]!)) return false;',
    replace: "",
  },
  { name: "a wildcard matches $ topics", file: RIGHTS, find: 'if (levels[0] === "+" && isSystemTopic(topic)) return false;', replace: "" },
  {
    name: "a/# does not match a",
    file: RIGHTS,
    find: 'if (level === "#") return true;',
    replace: 'if (level === "#") return at <= topic.length;',
  },
  {
    name: "a level is matched by its beginning",
    file: RIGHTS,
    find: " || (end < topic.length && topic.charCodeAt(end) !== SLASH)",
    replace: "",
  },
  {
    name: "QoS of a publish is not looked at",
    file: RIGHTS,
    find: "(ruling.qos & (1 << qos)) !== 0 && (ruling.retain",
    replace: "(ruling.retain",
  },
  { name: "QoS of a subscription is not looked at", file: RIGHTS, find: "if ((ruling.qos & (1 << qos)) === 0) continue;", replace: "" },
  { name: "RETAIN is not looked at", file: RIGHTS, find: " && (ruling.retain & retainBit) !== 0", replace: "" },
  { name: "RETAIN turned round", file: RIGHTS, find: "retain ? 2 : 1", replace: "retain ? 1 : 2" },
  {
    name: "eq allows what lies within",
    file: RIGHTS,
    find: "const isExact = ruling.exact.includes(filter);",
    replace: "const isExact = ruling.exact.some((each) => coversLevels(levelsOf(each), asked));",
  },
  { name: "eq denies nothing", file: RIGHTS, find: "isExact ? !coversTogether(allowed, asked) : ", replace: "" },
  {
    name: "what eq allows to subscribe may not be received",
    file: RIGHTS,
    find: "about(RECEIVE).map(withExact)",
    replace: "about(RECEIVE)",
  },
  {
    name: "rules about subscribing say nothing of receiving",
    file: RULES,
    find: "subscribe: SUBSCRIBE | RECEIVE,",
    replace: "subscribe: SUBSCRIBE,",
  },
  {
    name: "a denial for some QoS denies deliveries",
    file: RULES,
    find: "!allows && qos !== ANY_QOS ? action & ~RECEIVE : action",
    replace: "action",
  },
  { name: "deliveries are not looked at", file: RIGHTS, find: "this.limitsReceive = denies || ", replace: "this.limitsReceive = " },
  {
    name: "one condition is enough",
    file: RULES,
    find: "return conditions.every(",
    replace: "return conditions.length === 0 || conditions.some(",
  },
  {
    name: "an address that is not known lets denials through",
    file: RULES,
    find: "condition(client) ?? !allows",
    replace: "condition(client) ?? false",
  },
  {
    name: "an address that is not known fulfils allowances",
    file: RULES,
    find: "condition(client) ?? !allows",
    replace: "condition(client) ?? true",
  },
  { name: "a denial that can't be filled in denies nothing", file: TOPICS, find: 'else if (isDenial) levels.push("+");', replace: "" },
  {
    name: "an allowance that can't be filled in allows all",
    file: TOPICS,
    find: "    else return undefined;",
    replace: '    else levels.push("+");',
  },
  { name: "a placeholder may be a wildcard", file: TOPICS, find: "!/[/+#]/.test(value)", replace: "!/[/]/.test(value)" },
  { name: "a placeholder may reach over levels", file: TOPICS, find: "!/[/+#]/.test(value)", replace: "!/[+#]/.test(value)" },
  {
    name: "a placeholder may give a $ level",
    file: TOPICS,
    find: "return reaches && !isDenial ? undefined : levels;",
    replace: "return levels;",
  },
  { name: "%c is the user", file: TOPICS, find: 'letter === "c" ? "clientid" : "username"', replace: '"username"' },
  { name: "rights are kept for another client", file: AUTHORIZER, find: "own.length === 0 ?", replace: "true ?" },
];

/** @returns for each the first seed that finds it, of at most so many */
export async function findMutations(
  seeds: number,
  chosen: readonly Mutation[] = RIGHTS_MUTATIONS,
): Promise<{ name: string; seed: number | undefined }[]> {
  const folder = await mkdtemp(join(tmpdir(), "durable-mqtt-rights-"));
  try {
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    await cp(join(ROOT, "package.json"), join(folder, "package.json"));
    const found = [];
    for (const [index, mutation] of chosen.entries()) {
      found.push({ name: mutation.name, seed: await firstSeed(join(folder, String(index)), mutation, seeds) });
    }
    return found;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Each has a folder of its own: Node keeps what it has imported. */
async function firstSeed(folder: string, { name, file, find, replace }: Mutation, seeds: number): Promise<number | undefined> {
  await mkdir(folder);
  for (const part of ["src", "test/auth"]) await cp(join(ROOT, part), join(folder, part), { recursive: true });
  const path = join(folder, file);
  const text = await readFile(path, "utf8");
  const times = text.split(find).length - 1;
  if (times !== 1) throw new Error(`"${name}": the text to replace is ${times} times in ${file}`);
  await writeFile(
    path,
    text.replace(find, () => replace),
  );
  const cases = (await import(pathToFileURL(join(folder, "test/auth/rules-cases.ts")).href)) as typeof import("./rules-cases.ts");
  const tally = cases.emptyTally();
  for (let seed = 1; seed <= seeds; seed++) if (cases.checkCase(seed, tally) !== undefined) return seed;
  return undefined;
}
