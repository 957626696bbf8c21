/**
 * What is stored of a consumer besides its messages, which are in the log: how far it is, and how often it was given what comes next. In the
 * table of sessions, under a name that no client can have, so that it costs nothing where there is none: a row when something is stored for it
 * first, one for each batch that its handler has handled, and one for each that it has not.
 */

import { CONSUMER_BATCH_BYTES, CONSUMER_BATCH_MESSAGES_MAX, CONSUMER_RETRY_MS_MAX } from "../code-limits.ts";
import { intact, RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { checkNumber } from "../topic/stored-message.ts";
import type { Head } from "./chunk-heads.ts";
import { keepConsumerWithinBounds } from "./consume.ts";
import type { Consumer } from "./consumer.ts";
import { watch } from "./consumer-batch.ts";
import type { SessionCore } from "./core.ts";
import type { SessionRow } from "./ports.ts";
import type { Restoring } from "./restoring.ts";

/** No Client Identifier has U+0000 in it [MQTT5-1.5.4-2]. */
const PREFIX = "\u0000consumer/";

/** No version of a session: older code leaves such a row alone. */
const CONSUMER_VERSION = 0x43;

export function isConsumerRow({ clientId }: SessionRow): boolean {
  return clientId.startsWith(PREFIX);
}

function encodeConsumer({ handledThrough, attempts, triedThrough, retryAt }: Consumer): Uint8Array {
  const writer = new RecordWriter(48);
  writer.byte(CONSUMER_VERSION);
  writer.integer(handledThrough);
  writer.integer(attempts);
  writer.integer(triedThrough);
  writer.integer(retryAt);
  return writer.finish();
}

/** Behind the log, whose records their handlers have, or will have. */
export function writeConsumers({ consumers, store }: SessionCore): void {
  if (consumers === undefined || consumers.changed.size === 0) return;
  for (const consumer of consumers.changed) {
    store.putSession({ number: consumer.number, clientId: PREFIX + consumer.plan.name, state: encodeConsumer(consumer) });
  }
  consumers.changed.clear();
}

/** A consumer that the code has no more is ended; one whose row can't be read is given again what the log has. */
export function restoreConsumer(restoring: Restoring, row: SessionRow): void {
  const { core } = restoring;
  const { number } = row;
  const name = row.clientId.slice(PREFIX.length);
  core.raiseNumbers(number);
  const consumer = core.consumers?.named(name);
  if (consumer === undefined) {
    restoring.endedConsumers.set(number, { name, messages: 0 });
    core.store.deleteSession(number);
    return;
  }
  consumer.number = number;
  restoring.consumers.set(number, consumer);
  restoring.attempt(`the row of the consumer ${JSON.stringify(name)}`, () => readConsumer(core, consumer, intact(row).state));
}

function readConsumer(core: SessionCore, consumer: Consumer, bytes: Uint8Array): void {
  const reader = new RecordReader(bytes);
  const version = reader.byte();
  if (version !== CONSUMER_VERSION) throw new RecordError(`a consumer of version ${version}, where ${CONSUMER_VERSION} was expected`);
  const [handledThrough, attempts, triedThrough, retryAt] = [reader.integer(), reader.integer(), reader.integer(), reader.integer()];
  reader.end();
  for (const sequence of [handledThrough, triedThrough]) checkNumber(sequence);
  core.raiseNumbers(handledThrough);
  consumer.handledThrough = handledThrough;
  consumer.attempts = attempts;
  consumer.triedThrough = triedThrough;
  // The clock may have been set back since.
  consumer.retryAt = Math.min(retryAt, core.now + CONSUMER_RETRY_MS_MAX);
}

/** The log has a message for it. @returns whether it still needs that */
export function restoreGiven(consumer: Consumer, { sequence, size, packetId, flags }: Head): boolean {
  if (sequence <= consumer.handledThrough) return false;
  consumer.backlog.push(sequence, size, packetId, flags, false);
  consumer.suspectThrough = sequence;
  consumer.lastSequence = sequence;
  return true;
}

/** All of the log is known. */
export function settleConsumers(core: SessionCore): void {
  for (const consumer of core.consumers?.all ?? []) {
    if (consumer.backlog.count === 0) continue;
    // What a full queue dropped is in the log still, and what its handler had stood before it.
    const { queueMessagesMax, queueBytesMax } = core.limits;
    const bounds = { messages: queueMessagesMax + CONSUMER_BATCH_MESSAGES_MAX, bytes: queueBytesMax + CONSUMER_BATCH_BYTES, short: false };
    keepConsumerWithinBounds(core, consumer, bounds);
    watch(core, consumer);
  }
}
