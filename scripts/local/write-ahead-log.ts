/**
 * The write-ahead log of an SQLite database, read as SQLite reads it (https://www.sqlite.org/fileformat2.html#walformat): up to the first
 * frame that does not fit the checksums. Behind that place nothing is ever read again, so whole frames there are changes that are lost.
 */
import { readFileSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The lowest bit of the magic number says how words are summed up: 1 as big-endian ones. */
const MAGIC = 0x377f0682;

/**
 * A log that ends within a frame, or with frames of an earlier round, is what a crash leaves and has lost nothing.
 * @returns what is wrong with it, to follow the database's name
 */
export function logDamage(file: string): string | undefined {
  const log = readFileSync(file);
  if (log.length <= HEADER_BYTES) return undefined;
  if ((log.readUInt32BE(0) & ~1) >>> 0 !== MAGIC) return "has a log (-wal) whose beginning is overwritten";
  const sum = new Checksum((log.readUInt32BE(0) & 1) === 1);
  sum.add(log, 0, 24);
  if (!sum.is(log, 24)) return "has a log (-wal) whose beginning is damaged";
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  let at = HEADER_BYTES;
  for (; at + frameBytes <= log.length; at += frameBytes) {
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    sum.add(log, at, at + 8);
    sum.add(log, at + FRAME_HEADER_BYTES, at + frameBytes);
    if (!sum.is(log, at + 16)) break;
  }
  for (at += frameBytes; at + frameBytes <= log.length; at += frameBytes) {
    const commits = log.readUInt32BE(at + 4) > 0;
    if (commits && log.subarray(at + 8, at + 16).equals(salts)) return "has a log (-wal) with a damaged place, and changes behind it";
  }
  return undefined;
}

class Checksum {
  readonly #bigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  /** @param until a multiple of eight bytes behind `from` */
  add(bytes: Buffer, from: number, until: number): void {
    const word = (at: number): number => (this.#bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
    for (let at = from; at < until; at += 8) {
      this.#first = (this.#first + word(at) + this.#second) >>> 0;
      this.#second = (this.#second + word(at + 4) + this.#first) >>> 0;
    }
  }

  /** Whether the two words here are this checksum. */
  is(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#first && bytes.readUInt32BE(at + 4) === this.#second;
  }
}
