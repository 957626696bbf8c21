/**
 * `npm start` and `durable-mqtt start`: options and environment in, a running broker and what to do with it out. The broker itself is in
 * local-broker.ts.
 */
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { parseUsers } from "../../src/auth/users.ts";
import { callOf, nameOf } from "../../src/cli/calling.ts";
import { EXIT_FAILED, Problem } from "../../src/cli/problem.ts";
import { type Command, loaded, tell } from "../../src/cli/program.ts";
import { portOf } from "../../src/cli/values.ts";
import { ACCESS_SETTINGS, SETTINGS } from "../../src/settings.ts";
import { buildPage } from "../build/bundle.ts";
import { ADMIN_FILE, adminTokenOf, writeAdminFile } from "./admin-file.ts";
import type { Broker } from "./local-broker.ts";
import { isLoopback } from "./loopback.ts";
import { forItsUserAlone } from "./private.ts";

/** MQTT's own port. */
const TCP_PORT = "1883";

interface Options {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly acceptLoss: boolean;
  /** `true`: the option alone. */
  readonly tcp?: number | true;
  readonly topology?: string;
}

export function define(command: Command): void {
  command
    .description("Runs durable-mqtt on this machine.")
    .option("--port <port>", "port for the console and for MQTT over WebSocket", portOf, 8083)
    .option("--host <address>", "address to listen on; 0.0.0.0 lets other machines in", "127.0.0.1")
    .option("--data <folder>", "where sessions and retained messages are kept", ".data")
    .option("--accept-loss", "starts although something in that folder is damaged; it is set aside, and what was in it is lost", false)
    .option("--tcp [port]", `also takes MQTT over TCP, on port ${TCP_PORT} if none is given`, portOf)
    .option("--topology <shape>", "the shape of the broker: compact (the default), or sharded as it is deployed by default")
    .addHelpText(
      "after",
      `\nEvery setting of wrangler.toml can be given as an environment variable, for example: ALLOW_ANONYMOUS=true ${nameOf("start")}`,
    )
    .action(start);
}

async function start(options: Options): Promise<void> {
  const tcpPort = options.tcp === true ? Number(TCP_PORT) : options.tcp;
  const env = readSettings(options.topology, options.host);
  const { problems } = parseUsers(env.USERS ?? "[]");
  if (problems.length > 0) throw new Problem(problems.join("\n"));

  const { startBroker } = await loaded("start", () => import("./local-broker.ts"));
  // What the broker writes from here on is for its user alone; the console, which is built, is not.
  await buildPage();
  forItsUserAlone();

  try {
    // `npm run user` and `npm run ban` on this machine know where to find it.
    env.ADMIN_TOKEN ??= adminTokenOf(options.data);
    const { port, host, data, acceptLoss } = options;
    const broker = await startBroker({ port, tcpPort, host, data, acceptLoss, env });
    stopOnSignals(broker);
    writeAdminFile(data, { url: broker.url, token: env.ADMIN_TOKEN });
    for (const note of broker.notes) console.error(note);
    void broker.ended.then((sentence) => process.exit(tell(sentence, EXIT_FAILED)));
    console.log(announce(broker, host, data, env));
  } catch (error) {
    if (error instanceof Problem) throw error;
    // Something of it may run.
    process.exit(tell(`It could not be started: ${(error as Error).message.split("\n", 2).join(" ")}`, EXIT_FAILED));
  }
}

/** The settings in the environment, and what is otherwise here than in a deploy; on loopback everybody may connect, unless the environment says who. */
function readSettings(topology: string | undefined, host: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { name } of SETTINGS) {
    const value = process.env[name];
    if (value !== undefined && value !== "") env[name] = value;
  }
  if (topology !== undefined) env.TOPOLOGY = topology;
  if (isLoopback(host) && !ACCESS_SETTINGS.some((name) => name in env)) env.ALLOW_ANONYMOUS = "true";
  // Here a row costs nothing.
  env.MONITOR ??= "true";
  env.SYS_SECONDS ??= "10";
  if (isLoopback(host)) env.SYS_ANONYMOUS ??= "true";
  // Other names that mean this machine are those that a page has made so.
  if (isLoopback(host)) env.ALLOWED_HOSTS ??= "loopback";
  return env;
}

/** An address that others can use when the broker listens on all of them. */
function reachable(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find((address) => !address.internal && address.family === "IPv4")?.address ?? "127.0.0.1";
}

/** What opens the console's views of clients, figures and users: for eyes, and not for the files that output goes to. */
function tokenWords(data: string, token: string): string {
  if (process.env.ADMIN_TOKEN) return "that of ADMIN_TOKEN";
  return process.stdout.isTTY ? token : `in ${join(data, ADMIN_FILE)}`;
}

function announce(broker: Broker, host: string, data: string, env: Record<string, string>): string {
  const name = reachable(host);
  const address = name.includes(":") ? `[${name}]` : name;
  const ws = `ws://${address}:${broker.port}/mqtt`;
  const access =
    env.ALLOW_ANONYMOUS === "true"
      ? isLoopback(host)
        ? "Every program on this machine may connect (ALLOW_ANONYMOUS=true); other machines cannot reach it."
        : "Everybody who can reach this machine may connect (ALLOW_ANONYMOUS=true)."
      : ACCESS_SETTINGS.some((name) => name !== "ALLOW_ANONYMOUS" && name in env)
        ? "Those whom the settings name may connect."
        : `Only users that were added may connect (${callOf("user")} add NAME); ALLOW_ANONYMOUS=true lets everybody in who can reach this machine.`;
  return `durable-mqtt is running (${env.TOPOLOGY ?? "compact"} topology, storage in ${data}${broker.isNew ? ", new" : ""}). Ctrl-C stops it.

  MQTT over WebSocket  ${ws}
  MQTT over TCP        ${broker.tcpPort === undefined ? `not open; start with: ${callOf("start")} --tcp ${TCP_PORT}` : `mqtt://${address}:${broker.tcpPort}`}
  Console              http://${address}:${broker.port}/
  Token for it         ${tokenWords(data, env.ADMIN_TOKEN!)}

${[access, ...broker.notes].join("\n")}

Try it from a second terminal, in this folder:

  node -e "require('mqtt').connect('${ws}').on('connect', function () { this.subscribe('#'); this.publish('hello', 'world') }).on('message', (topic, payload) => console.log(topic, String(payload)))"
  ${broker.tcpPort === undefined ? "mosquitto_pub needs MQTT over TCP: add --tcp 1883" : `mosquitto_pub -h ${name} -p ${broker.tcpPort} -t hello -m world`}
`;
}

function stopOnSignals(broker: Broker): void {
  let isStopping = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Miniflare listens too, and would end this process at once and as a failure.
    process.removeAllListeners(signal);
    process.on(signal, async () => {
      if (isStopping) return;
      isStopping = true;
      await broker.dispose();
      process.exit(0);
    });
  }
}
