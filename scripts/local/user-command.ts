/** `npm run user`: users of a running broker, one or ten thousand. See docs/operations.md, Users. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { hashPassword, ITERATIONS_MAX, ITERATIONS_MIN } from "../../src/auth/password.ts";
import { ADMIN_HELP, ADMIN_OPTIONS, AdminClient, AdminProblem, fail, runCommand, USERS_PATH } from "./admin-client.ts";
import { importMosquitto } from "./mosquitto-import.ts";
import { readPassword } from "./password-input.ts";
import { parseUserFile, type UserLine } from "./user-file.ts";

const HELP = `Adds, changes, removes and lists users of a running broker.

  npm run user -- add NAME [--publish FILTER ...] [--subscribe FILTER ...] [--superuser] [--acl JSON] [--password PASSWORD | --generate]
  npm run user -- add --file users.csv [--mode put]      many at once; - reads them from stdin
  npm run user -- change NAME --publish FILTER ...       other rights, at once, also for its connections
  npm run user -- password NAME [--generate]             another password; its connections end
  npm run user -- remove NAME                            its connections and sessions end
  npm run user -- list [--json]
  npm run user -- import --passwords FILE [--acl-file FILE | --everything] [--dry-run]   from mosquitto

Without --password and --generate the password is asked for, or read from stdin. A file has a JSON object on each line,
{"user", "password" or "password_hash", "publish": [], "subscribe": [], "superuser", "acl"}, a JSON array of them, or CSV with the columns
user,password,publish,subscribe (filters separated by spaces). Whoever has no password gets a random one, which is printed as JSON.

  --iterations N      of password hashes, ${ITERATIONS_MIN} to ${ITERATIONS_MAX}; by default ${ITERATIONS_MAX}, for random passwords ${ITERATIONS_MIN}
  --mode              add (default: refuses users who are there), change, or put (either)
${ADMIN_HELP}`;

const TEXT = { type: "string" } as const;
const LIST = { type: "string", multiple: true } as const;
const FLAG = { type: "boolean", default: false } as const;

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

function options() {
  try {
    return parseArgs({
      options: {
        ...ADMIN_OPTIONS,
        password: TEXT,
        generate: FLAG,
        publish: LIST,
        subscribe: LIST,
        superuser: FLAG,
        acl: TEXT,
        iterations: TEXT,
        file: TEXT,
        mode: { ...TEXT, default: "add" },
        json: FLAG,
        passwords: TEXT,
        "acl-file": TEXT,
        everything: FLAG,
        "dry-run": FLAG,
      },
      allowPositionals: true,
    });
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${HELP}`, 2);
  }
}

const { values, positionals } = options();
const [action, name, ...rest] = positionals;
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

function randomPassword(): string {
  return randomBytes(RANDOM_BYTES).toString("base64url");
}

function hash(password: string, isRandom: boolean): Promise<string> {
  if (password === "") throw new AdminProblem("The password must not be empty.");
  return hashPassword(new TextEncoder().encode(password), Number(values.iterations ?? (isRandom ? ITERATIONS_MIN : ITERATIONS_MAX)));
}

/** What the options say of rights; nothing where they say nothing. */
function rights(): object {
  const { publish, subscribe, superuser, acl } = values;
  return {
    publish,
    subscribe,
    ...(superuser ? { is_superuser: true } : {}),
    ...(acl === undefined ? {} : { acl: JSON.parse(acl) as unknown }),
  };
}

async function newPassword(): Promise<{ readonly password_hash: string; readonly random: string | undefined }> {
  const random = values.generate ? randomPassword() : undefined;
  return { password_hash: await hash(random ?? (await readPassword(values.password)), random !== undefined), random };
}

function tellRandom(user: string, random: string | undefined): void {
  if (random !== undefined) console.log(JSON.stringify({ user, password: random }));
}

function userPath(user: string): string {
  return `${USERS_PATH}/${encodeURIComponent(user)}`;
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

async function addFile(client: AdminClient, file: string): Promise<void> {
  const lines = parseUserFile(file === "-" ? await text(process.stdin) : readFileSync(file, "utf8"));
  const mode = values.mode;
  const bodies = new Map<UserLine, object>();
  await inTurns(lines, HASHES, async (line) => {
    const keeps = line.password === undefined && mode === "change";
    const random = line.password === undefined && line.password_hash === undefined && !keeps ? randomPassword() : undefined;
    const password = line.password ?? random;
    bodies.set(line, lineBody(line, password === undefined ? line.password_hash : await hash(password, random !== undefined)));
    tellRandom(line.user, random);
  });
  await send(
    client,
    lines.map((line) => bodies.get(line)!),
    mode,
  );
}

async function send(client: AdminClient, bodies: readonly object[], mode: string): Promise<void> {
  const began = performance.now();
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
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.error(
    `${total.success} added, ${total.override} changed, ${total.skipped} as they were, ${total.failed} refused, in ${seconds} s.`,
  );
  if (total.failed > 0) process.exitCode = 1;
}

async function list(client: AdminClient): Promise<void> {
  let cursor: string | undefined = "";
  while (cursor !== undefined) {
    const query: Record<string, string> = { limit: "1000", cursor };
    const page: { data: UserView[]; meta: { cursor?: string } } = await client.call("GET", USERS_PATH, undefined, query);
    for (const user of page.data) console.log(values.json ? JSON.stringify(user) : lineOf(user));
    cursor = page.meta.cursor;
  }
}

function lineOf({ user_id: user, is_superuser: isSuperuser, acl }: UserView): string {
  const rules = acl.map(({ permission, action, topic, topics = [topic!] }) => `${permission} ${action} ${topics.join(" ")}`);
  return [user, isSuperuser ? "superuser" : "", ...rules].filter((part) => part !== "").join("\t");
}

async function importFiles(): Promise<void> {
  const { passwords, "acl-file": acl, everything } = values;
  if (passwords === undefined || (acl === undefined) === !everything)
    fail(`--passwords and one of --acl-file and --everything are needed.\n\n${HELP}`, 2);
  const read = (file: string): string => readFileSync(file, "utf8");
  const { users, problems } = importMosquitto({ passwords: read(passwords), acl: acl === undefined ? undefined : read(acl) });
  for (const problem of problems) console.error(problem);
  const bodies = users.map(({ user, ...body }) => ({ user_id: user, ...body }));
  if (values["dry-run"]) for (const body of bodies) console.log(JSON.stringify(body));
  else await send(new AdminClient(values), bodies, values.mode);
}

await runCommand(async () => {
  if (rest.length > 0) fail(HELP, 2);
  if (action === "import" && name === undefined) return importFiles();
  if (action === "list" && name === undefined) return list(new AdminClient(values));
  if (action === "add" && name === undefined && values.file !== undefined) return addFile(new AdminClient(values), values.file);
  if (name === undefined || !["add", "change", "password", "remove"].includes(action ?? "")) return fail(HELP, 2);
  const client = new AdminClient(values);
  if (action === "remove") {
    await client.call("DELETE", userPath(name));
    console.error(`${name} was removed.`);
  } else if (action === "change") {
    await client.call("PUT", userPath(name), rights());
    console.error(`${name} has other rights.`);
  } else {
    const { password_hash, random } = await newPassword();
    if (action === "add") await client.call("POST", USERS_PATH, { user_id: name, password_hash, ...rights() });
    else await client.call("PUT", userPath(name), { password_hash });
    tellRandom(name, random);
    console.error(action === "add" ? `${name} was added.` : `${name} has another password.`);
  }
});
