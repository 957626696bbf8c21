/** `npm run user`: users of a running broker, one or ten thousand. See docs/operations.md, Users. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { InvalidArgumentError, Option } from "commander";
import { partOf } from "../../src/api/path-part.ts";
import { hashPassword, ITERATIONS_MAX, ITERATIONS_MIN } from "../../src/auth/password.ts";
import { readPassword } from "../../src/cli/password-input.ts";
import { EXIT_FAILED, UsageProblem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { Progress } from "../../src/cli/terminal.ts";
import { several, wholeNumber } from "../../src/cli/values.ts";
import { ADMIN_HELP, AdminClient, type AdminOptions, adminOptions, USERS_PATH } from "./admin-client.ts";
import { importMosquitto } from "./mosquitto-import.ts";
import { parseUserFile, type UserLine } from "./user-file.ts";

const HELP = `
Without --password and --generate the password is asked for, or read from the standard input. A file has a JSON object on each line,
{"user", "password" or "password_hash", "publish": [], "subscribe": [], "superuser", "acl"}, a JSON array of them, or CSV with the columns
user,password,publish,subscribe (filters separated by spaces). Whoever has no password gets a random one, which is printed as JSON.
${ADMIN_HELP}`;

/** Users in one request, and passwords that are hashed at a time: Node has four threads for that. */
const BATCH = 500;
const HASHES = 4;

/** Bytes of a random password: nobody guesses it, however quick its hash is. */
const RANDOM_BYTES = 18;

interface UserView {
  readonly user_id: string;
  readonly is_superuser: boolean;
  readonly acl: readonly {
    readonly permission: string;
    readonly action: string;
    readonly topic?: string;
    readonly topics?: readonly string[];
  }[];
}

interface Report {
  readonly success: number;
  readonly override: number;
  readonly skipped: number;
  readonly problems: readonly { readonly user_id: string; readonly message: string }[];
}

interface RightsOptions {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly superuser?: true;
  readonly acl?: unknown;
}

interface PasswordOptions {
  readonly password?: string;
  readonly generate?: true;
  readonly iterations?: number;
}

type Mode = "add" | "change" | "put";

type Adding = AdminOptions & RightsOptions & PasswordOptions & { readonly file?: string; readonly mode: Mode };

interface Importing extends AdminOptions {
  readonly passwords: string;
  readonly aclFile?: string;
  readonly everything?: true;
  readonly dryRun?: true;
  readonly mode: Mode;
}

export function define(command: Command): void {
  command.description("Adds, changes, removes and lists users of a running broker.").addHelpText("after", HELP);
  const action = (name: string, summary: string): Command => adminOptions(command.command(name).summary(summary).description(summary));
  passwordOptions(rightsOptions(action("add [name]", "adds a user, or those of a file")))
    .option("--file <file>", "many at once; - reads them from the standard input")
    .addOption(modeOption())
    .action(add);
  rightsOptions(action("change <name>", "gives a user other rights, at once, also on its connections")).action(change);
  passwordOptions(action("password <name>", "gives a user another password; its connections end")).action(changePassword);
  action("remove <name>", "removes a user; its connections and sessions end").action(remove);
  action("list", "lists the users and their rights").option("--json", "a JSON object on each line").action(list);
  action("import", "adds the users of mosquitto")
    .requiredOption("--passwords <file>", "mosquitto's password file")
    .option("--acl-file <file>", "its ACL file")
    .option("--everything", "instead of an ACL file: all may do everything")
    .option("--dry-run", "prints what would be sent")
    .addOption(modeOption())
    .action(importFiles);
}

function rightsOptions(command: Command): Command {
  return command
    .option("--publish <filter>", "what may be published to; may be given several times", several)
    .option("--subscribe <filter>", "what may be subscribed to; may be given several times", several)
    .option("--superuser", "everything may be done")
    .option("--acl <json>", "a list of rules", jsonOf);
}

function passwordOptions(command: Command): Command {
  return command
    .option("--password <password>", "the shell's history keeps it")
    .option("--generate", "a random password, which is printed as JSON")
    .option(
      "--iterations <n>",
      `of the password's hash, ${ITERATIONS_MIN} to ${ITERATIONS_MAX}; by default ${ITERATIONS_MAX}, for random passwords ${ITERATIONS_MIN}`,
      wholeNumber(ITERATIONS_MIN, ITERATIONS_MAX),
    );
}

function modeOption(): Option {
  return new Option("--mode <mode>", "add refuses users who are there; put takes either").choices(["add", "change", "put"]).default("add");
}

function jsonOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new InvalidArgumentError("Expected JSON: a list of rules.");
  }
}

function randomPassword(): string {
  return randomBytes(RANDOM_BYTES).toString("base64url");
}

function hash(password: string, isRandom: boolean, { iterations }: PasswordOptions): Promise<string> {
  if (password === "") throw new UsageProblem("The password must not be empty.");
  return hashPassword(new TextEncoder().encode(password), iterations ?? (isRandom ? ITERATIONS_MIN : ITERATIONS_MAX));
}

/** What the options say of rights; nothing where they say nothing. */
function rights({ publish, subscribe, superuser, acl }: RightsOptions): object {
  return { publish, subscribe, ...(superuser ? { is_superuser: true } : {}), ...(acl === undefined ? {} : { acl }) };
}

async function newPassword(options: PasswordOptions): Promise<{ readonly password_hash: string; readonly random: string | undefined }> {
  const random = options.generate ? randomPassword() : undefined;
  return { password_hash: await hash(random ?? (await readPassword(options.password)), random !== undefined, options), random };
}

