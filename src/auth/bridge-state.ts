/**
 * The one place under `$SYS` that clients may use: mosquitto's bridges tell there whether they are connected, by default and in their
 * will, so that a bridge that may not would never come in. What else is under `$SYS` is the broker's own (SYS_SECONDS).
 */

/** What bridges publish to. By the level behind `connection` they tell themselves apart. */
export const BRIDGE_STATE = "$SYS/broker/connection/+/state";

/** What anonymous clients may subscribe to of it. */
export const BRIDGE_STATES = "$SYS/broker/connection/#";
