/**
 * The questions to `onPublish` about the messages of one connection, one at a time, in their order. The packet that is asked about waits with its
 * client (`client.ts`), in memory alone: the timer that bounds the question keeps the object awake. Nothing has happened to it: what is lost
 * with the object's memory its client sends again.
 */

import { HOOK_MS_MAX } from "../code-limits.ts";
import { FAULT, type OnPublish } from "../hooks/on-publish.ts";
import type { Publish } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import { HELD, type PublishAsker, type PublishVerdict } from "../session/ports.ts";
import type { Session } from "../session/session.ts";

export class PublishAsking implements PublishAsker {
  readonly #onPublish: OnPublish;
  readonly #session: Session;
  readonly #runtime: Runtime;
  /** Resolves when the packet that waits may come again; undefined while none does. */
  held: Promise<void> | undefined;
  /** Bytes that the hook was given of it: payload and properties. */
  bytes = 0;
  /** About the packet that comes next, which is the one that has waited. */
  #known: { readonly verdict: PublishVerdict } | undefined;
  #until = Number.POSITIVE_INFINITY;

  constructor(onPublish: OnPublish, session: Session, runtime: Runtime) {
    this.#onPublish = onPublish;
    this.#session = session;
    this.#runtime = runtime;
  }

  ask(publish: Publish, topic: string): PublishVerdict | typeof HELD {
    const known = this.#known;
    this.#known = undefined;
    if (known !== undefined) return known.verdict;
    const ms = Math.min(HOOK_MS_MAX, this.#until - this.#runtime.now());
    if (ms <= 0) return FAULT;
    const { identity, clientId } = this.#session;
    const verdict = this.#onPublish.ask(identity, clientId, publish, topic, ms);
    if (!(verdict instanceof Promise)) return verdict;
    this.bytes = publish.payload.length + publish.propertyBytes.length;
    const answered = (said: PublishVerdict): void => {
      this.#known = { verdict: said };
      this.held = undefined;
      this.bytes = 0;
    };
    this.held = verdict.then(answered, () => answered(FAULT));
    return HELD;
  }

  /**
   * A packet of the client has been handled: what was said of it is of no other one, whether it was asked for or not.
   * @returns undefined unless it waits and has to come again; resolves when it may
   */
  handled(): Promise<void> | undefined {
    this.#known = undefined;
    return this.held;
  }

  /** Its client is gone: what it has sent before is asked about so long and no longer. */
  hurry(): void {
    this.#until = Math.min(this.#until, this.#runtime.now() + HOOK_MS_MAX);
  }
}