function tellRandom(user: string, random: string | undefined): void {
  if (random !== undefined) console.log(JSON.stringify({ user, password: random }));
}

function userPath(user: string): string {
  const { part, query } = partOf("user_id", user);
  return `${USERS_PATH}/${part}${query}`;
}

function lineBody({ user, password, superuser, ...line }: UserLine, password_hash: string | undefined): object {
  return { user_id: user, ...line, password_hash, ...(superuser === undefined ? {} : { is_superuser: superuser }) };
}

/** Some at a time. */
async function inTurns<Item>(items: readonly Item[], most: number, run: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const one = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: most }, one));
}

async function add(name: string | undefined, options: Adding): Promise<void> {
  if ((name === undefined) === (options.file === undefined)) throw new UsageProblem("One of a name and --file was expected.");
  if (name === undefined) return addFile(options.file!, options);
  if (options.mode !== "add") throw new UsageProblem("--mode goes with --file: for one user there are `user change` and `user password`.");
  const { password_hash, random } = await newPassword(options);
  await new AdminClient(options).call("POST", USERS_PATH, { user_id: name, password_hash, ...rights(options) });
  tellRandom(name, random);
  console.error(`${name} was added.`);
}

async function change(name: string, options: AdminOptions & RightsOptions): Promise<void> {
  await new AdminClient(options).call("PUT", userPath(name), rights(options));
  console.error(`${name} has other rights.`);
}

async function changePassword(name: string, options: AdminOptions & PasswordOptions): Promise<void> {
  const { password_hash, random } = await newPassword(options);
  await new AdminClient(options).call("PUT", userPath(name), { password_hash });
  tellRandom(name, random);
  console.error(`${name} has another password.`);
}

async function remove(name: string, options: AdminOptions): Promise<void> {
  await new AdminClient(options).call("DELETE", userPath(name));
  console.error(`${name} was removed.`);
}

async function addFile(file: string, options: Adding): Promise<void> {
  const { publish, subscribe, superuser, acl, password } = options;
  if ([publish, subscribe, superuser, acl, password].some((option) => option !== undefined))
    throw new UsageProblem("Rights and passwords of users stand in --file, not in options beside it.");
  const client = new AdminClient(options);
  const lines = parseUserFile(file === "-" ? await text(process.stdin) : readFileSync(file, "utf8"));
  const { mode } = options;
  const progress = new Progress();
  const bodies = new Map<UserLine, object>();
  await inTurns(lines, HASHES, async (line) => {
    const keeps = line.password === undefined && mode === "change";
    const random = line.password === undefined && line.password_hash === undefined && !keeps ? randomPassword() : undefined;
    const password = line.password ?? random;
    bodies.set(line, lineBody(line, password === undefined ? line.password_hash : await hash(password, random !== undefined, options)));
    tellRandom(line.user, random);
    progress.tell(`${bodies.size} of ${lines.length} passwords are hashed`);
  });
  progress.end();
  await send(
    client,
    lines.map((line) => bodies.get(line)!),
    mode,
  );
}

async function send(client: AdminClient, bodies: readonly object[], mode: string): Promise<void> {
  const began = performance.now();
  const progress = new Progress();
  const total = { success: 0, override: 0, skipped: 0, failed: 0 };
  for (let from = 0; from < bodies.length; from += BATCH) {
    const batch = bodies.slice(from, from + BATCH);
    const report = await client.call<Report>("POST", `${USERS_PATH}/import`, batch.map((body) => JSON.stringify(body)).join("\n"), {
      mode,
    });
    total.success += report.success;
    total.override += report.override;
    total.skipped += report.skipped;
    total.failed += report.problems.length;
    for (const { user_id: user, message } of report.problems) console.error(`${user}: ${message}.`);
    progress.tell(`${Math.min(from + BATCH, bodies.length)} of ${bodies.length} users are sent`);
  }
  progress.end();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.error(
    `${total.success} added, ${total.override} changed, ${total.skipped} as they were, ${total.failed} refused, in ${seconds} s.`,
  );
  if (total.failed > 0) process.exitCode = EXIT_FAILED;
}

async function list(options: AdminOptions & { readonly json?: true }): Promise<void> {
  const client = new AdminClient(options);
  let cursor: string | undefined = "";
  while (cursor !== undefined) {
    const query: Record<string, string> = { limit: "1000", cursor };
    const page: { data: UserView[]; meta: { cursor?: string } } = await client.call("GET", USERS_PATH, undefined, query);
    for (const user of page.data) console.log(options.json ? JSON.stringify(user) : lineOf(user));
    cursor = page.meta.cursor;
  }
}

function lineOf({ user_id: user, is_superuser: isSuperuser, acl }: UserView): string {
  const rules = acl.map(({ permission, action, topic, topics = [topic!] }) => `${permission} ${action} ${topics.join(" ")}`);
  return [user, isSuperuser ? "superuser" : "", ...rules].filter((part) => part !== "").join("\t");
}

async function importFiles(options: Importing): Promise<void> {
  const { passwords, aclFile: acl, everything } = options;
  if ((acl === undefined) === !everything) throw new UsageProblem("One of --acl-file and --everything was expected.");
  const read = (file: string): string => readFileSync(file, "utf8");
  const { users, problems } = importMosquitto({ passwords: read(passwords), acl: acl === undefined ? undefined : read(acl) });
  for (const problem of problems) console.error(problem);
  const bodies = users.map(({ user, ...body }) => ({ user_id: user, ...body }));
  if (options.dryRun) for (const body of bodies) console.log(JSON.stringify(body));
  else await send(new AdminClient(options), bodies, options.mode);
}
