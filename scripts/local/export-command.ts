/** `durable-mqtt export`: all that a namespace of a running broker keeps, into a file. See docs/operations.md, Another topology. */
import { once } from "node:events";
import { createWriteStream, renameSync, rmSync, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { EXIT_FAILED, Problem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { Progress } from "../../src/cli/terminal.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { ADMIN_HELP, AdminClient, type AdminOptions, adminOptions } from "./admin-client.ts";
import { type Counts, FORMAT, FORMAT_VERSION, KINDS, type Kind, NAMES, noCounts } from "./portable-file.ts";
import { forItsUserAlone } from "./private.ts";

const HELP = `
The file has a JSON object a line, payloads in Base64: the users of the directory with the hashes of their passwords, bans, retained messages, and
sessions with what waits for them. Who can read it can read all of that. Users of the secret USERS are not in it.
${ADMIN_HELP}`;

interface Page {
  readonly data: readonly object[];
  readonly meta: { readonly cursor?: string; readonly hasnext?: boolean; readonly too_large?: readonly string[] };
}

export function define(command: Command): void {
  adminOptions(command.description("Writes users, bans, retained messages and sessions of a running broker into a file."))
    .argument("<file>", "one that is not there yet, or is replaced")
    .option("--json", "prints how many there are of each, an object", false)
    .addHelpText("after", HELP)
    .action(run);
}

async function run(file: string, options: AdminOptions & { readonly json: boolean }): Promise<void> {
  const client = new AdminClient(options);
  // Passwords' hashes and messages are for its user alone.
  forItsUserAlone();
  const half = `${file}.${process.pid}`;
  const progress = new Progress();
  try {
    const counts = await write(client, options, createWriteStream(half, { mode: 0o600 }), progress);
    renameSync(half, file);
    progress.end();
    if (options.json) console.log(JSON.stringify(counts));
    else console.error(`${file} has ${KINDS.map((kind) => `${counts[kind]} ${NAMES[kind]}`).join(", ")}.`);
  } catch (error) {
    rmSync(half, { force: true });
    const { code, syscall } = error as NodeJS.ErrnoException;
    throw syscall === undefined ? error : new Problem(`${file} can't be written (${code}).`);
  } finally {
    progress.end();
  }
}

async function write(client: AdminClient, { namespace }: AdminOptions, output: WriteStream, progress: Progress): Promise<Counts> {
  let failure: Error | undefined;
  output.on("error", (error) => {
    failure = error;
  });
  const put = async (value: object): Promise<void> => {
    if (failure !== undefined) throw failure;
    // It fails with the file.
    if (!output.write(`${JSON.stringify(value)}\n`)) await once(output, "drain");
  };
  const counts = noCounts();
  await put({ kind: FORMAT, version: FORMAT_VERSION, at: new Date(PLATFORM.now()).toISOString(), namespace: namespace ?? "default" });
  for (const kind of KINDS) {
    for await (const page of PAGES[kind](client)) {
      for (const each of page) await put({ ...each, kind });
      counts[kind] += page.length;
      progress.tell(`${counts[kind]} ${NAMES[kind]}`);
    }
  }
  await put({ kind: "end", ...counts });
  output.end();
  await finished(output);
  return counts;
}

const PAGES: Readonly<Record<Kind, (client: AdminClient) => AsyncGenerator<readonly object[]>>> = {
  user: (client) => byCursor(client, "/portable/users"),
  ban: bansOf,
  retained: (client) => byCursor(client, "/portable/retained"),
  session: (client) => byCursor(client, "/portable/sessions"),
};

async function* byCursor(client: AdminClient, path: string): AsyncGenerator<readonly object[]> {
  let cursor: string | undefined;
  do {
    const page: Page = await client.call("GET", path, undefined, cursor === undefined ? {} : { cursor });
    yield page.data;
    for (const clientId of page.meta.too_large ?? []) {
      console.error(`durable-mqtt: the session of ${JSON.stringify(clientId)} is not in the file: too much waits for it.`);
      process.exitCode = EXIT_FAILED;
    }
    ({ cursor } = page.meta);
  } while (cursor !== undefined);
}

async function* bansOf(client: AdminClient): AsyncGenerator<readonly object[]> {
  for (let page = 1, more = true; more; page += 1) {
    const { data, meta } = await client.call<Page>("GET", "/banned", undefined, { page: String(page), limit: "1000" });
    yield data;
    more = meta.hasnext === true;
  }
}
