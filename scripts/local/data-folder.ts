/**
 * The data folder of a local broker: taken for this process alone, private, and what is in it examined before anything uses it. Layout:
 * `objects/` has the databases of the Durable Objects as Miniflare lays them out, `broker.sqlite` the lock and the record of what is here.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { ADMIN_FILE } from "./admin-file.ts";
import { DataRecord, FolderTaken, type KnownFile, PROCESS_FILE, RECORD_FILE } from "./data-record.ts";
import {
  checkDatabase,
  type Damage,
  DatabaseInUse,
  databasesIn,
  expectUnused,
  hasLog,
  isTidy,
  logOf,
  lookAt,
  problemOfContent,
  tidy,
  writeBack,
} from "./database-check.ts";
import { alarmsIn, ObjectNames } from "./object-names.ts";
import { StartProblem } from "./start-problem.ts";

/** The folder of databases in it. */
export const OBJECTS = "objects";
const DAMAGED = "damaged";

/** The lock of earlier versions. */
const FORMER_LOCK = "lock";

/** What a broker puts into its folder: one with something else in it belongs to somebody else as well. */
const OWN = new Set([
  OBJECTS,
  DAMAGED,
  ADMIN_FILE,
  FORMER_LOCK,
  RECORD_FILE,
  `${RECORD_FILE}-journal`,
  `${RECORD_FILE}.damaged`,
  PROCESS_FILE,
]);

/** How often what is there is compared with what should be, milliseconds. */
const WATCH_MS = 1000;

/** Databases that are looked at each time; with more of them they take turns. */
const LOOKED_AT_MAX = 200;

export interface DataFolderOptions {
  readonly path: string;
  /** Starts although something is damaged: that is set aside. */
  readonly acceptLoss: boolean;
  /** Whose objects may be here. */
  readonly namespaces: readonly string[];
  /** Topics that have an object of their own, or had. */
  readonly topicsWithObject: readonly string[];
  readonly log: (line: string) => void;
}

export class DataFolder {
  readonly path: string;
  readonly objects: string;
  readonly names: ObjectNames;
  /** Nothing was here. */
  readonly isNew: boolean;
  readonly #record: DataRecord;
  readonly #log: (line: string) => void;
  readonly #known = new Map<string, KnownFile>();
  #watch: NodeJS.Timeout | undefined;
  #turn = 0;
  #isRecorded = true;

  /** @throws StartProblem when it can't be used, another broker uses it, or something in it is damaged and that is not accepted */
  static open(options: DataFolderOptions): DataFolder {
    const folder = new DataFolder(options);
    try {
      folder.#examine(options.acceptLoss);
      return folder;
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /** Takes a folder that exists without looking at what is in it. @throws StartProblem when that can't be, or another broker uses it */
  static take(path: string): DataRecord {
    try {
      return new DataRecord(path);
    } catch (error) {
      throw cannotBeUsed(path, error);
    }
  }

  private constructor({ path, namespaces, topicsWithObject, log }: DataFolderOptions) {
    this.path = path;
    this.objects = join(path, OBJECTS);
    this.#log = log;
    this.names = new ObjectNames(namespaces, topicsWithObject);
    try {
      makeFolder(dirname(path));
      makeFolder(path);
      this.#record = DataFolder.take(path);
      rmSync(join(path, FORMER_LOCK), { force: true });
      makeFolder(this.objects);
      makePrivate(path);
    } catch (error) {
      throw cannotBeUsed(path, error);
    }
    this.isNew = this.#record.isNew && databasesIn(this.objects).size === 0;
  }

  /** Databases here, by their paths below `objects`. */
  get databases(): readonly string[] {
    return [...this.#known.keys()];
  }

  #examine(acceptLoss: boolean): void {
    const known = new Map(this.#record.files().map((file) => [file.path, file]));
    for (const { path, name } of known.values()) if (name !== undefined) this.names.learn(path, name);
    const damages: Damage[] = [];
    for (const path of new Set([...known.keys(), ...databasesIn(this.objects).keys()])) {
      const damage = checkDatabase(this.objects, path, known.get(path));
      if (damage !== undefined) damages.push(damage);
    }
    this.names.learnFromAlarms(this.objects);
    if (damages.length > 0) {
      const sentences = damages.map(
        ({ path, problem }) => `${join(this.objects, path)} ${problem}: ${this.names.describe(path)} needs it.`,
      );
      if (!acceptLoss) throw new StartProblem(`${sentences.join("\n")}\n${WHAT_TO_DO}`);
      for (const sentence of sentences) this.#log(sentence);
      this.#acceptLoss(damages);
    }
    // A running broker has these open all the time: so it is noticed also when somebody has deleted its lock.
    for (const file of alarmsIn(this.objects)) this.#alone(() => expectUnused(file));
    this.#changeAll(tidy, (path) => !isTidy(this.objects, path));
    for (const path of databasesIn(this.objects).keys()) this.#learn(path);
    this.#isRecorded = false;
    this.#writeRecord();
  }

  /** Whatever ends this process meanwhile: while databases are made smaller nothing on record says how large they have to be. */
  #changeAll(change: (folder: string, path: string) => void, isConcerned: (path: string) => boolean): void {
    const paths = [...databasesIn(this.objects).keys()].filter(isConcerned);
    if (paths.length === 0) return;
    try {
      this.#record.put(paths.map((path) => ({ path, bytes: 0, logBytes: 0, writtenAt: 0, name: this.names.nameOf(path) })));
    } catch {
      // A full disk: they work as well as they are.
      return;
    }
    this.#isRecorded = false;
    for (const path of paths) this.#alone(() => change(this.objects, path));
  }

  #acceptLoss(damages: readonly Damage[]): void {
    const aside = join(this.path, DAMAGED, new Date().toISOString().replaceAll(":", "-"));
    for (const { path, onlyLog } of damages) {
      const file = join(this.objects, path);
      mkdirSync(dirname(join(aside, path)), { recursive: true, mode: 0o700 });
      if (onlyLog && existsSync(logOf(file))) copyFileSync(logOf(file), join(aside, logOf(path)));
      // Of a damaged log SQLite takes what comes before the damage.
      const isUsed = onlyLog && problemOfContent(file) === undefined;
      if (!isUsed) {
        for (const suffix of ["", "-wal", "-shm"]) if (existsSync(file + suffix)) renameSync(file + suffix, join(aside, path + suffix));
      }
      // Nor is that damage for the next start, if this one ends before it is through.
      this.#alone(() => this.#record.forget(path));
    }
    this.#log(`Their loss is accepted: what can't be read starts empty. What was left of the files is in ${aside}.`);
  }

  #alone(use: () => void): void {
    try {
      use();
    } catch (error) {
      if (error instanceof DatabaseInUse) throw inUse(this.path, undefined);
      // A full disk: it works as well as it is.
    }
  }

