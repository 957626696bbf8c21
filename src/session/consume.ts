/**
 * What is published here goes to consumers as well, before it is routed: its publisher hears that it is safe when their copies are in rows
 * too. At least once for QoS 1 and 2, at most once for QoS 0. Where a queue is full, its publishers are slowed down first, and then the queue
 * policy decides, as for every session.
 */

import { JointOutcome } from "../mqtt/joint-outcome.ts";
import type { Message } from "../mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, NO_MATCHING_SUBSCRIBERS, QUOTA_EXCEEDED, SUCCESS } from "../mqtt/reason-code.ts";
import type { Receipt } from "../mqtt/receipt.ts";
import { hold, mayHold } from "./catch-up.ts";
import { headFlags } from "./chunk-heads.ts";
import type { Consumer, Consumers } from "./consumer.ts";
import { advance, watch } from "./consumer-batch.ts";
import type { SessionCore } from "./core.ts";
import type { Due } from "./due.ts";
import type { LogRecord } from "./log-record.ts";
import type { Ticket } from "./ports.ts";
import { boundsOf, isFull, isShort, type QueueBounds } from "./queue-bounds.ts";

/** Of a record, not of a session: a consumer is a recipient once. */
export const CONSUMER_PACKET_ID = 1;

/**
 * A message enters the broker here. Without consumers that costs one look.
 * @param owner as of `RouterPort.publish`
 */
export function handOn(core: SessionCore, message: Message, ticket: Ticket | undefined, owner: number | undefined): void {
  const { consumers } = core;
  const taken = consumers === undefined ? ticket : consume(core, consumers, message, ticket);
  core.router.publish(message, message.receipt === undefined ? taken : counting(message.receipt, taken), owner);
}

/** Routes may lead to nobody for a moment: a receipt knows better. */
function counting(receipt: Receipt, ticket: Ticket | undefined): Ticket | undefined {
  const outcomeOf = (reasonCode: number): number =>
    reasonCode === SUCCESS && receipt.sessions === 0 ? NO_MATCHING_SUBSCRIBERS : reasonCode;
  return ticket && { settled: (reasonCode) => ticket.settled(outcomeOf(reasonCode)) };
}

/** @returns the ticket for the router; its publisher hears of the outcome when no consumer stands in the way */
function consume(core: SessionCore, consumers: Consumers, message: Message, ticket: Ticket | undefined): Ticket | undefined {
  const { found } = consumers;
  found.length = 0;
  consumers.filters.match(message.topic, consumers.visit);
  if (found.length === 0) return ticket;
  const taking: Taking = { message, record: undefined, slow: [], outcome: SUCCESS };
  for (const consumer of found) {
    try {
      give(core, consumers, consumer, taking);
    } catch (error) {
      // The others get it all the same, and its publisher hears that not everyone has it.
      core.failures.caught(error, `giving a message to the consumer ${consumer.plan.name}`, undefined);
      taking.outcome = IMPLEMENTATION_SPECIFIC_ERROR;
    }
  }
  const { slow, outcome } = taking;
  if (ticket === undefined) return ticket;
  const joint = new JointOutcome((reasonCode) => ticket.settled(reasonCode), slow.length > 0 ? 2 : 1, outcome);
  if (slow.length > 0) hold(core, slow, () => joint.settled(SUCCESS));
  // Somebody wants it.
  return { settled: (reasonCode) => joint.settled(reasonCode === NO_MATCHING_SUBSCRIBERS ? SUCCESS : reasonCode) };
}

/** A message on its way to consumers. */
interface Taking {
  readonly message: Message;
  record: LogRecord | undefined;
  /** Those that its publisher is to wait for. */
  readonly slow: Consumer[];
  outcome: number;
}

function give(core: SessionCore, consumers: Consumers, consumer: Consumer, taking: Taking): void {
  const { message, slow } = taking;
  if (message.qos === 0) {
    takeFleeting(core, consumer, message);
    return;
  }
  if (!mayTake(core, consumer, message)) {
    taking.outcome = QUOTA_EXCEEDED;
    return;
  }
  if (taking.record === undefined || core.log.isFull(taking.record)) taking.record = core.log.append(message);
  take(core, consumers, consumer, taking.record);
  const bounds = boundsOf(core);
  const isSlow = !isShort(consumer, bounds) && !consumer.stuck && mayHold(core, consumer);
  if (isSlow) slow.push(consumer);
  keepConsumerWithinBounds(core, consumer, bounds, isSlow ? 1 : 0);
}

/** Whether one more may wait; counts it as dropped when not. */
function mayTake(core: SessionCore, consumer: Consumer, message: Message): boolean {
  const { dropped } = consumer.counters;
  if (!core.ledger.takes("messages")) {
    dropped.memory += 1;
    return false;
  }
  const isRefused = core.choices.queuePolicy === "reject_new" && isFull(consumer, message, boundsOf(core));
  if (!isRefused && !core.room.isFull) return true;
  dropped.queue_full += 1;
  return false;
}

function take(core: SessionCore, consumers: Consumers, consumer: Consumer, record: LogRecord): void {
  if (consumer.number === 0) {
    consumer.number = core.numbers.next();
    consumers.changed.add(consumer);
  }
  const { message, sequence } = record;
  const due: Due = { qos: message.qos as 1 | 2, retain: message.retain, identifiers: undefined, share: "", owed: false };
  core.log.addRecipient(record, { ...due, sessionNumber: consumer.number, packetId: CONSUMER_PACKET_ID });
  consumer.backlog.push(sequence, message.size, CONSUMER_PACKET_ID, headFlags(due), false);
  consumer.lastSequence = sequence;
  watch(core, consumer);
}

/** One of QoS 0 takes nobody's place. */
function takeFleeting(core: SessionCore, consumer: Consumer, message: Message): void {
  const { dropped } = consumer.counters;
  if (isFull(consumer, message, boundsOf(core))) dropped.queue_full += 1;
  else if (!core.ledger.takes("messages")) dropped.memory += 1;
  else consumer.pushFleeting(message);
}

/**
 * A queue that is too long drops its oldest: first of what nobody was promised anything about. What its handler has is not dropped, nor,
 * unless memory is short, what publishers do not take for safe yet.
 * @param held messages whose publishers are just to be made to wait
 */
export function keepConsumerWithinBounds(core: SessionCore, consumer: Consumer, { messages, bytes, short }: QueueBounds, held = 0): void {
  const unsettled = short ? 0 : (consumer.holds?.length ?? 0) + held;
  while (consumer.waiting > messages + unsettled || (consumer.waitingBytes > bytes && consumer.waiting > 1)) {
    if (short) core.ledger.refuse("queues");
    consumer.counters.dropped.queue_full += 1;
    if (consumer.fleeting.length > 0) {
      consumer.shiftFleeting();
      continue;
    }
    const { sequence } = consumer.backlog.remove(consumer.taken?.durable ?? 0);
    core.log.release(sequence);
    if (consumer.taken === undefined) advance(core, consumer);
  }
}
