/** A message on its way from a Topic object to a Session object, what became of it there, and where it is offered next. */

import { type BatchRecord, RECORD_LIVE, RECORD_SHARED } from "../mqtt/batch.ts";
import type { Message } from "../mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR } from "../mqtt/reason-code.ts";
import { recordBytes } from "../mqtt/record-bytes.ts";
import { ANY_QUEUE } from "../mqtt/share-target.ts";
import type { Outgoing } from "../routing/outbox.ts";
import type { Addressed, Attempt, Delivered } from "../routing/ports.ts";
import { firstAttempt, nextAttempt } from "../routing/shares.ts";
import type { Exchange } from "./exchange.ts";

/** A record of a batch from a Session object. */
export interface Cause {
  readonly exchange: Exchange;
  readonly index: number;
}

export interface DeliveryOptions {
  readonly message: Message | undefined;
  readonly attempt: Attempt | undefined;
  readonly done: Delivered | undefined;
  readonly cause: Cause | undefined;
}

/** Of a delivery that brings no live message. */
export const ALONE = { message: undefined, attempt: undefined, cause: undefined };

/** One message for one Session object, a page of retained ones, or a barrier behind those before it. */
export class Delivery implements Outgoing {
  readonly record: BatchRecord;
  readonly message: Message | undefined;
  readonly size: number;
  readonly attempt: Attempt | undefined;
  readonly done: Delivered | undefined;
  /** The record of a batch that it came with, which may be left open for it. */
  readonly cause: Cause | undefined;

  constructor(record: BatchRecord, { message, attempt, done, cause }: DeliveryOptions) {
    this.attempt = attempt;
    this.record = record;
    this.message = message;
    this.size = recordBytes(record);
    this.done = done;
    this.cause = cause;
  }

  abandoned(): void {
    this.done?.(IMPLEMENTATION_SPECIFIC_ERROR);
  }
}

/** What a Session object did not take of a delivery. */
export interface Refused {
  /** Of those with subscriptions of their own. */
  outcome: number;
  readonly shares: { readonly share: string; readonly full: boolean }[];
}

/** What is to be known when one of its shared subscriptions is offered it elsewhere. */
export function attemptAfter({ attempt, record }: Delivery, share: string, full: boolean, sessionObject: string): Attempt {
  const target = record.kind === RECORD_SHARED ? record.shares.find(({ filter }) => filter === share) : undefined;
  return nextAttempt(attempt ?? firstAttempt(target?.demand ?? ANY_QUEUE), sessionObject, full);
}

export function recordOf(message: Message, { live, shares }: Addressed): BatchRecord {
  return shares.length === 0 ? { kind: RECORD_LIVE, message } : { kind: RECORD_SHARED, message, live, shares };
}
