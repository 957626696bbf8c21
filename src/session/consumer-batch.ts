/**
 * What a consumer's handler is given, and what follows when it has handled it or not. One batch at a time. A batch that fails comes again as
 * it was, then its messages come alone, each after a time that grows and no more than so often in all: then it is given up, and the others go
 * on. All of that is in the consumer's row, so that a reset in between repeats what was given and loses nothing. What the row can't know, that a
 * handler ends the object itself, is counted before it is given again.
 */

import {
  CONSUMER_BATCH_BYTES,
  CONSUMER_RETRY_MS_FIRST,
  CONSUMER_RETRY_MS_MAX,
  CONSUMER_TOGETHER,
  CONSUMER_WATCH_MS,
} from "../code-limits.ts";
import type { Message } from "../mqtt/message.ts";
import { caughtUp } from "./catch-up.ts";
import type { Consumer, ConsumerBatch } from "./consumer.ts";
import type { SessionCore } from "./core.ts";
import { CONSUME } from "./deadlines.ts";
import { boundsOf, isShort } from "./queue-bounds.ts";
import { expired } from "./send.ts";

/** Whether something may be given to it now. */
export function isDue(consumer: Consumer, now: number): boolean {
  return consumer.taken === undefined && consumer.waiting > 0 && consumer.retryAt <= now;
}

/**
 * Whether what waits is not to wait for more: it is a whole batch, its publishers are slowed down for it, or it was given before.
 * @param most messages of a batch
 */
export function isWhole(core: SessionCore, consumer: Consumer, most: number): boolean {
  if (consumer.waiting >= most || consumer.waitingBytes >= CONSUMER_BATCH_BYTES) return true;
  return isAgain(consumer) || !isShort(consumer, boundsOf(core));
}

/** Whether what is next was given before. */
function isAgain({ backlog, triedThrough }: Consumer): boolean {
  return backlog.count > 0 && backlog.at(0).sequence <= triedThrough;
}

/** While messages wait for it, something wakes the object, however it came to sleep. */
export function watch(core: SessionCore, consumer: Consumer): void {
  if (consumer.watched) return;
  consumer.watched = true;
  const retries = consumer.retryAt > core.now;
  const at = retries ? consumer.retryAt : core.now + CONSUMER_WATCH_MS;
  core.deadlines.add({ at, kind: CONSUME, subject: consumer, slackMs: retries ? 0 : CONSUMER_WATCH_MS });
}

/** The object is awake, which was the purpose. */
export function handleWatch(core: SessionCore, consumer: Consumer): void {
  consumer.watched = false;
  if (consumer.backlog.count > 0) watch(core, consumer);
}

/**
 * Takes out what the handler is given next.
 * @param most messages
 * @returns undefined when there is nothing; what is `counted` must be in rows before it is given
 */
export function takeBatch(core: SessionCore, consumer: Consumer, most: number): ConsumerBatch | undefined {
  if (!isDue(consumer, core.now)) return undefined;
  const { plan, backlog } = consumer;
  // Whoever was given it so often has ended the object each time.
  while (isAgain(consumer) && consumer.attempts >= plan.attemptsMax) giveUp(core, consumer);
  const again = isAgain(consumer);
  const alone = again && consumer.attempts >= together(consumer);
  const found = collect(core, consumer, alone ? 1 : most, again ? consumer.triedThrough : Number.POSITIVE_INFINITY);
  if (found.messages.length === 0) {
    pass(core, consumer);
    return undefined;
  }
  const counted = found.durable > 0 && backlog.at(0).sequence <= consumer.suspectThrough;
  if (counted) countAttempt(core, consumer, found.last);
  consumer.taken = { ...found, counted };
  return consumer.taken;
}

/** Those that come next, in the order in which they came. @param through the last sequence that may be among them */
function collect(core: SessionCore, consumer: Consumer, most: number, through: number): Omit<ConsumerBatch, "counted"> {
  const { backlog, fleeting } = consumer;
  const messages: Message[] = [];
  let [durable, durableBytes, bytes, last] = [0, 0, 0, 0];
  while (messages.length < most && bytes < CONSUMER_BATCH_BYTES) {
    const next = durable < backlog.count ? backlog.at(durable) : undefined;
    const passing = fleeting.peek();
    if (passing !== undefined && through === Number.POSITIVE_INFINITY && (next === undefined || passing.after < next.sequence)) {
      const message = consumer.shiftFleeting();
      if (isOver(core, consumer, message)) continue;
      messages.push(message);
      bytes += message.size;
      continue;
    }
    if (next === undefined || next.sequence > through) break;
    const message = core.log.find(next, consumer.number)?.message;
    if (message === undefined) consumer.counters.dropped.unread += 1;
    if (message === undefined || isOver(core, consumer, message)) {
      backlog.remove(durable);
      core.log.release(next.sequence);
      if (durable === 0) advance(core, consumer);
      continue;
    }
    messages.push(message);
    bytes += next.size;
    durableBytes += next.size;
    durable += 1;
    last = next.sequence;
  }
  return { messages, durable, bytes: durableBytes, last };
}

