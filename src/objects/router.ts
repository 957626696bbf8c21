/** The way from a Session object to the Topic objects of its namespace, wherever those are. */

import type { RouterPort, Ticket } from "../session/ports.ts";
import type { OutboxFigures } from "./meter.ts";

/** The way to the Topic objects, with what the host has to do for it. */
export interface Router extends RouterPort {
  /** Does what can be done at once, before rows are written. */
  serve(): void;
  /** Sends what was gathered. */
  flush(): void;
  /** What leaves together shares calls. */
  readonly gathers: boolean;
  /** Settled once a Session object has all that Topic objects have for it now. */
  barrier(sessionObject: string, ticket: Ticket): void;
  /** Slow clients here are ready for what came with a batch of a Topic object. @param record its number in the batch */
  caughtUp(topicObject: string, batch: number, record: number): void;
  /** Undefined when it calls nobody. */
  readonly outbox: OutboxFigures | undefined;
  /** So much waits for a Topic object that clients should add little to it. */
  readonly isCrowded: boolean;
  /** What is in memory of what is on its way, bytes. */
  readonly heldBytes: number;
  /** What the routes cost that it keeps itself, by a count of them all, bytes. */
  countRoutes(): number;
  /** Undefined when they are elsewhere, or not counted. */
  readonly retainedMessages: number | undefined;
  /** The same for whoever looks: few are counted for it. */
  countRetained(): number | undefined;
}
