/**
 * How Session objects hear which events (`topic/events.ts`) somebody wants. The Topic object that has the events tells all of them when somebody
 * begins to want some, before that subscription is acknowledged: from then on nothing is missed. Should it be reset before all have been told, the
 * Session object of the subscriber asks again, and all are told again. Its batches say it too, each time; and a Session object whose own batches
 * say that it tells less than is wanted, because it was out of reach, gets an empty one.
 *
 * Where each client has an object of its own nobody can name them all: there every Topic object tells those that it has to do with.
 */

import { JointOutcome } from "../mqtt/joint-outcome.ts";
import { SUCCESS } from "../mqtt/reason-code.ts";
import type { WantedEvents } from "../routing/wanted-events.ts";
import type { Runtime } from "../runtime.ts";
import { EVENTS_TELL_MS } from "../share-limits.ts";
import { eventsOf } from "../topic/events.ts";

export interface EventTellingOptions {
  readonly wanted: WantedEvents;
  /** The Session objects, where this object is the one that tells all; else none. */
  readonly everybody: readonly string[];
  /** Others tell it as well. */
  readonly isOneOfMany: boolean;
  readonly runtime: Runtime;
  /** Makes an empty batch for a Session object. @param done is told its outcome */
  readonly send: (sessionObject: string, done: (reasonCode: number) => void) => void;
}

export class EventTelling {
  readonly #options: EventTellingOptions;
  /** Session objects to which an empty batch is on its way. */
  readonly #telling = new Set<string>();

  constructor(options: EventTellingOptions) {
    this.#options = options;
  }

  /** What batches to Session objects say. */
  get said(): number {
    const { wanted, everybody, isOneOfMany } = this.#options;
    return isOneOfMany || everybody.length > 0 ? wanted.events : 0;
  }

  /** Whether somebody wants with a filter what not everybody was told of. */
  isBehind(filter: string): boolean {
    const { wanted, everybody } = this.#options;
    return everybody.length > 0 && (eventsOf(filter) & wanted.events & ~wanted.told) !== 0;
  }

  /** @param done called once, when all have been told, or could not be for too long: those hear of it as soon as somebody has to do with them */
  tellAll(done: (reasonCode: number) => void): void {
    const { wanted, everybody, runtime, send } = this.#options;
    const { events } = wanted;
    const patience = runtime.after(EVENTS_TELL_MS, () => done(SUCCESS));
    const told = new JointOutcome((reasonCode) => {
      patience.cancel();
      // Those that nobody wants any more are told anew when somebody does.
      if (reasonCode === SUCCESS) wanted.told |= events & wanted.events;
      done(SUCCESS);
    }, everybody.length);
    for (const name of everybody) send(name, told.settled);
  }

  /** A Session object has said what it tells. */
  heard(sessionObject: string, events: number): void {
    const { send } = this.#options;
    if ((this.said & ~events) === 0 || this.#telling.has(sessionObject)) return;
    this.#telling.add(sessionObject);
    send(sessionObject, () => this.#telling.delete(sessionObject));
  }
}