/** [MQTT5-3.3.2-5] */
function isOver({ now }: SessionCore, { counters }: Consumer, message: Message): boolean {
  if (!expired(message, now)) return false;
  counters.dropped.expired += 1;
  return true;
}

/** The handler has handled what it was given. */
export function handled(core: SessionCore, consumer: Consumer): void {
  const batch = consumer.taken!;
  consumer.counters.handled += batch.messages.length;
  consumer.stuck = false;
  consumer.acknowledgedAt = core.now;
  consumer.taken = undefined;
  forget(core, consumer, batch.durable);
  caughtUp(core, consumer);
}

/** The handler has not handled it, or not in time. */
export function failed(core: SessionCore, consumer: Consumer): void {
  const batch = consumer.taken!;
  const { counters, plan } = consumer;
  counters.failed += 1;
  // At most once: nobody knows how far it came.
  counters.dropped.qos0 += batch.messages.length - batch.durable;
  consumer.taken = undefined;
  if (batch.durable === 0) {
    caughtUp(core, consumer);
    return;
  }
  if (!batch.counted) countAttempt(core, consumer, batch.last);
  if (consumer.attempts >= plan.attemptsMax) for (let count = batch.durable; count > 0; count -= 1) giveUp(core, consumer);
  else delay(core, consumer);
  caughtUp(core, consumer);
}

/** Nothing is given before the time that follows from how often that was. */
function delay(core: SessionCore, consumer: Consumer): void {
  consumer.retryAt = core.now + Math.min(CONSUMER_RETRY_MS_FIRST * 2 ** (consumer.attempts - 1), CONSUMER_RETRY_MS_MAX);
  consumer.watched = false;
  watch(core, consumer);
}

/** How often a batch is given as a whole. */
function together({ plan }: Consumer): number {
  return Math.max(1, Math.min(CONSUMER_TOGETHER, plan.attemptsMax - 1));
}

function countAttempt(core: SessionCore, consumer: Consumer, last: number): void {
  if (!isAgain(consumer)) consumer.attempts = 0;
  consumer.attempts += 1;
  consumer.triedThrough = Math.max(consumer.triedThrough, last);
  pass(core, consumer);
  core.consumers!.changed.add(consumer);
}

/** The first of its messages was given as often as it may be: it is over. */
function giveUp(core: SessionCore, consumer: Consumer): void {
  const { backlog, counters, attempts } = consumer;
  const message = core.log.find(backlog.at(0), consumer.number)?.message;
  counters.dropped.attempts += 1;
  consumer.givenUp.push({ topic: message?.topic ?? "", publisher: message?.publisher ?? "", attempts });
  forget(core, consumer, 1);
}

/** The first so many of its messages are over. */
function forget(core: SessionCore, consumer: Consumer, count: number): void {
  if (count === 0) return;
  for (let left = count; left > 0; left -= 1) core.log.release(consumer.backlog.remove(0).sequence);
  consumer.retryAt = 0;
  advance(core, consumer);
  pass(core, consumer);
}

/** Another message is the first one now: it was given as often as its batch, and no more. */
export function advance(core: SessionCore, consumer: Consumer): void {
  const attempts = isAgain(consumer) ? Math.min(consumer.attempts, together(consumer)) : 0;
  if (attempts !== consumer.attempts) core.consumers!.changed.add(consumer);
  consumer.attempts = attempts;
}

/** Nothing before the first of its messages is needed any more, what expired or could not be read included: a start must not find that again. */
function pass({ consumers }: SessionCore, consumer: Consumer): void {
  const { backlog, lastSequence, handledThrough } = consumer;
  const through = backlog.count > 0 ? backlog.at(0).sequence - 1 : lastSequence;
  if (through <= handledThrough) return;
  consumer.handledThrough = through;
  consumers!.changed.add(consumer);
}
