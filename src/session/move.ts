/**
 * How a session moves to another Session object because their number has changed. The old owner keeps it until the new one has stored
 * it (`depart.ts`); the new one subscribes to what it subscribes to before it asks for what waits (`arrive.ts`). So each message is at
 * least in one of them, and one that is in both is recognised by its name. Pure: `objects/arrivals.ts` makes the calls in between. Here
 * stands what the two say to each other.
 */

import type { Due } from "./due.ts";
import type { OpenExchanges } from "./open-exchanges.ts";

/** Why the next owner asks for a session. */
export type MoveReason =
  /** Its client is back to resume it. */
  | "resume"
  /** Its client is back and wants none of it: Clean Start 1. */
  | "end";

export interface MovingSubscription {
  readonly filter: string;
  /** As in its row. */
  readonly options: number;
  readonly identifier: number;
}

export interface MovingDelivery extends Due {
  readonly packetId: number;
  readonly sent: boolean;
  /** As `writeMessage` writes it. */
  readonly message: Uint8Array;
}

/** The answer to who asks for the session of another user: nothing has happened to it. */
export const OF_ANOTHER = "of another user";

/** What an old owner answers: undefined when there is nothing to move. */
export type Offer = readonly MovingSubscription[] | typeof OF_ANOTHER | undefined;

/** One part of what a session is and of what waits for it. */
export interface MovingPart {
  /** As in its row. */
  readonly state: Uint8Array;
  /** As in its row. */
  readonly will: Uint8Array | undefined;
  /** QoS 2 messages that this object has seen and that may be repeated, by the object where they entered. */
  readonly had: readonly OpenExchanges[];
  /** By object: QoS 2 messages with smaller numbers are settled. What came of them was here. */
  readonly settled: ReadonlyMap<string, number>;
  readonly deliveries: readonly MovingDelivery[];
  /** The number of the last of them here; of the ones before when there are none. */
  readonly through: number;
  /** Where the next part begins; undefined after the last one. */
  readonly next: number | undefined;
}

/** What the new owner was told by the old one. */
export interface Moving {
  /** The name of the old owner. */
  readonly from: string;
  readonly subscriptions: readonly MovingSubscription[];
  readonly parts: readonly MovingPart[];
}
