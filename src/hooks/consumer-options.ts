/** Consumers as the author of a Worker writes them: what is wrong with them is told when the Worker starts, and what they do not say has a default. */

import {
  CONSUMER_ATTEMPTS,
  CONSUMER_ATTEMPTS_MAX,
  CONSUMER_BATCH_MESSAGES,
  CONSUMER_BATCH_MESSAGES_MAX,
  CONSUMER_BATCH_MS,
  CONSUMER_BATCH_MS_MAX,
  CONSUMER_NAME_BYTES_MAX,
} from "../code-limits.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { parseFilter, SHARE_PREFIX } from "../topic/filter.ts";
import type { MessageConsumer } from "./contract.ts";

/** A consumer with all that it may say. */
export interface ConsumerOptions {
  readonly name: string;
  readonly filter: string;
  readonly attemptsMax: number;
  readonly batchMessages: number;
  readonly batchMs: number;
  readonly handle: MessageConsumer["handle"];
}

export function consumerOptions(consumer: MessageConsumer): ConsumerOptions {
  const { filter, name, batch, attempts } = consumer;
  return {
    name: name ?? filter,
    filter,
    attemptsMax: attempts ?? CONSUMER_ATTEMPTS,
    batchMessages: batch?.messages ?? CONSUMER_BATCH_MESSAGES,
    batchMs: batch?.ms ?? CONSUMER_BATCH_MS,
    handle: (messages, context) => consumer.handle(messages, context),
  };
}

/** @returns a sentence for each thing that is wrong with them; empty when nothing is */
export function consumerProblems(consumers: unknown): string[] {
  if (!Array.isArray(consumers)) return ["onMessages must be a list of consumers."];
  const names = new Set<unknown>();
  return consumers.flatMap((consumer, index) => {
    const place = `onMessages[${index}]`;
    if (typeof consumer !== "object" || consumer === null) return [`${place} must be an object.`];
    const problems = problemsOf(consumer).map((problem) => `${place}: ${problem}`);
    const name = consumer.name ?? consumer.filter;
    if (names.has(name)) problems.push(`${place}: there is another one of the name ${JSON.stringify(name)}; give it a name of its own.`);
    names.add(name);
    return problems;
  });
}

const KNOWN = ["filter", "name", "batch", "attempts", "handle"];

function problemsOf(consumer: Record<string, unknown>): string[] {
  const { filter, name, batch, attempts, handle } = consumer;
  const problems = Object.keys(consumer)
    .filter((key) => !KNOWN.includes(key))
    .map((key) => `${key} is no option of a consumer; expected: ${KNOWN.join(", ")}.`);
  const expect = (holds: boolean, sentence: string): void => {
    if (!holds) problems.push(sentence);
  };
  const filterProblem = typeof filter === "string" ? problemOfFilter(filter) : "filter must be a Topic Filter.";
  expect(filterProblem === undefined, filterProblem ?? "");
  const isName = typeof name === "string" && name !== "" && utf8Length(name) <= CONSUMER_NAME_BYTES_MAX;
  expect(name === undefined || isName, `name must be a text of 1 to ${CONSUMER_NAME_BYTES_MAX} bytes.`);
  const isLong = name === undefined && typeof filter === "string" && utf8Length(filter) > CONSUMER_NAME_BYTES_MAX;
  expect(!isLong, `a filter of more than ${CONSUMER_NAME_BYTES_MAX} bytes needs a name.`);
  const isBatch = typeof batch === "object" && batch !== null;
  expect(batch === undefined || isBatch, "batch must be { messages, ms }.");
  const { messages, ms } = (isBatch ? batch : {}) as Record<string, unknown>;
  expect(isWhole(messages, 1, CONSUMER_BATCH_MESSAGES_MAX), `batch.messages must be 1 to ${CONSUMER_BATCH_MESSAGES_MAX}.`);
  expect(isWhole(ms, 0, CONSUMER_BATCH_MS_MAX), `batch.ms must be 0 to ${CONSUMER_BATCH_MS_MAX}.`);
  expect(isWhole(attempts, 1, CONSUMER_ATTEMPTS_MAX), `attempts must be 1 to ${CONSUMER_ATTEMPTS_MAX}.`);
  expect(typeof handle === "function", "handle must be a function.");
  return problems;
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return value === undefined || (Number.isInteger(value) && (value as number) >= least && (value as number) <= most);
}

function problemOfFilter(filter: string): string | undefined {
  if (filter.startsWith(SHARE_PREFIX)) return "filter must not be a shared one: each message is given to a consumer once anyway.";
  const parsed = parseFilter(filter, DEFAULT_LIMITS);
  return "levels" in parsed ? undefined : `filter: ${parsed.message}.`;
}
