/**
 * Topic Names: what a PUBLISH or a will may be published to (4.7). Keeps the grammar of names; knows neither packets nor Reason
 * Codes: whoever asks decides what a broken rule costs. Names are compared as they are: nothing here or in this folder folds case,
 * trims or normalizes [MQTT5-4.7.3-4] [MQTT311-4.7.3-4].
 */

import type { Limits } from "../limits.ts";

/** The limits that a Topic Name or Topic Filter has to keep. */
export type TopicLimits = Pick<Limits, "topicBytesMax" | "topicLevelsMax">;

/** A rule that a Topic Name or Topic Filter breaks. */
export interface TopicProblem {
  /** The clause by its 5.0 id, or `limit/topic-bytes` or `limit/topic-levels` where only this broker's configuration forbids it. */
  readonly clause: string;
  /** A sentence for people that quotes the beginning of the input, escaped. */
  readonly message: string;
}

/** The longest UTF-8 Encoded String of the protocol, bytes. */
export const STRING_BYTES_MAX = 65_535;

const QUOTED_CHARACTERS_MAX = 64;
const NUL = 0;
const HASH = 0x23;
const DOLLAR = 0x24;
const PLUS = 0x2b;

/**
 * Checks a Topic Name. An empty name with a Topic Alias is legal in a PUBLISH and must be resolved before.
 * @returns the first broken rule, or undefined
 */
export function validateTopicName(topic: string, limits: TopicLimits): TopicProblem | undefined {
  const problem = validateText("Topic Name", topic, limits);
  if (problem !== undefined) return problem;
  for (let at = 0; at < topic.length; at++) {
    const unit = topic.charCodeAt(at);
    // [MQTT5-4.7.0-1] [MQTT311-4.7.1-1] Wildcards belong to filters only; for a PUBLISH also [MQTT5-3.3.2-2] [MQTT311-3.3.2-2].
    if (unit === PLUS || unit === HASH) {
      return { clause: "MQTT5-4.7.0-1", message: `The Topic Name ${quote(topic)} must not contain the wildcards + and #.` };
    }
  }
  return validateLevels("Topic Name", topic, limits);
}

/** Whether the topic begins with `$`: the broker's own, not for exchange among clients (4.7.2). */
export function isSystemTopic(topic: string): boolean {
  return topic.charCodeAt(0) === DOLLAR;
}

/** Tells a problem from the other answers of this folder. */
export function isTopicProblem(answer: object | undefined): answer is TopicProblem {
  return answer !== undefined && "clause" in answer;
}

/** What holds for the text of names and filters alike: not empty, no NUL, not too long. */
export function validateText(what: string, text: string, limits: TopicLimits): TopicProblem | undefined {
  // [MQTT5-4.7.3-1] [MQTT311-4.7.3-1]
  if (text.length === 0) return { clause: "MQTT5-4.7.3-1", message: `A ${what} must have at least one character.` };
  let byteCount = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // [MQTT5-4.7.3-2] [MQTT311-4.7.3-2]
    if (unit === NUL) return { clause: "MQTT5-4.7.3-2", message: `The ${what} ${quote(text)} must not contain U+0000.` };
    if (unit < 0x80) byteCount += 1;
    // A surrogate is half of a character of four bytes.
    else if (unit < 0x800 || (unit >= 0xd800 && unit < 0xe000)) byteCount += 2;
    else byteCount += 3;
  }
  // [MQTT5-4.7.3-3] [MQTT311-4.7.3-3]
  const bytesMax = Math.min(limits.topicBytesMax, STRING_BYTES_MAX);
  if (byteCount <= bytesMax) return undefined;
  const clause = byteCount > STRING_BYTES_MAX ? "MQTT5-4.7.3-3" : "limit/topic-bytes";
  return { clause, message: `The ${what} ${quote(text)} has ${byteCount} bytes; at most ${bytesMax} are accepted.` };
}

/** @param text the part of the input that has levels: for a Shared Subscription without `$share/NAME/` */
export function validateLevels(what: string, text: string, limits: TopicLimits): TopicProblem | undefined {
  let levelCount = 1;
  for (let at = text.indexOf("/"); at !== -1; at = text.indexOf("/", at + 1)) levelCount++;
  if (levelCount <= limits.topicLevelsMax) return undefined;
  return {
    clause: "limit/topic-levels",
    message: `The ${what} ${quote(text)} has ${levelCount} levels; at most ${limits.topicLevelsMax} are accepted.`,
  };
}

/** The beginning of a text, with whatever a Reason String may not carry escaped. */
export function quote(text: string): string {
  return text.length <= QUOTED_CHARACTERS_MAX ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, QUOTED_CHARACTERS_MAX))}...`;
}
