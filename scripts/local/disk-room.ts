/**
 * How much room a disk has left for a data folder. A database must never meet a full disk: a commit that fails costs its object every
 * connection. So what needs new rows is refused before, and the rest of the disk is left to what ends something that is stored.
 */
import { statfsSync } from "node:fs";

export interface Space {
  /** Bytes. */
  readonly free: number;
  readonly total: number;
}

/** Room that is left to what must be written all the same, and to logs that are written back; or a quarter of a disk that is smaller. */
const RESERVE_BYTES = 32 * 1024 * 1024;
const RESERVE_SHARE = 0.25;

/** Room is there again when there is so much more than the reserve: it must not come and go with every message. */
const ENOUGH = 1.25;

/** How often it is looked at, milliseconds: the nearer the end, the oftener. A disk takes far less than 2 GiB in a second. */
const LOOK_MS = 1000;
const LOOK_NEAR_MS = 100;
const NEAR_BYTES = 2 * 1024 * 1024 * 1024;

export function spaceOf(folder: string): Space {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}

export class DiskRoom {
  readonly #look: () => Space;
  readonly #changed: (isFull: boolean) => void;
  #isFull = false;
  #free = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param look tells the room there is; what it throws is as good as nothing seen
   * @param changed called when room ends, and when there is some again
   */
  constructor(look: () => Space, changed: (isFull: boolean) => void) {
    this.#look = look;
    this.#changed = changed;
    this.#again();
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** What is left, in words. */
  get words(): string {
    return `${Math.floor(this.#free / 1024 / 1024)} MiB`;
  }

  #again(): void {
    let space: Space;
    try {
      space = this.#look();
    } catch {
      // The folder may be gone, which others notice.
      space = { free: Number.POSITIVE_INFINITY, total: Number.POSITIVE_INFINITY };
    }
    const { free, total } = space;
    this.#free = free;
    const reserve = Math.min(RESERVE_BYTES, total * RESERVE_SHARE);
    const wasFull = this.#isFull;
    this.#isFull = free < (wasFull ? reserve * ENOUGH : reserve);
    this.#timer = setTimeout(() => this.#again(), free < NEAR_BYTES ? LOOK_NEAR_MS : LOOK_MS);
    this.#timer.unref();
    if (this.#isFull !== wasFull) this.#changed(this.#isFull);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
