/**
 * The plan of `src`: which folder stands on which floor, and what it is. Tests hold the code to it, and docs/architecture.md shows it
 * beside what the code really imports.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, normalize, relative } from "node:path";
import { ROOT } from "../build/bundle.ts";

/** A folder of `src` (its path ends in a slash) or a file that lies in `src` itself. */
export interface Place {
  readonly path: string;
  /** What it is, in a line. */
  readonly is: string;
  /** Of a folder: the file where a newcomer starts reading. */
  readonly start?: string;
  /** Of a folder: those of its own floor that it may import from. */
  readonly beside?: readonly string[];
  /** Of a host: the clients that it is the user of. */
  readonly uses?: readonly string[];
  /** Of a program in Node: the packages that it imports; what ends in a colon stands for all that begin with it. */
  readonly packages?: readonly string[];
}

export interface Floor {
  readonly name: string;
  readonly places: readonly Place[];
}

/** Lowest first: what stands on a floor may import from those below, and a folder from those beside it that it names. */
export const FLOORS: readonly Floor[] = [
  {
    name: "numbers and choices",
    places: [
      { path: "src/limits.ts", is: "every other number, with its unit and reason" },
      { path: "src/memory-limits.ts", is: "the numbers of memory" },
      { path: "src/storage-limits.ts", is: "the numbers of rows and attachments" },
      { path: "src/login-limits.ts", is: "the numbers of logins" },
      { path: "src/share-limits.ts", is: "the numbers of rates and shares" },
      { path: "src/work-limits.ts", is: "the numbers of fair shares of work" },
      { path: "src/code-limits.ts", is: "the numbers of consumers, hooks and other Workers" },
      { path: "src/rate.ts", is: "rates: how operators write them, and what holds somebody to one" },
      { path: "src/choices.ts", is: "what an operator may choose that is no number" },
      { path: "src/fault.ts", is: "how a fault stays with the one it happened to" },
      { path: "src/bounded-map.ts", is: "a cache that does not grow beyond its bound" },
      { path: "src/ledger.ts", is: "what an object holds in memory, counted by kind, and when that is too much" },
      { path: "src/room.ts", is: "whether there is room for more rows" },
      { path: "src/version.ts", is: "the version of the package" },
      { path: "src/pattern.ts", is: "regular expressions of operators, matched in a time that no text can make long" },
    ],
  },
  {
    name: "bytes and topics",
    places: [
      {
        path: "src/mqtt/",
        is: "packets, properties, Reason Codes, and what objects send each other, as values and as bytes",
        start: "packet.ts",
      },
      {
        path: "src/topic/",
        is: "Topic Names and Topic Filters, the tree that finds filters by topic, stored messages",
        start: "filter.ts",
        beside: ["src/mqtt/"],
      },
    ],
  },
  {
    name: "decisions",
    places: [
      {
        path: "src/session/",
        is: "what a Session object decides: sessions, QoS handshakes, queues, wills, deadlines",
        start: "machine.ts",
      },
      {
        path: "src/routing/",
        is: "what a Topic object decides: who wants what, retained messages, shares; and the outbox",
        start: "core.ts",
      },
      {
        path: "src/directory/",
        is: "what the directory of a namespace decides: its users, bans, and whom it tells of a change",
        start: "core.ts",
      },
    ],
  },
  {
    name: "stores and rights",
    places: [
      { path: "src/runtime.ts", is: "time: the clock, timers and names of lives; the platform's, or a simulation's" },
      { path: "src/storage/", is: "rows, in SQLite and in memory", start: "sqlite-session-store.ts" },
      { path: "src/auth/", is: "who may connect, and who may publish and subscribe to what", start: "compose.ts" },
      {
        path: "src/hooks/",
        is: "what a Worker's author gives in code: the types, what is checked of it, and rights that code gives",
        start: "contract.ts",
        beside: ["src/auth/"],
      },
      { path: "src/setting.ts", is: "how one thing that an operator may set is written" },
      { path: "src/limit-settings.ts", is: "the variables of the limits" },
      {
        path: "src/shape-settings.ts",
        is: "the variables of the shape: how many objects there are, and which topics have one of their own",
      },
      { path: "src/choice-settings.ts", is: "the variables of the choices" },
      { path: "src/settings.ts", is: "what an operator may set, and its parser" },
      {
        path: "src/handshake/",
        is: "a connection before it is one: the upgrade handed over, the first packet, authentication; for edge and objects alike",
        start: "first-packet.ts",
      },
    ],
  },
  {
    name: "hosts",
    places: [
      {
        path: "src/objects/",
        is: "the Durable Objects: they wake, call a core, run its effects and set the alarm",
        start: "session-object.ts",
      },
      {
        path: "src/edge/",
        is: "the Worker's part of a connection: upgrade, hand-over, relay",
        start: "upgrade.ts",
        beside: ["src/objects/"],
      },
      {
        path: "src/api/",
        is: "what the Worker answers over plain HTTP",
        start: "api.ts",
        beside: ["src/edge/", "src/objects/", "src/service/"],
      },
      {
        path: "src/service/",
        is: "what code that is no MQTT client is offered: other Workers by a service binding, and the HTTP API",
        start: "contract.ts",
        beside: ["src/edge/", "src/objects/"],
        uses: ["src/client/"],
      },
      { path: "src/requests.ts", is: "the paths of the broker, and who answers there" },
      { path: "src/broker.ts", is: "`defineBroker`: a broker in a Worker, as its author defines it in code" },
      { path: "src/index.ts", is: "the face of the package" },
      { path: "src/worker.ts", is: "the Worker of a deploy, and its page" },
    ],
  },
];

