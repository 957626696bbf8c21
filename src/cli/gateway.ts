/** `durable-mqtt gateway`: options in, a running gateway and its log out. What it does is in src/gateway. */

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Option } from "commander";
import { GATEWAY_SECRET } from "../auth/gateway-settings.ts";
import { isSafeWay } from "../auth/outside.ts";
import { Certificates } from "../gateway/certificates.ts";
import { NAME_PLACES, type NamePlace } from "../gateway/client-name.ts";
import { type Gateway, startGateway } from "../gateway/gateway.ts";
import { type Line, textOf } from "../gateway/journal.ts";
import type { ListenerOptions, TlsOptions } from "../gateway/listener.ts";
import { serveMetrics } from "../gateway/metrics-server.ts";
import { GatewayProblem } from "../gateway/problem.ts";
import { Proxies } from "../gateway/proxies.ts";
import { sayingBy } from "../gateway/signed.ts";
import { PLATFORM } from "../runtime.ts";
import { callOf } from "./calling.ts";
import { openFilesMax } from "./open-files.ts";
import { Problem, UsageProblem } from "./problem.ts";
import type { Command } from "./program.ts";
import { paint } from "./terminal.ts";
import { portOf, several, wholeNumber } from "./values.ts";

/** MQTT's own ports. */
const TCP_PORT = 1883;
const TLS_PORT = 8883;

/** Files that are open beside those of connections. */
const FILES_BESIDE = 64;

interface Options {
  /** A `ws:` or `wss:` URL. */
  readonly to: URL;
  readonly host: string;
  /** `true`: the option alone. */
  readonly tcp?: number | true;
  readonly tls?: number | true;
  readonly cert: readonly string[];
  readonly key: readonly string[];
  readonly ca?: string;
  readonly crl?: string;
  readonly userFrom?: NamePlace;
  readonly optionalCertificates: boolean;
  readonly proxyFrom: readonly string[];
  readonly connections: number;
  /** 0: no bound. */
  readonly perAddress: number;
  readonly relay: boolean;
  readonly metrics?: { readonly host: string; readonly port: number };
  readonly verbose: boolean;
  readonly json: boolean;
}

const HELP = `
The secret GATEWAY_SECRET of the broker, taken from the environment variable of that name, lets it believe where clients are and whom their
certificates name. SIGHUP reads certificates anew; SIGTERM and Ctrl-C tell clients and end within five seconds.

For example:
  ${callOf("gateway")} --to wss://mqtt.example.com/mqtt --host 0.0.0.0 --tls --cert server.pem --key server-key.pem
  GATEWAY_SECRET=... ${callOf("gateway")} --to wss://... --host 0.0.0.0 --tls --cert ... --key ... --ca devices.pem --user-from cert-cn`;

export function define(command: Command): void {
  command
    .description("Takes MQTT over TCP and TLS in front of a broker that speaks WebSocket, on this machine or deployed.")
    .requiredOption("--to <url>", "the broker: wss://HOST/mqtt, or ws:// on this machine", brokerUrl)
    .option("--host <address>", "address to listen on; 0.0.0.0 lets other machines in", "127.0.0.1")
    .option("--tcp [port]", `takes MQTT over TCP, on port ${TCP_PORT} if none is given; the default where there is no --tls`, portOf)
    .option("--tls [port]", `takes MQTT over TLS, on port ${TLS_PORT} if none is given`, portOf)
    .option("--cert <file>", "certificate with its chain, PEM; several for several names (SNI), the first is the default", several, [])
    .option("--key <file>", "its private key, PEM; in the order of --cert", several, [])
    .option("--ca <file>", "clients need a certificate of these authorities, PEM")
    .option("--crl <file>", "certificates of clients that are revoked, PEM")
    .addOption(
      new Option("--user-from <place>", "a client is the user whom its certificate names; needs --ca and GATEWAY_SECRET").choices(
        NAME_PLACES,
      ),
    )
    .option("--optional-certificates", "with --ca: who has no certificate is let through to the broker, which asks for a password", false)
    .option(
      "--proxy-from <network>",
      "every connection comes from such a load balancer and begins with a PROXY header (1 or 2); may be given several times",
      several,
      [],
    )
    .option("--connections <n>", "connections at a time", wholeNumber(1, 1_000_000), 20_000)
    .option("--per-address <n>", "connections of one address at a time, 0 = no bound", wholeNumber(0, 1_000_000), 1000)
    .option(
      "--relay",
      "leaves the Client Identifier out of the URL: the broker's Worker relays, and pings of idle clients cost nothing",
      false,
    )
    .option("--metrics <port>", "serves /metrics and /health on 127.0.0.1, or on HOST:PORT", metricsAddress)
    .option("--verbose", "logs every connection", false)
    .option("--json", "logs in JSON, an object a line", false)
    .addHelpText("after", HELP)
    .action(run);
}

/** Its sentences do not repeat it: it may hold a password. */
function brokerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text.replace(/^http/i, "ws")) : undefined;
  if (url === undefined || !/^wss?:$/.test(url.protocol)) throw new UsageProblem("--to must be wss://HOST/mqtt or ws://HOST:PORT/mqtt.");
  if (url.username !== "" || url.password !== "") throw new UsageProblem("--to must be a URL without a user: clients log in themselves.");
  if (url.pathname === "/") url.pathname = "/mqtt";
  return url;
}

function metricsAddress(text: string): { readonly host: string; readonly port: number } {
  const [, host = "127.0.0.1", port = ""] = /^(?:(.*):)?(\d+)$/.exec(text) ?? [];
  return { host: host.replace(/^\[|\]$/g, ""), port: portOf(port) };
}

