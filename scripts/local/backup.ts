/**
 * Copies the databases of a data folder while its broker runs, and puts a copy back in its place. All databases are copied as they were at
 * one moment: a read transaction on each is begun before the first is copied, and where something was written between the first and the
 * last of them they are begun anew. Each copy is made by SQLite itself (https://www.sqlite.org/backup.html), and examined.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { DataFolder, OBJECTS } from "./data-folder.ts";
import { DataRecord, type KnownFile, RECORD_FILE } from "./data-record.ts";
import { checkDatabase, databasesIn, lookAt, problemOfContent } from "./database-check.ts";
import { StartProblem } from "./start-problem.ts";

/** How often snapshots are begun anew; under steady load there may be no quiet moment of some milliseconds. */
const ATTEMPTS_MAX = 100;

/** Pages copied in one go; in between this process may do something else. */
const PAGES_AT_ONCE = 10_000;

/** Databases that are held open at once; the system bounds open files. */
const OPEN_MAX = 200;

export interface Backup {
  readonly folder: string;
  readonly databases: number;
  /** All of them are as they were at one moment. */
  readonly isOneMoment: boolean;
}

/**
 * @param data the data folder, in use or not
 * @param to a folder that is not there yet, or empty; it appears when the copy is whole
 * @throws StartProblem
 */
export async function backUp(data: string, to: string): Promise<Backup> {
  const folder = resolve(to);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new StartProblem(`${folder} is not empty; choose a folder that is not there yet.`);
  const objects = join(resolve(data), OBJECTS);
  const paths = inOrder(objects);
  if (paths.length === 0) throw new StartProblem(`There are no databases of a broker in ${objects}.`);
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  try {
    mkdirSync(join(unfinished, OBJECTS), { recursive: true, mode: 0o700 });
    let isOneMoment = paths.length <= OPEN_MAX;
    for (let first = 0; first < paths.length; first += OPEN_MAX) {
      const some = paths.slice(first, first + OPEN_MAX);
      const { snapshots, isQuiet } = beginTogether(objects, some);
      isOneMoment &&= isQuiet;
      await copyAll(snapshots, some, join(unfinished, OBJECTS));
    }
    putOnRecord(unfinished, paths);
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
    return { folder, databases: paths.length, isOneMoment };
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Session objects first: a route to a session that is not in the copy is forgotten at the first message, but a subscription whose route is
 * not in it would hear nothing.
 */
function inOrder(objects: string): string[] {
  const rank = (path: string): number => (dirname(path).endsWith("-SessionObject") ? 0 : 1);
  return [...databasesIn(objects).keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** @returns a connection to each, with a read transaction; and whether nothing was written from the first to the last */
function beginTogether(objects: string, paths: readonly string[]): { snapshots: DatabaseSync[]; isQuiet: boolean } {
  const open = (path: string): DatabaseSync => new DatabaseSync(join(objects, path), { readOnly: true, timeout: 5000 });
  const probes = paths.map(open);
  const snapshots = paths.map(open);
  try {
    for (let attempt = 1; ; attempt += 1) {
      const before = probes.map(versionOf);
      for (const snapshot of snapshots) {
        snapshot.exec("BEGIN");
        snapshot.prepare("SELECT count(*) FROM sqlite_master").get();
      }
      const isQuiet = probes.every((probe, index) => versionOf(probe) === before[index]);
      if (isQuiet || attempt === ATTEMPTS_MAX) return { snapshots, isQuiet };
      for (const snapshot of snapshots) snapshot.exec("ROLLBACK");
    }
  } catch (error) {
    for (const snapshot of snapshots) snapshot.close();
    throw error;
  } finally {
    for (const probe of probes) probe.close();
  }
}

/** Changes with every commit of another connection. */
function versionOf(database: DatabaseSync): number {
  return database.prepare("PRAGMA data_version").get()!.data_version as number;
}

async function copyAll(snapshots: readonly DatabaseSync[], paths: readonly string[], objects: string): Promise<void> {
  try {
    for (const [index, path] of paths.entries()) {
      const file = join(objects, path);
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      await backup(snapshots[index]!, file, { rate: PAGES_AT_ONCE });
      toOneFile(file);
      const problem = problemOfContent(file);
      if (problem !== undefined)
        throw new StartProblem(`The copy of ${path} ${problem}: so is the original. Nothing was kept of this backup.`);
    }
  } finally {
    for (const snapshot of snapshots) snapshot.close();
  }
}

/** Without a write-ahead log it can be read from where nothing can be written; the runtime takes one again. */
function toOneFile(file: string): void {
  const copy = new DatabaseSync(file);
  copy.exec("PRAGMA journal_mode = DELETE");
  copy.close();
}

/** So that a start on the copy, or a restore from it, notices what is missing. */
function putOnRecord(folder: string, paths: readonly string[]): void {
  const record = new DataRecord(folder);
  record.replace(paths.map((path) => asItIs(folder, path)));
  record.close();
}

function asItIs(folder: string, path: string): KnownFile {
  return { ...lookAt(join(folder, OBJECTS), path)!, name: undefined };
}

/**
 * Puts a backup in the place of what a data folder holds, which is moved aside.
 * @returns where that is; undefined when there was nothing
 * @throws StartProblem when the backup is not whole, or the folder is in use
 */
export async function restore(from: string, data: string): Promise<string | undefined> {
  const source = resolve(from);
  const folder = resolve(data);
  const fresh = `${folder}.restored`;
  // Taken for as long as it is being replaced.
  const record = existsSync(folder) ? DataFolder.take(folder) : undefined;
  try {
    await copyWhole(source, fresh);
    if (record === undefined) {
      renameSync(fresh, folder);
      return undefined;
    }
    const objects = join(folder, OBJECTS);
    const aside = existsSync(objects) ? join(folder, `replaced-${new Date().toISOString().replaceAll(":", "-")}`) : undefined;
    if (aside !== undefined) {
      mkdirSync(aside, { mode: 0o700 });
      renameSync(objects, join(aside, OBJECTS));
    }
    renameSync(join(fresh, OBJECTS), objects);
    record.replace(inOrder(objects).map((path) => asItIs(folder, path)));
    return aside;
  } finally {
    record?.close();
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** @throws StartProblem when something of the backup is missing or damaged */
async function copyWhole(source: string, fresh: string): Promise<void> {
  rmSync(fresh, { recursive: true, force: true });
  await backUp(source, fresh);
  // What its maker knew of it, instead of what is there now.
  const known = join(source, RECORD_FILE);
  if (existsSync(known)) copyFileSync(known, join(fresh, RECORD_FILE));
  const record = new DataRecord(fresh);
  const damages = record.files().flatMap((file) => checkDatabase(join(fresh, OBJECTS), file.path, file) ?? []);
  record.close();
  if (damages.length === 0) return;
  rmSync(fresh, { recursive: true, force: true });
  const sentences = damages.map(({ path, problem }) => `${join(source, OBJECTS, path)} ${problem}.`);
  throw new StartProblem(`${sentences.join("\n")}\nThis backup is not whole; nothing was changed.`);
}