/**
 * Stand beside the broker: they run in browsers or in Node, and it imports nothing of them. Each imports only from those beside it that it names,
 * and a program in Node from packages.
 */
export const CLIENTS: readonly Place[] = [
  {
    path: "src/console/",
    is: "the console under `/`: a web application that is a client of the broker",
    start: "app.tsx",
    beside: ["src/client/", "src/auth/api-token.ts", "src/api/path-part.ts"],
    packages: ["preact", "@preact/signals", "uplot", "cborg", "@msgpack/msgpack", "eventsource-parser"],
  },
  {
    path: "src/client/",
    is: "the MQTT client of the package, for browsers, Workers and Node",
    start: "client.ts",
    beside: ["src/mqtt/"],
  },
  {
    path: "src/gateway/",
    is: "MQTT over TCP and TLS in front of a broker, in Node",
    start: "gateway.ts",
    beside: ["src/client/", "src/mqtt/", "src/directory/network.ts", "src/auth/gateway-statement.ts", "src/runtime.ts"],
    packages: ["node:", "ws"],
  },
  {
    path: "src/cli/",
    is: "the command `durable-mqtt`: what its commands share, and those that speak MQTT",
    start: "program.ts",
    beside: ["src/gateway/", "src/client/", "src/mqtt/", "src/auth/gateway-settings.ts", "src/auth/outside.ts", "src/runtime.ts"],
    packages: ["node:", "commander", "ws"],
  },
];

export function isIn(path: string, place: string): boolean {
  return path === place || (place.endsWith("/") && path.startsWith(place));
}

/** @returns the number of the floor on which a file of `src` stands, counted from 0; -1 for none */
export function floorOf(path: string): number {
  return FLOORS.findIndex(({ places }) => places.some((place) => isIn(path, place.path)));
}

/** @returns what a file's code imports, types included, as it is written there */
export function importsOf(code: string): string[] {
  return [...code.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, name]) => name!);
}

/** @returns the folders of `src`, by name, each path with a slash at its end */
export function foldersOfSrc(): string[] {
  const entries = readdirSync(join(ROOT, "src"), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `src/${name}/`)
    .sort();
}

/** @returns for each folder of `src` the other folders of `src` that its files import from */
export function importsOfFolders(): Map<string, Set<string>> {
  const folders = foldersOfSrc();
  const imports = new Map(folders.map((folder) => [folder, new Set<string>()]));
  for (const folder of folders) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue;
      for (const name of importsOf(readFileSync(join(entry.parentPath, entry.name), "utf8"))) {
        if (!name.startsWith(".")) continue;
        const target = relative(ROOT, normalize(join(entry.parentPath, name))).replaceAll("\\", "/");
        const home = folders.find((other) => isIn(target, other));
        if (home !== undefined && home !== folder) imports.get(folder)!.add(home);
      }
    }
  }
  return imports;
}
