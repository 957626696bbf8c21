/**
 * The server that `pub`, `sub`, `probe` and `bench` speak to: options as mosquitto's programs have them, and connections over WebSocket, TCP or
 * TLS. A password stands in no message; the environment or the standard input may have it, so that no list of processes does.
 */

import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { InvalidArgumentError } from "commander";
import { WebSocket } from "ws";
import { type Client, connect } from "../client/client.ts";
import { MqttError } from "../client/error.ts";
import { CLOSE_MS } from "../client/limits.ts";
import type { ConnectOptions } from "../client/options.ts";
import { systemClock } from "../client/platform.ts";
import type { Socket } from "../client/socket.ts";
import type { ProtocolVersion, QoS } from "../mqtt/packet.ts";
import { callOf } from "./calling.ts";
import { readPassword } from "./password-input.ts";
import { Problem, UsageProblem } from "./problem.ts";
import type { Command } from "./program.ts";
import { TcpSocket } from "./tcp-socket.ts";
import { Progress, QUIET_MS } from "./terminal.ts";
import { durationOption, portOf, wholeNumber } from "./values.ts";

/** Where `npm start` listens. */
const LOCAL = "ws://127.0.0.1:8083/mqtt";

/** From the beginning of a connection to CONNACK where nothing else is asked for, ms. */
const CONNECT_MS = 10_000;

/** What a port means where no protocol is named. */
const PROTOCOLS: Readonly<Record<number, string>> = { 80: "ws", 443: "wss", 8083: "ws", 8084: "wss", 8883: "mqtts" };

const PORTS: Readonly<Record<string, number>> = { "mqtt:": 1883, "mqtts:": 8883 };

/** Who it is, and how the connection is made. */
export interface LoginOptions {
  readonly username?: string;
  readonly pw?: string;
  readonly passwordStdin?: true;
  readonly keepalive: number;
  readonly protocolVersion: ProtocolVersion;
  readonly cafile?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure: boolean;
  /** Milliseconds. */
  readonly connectTimeout?: number;
}

export interface ServerOptions extends LoginOptions {
  readonly url?: URL;
  readonly host?: string;
  readonly port?: number;
  readonly id?: string;
}

/** A server, and what it is told by whoever connects. */
export interface Server {
  /** As far as it may be told: without what may be a secret. */
  readonly name: string;
  readonly open: () => Socket;
  readonly login: ConnectOptions;
}

export const SERVER_HELP = `
Without --url and -h it is the broker that ${callOf("start").replace(/ --$/, "")} runs on this machine. -h alone means MQTT over TCP, on port 1883; the ports 8883, 443 and
8083 mean MQTT over TLS, wss and ws. The environment variable MQTT_PASSWORD may have the password of -u.`;

/** Gives a command the options by which it finds and enters its server. */
export function serverOptions(command: Command): Command {
  command
    .option("-L, --url <url>", "wss://, ws://, mqtts:// or mqtt:// and a host", serverUrl)
    .option("-h, --host <host>", "its host")
    .option("-p, --port <port>", "its port", portOf)
    .option("-i, --id <id>", "the Client Identifier; a random one without it");
  return loginOptions(command);
}

export function loginOptions(command: Command): Command {
  return command
    .helpOption("--help", "shows this")
    .option("-u, --username <name>", "the user")
    .option("-P, --pw <password>", "the password; lists of processes show it")
    .option("--password-stdin", "asks for the password, or reads it from the standard input")
    .option("-k, --keepalive <seconds>", "Keep Alive", wholeNumber(0, 65_535), 60)
    .option("-V, --protocol-version <version>", "of MQTT: 5, 311 or 31", versionOf, 5)
    .option("--cafile <file>", "certificates of the authorities that are trusted, PEM")
    .option("--cert <file>", "a client certificate, PEM")
    .option("--key <file>", "its private key, PEM")
    .option("--insecure", "takes any certificate of the server", false);
}

export function connectTimeoutOption(command: Command): Command {
  return command.addOption(durationOption("--connect-timeout <time>", "from the beginning of a connection to CONNACK", "10s"));
}

/** Its sentences do not repeat it: it may hold a password or a token. */
export function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text.replace(/^http/i, "ws")) : undefined;
  if (url === undefined || !/^(?:wss?|mqtts?):$/.test(url.protocol) || url.hostname === "")
    throw new UsageProblem("The URL must be wss://, ws://, mqtts:// or mqtt:// and a host.");
  if (url.username !== "" || url.password !== "") throw new UsageProblem("The URL must be one without a user: -u and -P say who it is.");
  return url;
}

const VERSIONS: Readonly<Record<string, ProtocolVersion>> = {
  "5": 5,
  mqttv5: 5,
  "5.0": 5,
  "311": 4,
  mqttv311: 4,
  "3.1.1": 4,
  "31": 3,
  mqttv31: 3,
  "3.1": 3,
};