  #learn(path: string): void {
    const now = lookAt(this.objects, path);
    const before = this.#known.get(path);
    if (now === undefined || sameAs(now, before)) return;
    this.#known.set(path, { ...now, name: before?.name });
    this.#isRecorded = false;
  }

  #writeRecord(): void {
    if (this.#isRecorded) return;
    const files = [...this.#known.values()];
    if (files.some(({ name }) => name === undefined)) this.names.learnFromAlarms(this.objects);
    try {
      this.#record.replace(files.map((file) => ({ ...file, name: this.names.nameOf(file.path) })));
      this.#isRecorded = true;
    } catch {
      // A full disk, which others tell of; it is written when there is room again.
    }
  }

  /** From now on looks every second whether all is still there. @param lost called once, with what has gone in a sentence */
  watch(lost: (sentence: string) => void): void {
    const id = identity(this.objects);
    this.#watch = setInterval(() => {
      const sentence = identity(this.objects) === id ? this.#lookAround() : `The data folder ${this.path} is gone.`;
      if (sentence === undefined) return;
      this.unwatch();
      lost(sentence);
    }, WATCH_MS);
    this.#watch.unref();
  }

  unwatch(): void {
    clearInterval(this.#watch);
  }

  #lookAround(): string | undefined {
    const there = databasesIn(this.objects);
    const gone = [...this.#known.keys()].find((path) => there.get(path) !== true);
    if (gone !== undefined) return `${join(this.objects, gone)} was deleted: ${this.names.describe(gone)} needs it.`;
    const paths = [...there.keys()];
    for (let looked = 0; looked < Math.min(paths.length, LOOKED_AT_MAX); looked += 1) {
      this.#turn = (this.#turn + 1) % paths.length;
      this.#learn(paths[this.#turn]!);
    }
    this.#writeRecord();
    return undefined;
  }

  /** To be called when the runtime has ended. */
  close(): void {
    this.unwatch();
    this.#record.close();
  }

  /** After an orderly end: brings every log into its database, so that each is one file, and puts on record what there is. */
  settle(): void {
    try {
      this.#changeAll(writeBack, (path) => hasLog(this.objects, path));
      for (const path of databasesIn(this.objects).keys()) this.#learn(path);
      this.#writeRecord();
    } catch {
      // The next start looks at what there is.
    }
  }
}

const WHAT_TO_DO =
  "Nothing was changed. Put a backup in the place of this folder (docs/operations.md says how), or start with --accept-loss: then these files are set aside and what was in them is lost.";

function sameAs(now: Omit<KnownFile, "name">, before: KnownFile | undefined): boolean {
  return before?.bytes === now.bytes && before.logBytes === now.logBytes && before.writtenAt === now.writtenAt;
}

function cannotBeUsed(path: string, error: unknown): Error {
  if (error instanceof StartProblem) return error;
  if (error instanceof FolderTaken) return inUse(path, error.processId);
  const { code = "", message } = error as NodeJS.ErrnoException;
  const reason = /^E[A-Z]+$/.test(code) ? code : message;
  return new StartProblem(`The data folder ${path} cannot be written (${reason}); choose another one with --data.`);
}

function inUse(path: string, processId: number | undefined): StartProblem {
  const who = processId === undefined ? "" : ` (process ${processId})`;
  return new StartProblem(`The data folder ${path} is in use by another broker${who}; stop it, or choose another folder with --data.`);
}

/** In steps, because Node 24's recursive mkdir never returns where a folder refuses new ones with ENOENT (/proc). */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** Takes the rights of everybody else from what is in a data folder, and from itself unless something of others is in it. */
function makePrivate(path: string): void {
  if (process.platform === "win32") return;
  const entries = readdirSync(path);
  if (entries.every((name) => OWN.has(name))) restrict(path);
  for (const name of entries) {
    if (!OWN.has(name)) continue;
    restrict(join(path, name));
    if (name !== OBJECTS && name !== DAMAGED) continue;
    for (const inner of readdirSync(join(path, name), { recursive: true, encoding: "utf8" })) restrict(join(path, name, inner));
  }
}

function restrict(path: string): void {
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) chmodSync(path, mode & 0o700);
}

/** @returns what tells a folder from another one that has its name later */
function identity(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "none" : `${stat.dev}/${stat.ino}`;
}
