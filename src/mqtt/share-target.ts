/**
 * To whom in a Session object a message of a shared subscription goes, and how much room is demanded there: it is first offered to those
 * who can send it at once, wherever they are, then to those who keep up and whose queues are short, then to any who keep up, which slows
 * its publisher down, and only when nobody keeps up does it go where the policy of full queues applies. One that its publisher repeats is
 * asked for before all that: somebody may have it.
 */

/** Somebody takes it, whatever waits for him already. The others are greater the later they are made. */
export const ANY_QUEUE = 0;

/** Only somebody to whom it can be sent at once. */
export const AT_ONCE = 1;

/** Only somebody who keeps up and has a short queue, or whom the strategy means and whose queue is not full. */
export const SHORT_QUEUE = 2;

/** Only somebody who keeps up. */
export const KEEPS_UP = 3;

/** Only where a member was given it before; nobody else takes it. */
export const IF_GIVEN = 4;

export type ShareDemand = typeof ANY_QUEUE | typeof AT_ONCE | typeof SHORT_QUEUE | typeof KEEPS_UP | typeof IF_GIVEN;

export interface ShareTarget {
  /** The whole filter, `$share/` included. */
  readonly filter: string;
  /** Which member there, for strategies by which the Topic object chooses. */
  readonly key: number;
  readonly demand: ShareDemand;
}