function versionOf(text: string): ProtocolVersion {
  const version = VERSIONS[text];
  if (version === undefined) throw new InvalidArgumentError("Expected 5, 311 or 31.");
  return version;
}

export function qosOf(text: string): QoS {
  return wholeNumber(0, 2, "0, 1 or 2")(text) as QoS;
}

/** The server that the options name. @throws UsageProblem for options that do not go together, Problem for files that can't be read */
export async function serverOf(options: ServerOptions): Promise<Server> {
  return serverAt(urlOf(options), options, options.id);
}

/** @param id undefined: a random one */
export async function serverAt(url: URL, options: LoginOptions, id?: string): Promise<Server> {
  const { protocol, host, pathname } = url;
  const open = socketsTo(url, options);
  const { keepalive, protocolVersion, connectTimeout = CONNECT_MS } = options;
  const login = {
    version: protocolVersion,
    keepAliveSeconds: keepalive,
    connectTimeoutMs: connectTimeout,
    ...(id === undefined ? {} : { clientId: id }),
    ...(await userOf(options)),
  };
  return { name: `${protocol}//${host}${isWebSocket(url) ? pathname : ""}`, open, login };
}

async function userOf({ username, pw, passwordStdin, protocolVersion }: LoginOptions): Promise<ConnectOptions> {
  if (pw !== undefined && passwordStdin) throw new UsageProblem("One of -P and --password-stdin was expected.");
  // [MQTT311-3.1.2-22]
  if (username === undefined && (pw !== undefined || passwordStdin) && protocolVersion < 5)
    throw new UsageProblem("A password needs a user, -u, before MQTT 5.0.");
  const password = passwordStdin ? await readPassword(undefined) : (pw ?? (username === undefined ? undefined : process.env.MQTT_PASSWORD));
  return { ...(username === undefined ? {} : { userName: username }), ...(password === undefined ? {} : { password }) };
}

function isWebSocket({ protocol }: URL): boolean {
  return protocol === "ws:" || protocol === "wss:";
}

/** A URL with what goes without saying. */
export function wholeUrl(given: URL): URL {
  const url = new URL(given);
  if (isWebSocket(url) && url.pathname === "/") url.pathname = "/mqtt";
  return url;
}

function urlOf({ url, host, port }: ServerOptions): URL {
  if (url !== undefined && (host ?? port) !== undefined) throw new UsageProblem("--url stands instead of -h and -p.");
  if (url !== undefined) return wholeUrl(url);
  if ((host ?? port) === undefined) return new URL(LOCAL);
  const protocol = PROTOCOLS[port ?? 1883] ?? "mqtt";
  const text = `${protocol}://${host?.includes(":") ? `[${host}]` : (host ?? "127.0.0.1")}${port === undefined ? "" : `:${port}`}`;
  if (!URL.canParse(text)) throw new UsageProblem(`-h must be the name or the address of a host, not ${JSON.stringify(host)}.`);
  return wholeUrl(new URL(text));
}

function read(file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Problem(`${file} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function socketsTo(url: URL, { cafile, cert, key, insecure, protocolVersion }: LoginOptions): () => Socket {
  if ((cert === undefined) !== (key === undefined)) throw new UsageProblem("--cert and --key go together.");
  const tls: ConnectionOptions = { ca: read(cafile), cert: read(cert), key: read(key), rejectUnauthorized: !insecure };
  const port = url.port === "" ? PORTS[url.protocol] : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (url.protocol === "mqtt:") return () => new TcpSocket(host, port!, undefined);
  if (url.protocol === "mqtts:") return () => new TcpSocket(host, port!, { servername: /^[\d.]+$|:/.test(host) ? "" : host, ...tls });
  const options = { ...tls, perMessageDeflate: false, closeTimeout: CLOSE_MS };
  return () => new WebSocket(url.href, protocolVersion === 3 ? "mqttv3.1" : "mqtt", options) as Socket;
}

/**
 * Connects, and says so on a terminal when it takes long.
 * @param more options of the client that are the command's
 * @throws Problem when the server does not let it in, or can't be reached
 */
export async function connectTo({ name, open, login }: Server, more: ConnectOptions = {}): Promise<Client> {
  const progress = new Progress();
  const cancel = systemClock.after(process.stderr.isTTY ? QUIET_MS : login.connectTimeoutMs!, () => progress.tell(`Connecting to ${name}`));
  try {
    return await connect(open, { ...login, ...more });
  } catch (error) {
    throw error instanceof MqttError ? new Problem(`${name}: ${sentenceOf(error)}`) : error;
  } finally {
    cancel();
    progress.end();
  }
}

/** What the client throws, as a sentence. */
export async function told<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof MqttError ? new Problem(sentenceOf(error)) : error;
  }
}

export function sentenceOf({ message }: MqttError): string {
  return `${message.slice(0, 1).toUpperCase()}${message.slice(1).replace(/\.$/, "")}.`;
}
