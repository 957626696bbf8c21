/** The packets of one client as they come and go, while somebody watches: bounded, the oldest go. What ends it is said, and a lost one begins anew. */
import { signal } from "@preact/signals";
import { ApiProblem } from "../session/api.ts";
import { readEvents } from "../session/event-stream.ts";
import { sentence } from "../session/link.ts";
import { api } from "../session/session.ts";
import { pathOf } from "./client-facts.ts";
import type { PacketFields } from "./packet-words.ts";

const ENTRIES_MAX = 5000;
const AGAIN_MS = 3000;
/** Over so many whole seconds a rate is the mean. */
const RATE_SECONDS = 5;

export type Entry =
  | {
      readonly kind: "packet";
      /** Counted from 1. */
      readonly id: number;
      readonly time: number;
      /** From the client, or to it. */
      readonly direction: "in" | "out";
      readonly packet: string;
      readonly fields: PacketFields;
    }
  | { readonly kind: "note"; readonly id: number; readonly time: number; readonly text: string };

export type TraceState =
  | { readonly kind: "off" }
  | { readonly kind: "opening" }
  | { readonly kind: "open" }
  | { readonly kind: "away"; readonly problem: string }
  | { readonly kind: "refused"; readonly error: unknown };

export interface Rates {
  /** Packets in a second. */
  readonly in: number;
  readonly out: number;
  /** Bytes in a second. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

interface Second {
  readonly second: number;
  in: number;
  out: number;
  bytesIn: number;
  bytesOut: number;
}

export class Trace {
  readonly state = signal<TraceState>({ kind: "off" });
  /** Grows with each frame in which something has come. */
  readonly frame = signal(0);
  /** The oldest first. */
  entries: Entry[] = [];
  /** Of all that came since it is watched, or cleared. */
  count = 0;
  readonly #clientId: string;
  #gone: AbortController | undefined;
  #seconds: Second[] = [];
  #isAsked = false;

  constructor(clientId: string) {
    this.#clientId = clientId;
  }

  /** Watches until `stop`. */
  async start(): Promise<void> {
    this.stop();
    const gone = new AbortController();
    this.#gone = gone;
    const { signal } = gone;
    this.state.value = { kind: "opening" };
    while (!signal.aborted) {
      const problem = await this.#follow(signal).catch((error: unknown) => error);
      if (signal.aborted) return;
      if (problem instanceof ApiProblem && problem.status >= 400 && problem.status < 500 && problem.status !== 429) {
        this.state.value = { kind: "refused", error: problem };
        return;
      }
      const text = problem instanceof ApiProblem ? sentence(problem) : "The stream of packets has ended.";
      if (this.state.peek().kind === "open") this.#note(Date.now(), `${text} What comes until it is there again is not shown.`);
      this.state.value = { kind: "away", problem: text };
      await waited(AGAIN_MS, signal);
    }
  }

  stop(): void {
    this.#gone?.abort();
    this.state.value = { kind: "off" };
  }

  clear(): void {
    this.entries = [];
    this.count = 0;
    this.#drawn();
  }

  rates(now: number): Rates {
    const second = Math.floor(now / 1000);
    const counted = this.#seconds.filter((each) => each.second < second && each.second >= second - RATE_SECONDS);
    const mean = (name: keyof Rates): number => counted.reduce((sum, each) => sum + each[name], 0) / RATE_SECONDS;
    return { in: mean("in"), out: mean("out"), bytesIn: mean("bytesIn"), bytesOut: mean("bytesOut") };
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const stream = await api.peek().stream(pathOf(this.#clientId, "/trace"), {}, signal);
    this.state.value = { kind: "open" };
    await readEvents(stream, (event, data) => {
      if (signal.aborted) return;
      const fields = data as PacketFields;
      if (event === "packet") this.#came(fields);
      else if (event === "dropped")
        this.#note(Date.now(), `${fields.count} packets came faster than they could be read, and were left out.`);
      else if (event === "end") this.#note(Date.now(), `The broker has ended it: ${fields.message}.`);
    });
  }

  #came({ time, direction, packet, left_out: leftOut, ...fields }: PacketFields): void {
    const at = Number(time);
    if (leftOut !== undefined) this.#note(at, `${leftOut} packets were left out: there were more than are shown of one second.`);
    const way = direction === "out" ? "out" : "in";
    this.#counted(at, way, Number(fields.size ?? 0), 1 + Number(leftOut ?? 0));
    this.count += 1;
    this.#add({ kind: "packet", id: this.count, time: at, direction: way, packet: String(packet), fields });
  }

  #note(time: number, text: string): void {
    this.count += 1;
    this.#add({ kind: "note", id: this.count, time, text });
  }

  #counted(time: number, direction: "in" | "out", size: number, packets: number): void {
    const second = Math.floor(time / 1000);
    let last = this.#seconds.at(-1);
    if (last?.second !== second) {
      last = { second, in: 0, out: 0, bytesIn: 0, bytesOut: 0 };
      this.#seconds = [...this.#seconds.slice(-2 * RATE_SECONDS), last];
    }
    last[direction] += packets;
    last[direction === "in" ? "bytesIn" : "bytesOut"] += size;
  }

  #add(entry: Entry): void {
    this.entries.push(entry);
    // Not one by one: taking from the front moves all others.
    if (this.entries.length > ENTRIES_MAX * 1.2) this.entries = this.entries.slice(-ENTRIES_MAX);
    this.#drawn();
  }

  #drawn(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    const draw = (): void => {
      this.#isAsked = false;
      this.frame.value += 1;
    };
    if (document.hidden) setTimeout(draw, 500);
    else requestAnimationFrame(draw);
  }
}

function waited(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
