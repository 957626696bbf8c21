/**
 * What a data folder is known to hold, and the lock on it, in one small database. The lock is the exclusive lock that SQLite holds on the
 * file as long as it is open: the system gives it back when this process ends in whatever way, so no lock is ever stale. What is on record
 * is only compared with what is there: whoever loses the file loses the comparison, not data.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A database as it was last seen. */
export interface KnownFile {
  /** Below the folder of databases, with slashes. */
  readonly path: string;
  readonly bytes: number;
  /** Bytes of its write-ahead log, in which changes are before they are in the database. */
  readonly logBytes: number;
  /** When the database itself was written, milliseconds since the epoch. */
  readonly writtenAt: number;
  /** The object's, once it is known. */
  readonly name: string | undefined;
}

export const RECORD_FILE = "broker.sqlite";

/** For people: who holds the lock. */
export const PROCESS_FILE = "broker.pid";

/** SQLite's result codes. */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Another process holds the lock. */
export class FolderTaken extends Error {
  /** As it wrote it; undefined when it did not. */
  readonly processId: number | undefined;

  constructor(processId: number | undefined) {
    super("another process holds the lock");
    this.processId = processId;
  }
}

export function isBusy(error: unknown): boolean {
  return codeOf(error) === SQLITE_BUSY;
}

function codeOf(error: unknown): number {
  // The lower byte is the code, what is above tells more about it.
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}

export class DataRecord {
  readonly #folder: string;
  #database: DatabaseSync;
  /** Nothing was on record: the folder is new, or older than records. */
  readonly isNew: boolean;

  /**
   * @param folder that exists
   * @throws FolderTaken while another process has it
   */
  constructor(folder: string) {
    this.#folder = folder;
    this.#database = this.#open();
    try {
      writeFileSync(join(folder, PROCESS_FILE), String(process.pid));
    } catch {
      // A full disk. It only serves the sentence that another start ends with.
    }
    this.isNew = this.#database.prepare("SELECT 1 FROM file LIMIT 1").get() === undefined;
  }

  #open(): DatabaseSync {
    const file = join(this.#folder, RECORD_FILE);
    try {
      return lockedDatabase(file);
    } catch (error) {
      if (isBusy(error)) throw new FolderTaken(processOf(this.#folder));
      const code = codeOf(error);
      if (code !== SQLITE_NOTADB && code !== SQLITE_CORRUPT) throw error;
      // What was on record can't be read any more; it is only good for comparing.
      renameSync(file, `${file}.damaged`);
      return lockedDatabase(file);
    }
  }

  files(): KnownFile[] {
    const rows = this.#database.prepare("SELECT path, bytes, log_bytes AS logBytes, written_at AS writtenAt, name FROM file").all();
    return rows.map((row) => ({ ...(row as unknown as KnownFile), name: (row.name as string | null) ?? undefined }));
  }

  /** Puts these in the place of all that is on record. */
  replace(files: Iterable<KnownFile>): void {
    this.#change(() => {
      this.#database.exec("DELETE FROM file");
      this.#put(files);
    });
  }

  /** Puts each in the place of what is on record of it. */
  put(files: Iterable<KnownFile>): void {
    this.#change(() => this.#put(files));
  }

  #put(files: Iterable<KnownFile>): void {
    const insert = this.#database.prepare("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)");
    for (const { path, bytes, logBytes, writtenAt, name } of files) insert.run(path, bytes, logBytes, writtenAt, name ?? null);
  }

  #change(change: () => void): void {
    this.#database.exec("BEGIN");
    try {
      change();
      this.#database.exec("COMMIT");
    } finally {
      // A full disk may have ended it already.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    }
  }

  forget(path: string): void {
    this.#database.prepare("DELETE FROM file WHERE path = ?").run(path);
  }

  close(): void {
    rmSync(join(this.#folder, PROCESS_FILE), { force: true });
    this.#database.close();
  }
}

function lockedDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  try {
    // From the first change on the lock is held until the database is closed.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    database.exec(
      "CREATE TABLE IF NOT EXISTS file (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, log_bytes INTEGER NOT NULL, written_at REAL NOT NULL, name TEXT) WITHOUT ROWID",
    );
    database.exec("COMMIT");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function processOf(folder: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(folder, PROCESS_FILE), "utf8"), 10) || undefined;
  } catch {
    return undefined;
  }
}
