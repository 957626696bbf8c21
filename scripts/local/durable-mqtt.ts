#!/usr/bin/env node
/** The command `durable-mqtt`, in the package and here, where npm scripts call it: all its commands by name. What they share is in src/cli. */

import { type CommandEntry, runProgram } from "../../src/cli/program.ts";
import { VERSION } from "./version.ts";

const COMMANDS: readonly CommandEntry[] = [
  { name: "start", summary: "runs a broker on this machine", load: () => import("./start.ts") },
  { name: "gateway", summary: "takes MQTT over TCP and TLS in front of a broker", load: () => import("../../src/cli/gateway.ts") },
  { name: "user", summary: "adds, changes, removes and lists users of a running broker", load: () => import("./user-command.ts") },
  { name: "ban", summary: "shuts clients out of a running broker", load: () => import("./ban-command.ts") },
  { name: "token", summary: "signs a token (JWT) for a broker that takes tokens", load: () => import("./token.ts") },
  { name: "hash-password", summary: "hashes a password for the secret USERS", load: () => import("./hash-password.ts") },
  { name: "backup", summary: "copies what a broker on this machine keeps, while it runs", load: () => import("./backup-command.ts") },
  { name: "restore", summary: "puts such a copy back", load: () => import("./restore-command.ts") },
];

process.exitCode = await runProgram(COMMANDS, VERSION, process.argv.slice(2));
