/** The numbers of rates and shares of one client and one user: value, unit, reason. All others are in limits.ts. */

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
