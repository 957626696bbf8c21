/**
 * Reads mosquitto's password file and ACL file, and says what of them can't be carried over. Pure text: knows no broker. What the lines mean
 * is that of mosquitto 2.0 (`aclfile_check` in its security_default.c): a denial goes before what is allowed, lines of a user before
 * patterns; every SUBSCRIBE is granted, and what is delivered is looked at one by one.
 */
import { isMosquittoHash } from "../../src/auth/mosquitto-hash.ts";

/** One rule in the form of the API. */
export interface ImportedRule {
  readonly permission: "allow" | "deny";
  readonly action: "publish" | "subscribe" | "receive";
  readonly topics: readonly string[];
}

export interface ImportedUser {
  readonly user: string;
  readonly password_hash: string;
  readonly acl: readonly ImportedRule[];
}

export interface ImportReport {
  readonly users: readonly ImportedUser[];
  /** What is not as it was, in sentences that quote no hash. */
  readonly problems: readonly string[];
}

export interface ImportFiles {
  readonly passwords: string;
  /** Undefined: without an ACL file everybody may do everything. */
  readonly acl: string | undefined;
}

/** What a line of the ACL file is about. */
interface AclLine {
  readonly access: "read" | "write" | "readwrite" | "deny";
  readonly topic: string;
}

interface AclFile {
  readonly anonymous: AclLine[];
  readonly users: Map<string, AclLine[]>;
  readonly patterns: AclLine[];
}

const ACCESSES = ["read", "write", "readwrite", "deny"] as const;

export function importMosquitto({ passwords, acl }: ImportFiles): ImportReport {
  const problems: string[] = [];
  const credentials = parsePasswords(passwords, problems);
  const rights = acl === undefined ? undefined : parseAcl(acl, problems);
  if (rights !== undefined) reportLost(rights, credentials, problems);
  const users = [...credentials].map(([user, hash]) => ({ user, password_hash: hash, acl: rulesOf(rights, user) }));
  const single = [...credentials.values()].filter((hash) => hash.startsWith("$6$")).length;
  if (single > 0) problems.push(`${single} users have a $6$ hash, a single SHA-512: they are let in, but give them new passwords soon.`);
  if (credentials.size > 0)
    problems.push("Imported users log in with their password; SCRAM-SHA-256 needs a new one (npm run user -- password).");
  return { users, problems };
}

function parsePasswords(text: string, problems: string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const [user, hash] = [line.slice(0, colon), line.slice(colon + 1)];
    if (colon < 1) problems.push(`Line ${index + 1} of the password file has no user and no hash.`);
    else if (isMosquittoHash(hash)) {
      if (found.has(user))
        problems.push(`Line ${index + 1} of the password file: the user was there before; the first one counts, as in mosquitto.`);
      else found.set(user, hash);
    } else problems.push(`Line ${index + 1} of the password file: ${hashProblem(hash)}`);
  }
  return found;
}

function hashProblem(hash: string): string {
  if (hash.startsWith("$argon2")) return "an argon2 hash can't be checked on Workers; the user needs a new password.";
  return hash.startsWith("$") ? "its hash is none that is known here." : "the password is not hashed; run mosquitto_passwd -U first.";
}

function parseAcl(text: string, problems: string[]): AclFile {
  const file: AclFile = { anonymous: [], users: new Map(), patterns: [] };
  let current = file.anonymous;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const at = `Line ${index + 1} of the ACL file`;
    const [, keyword, rest] = /^(\S+)\s*(.*)$/.exec(line)!;
    if (keyword === "user") {
      const user = rest!;
      current = file.users.get(user) ?? [];
      file.users.set(user, current);
    } else if (keyword === "topic" || keyword === "pattern") {
      const entry = aclLine(rest!);
      const problem = entry === undefined ? ACCESS_UNKNOWN : topicProblem(entry.topic, keyword === "pattern");
      if (problem === undefined) (keyword === "pattern" ? file.patterns : current).push(entry!);
      else problems.push(`${at} ${problem}`);
    } else problems.push(`${at} begins with a word that is not known: user, topic and pattern are.`);
  }
  return file;
}

const ACCESS_UNKNOWN = "has a word before its topic that is no access: read, write, readwrite and deny are.";

/** A word alone is a topic. */
function aclLine(text: string): AclLine | undefined {
  const [, word, rest] = /^(\S+)\s+(.*)$/.exec(text) ?? [];
  if (word === undefined) return { access: "readwrite", topic: text };
  const access = ACCESSES.find((each) => each === word);
  return access && { access, topic: rest! };
}

function topicProblem(topic: string, isPattern: boolean): string | undefined {
  const levels = topic.split("/");
  if (topic === "") return "has no topic.";
  if (
    levels.some(
      (level, index) => (level.includes("#") && (level !== "#" || index < levels.length - 1)) || (level.includes("+") && level !== "+"),
    )
  ) {
    return "has + or # beside other characters, or # before the end.";
  }
  const placed = levels.filter((level) => /%[cu]/.test(level));
  if (!isPattern && placed.length > 0)
    return "has %c or %u in a topic line, where mosquitto takes them literally: that can't be said here.";
  if (placed.some((level) => level !== "%c" && level !== "%u"))
    return "has %c or %u beside other characters: here they fill a whole level.";
  if (/\$\{/.test(topic)) return "has ${, which would be a placeholder here.";
  return undefined;
}

function reportLost({ anonymous, users }: AclFile, credentials: ReadonlyMap<string, string>, problems: string[]): void {
  if (anonymous.length > 0) {
    problems.push(
      `${anonymous.length} lines before the first user are rights of clients without a user name: put them into the setting ACL.`,
    );
  }
  const strangers = [...users.keys()].filter((user) => !credentials.has(user));
  if (strangers.length > 0)
    problems.push(`${strangers.length} users of the ACL file have no password in the password file and are left out.`);
}

/** In the order in which mosquitto asks: the first that matches decides. */
function rulesOf(rights: AclFile | undefined, user: string): ImportedRule[] {
  if (rights === undefined) return [allow("publish", ["#"]), allow("subscribe", ["#"])];
  const rules = [rights.users.get(user) ?? [], rights.patterns].flatMap(linesAsRules);
  // A SUBSCRIBE is granted whatever it asks for; what nothing allows is not delivered.
  const receives = rules.some(({ permission, action }) => permission === "allow" && action === "receive");
  return receives ? [...rules, deny("receive", EVERYTHING), allow("subscribe", EVERYTHING)] : rules;
}

/** The broker's own topics too: a filter matches them only by its first level. */
const EVERYTHING = ["#", "$SYS/#"];

function linesAsRules(lines: readonly AclLine[]): ImportedRule[] {
  const topics = (...accesses: AclLine["access"][]): string[] =>
    lines.filter(({ access }) => accesses.includes(access)).map(({ topic }) => topic);
  const [denied, written, read] = [topics("deny"), topics("write", "readwrite"), topics("read", "readwrite")];
  const rules = [deny("publish", denied), deny("receive", denied), allow("publish", written), allow("receive", read)];
  return rules.filter((rule) => rule.topics.length > 0);
}

function allow(action: ImportedRule["action"], topics: readonly string[]): ImportedRule {
  return { permission: "allow", action, topics };
}

function deny(action: ImportedRule["action"], topics: readonly string[]): ImportedRule {
  return { permission: "deny", action, topics };
}
