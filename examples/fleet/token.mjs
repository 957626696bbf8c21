/**
 * `node token.mjs truck-7`: a token for a truck, good for a year. The secret that signs it is JWT_SECRET of `.dev.vars`, which is made the first
 * time; a deployed broker has its own (`npx wrangler secret put JWT_SECRET`), given to this program in the environment.
 */

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE = join(import.meta.dirname, ".dev.vars");

const [truck] = process.argv.slice(2);
if (!/^[\w-]{1,64}$/.test(truck ?? "")) {
  console.error("Expected: node token.mjs TRUCK, a name of letters, digits, _ and -");
  process.exit(2);
}

if (!existsSync(FILE)) {
  const secrets = ["JWT_SECRET", "API_TOKEN"].map((name) => `${name}=${randomBytes(32).toString("base64url")}\n`);
  writeFileSync(FILE, secrets.join(""), { mode: 0o600 });
}
const [, ofFile] = /^JWT_SECRET=(.*)$/m.exec(readFileSync(FILE, "utf8")) ?? [];

// The token has the rights: a truck speaks for itself alone, and hears what is sent to it.
const rights = ["--publish", `fleet/${truck}/#`, "--subscribe", `fleet/${truck}/orders/#`];
const names = ["--user", truck, "--client-id", truck];
const { status } = spawnSync("npx", ["durable-mqtt", "token", ...names, ...rights, "--expires", "365d"], {
  stdio: "inherit",
  env: { ...process.env, JWT_SECRET: process.env.JWT_SECRET ?? ofFile },
});
process.exit(status ?? 1);
