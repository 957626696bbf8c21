/**
 * Which object a database file belongs to. Files are named after ids, which are hashes of names: so the names that may be are hashed too.
 * Knows how Miniflare lays out its folder and how the runtime makes ids (both seen 2026-11; a test compares them with a running broker).
 */
import { createHash, createHmac } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { directoryObjectName, onlySessionObject, sessionShardName, topicObjects } from "../../src/objects/names.ts";

/** The Worker's name for Miniflare; its folders of databases begin with it. */
export const WORKER_NAME = "durable-mqtt";

/** Classes of Durable Objects; each has a folder. */
const CLASSES = ["SessionObject", "TopicObject", "DirectoryObject"];

/** The file beside the databases of objects in which the runtime keeps their alarms. */
const ALARMS = "metadata.sqlite";

/** Objects of each kind whose names are tried; with more of them a file is told by its path alone. */
const SHARDS_TRIED = 64;

/** @param className of the Durable Object @returns the hexadecimal id that the runtime gives to a name */
export function idOf(className: string, name: string): string {
  const key = createHash("sha256").update(`${WORKER_NAME}-${className}`).digest();
  const half = createHmac("sha256", key).update(name).digest().subarray(0, 16);
  return Buffer.concat([half, createHmac("sha256", key).update(half).digest().subarray(0, 16)]).toString("hex");
}

/** @returns the files of alarms that are in a folder of databases */
export function alarmsIn(objects: string): string[] {
  return CLASSES.map((className) => join(objects, `${WORKER_NAME}-${className}`, ALARMS)).filter((file) => existsSync(file));
}

/** Names of objects by the paths of their databases, relative to the folder of all of them. */
export class ObjectNames {
  readonly #names = new Map<string, string>();

  /**
   * @param namespaces that may have objects here
   * @param topicsWithObject topics that may have one
   */
  constructor(namespaces: Iterable<string>, topicsWithObject: readonly string[] = []) {
    for (const namespace of namespaces) {
      this.#learn("DirectoryObject", directoryObjectName(namespace));
      this.#learn("SessionObject", onlySessionObject({ topology: "compact", sessionShards: 1 }, namespace)!);
      for (let shard = 0; shard < SHARDS_TRIED; shard += 1) this.#learn("SessionObject", sessionShardName(namespace, shard));
      for (const name of topicObjects({ topicShards: SHARDS_TRIED, topicsWithObject }, namespace)) this.#learn("TopicObject", name);
    }
  }

  #learn(className: string, name: string): void {
    this.learn(`${WORKER_NAME}-${className}/${idOf(className, name)}.sqlite`, name);
  }

  learn(path: string, name: string): void {
    this.#names.set(path, name);
  }

  /** Names that no list of namespaces has: of objects that have an alarm. @param objects the folder of databases */
  learnFromAlarms(objects: string): void {
    for (const file of alarmsIn(objects)) {
      const home = basename(dirname(file));
      let database: DatabaseSync | undefined;
      try {
        database = new DatabaseSync(file, { readOnly: true });
        for (const { id, name } of database.prepare("SELECT actor_id AS id, actor_name AS name FROM _cf_ALARM").all()) {
          if (typeof name === "string") this.learn(`${home}/${id}.sqlite`, name);
        }
      } catch {
        // A name less is no reason to do without the rest.
      } finally {
        database?.close();
      }
    }
  }

  /** @returns the name of the object whose database this is; undefined when it is none that was tried */
  nameOf(path: string): string | undefined {
    return this.#names.get(path);
  }

  /** @returns who needs this file, in words */
  describe(path: string): string {
    if (basename(path) === ALARMS) return `the alarms of every ${classOf(path)}`;
    const name = this.nameOf(path);
    return name === undefined ? `a ${classOf(path)} (its name is not known)` : `the object ${name}`;
  }
}

function classOf(path: string): string {
  const name = dirname(path)
    .slice(WORKER_NAME.length + 1)
    .replace(/Object$/, "");
  return `${name} object`;
}
