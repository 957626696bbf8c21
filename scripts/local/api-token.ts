/** `npm run api-token`: makes a token for the HTTP API, and the entry of the secret API_TOKENS by which a broker knows it. */

import { createHash, randomBytes } from "node:crypto";
import { Option } from "commander";
import { API_SCOPES, API_TOKENS, type ApiScope } from "../../src/auth/api-settings.ts";
import { UsageProblem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { several } from "../../src/cli/values.ts";

const TOKEN_BYTES = 32;

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

function run(name: string, { scope, namespace }: Options): void {
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  const sha256 = createHash("sha256").update(token).digest("hex");
  const namespaces = namespace.includes("*") ? "*" : namespace.length > 0 ? namespace : ["default"];
  const entries = JSON.stringify([{ name, sha256, scopes: scope, namespaces }]);
  if (API_TOKENS.parse(entries) === undefined)
    throw new UsageProblem("A name has 1 to 64 characters and no colon; a namespace has letters, digits, _ and -.");
  console.log(token);
  console.log("\nIt is shown once. An entry of API_TOKENS, which is a JSON array of such entries (npx wrangler secret put API_TOKENS):\n");
  console.log(entries);
}
