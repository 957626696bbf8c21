/**
 * The variables of the shape: how many objects a namespace has in the sharded topology, which topics have one of their own, and what that was
 * before. A Topic Name has neither + nor #, so that these stand between names where others would be taken for a part of one.
 */

import { integer, setting } from "./setting.ts";
import { isSystemTopic, validateTopicName } from "./topic/name.ts";

/** Which Topic objects a namespace has. */
export interface TopicShape {
  /** Those that share all topics but the following ones. */
  readonly topicShards: number;
  /** Topics with an object of their own, in an order that does not depend on how they were written. */
  readonly topicsWithObject: readonly string[];
}

/** Which objects a namespace had. */
export interface PreviousShape extends TopicShape {
  readonly sessionShards: number;
}

/** Session or Topic objects of one namespace. */
const SHARDS_MAX = 1024;

/** Each wildcard subscription is compared with all of them, and each Session object has a queue to each. */
const TOPICS_WITH_OBJECT_MAX = 64;

/** A topic is a part of its object's name. */
const TOPIC_BYTES_MAX = 256;

const TOPIC_LIMITS = { topicBytesMax: TOPIC_BYTES_MAX, topicLevelsMax: TOPIC_BYTES_MAX };

/** @returns undefined when one of them can't be one, or they are too many */
function topicsOf(names: readonly string[]): readonly string[] | undefined {
  const topics = [...new Set(names.map((name) => name.trim()))].sort();
  if (topics.length > TOPICS_WITH_OBJECT_MAX) return undefined;
  return topics.every((topic) => validateTopicName(topic, TOPIC_LIMITS) === undefined && !isSystemTopic(topic)) ? topics : undefined;
}

function parseTopicsWithObject(text: string): readonly string[] | undefined {
  return text === "" ? [] : topicsOf(text.split(","));
}

function parsePreviousShapes(text: string): readonly PreviousShape[] | undefined {
  if (text === "") return [];
  const shapes: PreviousShape[] = [];
  for (const part of text.split(",")) {
    const [sessions = "", topics = "", ...names] = part.split("+");
    const [sessionShards, topicShards] = [sessions, topics].map((number) => (/^\s*\d{1,4}\s*$/.test(number) ? Number(number) : Number.NaN));
    const topicsWithObject = topicsOf(names);
    if (!(sessionShards! <= SHARDS_MAX && topicShards! >= 1 && topicShards! <= SHARDS_MAX) || topicsWithObject === undefined)
      return undefined;
    shapes.push({ sessionShards: sessionShards!, topicShards: topicShards!, topicsWithObject });
  }
  return shapes;
}

export const SHAPE_SETTINGS = {
  sessionShards: integer(
    "SESSION_SHARDS",
    4,
    0,
    SHARDS_MAX,
    "Session objects of a namespace (sharded topology); `0` gives every client ID its own. With a change comes `PREVIOUS_SHAPES`",
  ),
  topicShards: integer(
    "TOPIC_SHARDS",
    4,
    1,
    SHARDS_MAX,
    "Topic objects of a namespace (sharded topology). With a change comes `PREVIOUS_SHAPES`",
  ),
  topicsWithObject: setting(
    "TOPICS_WITH_OBJECT",
    "",
    `at most ${TOPICS_WITH_OBJECT_MAX} Topic Names of at most ${TOPIC_BYTES_MAX} bytes, not beginning with $ and without commas, separated by commas, or nothing`,
    "[hot topics](operations.md#hot-topics), such as `match/1/score,ticker`: each has a Topic object of its own, beside those of `TOPIC_SHARDS` (sharded topology; in `compact` it changes nothing). With a change comes `PREVIOUS_SHAPES`",
    parseTopicsWithObject,
  ),
  previousShapes: setting(
    "PREVIOUS_SHAPES",
    "",
    "earlier numbers of Session and Topic objects as 4+4, or 4+4+TOPIC+TOPIC where topics had an object of their own, the latest first, separated by commas, or nothing",
    "the shapes that the broker had before, such as `2+2` after `SESSION_SHARDS` and `TOPIC_SHARDS` were 2, or `4+4+ticker` after `TOPICS_WITH_OBJECT` was `ticker`: sessions and retained messages are fetched from where they were",
    parsePreviousShapes,
  ),
};
