/** `npm start`: options and environment in, a running broker and what to do with it out. The broker itself is in local-broker.ts. */
import { networkInterfaces } from "node:os";
import { parseArgs } from "node:util";
import { parseUsers } from "../../src/auth/users.ts";
import { ACCESS_SETTINGS, SETTINGS } from "../../src/settings.ts";
import { buildPage } from "../build/bundle.ts";
import { adminTokenOf, writeAdminFile } from "./admin-file.ts";
import { type Broker, StartProblem, startBroker } from "./local-broker.ts";
import { isLoopback } from "./loopback.ts";

const HELP = `Runs durable-mqtt on this machine.

  npm start -- [options]

  --port 8083        port for the page and for MQTT over WebSocket
  --host 127.0.0.1   address to listen on; 0.0.0.0 lets other machines in
  --data .data       folder where sessions and retained messages are kept
  --accept-loss      starts although something in that folder is damaged; it is set aside, and what was in it is lost
  --tcp 1883         also takes MQTT over TCP on this port
  --topology compact the shape of the broker: compact, or sharded as it is deployed by default
  --help             shows this

Every setting of wrangler.toml can be given as an environment variable, for example: ALLOW_ANONYMOUS=true npm start`;

const OPTIONS = {
  port: { type: "string", default: "8083" },
  host: { type: "string", default: "127.0.0.1" },
  data: { type: "string", default: ".data" },
  "accept-loss": { type: "boolean", default: false },
  tcp: { type: "string" },
  topology: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

function fail(sentence: string, exitCode: number): never {
  for (const line of sentence.split("\n")) console.error(`durable-mqtt: ${line}`);
  process.exit(exitCode);
}

function readOptions() {
  try {
    return parseArgs({ args: withDefaultTcp(process.argv.slice(2)), options: OPTIONS, allowPositionals: false }).values;
  } catch (error) {
    const [sentence] = (error as Error).message.split(". To specify a positional");
    return fail(`${sentence!.replace(/\.$/, "")}. Try: npm start -- --help`, 2);
  }
}

/** `--tcp` alone means MQTT's own port. */
function withDefaultTcp(args: string[]): string[] {
  return args.map((argument, index) => (argument === "--tcp" && !/^[^-]/.test(args[index + 1] ?? "") ? "--tcp=1883" : argument));
}

function portOf(name: string, text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : fail(`${name} must be a port from 0 to 65535 (0 = any free one), not ${JSON.stringify(text)}.`, 2);
}

/** The settings in the environment; on loopback everybody may connect, unless the environment says who. */
function readSettings(topology: string | undefined, host: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { name } of SETTINGS) {
    const value = process.env[name];
    if (value !== undefined && value !== "") env[name] = value;
  }
  if (topology !== undefined) env.TOPOLOGY = topology;
  if (isLoopback(host) && !ACCESS_SETTINGS.some((name) => name in env)) env.ALLOW_ANONYMOUS = "true";
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
        : "Only users that were added may connect (npm run user -- add NAME); ALLOW_ANONYMOUS=true lets everybody in who can reach this machine.";
  return `durable-mqtt is running (${env.TOPOLOGY ?? "compact"} topology, storage in ${data}${broker.isNew ? ", new" : ""}). Ctrl-C stops it.

  MQTT over WebSocket  ${ws}
  MQTT over TCP        ${broker.tcpPort === undefined ? "not open; start with: npm start -- --tcp 1883" : `mqtt://${address}:${broker.tcpPort}`}
  Page                 http://${address}:${broker.port}/

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

const options = readOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const port = portOf("--port", options.port);
const tcpPort = options.tcp === undefined ? undefined : portOf("--tcp", options.tcp);
const env = readSettings(options.topology, options.host);
const { problems } = parseUsers(env.USERS ?? "[]");
if (problems.length > 0) fail(problems.join("\n"), 1);

// What the broker writes from here on is for its user alone; the page, which is built, is not.
await buildPage();
if (process.platform !== "win32") process.umask(0o077);

try {
  // `npm run user` and `npm run ban` on this machine know where to find it.
  env.ADMIN_TOKEN ??= adminTokenOf(options.data);
  const broker = await startBroker({ port, tcpPort, host: options.host, data: options.data, acceptLoss: options["accept-loss"], env });
  stopOnSignals(broker);
  writeAdminFile(options.data, { url: broker.url, token: env.ADMIN_TOKEN });
  for (const note of broker.notes) console.error(note);
  void broker.ended.then((sentence) => fail(sentence, 1));
  console.log(announce(broker, options.host, options.data, env));
} catch (error) {
  if (error instanceof StartProblem) fail(error.message, 1);
  fail(`It could not be started: ${(error as Error).message.split("\n", 2).join(" ")}`, 1);
}
