/** `durable-mqtt import`: brings what `export` has written into a running broker. See docs/operations.md, Another topology. */
import { EXIT_FAILED, Problem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { Progress } from "../../src/cli/terminal.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { ADMIN_HELP, AdminClient, type AdminOptions, adminOptions, USERS_PATH } from "./admin-client.ts";
import { checkFile, KINDS, type Kind, type Line, linesOf, NAMES } from "./portable-file.ts";

const HELP = `
What is there already stays what it is: users and bans by their names, retained messages by their topics, sessions by their Client Identifiers. So
when it ends in the middle, the same command again does the rest. With --replace it goes instead, but for sessions of clients that are connected:
for a broker that has something older, such as a topology that is gone back to. Let clients connect when it is done: who connects before begins a session of
his own.
${ADMIN_HELP}`;

/** Of one request: lines, and their characters, unless one has more. */
const LINES_MAX: Readonly<Record<Kind, number>> = { user: 500, ban: 1, retained: 500, session: 16 };
const CHARACTERS_MAX = 2 * 1024 * 1024;

interface Outcome {
  readonly taken: number;
  readonly there: number;
  readonly problems: readonly { readonly name: string; readonly message: string }[];
}

export function define(command: Command): void {
  adminOptions(command.description("Brings users, bans, retained messages and sessions from a file into a running broker."))
    .argument("<file>", "as export has written it")
    .option("--replace", "what is there goes instead of staying", false)
    .option("--json", "prints how much was taken, was there, and could not be taken, an object", false)
    .addHelpText("after", HELP)
    .action(run);
}

interface Total {
  taken: number;
  there: number;
  failed: number;
}

interface Options extends AdminOptions {
  readonly replace: boolean;
  readonly json: boolean;
}

async function run(file: string, options: Options): Promise<void> {
  const counts = await checkFile(file);
  const client = new AdminClient(options);
  const totals = Object.fromEntries(KINDS.map((kind) => [kind, { taken: 0, there: 0, failed: 0 }])) as Record<Kind, Total>;
  const progress = new Progress();
  try {
    for await (const batch of batchesOf(file)) {
      const { kind } = batch[0]! as { kind: Kind };
      const total = totals[kind];
      const { taken, there, problems } = await bring(client, kind, batch, options.replace);
      total.taken += taken;
      total.there += there;
      total.failed += problems.length;
      for (const { name, message } of problems) console.error(`durable-mqtt: ${NAMES[kind]}, ${JSON.stringify(name)}: ${message}.`);
      progress.tell(`${total.taken + total.there + total.failed} of ${counts[kind]} ${NAMES[kind]}`);
    }
  } finally {
    progress.end();
  }
  if (options.json) console.log(JSON.stringify(totals));
  else for (const kind of KINDS) console.error(sentenceOf(kind, counts[kind], totals[kind]));
  if (KINDS.some((kind) => totals[kind].taken + totals[kind].there !== counts[kind])) process.exitCode = EXIT_FAILED;
}

function sentenceOf(kind: Kind, count: number, { taken, there, failed }: Total): string {
  return `${count} ${NAMES[kind]}: ${taken} taken, ${there} were there, ${failed} could not be taken.`;
}

/** Lines of one kind, as many as one request takes. */
async function* batchesOf(file: string): AsyncGenerator<readonly Line[]> {
  let batch: Line[] = [];
  let characters = 0;
  for await (const line of linesOf(file)) {
    const isNext = line.kind in LINES_MAX;
    const isFull =
      batch.length > 0 &&
      (!isNext ||
        line.kind !== batch[0]!.kind ||
        batch.length >= LINES_MAX[line.kind as Kind] ||
        characters + line.text.length > CHARACTERS_MAX);
    if (isFull) {
      yield batch;
      batch = [];
      characters = 0;
    }
    if (!isNext) continue;
    batch.push(line);
    characters += line.text.length;
  }
  if (batch.length > 0) yield batch;
}

async function bring(client: AdminClient, kind: Kind, batch: readonly Line[], replaces: boolean): Promise<Outcome> {
  try {
    if (kind === "user") return await bringUsers(client, batch, replaces);
    if (kind === "ban") return await bringBan(client, batch[0]!.value, replaces);
    const query = { replace: String(replaces) };
    return await client.call<Outcome>("POST", kind === "session" ? "/portable/sessions" : "/portable/retained", textOf(batch), query);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const last = batch.at(-1)!.number;
    throw new Problem(`${error.message}\nIt ended at lines ${batch[0]!.number} to ${last}; the same command again goes on from there.`);
  }
}

function textOf(batch: readonly Line[]): string {
  return batch.map(({ text }) => text).join("\n");
}

interface UsersReport {
  readonly success: number;
  readonly override: number;
  readonly skipped: number;
  readonly problems: readonly { readonly user_id: string; readonly code: string; readonly message: string }[];
}

async function bringUsers(client: AdminClient, batch: readonly Line[], replaces: boolean): Promise<Outcome> {
  const users = batch.map(({ value: { kind: _, ...user } }) => user);
  const query = { mode: replaces ? "put" : "add" };
  const { success, override, skipped, problems } = await client.call<UsersReport>("POST", `${USERS_PATH}/import`, users, query);
  const others = problems.filter(({ code }) => code !== "ALREADY_EXISTS");
  return {
    taken: success + override,
    there: skipped + problems.length - others.length,
    problems: others.map(({ user_id: name, message }) => ({ name, message })),
  };
}

/** The list of bans is short. */
async function bringBan(client: AdminClient, { kind: _, ...ban }: Line["value"], replaces: boolean): Promise<Outcome> {
  const { as, who, until } = ban as { as: string; who: string; until: string };
  // It is over meanwhile: nobody is banned by it, here or there.
  if (until !== "infinity" && Date.parse(until) <= PLATFORM.now()) return { taken: 0, there: 1, problems: [] };
  const name = `${as} ${who}`;
  for (let page = 1, more = !replaces; more; page += 1) {
    const { data, meta } = await client.call<{ data: (typeof ban)[]; meta: { hasnext: boolean } }>("GET", "/banned", undefined, {
      page: String(page),
      limit: "1000",
    });
    if (data.some((each) => each.as === as && each.who === who)) return { taken: 0, there: 1, problems: [] };
    more = meta.hasnext;
  }
  try {
    await client.call("POST", "/banned", ban);
    return { taken: 1, there: 0, problems: [] };
  } catch (error) {
    if (!(error instanceof Problem) || !error.message.startsWith("This can't be banned")) throw error;
    return { taken: 0, there: 0, problems: [{ name, message: error.message.replace(/\.$/, "") }] };
  }
}
