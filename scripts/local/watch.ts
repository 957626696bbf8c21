/**
 * Watches over a running broker: tells its objects when the disk is full and when there is room again, and starts the runtime again when
 * objects in it have died with their connections or do not answer. Everything that it does is logged once.
 */

import { DiskRoom, type Space } from "./disk-room.ts";
import { CONTROL_HEADER, CONTROL_PATH, type Control, type Notes, type Report } from "./worker-paths.ts";

/** How often objects are asked, milliseconds. */
const ASK_MS = 5000;

/** How long the runtime may take to answer for all of them; after that it is taken for dead. */
const ANSWER_MS_MAX = 60_000;

export interface WatchOptions {
  /** The data folder, for sentences; undefined without one. */
  readonly path: string | undefined;
  readonly look: (() => Space) | undefined;
  readonly token: string;
  /** Sends a request to the Worker. */
  readonly fetch: (
    url: string,
    init: { method: string; headers: Record<string, string>; body: string },
  ) => Promise<{ json(): Promise<unknown> }>;
  readonly restart: () => void;
  readonly log: (line: string) => void;
  /** What is to be told anyway. */
  readonly notes: readonly string[];
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #room: DiskRoom | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** One question at a time. */
  #asking: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    const { look } = options;
    this.#room = look === undefined ? undefined : new DiskRoom(look, (isFull) => this.#changed(isFull));
    this.#plan();
  }

  notes(): Notes {
    const { notes } = this.#options;
    return this.#room?.isFull === true ? { status: "storage full", notes: [...notes, this.#full()] } : { status: undefined, notes };
  }

  /** The runtime was started again: it has forgotten what it was told. */
  restarted(): void {
    if (this.#room?.isFull === true) void this.ask();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#room?.close();
  }

  #changed(isFull: boolean): void {
    const { log, path } = this.#options;
    log(isFull ? this.#full() : `The disk of ${path} has room again: everything is served.`);
    void this.ask();
  }

  #full(): string {
    return `The disk of ${this.#options.path} is full (${this.#room?.words} left): messages for kept sessions, retained messages and new sessions that are kept are refused, the rest is served.`;
  }

  #plan(): void {
    this.#timer = setTimeout(async () => {
      await this.ask();
      if (!this.#isClosed) this.#plan();
    }, ASK_MS);
    this.#timer.unref();
  }

  /** Tells the objects what they have to know, and asks whether they serve; behind what is being asked already. */
  ask(): Promise<void> {
    const next = (this.#asking ?? Promise.resolve()).then(() => this.#askNow());
    this.#asking = next;
    return next;
  }

  async #askNow(): Promise<void> {
    if (this.#isClosed) return;
    const { fetch, token, log, restart } = this.#options;
    const control: Control = { isFull: this.#room?.isFull === true };
    const request = { method: "POST", headers: { [CONTROL_HEADER]: token }, body: JSON.stringify(control) };
    let late: NodeJS.Timeout | undefined;
    const silence = new Promise<undefined>((resolve) => {
      late = setTimeout(() => resolve(undefined), ANSWER_MS_MAX);
      late.unref();
    });
    try {
      const report = await Promise.race([fetch(`http://broker${CONTROL_PATH}`, request).then((answer) => answer.json()), silence]);
      if (this.#isClosed) return;
      const lost = report === undefined ? ["the runtime"] : (report as Report).lost;
      if (lost.length === 0) return;
      log(
        `${lost.join(", ")} stopped serving connections; the runtime is started again, and clients connect again. Nothing acknowledged is lost.`,
      );
      restart();
    } catch {
      // It is being started again, or ended; the next question finds it.
    } finally {
      clearTimeout(late);
    }
  }
}
