/** The commands of `durable-mqtt`, in the order in which its help has them. Each is loaded when it is called. */

import type { CommandEntry } from "../../src/cli/program.ts";

export const COMMANDS: readonly CommandEntry[] = [
  { name: "start", summary: "runs a broker on this machine", load: () => import("./start.ts") },
  { name: "init", summary: "makes a new project with a broker in a Worker of its own", load: () => import("./init-command.ts") },
  { name: "gateway", summary: "takes MQTT over TCP and TLS in front of a broker", load: () => import("../../src/cli/gateway.ts") },
  { name: "pub", summary: "publishes messages", load: () => import("../../src/cli/pub.ts") },
  { name: "sub", summary: "subscribes, and prints what comes", load: () => import("../../src/cli/sub.ts") },
  { name: "probe", summary: "tries a broker at each QoS, and tells how long each step took", load: () => import("../../src/cli/probe.ts") },
  { name: "bench", summary: "puts a load on a broker, and measures it", load: () => import("../../src/cli/bench.ts") },
  { name: "user", summary: "adds, changes, removes and lists users of a running broker", load: () => import("./user-command.ts") },
  { name: "ban", summary: "shuts clients out of a running broker", load: () => import("./ban-command.ts") },
  { name: "token", summary: "signs a token (JWT) for a broker that takes tokens", load: () => import("./token.ts") },
  { name: "api-token", summary: "makes a token for the HTTP API", load: () => import("./api-token.ts") },
  { name: "hash-password", summary: "hashes a password for the secret USERS", load: () => import("./hash-password.ts") },
  { name: "export", summary: "writes what a running broker keeps into a file", load: () => import("./export-command.ts") },
  { name: "import", summary: "brings that into another one, or one of another topology", load: () => import("./import-command.ts") },
  { name: "backup", summary: "copies what a broker on this machine keeps, while it runs", load: () => import("./backup-command.ts") },
  { name: "restore", summary: "puts such a copy back", load: () => import("./restore-command.ts") },
];