function secretOf(to: URL): Uint8Array | undefined {
  const secret = GATEWAY_SECRET.parse((process.env.GATEWAY_SECRET ?? "").trim());
  if (secret === undefined) throw new Problem(`GATEWAY_SECRET must be ${GATEWAY_SECRET.form}.`);
  if (secret.length === 0) return undefined;
  if (!isSafeWay(new URL(to.href.replace(/^ws/, "http"))))
    throw new UsageProblem("With GATEWAY_SECRET --to must be wss://, or this machine: others could use what they read.");
  return secret;
}

function tlsOf(options: Options, hasSecret: boolean): TlsOptions | undefined {
  const { cert, key, ca, crl, userFrom, optionalCertificates } = options;
  if (options.tls === undefined && cert.length === 0) {
    if (ca !== undefined || userFrom !== undefined) throw new UsageProblem("--ca and --user-from need --tls, --cert and --key.");
    return undefined;
  }
  if (cert.length === 0 || cert.length !== key.length) throw new UsageProblem("--tls needs a --cert and a --key for each certificate.");
  if ((userFrom !== undefined || optionalCertificates || crl !== undefined) && ca === undefined)
    throw new UsageProblem("--user-from, --crl and --optional-certificates need --ca.");
  if (userFrom !== undefined && !hasSecret)
    throw new UsageProblem(
      "--user-from needs GATEWAY_SECRET in the environment, and the same in the broker: without it the broker would not believe it.",
    );
  const pairs = cert.map((file, index) => ({ cert: file, key: key[index]! }));
  return { certificates: new Certificates({ pairs, ca, crl }), areCertificatesOptional: optionalCertificates, userFrom };
}

function proxiesOf({ proxyFrom }: Options): Proxies | undefined {
  if (proxyFrom.length === 0) return undefined;
  const proxies = Proxies.of(proxyFrom);
  if (typeof proxies === "string")
    throw new UsageProblem(`--proxy-from must be an address or a network such as 10.0.0.0/8, not ${JSON.stringify(proxies)}.`);
  return proxies;
}

function listenersOf(options: Options, tls: TlsOptions | undefined): ListenerOptions[] {
  const { host } = options;
  const proxies = proxiesOf(options);
  const numbered = (port: number | true | undefined, usual: number): number => (typeof port === "number" ? port : usual);
  return [
    ...(options.tcp === undefined && tls !== undefined ? [] : [{ host, port: numbered(options.tcp, TCP_PORT), proxies }]),
    ...(tls === undefined ? [] : [{ host, port: numbered(options.tls, TLS_PORT), proxies, tls }]),
  ];
}

async function run(options: Options): Promise<void> {
  const { to, connections, perAddress, relay, metrics } = options;
  try {
    const secret = secretOf(to);
    const tls = tlsOf(options, secret !== undefined);
    const gateway = await startGateway({
      listeners: listenersOf(options, tls),
      broker: { url: to.href, handsOver: !relay, ...sayingBy(secret) },
      connectionsMax: connections,
      perAddressMax: perAddress === 0 ? undefined : perAddress,
      log: (line) => log(line, options),
    });
    const server =
      metrics &&
      (await serveMetrics(metrics.host, metrics.port, () => gateway.metricsText()).catch(async (error) => {
        await gateway.close();
        throw error;
      }));
    const reload = (): void => gateway.reload();
    process.on("SIGHUP", reload);
    const stopped = toldToStop();
    announce(gateway, options, tls, server);
    await stopped;
    await gateway.close();
    process.off("SIGHUP", reload);
    server?.close();
    server?.closeAllConnections();
  } catch (error) {
    throw error instanceof GatewayProblem ? new Problem(error.message) : error;
  }
}

function log(line: Line, { verbose, json }: Options): void {
  if (line.kind === "connection" && !verbose) return;
  const time = new Date(PLATFORM.now()).toISOString();
  const { kind, message, fields } = line;
  if (json) console.error(JSON.stringify({ time, kind, message, ...fields }));
  else console.error(`${time} ${kind === "problem" ? paint("yellow", textOf(line), process.stderr) : textOf(line)}`);
}

function announce(gateway: Gateway, options: Options, tls: TlsOptions | undefined, metrics: Server | undefined): void {
  const { to, host, connections } = options;
  const name = host.includes(":") ? `[${host}]` : host;
  const ports = [...gateway.ports];
  const tlsPort = tls && ports.pop();
  const [tcpPort] = ports;
  const address = metrics?.address() as AddressInfo | undefined;
  const metricsUrl = address && `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}/metrics`;
  const fields = { to: to.host, tcp: tcpPort, tls: tlsPort, metrics: metricsUrl };
  const lines: (readonly [string, string | undefined])[] = [
    ["broker", `${to.protocol}//${to.host}${to.pathname}`],
    ["MQTT over TCP", tcpPort === undefined ? undefined : `mqtt://${name}:${tcpPort}`],
    ["MQTT over TLS", tlsPort === undefined ? undefined : `mqtts://${name}:${tlsPort}`],
    ["certificates", tls && `good until ${tls.certificates.validUntil.toISOString().slice(0, 10)}`],
    ["metrics", metricsUrl],
  ];
  const said = lines.flatMap(([what, value]) => (value === undefined ? [] : [`  ${what.padEnd(14)} ${value}`]));
  if (options.json) log({ kind: "notice", message: "running", fields }, options);
  else console.log(`The gateway is running. Ctrl-C stops it.\n\n${said.join("\n")}\n`);
  const room = Math.floor((openFilesMax() - FILES_BESIDE) / 2);
  if (room >= connections) return;
  const message = `open files are limited: there is room for ${room} connections instead of ${connections} (ulimit -n)`;
  log({ kind: "problem", message, fields: {} }, options);
}

/** A first signal says so; a second one does not wait. */
function toldToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
