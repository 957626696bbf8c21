/** `npm run api-token`: makes a token for the HTTP API, and the entry of the secret API_TOKENS by which a broker knows it. */

import { Option } from "commander";
import { API_TOKENS } from "../../src/auth/api-settings.ts";
import { API_SCOPES, type ApiScope, makeApiToken } from "../../src/auth/api-token.ts";
import { UsageProblem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { several } from "../../src/cli/values.ts";

interface Options {
  readonly scope: readonly ApiScope[];
  readonly namespace: readonly string[];
}

export function define(command: Command): void {
  command
    .description("Makes a token for the HTTP API, and the entry of the secret API_TOKENS by which a broker knows it.")
    .argument("<name>", "what uses the token, such as backend")
    .addOption(new Option("--scope <scope...>", "what the token is for; admin is for everything").choices(API_SCOPES).makeOptionMandatory())
    .option("--namespace <name>", 'where; * = everywhere; may be given several times (default: "default")', several, [])
    .action(run);
}

async function run(name: string, { scope: scopes, namespace }: Options): Promise<void> {
  const namespaces = namespace.includes("*") ? "*" : namespace.length > 0 ? namespace : ["default"];
  const { token, entry } = await makeApiToken({ name, scopes, namespaces });
  const entries = JSON.stringify([entry]);
  if (API_TOKENS.parse(entries) === undefined)
    throw new UsageProblem("A name has 1 to 64 characters and no colon; a namespace has letters, digits, _ and -.");
  console.log(token);
  console.log("\nIt is shown once. An entry of API_TOKENS, which is a JSON array of such entries (npx wrangler secret put API_TOKENS):\n");
  console.log(entries);
}
