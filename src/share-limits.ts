/** The numbers of rates and shares of one client and one user: value, unit, reason. All others are in limits.ts. */

import type { Rate } from "./rate.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Clients whose rates an object remembers, the connected ones beside that: more are forgotten, and may begin anew. */
export const PACES_KEPT_MAX = 10_000;

/**
 * A client of 3.x above its rate is read more slowly as long as each packet waits no longer than this, and what has come and waits is no
 * more than so many bytes; beyond that it is disconnected. Longer, and it would take the broker for dead.
 */
export const PACE_MS_MAX = 10_000;
export const PACE_BYTES_MAX = 1024 * 1024;

/** Sessions that are looked at each time it is asked what one user has, once there is so much that it matters: about 0.1 ms. */
export const USER_SHARE_LOOKS = 256;

/**
 * What users share of an object's database for retained messages, bytes: the platform gives it 10 GB, in which a compact object has its
 * sessions and queues too.
 */
export const RETAINED_BYTES_SHARED = 4 * 1024 * 1024 * 1024;

/** A retained message of fewer bytes that takes the place of its user's own is not counted anew: that would read every row after each start. */
export const RETAINED_BYTES_SMALL = 16 * 1024;

/**
 * Events (`$events/...`) that one object tells: a storm of clients that come back must not become one of messages. What is above is left out, and
 * counted. A burst is what a thousand clients bring that connect and subscribe at once.
 */
export const EVENT_RATE: Rate = { count: 500, ms: SECOND, burst: { count: 2000, ms: MINUTE } };

/** Of those that were told and of which nobody has said yet that they have arrived: a subscriber that is slow costs the others events, and no memory. */
export const EVENTS_UNDER_WAY_MAX = 1000;

/** A text in an event that is longer is cut, characters: whoever has long names makes nobody's events large. */
export const EVENT_TEXT_CHARACTERS_MAX = 1024;

/** Figures below `$SYS` are told so long after something has changed, at first: before an object falls asleep, and with what comes meanwhile. */
export const SYS_FIRST_MS = 5 * SECOND;

/**
 * Members that a Topic object knows by name under a filter that is watched, and that it lists to who begins to watch; above that it counts them. The
 * characters of their names are bounded as well: what is listed is one message.
 */
export const PRESENCE_LISTED_MAX = 1000;
export const PRESENCE_LISTED_CHARACTERS_MAX = 64 * 1024;

/** The same of all filters of one object, about 10 MB: whoever watches very many is told how many are there, and not who. */
export const PRESENCE_LISTED_OF_OBJECT_MAX = 50_000;

/** Members that have come or gone, in one report of a Session object; more follow in the next one. */
export const PRESENCE_CHANGES_MAX = 500;

/** What comes and goes under one filter is told one by one up to this rate, and up to so many at once; above it all members are listed anew. */
export const PRESENCE_RATE: Rate = { count: 20, ms: SECOND, burst: { count: 200, ms: MINUTE } };
export const PRESENCE_AT_ONCE_MAX = 100;

/** So long after it was too much to be told one by one, and no more often. */
export const PRESENCE_STATE_MS = SECOND;

/** For so long Session objects that are out of reach are waited for, before it is said who is there without theirs. */
export const PRESENCE_ASK_MS = 5 * SECOND;

/** What is known of who is there is older: who begins to watch has all Session objects with the filter asked anew. */
export const PRESENCE_FRESH_MS = 15 * MINUTE;

/** SUBACK for events waits so long for Session objects that are out of reach; they are told as soon as somebody has to do with them. */
export const EVENTS_TELL_MS = 5 * SECOND;

/**
 * Where each client has an object of its own, that object hears of who wants events with the first that passes between it and a Topic object. A
 * connection that is younger than this is told of then.
 */
export const EVENT_LATE_MS = MINUTE;
