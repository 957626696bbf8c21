/**
 * The way from one object to another in the core harness: an outbox and the call that is under way, moved one step at a time, so that a
 * test or a simulator can stop, fail or repeat a call before it ran and after it.
 */

import { type BatchRecord, RECORD_LIVE, RECORD_SHARED, sentAgain } from "../../src/mqtt/batch.ts";
import { JointOutcome } from "../../src/mqtt/joint-outcome.ts";
import type { Message } from "../../src/mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR } from "../../src/mqtt/reason-code.ts";
import { Outbox, type Outgoing } from "../../src/routing/outbox.ts";
import type { Addressed, Attempt } from "../../src/routing/ports.ts";
import type { Ticket } from "../../src/session/ports.ts";

/** One call under way between two objects. */
interface Call<Item> {
  readonly items: readonly Item[];
  readonly batch: Uint8Array;
  /** `sent`: not arrived. `running`: the receiver works at it. `answered`: the answer is on its way back. `waiting`: to be repeated. */
  state: "sent" | "running" | "answered" | "waiting";
  answer: Uint8Array | undefined;
  repeatAt: number;
}

export type LinkStep = "send" | "arrive" | "return" | "repeat";

/** The outbox of one object towards another and the call that is under way, moved step by step. */
export class Link<Item extends Outgoing = Outgoing> {
  readonly name: string;
  readonly outbox = new Outbox<Item>();
  readonly #clock: { readonly now: number };
  readonly #encode: (items: readonly Item[]) => Uint8Array;
  readonly #receive: (batch: Uint8Array, answer: (bytes: Uint8Array) => void) => void;
  readonly #answered: (items: readonly Item[], answer: Uint8Array) => void;
  #call: Call<Item> | undefined;
  /** Batches that arrived, for tests of what travels. */
  readonly arrived: Uint8Array[] = [];
  /** While set, every call fails: before it ran (`request`) or after it (`answer`). */
  broken: "request" | "answer" | undefined;

  constructor(
    clock: { readonly now: number },
    name: string,
    encode: (items: readonly Item[]) => Uint8Array,
    receive: (batch: Uint8Array, answer: (bytes: Uint8Array) => void) => void,
    answered: (items: readonly Item[], answer: Uint8Array) => void,
  ) {
    this.#clock = clock;
    this.name = name;
    this.#encode = encode;
    this.#receive = receive;
    this.#answered = answered;
  }

  get state(): Call<Item>["state"] | "idle" {
    return this.#call?.state ?? "idle";
  }

  /** When a failed call is to be repeated; Infinity when none waits. */
  get repeatAt(): number {
    return this.#call?.state === "waiting" ? this.#call.repeatAt : Number.POSITIVE_INFINITY;
  }

  /** What can happen next on this link. */
  steps(): LinkStep[] {
    const call = this.#call;
    if (call === undefined) return this.outbox.length > 0 ? ["send"] : [];
    if (call.state === "sent") return ["arrive"];
    if (call.state === "answered") return ["return"];
    return call.state === "waiting" && call.repeatAt <= this.#clock.now ? ["repeat"] : [];
  }

  step(step: LinkStep | undefined = this.steps()[0]): void {
    if (step === "send") {
      const items = this.outbox.take(this.#clock.now);
      if (items !== undefined) this.#call = { items, batch: this.#encode(items), state: "sent", answer: undefined, repeatAt: 0 };
    } else if (step === "repeat") this.#repeat(this.#call!);
    else if (step === "arrive") this.#arrive(this.#call!);
    else if (step === "return") this.#return(this.#call!);
  }

  #repeat(call: Call<Item>): void {
    this.#call = { ...call, state: "sent", batch: sentAgain(call.batch) };
  }

  #arrive(call: Call<Item>): void {
    if (this.broken === "request") {
      this.fail();
      return;
    }
    call.state = "running";
    this.arrived.push(call.batch);
    try {
      this.#receive(call.batch, (answer) => {
        if (this.#call !== call || call.state !== "running") return;
        call.state = "answered";
        call.answer = answer;
      });
    } catch {
      this.fail();
    }
  }

  #return(call: Call<Item>): void {
    if (this.broken === "answer") {
      this.fail();
      return;
    }
    this.#call = undefined;
    this.outbox.succeeded();
    this.#answered(call.items, call.answer!);
  }

  /** The call under way fails; whether it ran depends on where it was. */
  fail(): void {
    const call = this.#call;
    if (call === undefined || call.state === "waiting") return;
    const delayMs = this.outbox.failed(this.#clock.now);
    if (delayMs === undefined) {
      this.#call = undefined;
      return;
    }
    // A new object: an answer to the old call comes too late.
    this.#call = { ...call, state: "waiting", answer: undefined, repeatAt: this.#clock.now + delayMs };
  }
}

/** What a Session object asks of a Topic object. */
export class RouterItem implements Outgoing {
  readonly record: BatchRecord;
  readonly size: number;
  readonly ticket: Ticket | undefined;

  constructor(record: BatchRecord, ticket: Ticket | undefined) {
    this.record = record;
    this.ticket = ticket;
    this.size = 64 + ("message" in record ? record.message.size : 0);
  }

  abandoned(): void {
    this.ticket?.settled(IMPLEMENTATION_SPECIFIC_ERROR);
  }
}

/** One message for one Session object. */
export class DeliveryItem implements Outgoing {
  readonly record: BatchRecord;
  readonly message: Message | undefined;
  readonly size: number;
  readonly done: ((reasonCode: number) => void) | undefined;
  readonly attempt: Attempt | undefined;

  constructor(
    record: BatchRecord,
    message: Message | undefined,
    done: ((reasonCode: number) => void) | undefined,
    attempt: Attempt | undefined = undefined,
  ) {
    this.attempt = attempt;
    this.record = record;
    this.message = message;
    this.size = 64 + (message?.size ?? 0);
    this.done = done;
  }

  abandoned(): void {
    this.done?.(0x83);
  }
}

/** What goes to a Session object: the record for whom it is addressed to. */
export function recordOf(message: Message, { live, shares }: Addressed): BatchRecord {
  return shares.length === 0 ? { kind: RECORD_LIVE, message } : { kind: RECORD_SHARED, message, live, shares };
}

/** Settles once all of several have; the worst outcome counts. */
export function joined(ticket: Ticket, count: number): Ticket {
  return new JointOutcome((reasonCode) => ticket.settled(reasonCode), count);
}
