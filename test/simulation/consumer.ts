/**
 * A consumer of a simulated broker: code whose handler fails in every way that code does, as chance will have it, and that writes down what it
 * was given and what it has handled. What it must have handled in the end is checked here, too.
 */

import { type ConsumerOptions, consumerOptions } from "../../src/hooks/consumer-options.ts";
import type { ConsumedMessage } from "../../src/hooks/contract.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import type { Runtime } from "../../src/runtime.ts";
import { type Content, differencesOf, numberOf } from "./content.ts";
import type { Scenario } from "./run.ts";
import { NO_FAULTS, type World } from "./world.ts";

/** Of those that it is given a part of the topics, so that most messages go to it and some do not. */
const FILTERS = ["#", "a/#"];

/** More often than chance fails in one run. */
const ATTEMPTS = 100;

/** A handler takes so long at most, milliseconds: one that does not end is none of these. */
const HANDLE_MS_MAX = 3_000;

export interface Consumption {
  readonly consumer: string;
  readonly object: string;
  readonly message: ConsumedMessage;
  handled: boolean;
}

/** The consumers of one life of an object. */
export function simulatedConsumers(world: World, object: string, runtime: Runtime): ConsumerOptions[] {
  return FILTERS.map((filter, index) =>
    consumerOptions({
      filter,
      batch: { messages: [7, 100][index]!, ms: [0, 500][index]! },
      attempts: ATTEMPTS,
      handle: (messages) => handle(world, { object, filter, runtime }, messages),
    }),
  );
}

interface Place {
  readonly object: string;
  readonly filter: string;
  readonly runtime: Runtime;
}

function handle(world: World, { object, filter, runtime }: Place, messages: readonly ConsumedMessage[]): Promise<void> {
  const { chance, faults } = world;
  const who = `${filter} in ${object}`;
  const given = messages.map((message): Consumption => ({ consumer: filter, object, message, handled: false }));
  world.consumed.push(...given);
  const happens = (what: string, probability: number): boolean =>
    faults !== NO_FAULTS && chance.happens(`handler ${what}`, who, probability, () => `the handler of ${who} ${what}`);
  if (happens("throws", 0.1)) throw new Error("thrown");
  const never = happens("never ends", 0.02);
  const fails = happens("rejects", 0.1);
  return new Promise((resolve, reject) => {
    if (never) return;
    runtime.after(chance.now(`handler of ${who}`).below(fails ? HANDLE_MS_MAX : 50), () => {
      if (fails) {
        reject(new Error("rejected"));
        return;
      }
      for (const each of given) each.handled = true;
      resolve();
    });
  });
}

/** What was acknowledged is handled, whole and in order; of QoS 0 nothing is given twice; nothing waits any more. */
export function checkConsumers(scenario: Scenario): string[] {
  const { world, published } = scenario;
  if (!world.hasConsumers) return [];
  const problems: string[] = [];
  for (const filter of FILTERS) {
    const given = world.consumed.filter(({ consumer }) => consumer === filter);
    const handled = new Set(given.filter((each) => each.handled).map(({ message }) => numberOf(message.payload)));
    for (const { number, topic, qos, kind, acknowledgedAt, expirySeconds, forbidden } of published) {
      const isFor = filter === "#" || topic === "a" || topic.startsWith("a/");
      // Of one that clears what is retained nothing tells which it is.
      const isAwaited = isFor && !forbidden && qos > 0 && kind !== "clearing" && expirySeconds === 0 && acknowledgedAt !== undefined;
      if (isAwaited && !handled.has(number)) problems.push(`the consumer ${filter} never handled ${kind} ${number} (${topic}, QoS ${qos})`);
      if (!isFor && handled.has(number)) problems.push(`the consumer ${filter} got ${number} on ${topic}`);
    }
    for (const each of given) problems.push(...checkContent(scenario, each));
    problems.push(...checkFleeting(scenario, given));
    problems.push(...checkOrder(scenario, given));
  }
  for (const { name, sessionHost } of world.objects) {
    for (const { plan, waiting, taken } of sessionHost?.core.consumers?.all ?? [])
      if (waiting > 0 || taken !== undefined) problems.push(`${waiting} messages wait for the consumer ${plan.name} in ${name}`);
  }
  return problems;
}

function checkContent({ world, published }: Scenario, { consumer, message }: Consumption): string[] {
  const number = numberOf(message.payload);
  if (number === undefined) return [];
  const was = published[number]!;
  const problems = differencesOf(was.content, message as Content, 5);
  if (message.topic !== was.topic || message.qos !== was.qos || message.retain !== was.retain || message.publisher !== was.publisher)
    problems.push(`as one of ${message.publisher} on ${message.topic} at QoS ${message.qos}`);
  if (was.forbidden) problems.push("although it was forbidden");
  // A clock that is set back gives it more.
  if (!world.clocksJump && (message.properties.messageExpiryInterval ?? 0) > was.expirySeconds)
    problems.push("which lasts longer than it should");
  return problems.map((problem) => `the consumer ${consumer} got message ${number} ${problem}`);
}

function checkFleeting({ published }: Scenario, given: readonly Consumption[]): string[] {
  const seen = new Set<number>();
  return given.flatMap(({ consumer, message }) => {
    const number = numberOf(message.payload);
    // A crash repeats a will.
    if (message.qos > 0 || number === undefined || published[number]!.kind === "will") return [];
    if (seen.has(number)) return [`the consumer ${consumer} got message ${number} of QoS 0 twice`];
    seen.add(number);
    return [];
  });
}

/** First copies come in the order in which they were published, for each publisher and topic. */
function checkOrder({ world, published, reshaped }: Scenario, given: readonly Consumption[]): string[] {
  // A session that moves leaves what it published before where it was.
  if (reshaped) return [];
  const last = new Map<string, number>();
  const seen = new Set<number>();
  return given.flatMap(({ consumer, message }) => {
    const { topic, publisher, qos } = message;
    const number = numberOf(message.payload);
    if (number === undefined || seen.has(number)) return [];
    seen.add(number);
    const { kind, repeated, expirySeconds } = published[number]!;
    if (kind === "will" || expirySeconds > 0 || (world.refusals.has(number) && repeated)) return [];
    const key = `${publisher} ${topic} ${qos satisfies QoS}`;
    const before = last.get(key) ?? -1;
    if (number < before) return [`the consumer ${consumer} got message ${number} of ${publisher} on ${topic} after message ${before}`];
    last.set(key, number);
    return [];
  });
}
