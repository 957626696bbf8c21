/**
 * What a Session object does with one record of a batch from a Topic object: leaves out what it has had, and gives the rest to those who
 * want it.
 */

import { type BatchRecord, RECORD_LIVE, RECORD_PAGE, RECORD_SHARED, RECORD_WATCH } from "../mqtt/batch.ts";
import type { Unwanted } from "../mqtt/delivery-answer.ts";
import type { Receipt } from "../mqtt/receipt.ts";
import { IF_GIVEN } from "../mqtt/share-target.ts";
import type { SessionCore } from "../session/core.ts";
import type { SessionMachine } from "../session/machine.ts";
import type { Repeats } from "../session/repeats.ts";
import { filtersOfEvent, isOfEvents } from "../topic/events.ts";

interface Taken {
  /** The Topic object. */
  readonly sender: string;
  /** Of its life. */
  readonly epoch: number;
  readonly record: BatchRecord;
  /** Its number in the batch. */
  readonly index: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What it was given to when it was here first: what it is given to below is counted there. */
function countAgain(repeats: Repeats, machine: SessionMachine, record: Taken["record"], receipt: Receipt): void {
  if (record.kind !== RECORD_LIVE && record.kind !== RECORD_SHARED) return;
  const { message } = record;
  const targets = record.kind === RECORD_SHARED ? record.shares : [];
  const given = targets.filter(({ filter }) => repeats.wasShared(message, filter, true));
  machine.countAgain(message, receipt, record.kind === RECORD_LIVE || record.live, given.length);
}

/**
 * Of events all Topic objects are told, for only the one that has them would find out: the others would have Session objects tell for ever what
 * nobody wants.
 */
function nobodyWants({ router, numbers }: SessionCore, topic: string): void {
  for (const filter of filtersOfEvent(topic)) router.unsubscribe(filter, numbers.next());
}

/** @param unwanted takes what nobody here wants, or somebody could not take */
export function takeRecord(
  core: SessionCore,
  machine: SessionMachine,
  { sender, epoch, record, index, now }: Taken,
  unwanted: Unwanted[],
): void {
  const { repeats } = core;
  if (record.kind === RECORD_PAGE) {
    machine.takePage(record, now);
    return;
  }
  if (record.kind === RECORD_WATCH) machine.watchPresence(record.filter, now);
  if (record.kind !== RECORD_LIVE && record.kind !== RECORD_SHARED) return;
  const { message } = record;
  const known = repeats.isRepeat(message, sender, now);
  const live = record.kind === RECORD_LIVE || (record.kind === RECORD_SHARED && record.live);
  if (known && live) machine.deliverRepeat(message, now);
  if (known && message.receipt !== undefined) countAgain(repeats, machine, record, message.receipt);
  if (known && record.kind !== RECORD_SHARED) return;
  const outcome = live && !known ? machine.deliver(message, now) : "taken";
  if (outcome !== "taken") unwanted.push({ record: index, share: undefined, full: outcome === "full" });
  if (outcome === "unwanted" && isOfEvents(message.topic)) nobodyWants(core, message.topic);
  if (record.kind === RECORD_LIVE) return;
  for (const target of record.shares) {
    const { filter } = target;
    if (repeats.wasShared(message, filter, known)) continue;
    if (target.demand === IF_GIVEN) {
      repeats.keepOutBefore(sender, epoch, now);
      core.log.writeRepeats();
      unwanted.push({ record: index, share: filter, full: true });
      continue;
    }
    const given = repeats.wasDeclined(message, target, known) ? "full" : machine.deliverShared(message, target, now, record.shares.length);
    // The text of the share itself is there anyway: that of the record may be long, and would be kept with what is remembered.
    const own = core.shares.get(filter)?.filter ?? filter;
    if (given === "taken") repeats.shared(message, own);
    else unwanted.push({ record: index, share: filter, full: given === "full" });
    if (given === "unwanted" && isOfEvents(message.topic)) core.router.share(filter, 0, 0, core.numbers.next(), undefined);
    if (given === "full") repeats.declined(message, own, target.demand);
  }
}
