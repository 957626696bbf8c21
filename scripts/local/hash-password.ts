/** `npm run hash-password`: hashes a password for the secret USERS, and prints the hash and an entry to paste. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hashPassword, ITERATIONS_MAX, ITERATIONS_MIN } from "../../src/auth/password.ts";
import { parseUsers } from "../../src/auth/users.ts";
import { readPassword } from "../../src/cli/password-input.ts";
import { Problem, UsageProblem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { wholeNumber } from "../../src/cli/values.ts";

interface Options {
  readonly user: string;
  readonly iterations: number;
  readonly secretsFile?: string;
}

export function define(command: Command): void {
  command
    .description("Hashes a password for the secret USERS and prints the hash and an entry to paste.")
    .argument("[password]", "the shell's history keeps it; without it, it is asked for or read from the standard input")
    .option("--user <name>", "for the entry", "ada")
    .option(
      "--iterations <n>",
      `fewer where processor time is scarce, ${ITERATIONS_MIN} to ${ITERATIONS_MAX}`,
      wholeNumber(ITERATIONS_MIN, ITERATIONS_MAX),
      ITERATIONS_MAX,
    )
    .option("--secrets-file <file>", "puts the user into a file for `wrangler deploy --secrets-file`, beside those that are there")
    .action(run);
}

async function run(argument: string | undefined, { user, iterations, secretsFile: file }: Options): Promise<void> {
  const password = await readPassword(argument);
  if (password === "") throw new UsageProblem("The password must not be empty.");
  const hash = await hashPassword(new TextEncoder().encode(password), iterations);
  const entry = { user, password: hash, publish: ["home/#"], subscribe: ["home/#"] };
  if (file !== undefined) {
    addToSecrets(file, entry);
    // Who runs it as the package's command has no script of that name.
    const deploy = process.env.npm_lifecycle_event === "hash-password" ? "npm run deploy --" : "npx wrangler deploy";
    console.log(`${file} has the user ${user} now. To deploy it: ${deploy} --secrets-file ${file}`);
    return;
  }
  console.log(hash);
  console.log("\nAn entry of USERS, which is a JSON array of such entries (npx wrangler secret put USERS):\n");
  console.log(JSON.stringify([entry]));
}

/** Adds a user to the secret USERS in a file of secrets as wrangler reads it, or gives it a new password. JSON: wrangler would replace `$` in others. */
function addToSecrets(file: string, added: { readonly user: string; readonly password: string }): void {
  const secrets = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>) : {};
  const text = secrets.USERS ?? "[]";
  const { problems } = parseUsers(text);
  if (problems.length > 0) throw new Problem(`${file} was left as it is: ${problems[0]}`);
  // As they were written, with all that they have.
  const users = JSON.parse(text) as { readonly user: string }[];
  const former = users.find(({ user }) => user === added.user);
  const entry = former === undefined ? added : { ...former, password: added.password };
  const others = users.filter((user) => user !== former);
  writeFileSync(file, `${JSON.stringify({ ...secrets, USERS: JSON.stringify([...others, entry]) })}\n`, { mode: 0o600 });
}
