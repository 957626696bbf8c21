#!/usr/bin/env node
/**
 * Hashes a password for the secret USERS and prints the hash and an entry to paste.
 *
 *   npm run hash-password                     asks for the password without showing it
 *   npm run hash-password -- 'the password'   takes it from the command line, where the shell's history keeps it
 *   echo 'the password' | npm run hash-password
 *
 * In the package it is the command durable-mqtt-hash-password.
 *
 * Options: --user NAME for the entry; --iterations N (1000 to 100000), fewer where CPU is scarce: see src/auth/password.ts;
 * --secrets-file FILE puts the user into a file for `wrangler deploy --secrets-file FILE`, beside those that are there, and prints no hash.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { hashPassword } from "../../src/auth/password.ts";
import { parseUsers } from "../../src/auth/users.ts";
import { readPassword } from "./password-input.ts";

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(1);
}

/** Adds a user to the secret USERS in a file of secrets as wrangler reads it, or gives it a new password. JSON: wrangler would replace `$` in others. */
function addToSecrets(file: string, added: { readonly user: string; readonly password: string }): void {
  const secrets = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>) : {};
  const text = secrets.USERS ?? "[]";
  const { problems } = parseUsers(text);
  if (problems.length > 0) fail(`${file} was left as it is: ${problems[0]}`);
  // As they were written, with all that they have.
  const users = JSON.parse(text) as { readonly user: string }[];
  const former = users.find(({ user }) => user === added.user);
  const entry = former === undefined ? added : { ...former, password: added.password };
  const others = users.filter((user) => user !== former);
  writeFileSync(file, `${JSON.stringify({ ...secrets, USERS: JSON.stringify([...others, entry]) })}\n`, { mode: 0o600 });
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      user: { type: "string", default: "ada" },
      iterations: { type: "string", default: "100000" },
      "secrets-file": { type: "string" },
    },
  });
  if (positionals.length > 1) fail("One password was expected: put it in quotes if it has spaces.");
  const password = await readPassword(positionals[0]);
  if (password === "") fail("The password must not be empty.");
  const hash = await hashPassword(new TextEncoder().encode(password), Number(values.iterations));

  const entry = { user: values.user, password: hash, publish: ["home/#"], subscribe: ["home/#"] };
  const file = values["secrets-file"];
  if (file !== undefined) {
    addToSecrets(file, entry);
    // Who runs it as the package's command has no script of that name.
    const deploy = process.env.npm_lifecycle_event === "hash-password" ? "npm run deploy --" : "npx wrangler deploy";
    console.log(`${file} has the user ${values.user} now. To deploy it: ${deploy} --secrets-file ${file}`);
    return;
  }
  console.log(hash);
  console.log("\nAn entry of USERS, which is a JSON array of such entries (npx wrangler secret put USERS):\n");
  console.log(JSON.stringify([entry]));
}

try {
  await main();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
