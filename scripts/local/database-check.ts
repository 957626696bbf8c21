/**
 * Looks at the databases of a data folder before the runtime opens them: SQLite itself takes a missing or damaged file for an empty one in
 * some cases, and drops what is behind a damaged place of a log without a word. Changes nothing where it finds damage.
 */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isBusy, type KnownFile } from "./data-record.ts";
import { logDamage } from "./write-ahead-log.ts";

export interface Damage {
  /** Below the folder of databases. */
  readonly path: string;
  /** What is wrong, to follow the name of the file. */
  readonly problem: string;
  /** Only its log is concerned: what was written back before is all there. */
  readonly onlyLog: boolean;
}

const HEADER = "SQLite format 3\0";
const HEAD_BYTES = 100;

/** The runtime of a broker that was just killed may hold its databases for a moment yet. */
const BUSY_MS = 3000;

/** A database is made smaller when it has this many unused pages of 4 KiB, 1 MiB, and they are a quarter of it. */
const UNUSED_PAGES_MIN = 256;
const UNUSED_SHARE_MIN = 0.25;

/** Times of a copy that keeps them may differ so little, milliseconds. */
const SAME_MS = 2;

/** Some other process has the database open. */
export class DatabaseInUse extends Error {}

/** @returns the databases below a folder, relative to it and with slashes; false for those of which only the log is left */
export function databasesIn(folder: string): Map<string, boolean> {
  const found = new Map<string, boolean>();
  if (!existsSync(folder)) return found;
  for (const { name: home } of readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    for (const name of readdirSync(join(folder, home))) {
      const path = `${home}/${name.replace(/-wal$/, "")}`;
      if (name.endsWith(".sqlite")) found.set(path, true);
      else if (name.endsWith(".sqlite-wal") && !found.has(path)) found.set(path, false);
    }
  }
  return found;
}

export function logOf(file: string): string {
  return `${file}-wal`;
}

/** @returns how a database is now; undefined without one */
export function lookAt(folder: string, path: string): Omit<KnownFile, "name"> | undefined {
  const file = join(folder, path);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return { path, bytes: stat.size, logBytes: bytesOf(logOf(file)), writtenAt: stat.mtimeMs };
}

function bytesOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * @param known what is on record of it
 * @returns what is wrong with a database; undefined when it can be used
 */
export function checkDatabase(folder: string, path: string, known: KnownFile | undefined): Damage | undefined {
  const problem = problemOfFile(folder, path, known);
  if (problem !== undefined) return { path, problem, onlyLog: false };
  const logProblem = problemOfLog(folder, path, known);
  if (logProblem !== undefined) return { path, problem: logProblem, onlyLog: true };
  const inside = problemOfContent(join(folder, path));
  return inside === undefined ? undefined : { path, problem: inside, onlyLog: false };
}

function problemOfFile(folder: string, path: string, known: KnownFile | undefined): string | undefined {
  const now = lookAt(folder, path);
  if (now === undefined) return "is gone";
  if (now.bytes < (known?.bytes ?? 0)) return `is cut off: it has ${now.bytes} of ${known!.bytes} bytes`;
  if (now.bytes === 0) return now.logBytes > 0 ? "is empty, and its log is not" : undefined;
  return readHead(join(folder, path)).toString("latin1", 0, HEADER.length) === HEADER
    ? undefined
    : "is no SQLite database any more: its beginning is overwritten";
}

function problemOfLog(folder: string, path: string, known: KnownFile | undefined): string | undefined {
  const now = lookAt(folder, path)!;
  // A log that was written back goes away with a change of the database; otherwise it only grows.
  if (known !== undefined && now.logBytes < known.logBytes && Math.abs(now.writtenAt - known.writtenAt) < SAME_MS) {
    return now.logBytes === 0 ? "has lost its log, the file -wal beside it" : "has a log (-wal) that is cut off";
  }
  return now.logBytes === 0 ? undefined : logDamage(logOf(join(folder, path)));
}

/** https://www.sqlite.org/fileformat2.html#the_database_header */
function readHead(file: string): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const descriptor = openSync(file, "r");
  readSync(descriptor, head);
  closeSync(descriptor);
  return head;
}

/** @returns what SQLite finds wrong with a database; undefined when it can be used */
export function problemOfContent(file: string): string | undefined {
  if (bytesOf(file) === 0) return undefined;
  let database: DatabaseSync | undefined;
  try {
    // Only to read: who may write brings the log into the database as it closes it.
    database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS });
    const [row] = database.prepare("PRAGMA quick_check(1)").all() as { quick_check: string }[];
    const found = row?.quick_check ?? "nothing";
    return found === "ok" ? undefined : `is damaged (SQLite: ${found.replace(/\s+/g, " ").trim()})`;
  } catch (error) {
    return `is damaged (SQLite: ${(error as Error).message})`;
  } finally {
    database?.close();
  }
}

/** @returns whether a database has a log to be brought into it */
export function hasLog(folder: string, path: string): boolean {
  const file = join(folder, path);
  return bytesOf(file) > 0 && bytesOf(logOf(file)) > 0;
}

/** Brings the log of a database that nobody uses into it, so that it is one file. @throws DatabaseInUse */
export function writeBack(folder: string, path: string): void {
  const file = join(folder, path);
  if (hasLog(folder, path)) alone(file, (database) => database.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
}

/** @returns whether `tidy` would change nothing */
export function isTidy(folder: string, path: string): boolean {
  const file = join(folder, path);
  return bytesOf(file) === 0 || (!hasLog(folder, path) && !isWorthShrinking(file));
}

/** Does that, and gives back unused pages: the runtime never does. A full disk leaves them as they are. @throws DatabaseInUse */
export function tidy(folder: string, path: string): void {
  writeBack(folder, path);
  const file = join(folder, path);
  if (bytesOf(file) === 0 || !isWorthShrinking(file)) return;
  alone(file, (database) => {
    database.exec("VACUUM");
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  });
}

/** Of the unused pages the file's beginning tells: there must be no log any more. */
function isWorthShrinking(file: string): boolean {
  const head = readHead(file);
  const unused = head.readUInt32BE(36);
  return unused >= UNUSED_PAGES_MIN && unused >= head.readUInt32BE(28) * UNUSED_SHARE_MIN;
}

/** Finds out whether another process has a database open. @throws DatabaseInUse */
export function expectUnused(file: string): void {
  if (bytesOf(file) > 0) alone(file, (database) => database.prepare("SELECT count(*) FROM sqlite_master").get());
}

function alone(file: string, use: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    use(database);
  } catch (error) {
    throw isBusy(error) ? new DatabaseInUse(file) : error;
  } finally {
    database.close();
  }
}
