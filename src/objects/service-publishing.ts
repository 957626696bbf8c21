/**
 * Messages that other Workers publish through the entrypoint of `src/service`, in the Session object of the publisher that stands for their
 * topics. `onPublish` is asked about them as about those of clients, those of one topic one after the other, so that they stay in order.
 */

import { SERVICE_ASKED_BYTES_MAX, SERVICE_ASKED_MS_MAX } from "../code-limits.ts";
import type { MessageToPublish } from "../hooks/contract.ts";
import { draftProblem, ownPublishOf } from "../hooks/message-draft.ts";
import type { OnPublish } from "../hooks/on-publish.ts";
import type { Limits } from "../limits.ts";
import { MEMORY } from "../memory-limits.ts";
import { messageOfPublish } from "../mqtt/message.ts";
import type { Publish } from "../mqtt/packet.ts";
import { QUOTA_EXCEEDED } from "../mqtt/reason-code.ts";
import { Receipt } from "../mqtt/receipt.ts";
import type { SessionMachine } from "../session/machine.ts";
import type { PublishVerdict } from "../session/ports.ts";
import { isAskedAbout, meantBy, refusalIn } from "../session/verdict.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import type { AcknowledgedWait, PutCounts, PutOutcome, SendOutcome } from "./calls.ts";
import { handOnOwn, type OwnMessageOptions } from "./own-message.ts";

export interface ServicePublishingOptions extends OwnMessageOptions {
  /** Undefined where the Worker's code has none. */
  readonly onPublish: OnPublish | undefined;
  readonly limits: Limits;
  readonly machine: () => SessionMachine;
  /** Of the object. */
  readonly name: string;
  readonly acknowledgements: Acknowledgements;
}

export class ServicePublishing {
  readonly #options: ServicePublishingOptions;
  /** By topic: the last message of those that the code is asked about, settled when it has gone on or is refused. */
  readonly #asked = new Map<string, Promise<unknown>>();
  /** Of all of them. */
  #askedBytes = 0;

  constructor(options: ServicePublishingOptions) {
    this.#options = options;
  }

  /** What waits for the Worker's code, bytes. */
  get askedBytes(): number {
    return this.#askedBytes;
  }

  /**
   * @returns what became of it, once all who are to keep it have it in rows, and those who are connected have acknowledged it, where that is
   *   to be waited for
   * @throws TypeError with a sentence for what is no message
   */
  async put(message: MessageToPublish, wait: AcknowledgedWait | undefined): Promise<PutOutcome> {
    const publish = draftProblem(message) ?? ownPublishOf(message, this.#options.limits);
    if (typeof publish === "string") throw new TypeError(`publish: ${publish}`);
    const { onPublish } = this.#options;
    const { outcome } = await (onPublish === undefined || !isAskedAbout(publish.topic)
      ? this.#handOn(publish, undefined, wait)
      : this.#inTurn(onPublish, publish, wait));
    return outcome;
  }

  /** @returns when it has gone on, or is refused: then the next one of its topic is asked about */
  async #inTurn(
    onPublish: OnPublish,
    publish: Publish,
    wait: AcknowledgedWait | undefined,
  ): Promise<{ readonly outcome: Promise<PutOutcome> }> {
    const { topic } = publish;
    const { runtime } = this.#options;
    const bytes = bytesOf(publish);
    if (this.#askedBytes > SERVICE_ASKED_BYTES_MAX || !this.#options.core().ledger.takes("unfinished")) {
      return this.#refused(QUOTA_EXCEEDED, "too many messages of other Workers wait for onPublish");
    }
    this.#count(bytes);
    const before = this.#asked.get(topic);
    const until = runtime.now() + SERVICE_ASKED_MS_MAX;
    const turn = (async () => {
      await before;
      if (runtime.now() > until) return this.#refused(QUOTA_EXCEEDED, "it has waited too long for onPublish");
      return this.#handOn(publish, await onPublish.askService(publish), wait);
    })();
    this.#asked.set(topic, turn);
    try {
      return await turn;
    } finally {
      this.#count(-bytes);
      if (this.#asked.get(topic) === turn) this.#asked.delete(topic);
    }
  }

  #count(bytes: number): void {
    this.#askedBytes += bytes;
    this.#options.core().ledger.add("unfinished", bytes);
  }

  /** In an object, so that whoever awaits that it has gone on does not await what becomes of it. */
  #handOn(publish: Publish, verdict: PublishVerdict, wait: AcknowledgedWait | undefined): { readonly outcome: Promise<PutOutcome> } {
    const refusal = refusalIn(verdict);
    if (refusal !== undefined) return this.#refused(refusal.reasonCode, refusal.reason);
    const { publish: meant } = meantBy(verdict, publish, publish.topic);
    return { outcome: meant.qos === 0 ? this.#send(meant) : this.#sendCounting(meant, wait) };
  }

  async #send(publish: Publish): Promise<PutOutcome> {
    const reasonCode = await handOnOwn(this.#options, publish);
    return { reasonCode, refusal: undefined, taken: undefined };
  }

  async #sendCounting(publish: Publish, wait: AcknowledgedWait | undefined): Promise<PutOutcome> {
    const { core, name, acknowledgements, runtime } = this.#options;
    const waitMs = wait?.timeoutMs ?? 0;
    const until = runtime.now() + waitMs;
    const receipt = new Receipt({ object: name, number: core().numbers.next(), waitMs });
    // Acknowledgements may be here before it is known of how many sessions.
    if (wait !== undefined) acknowledgements.expect(receipt);
    const reasonCode = await handOnOwn(this.#options, publish, receipt);
    const { sessions, awaited, away } = receipt;
    let taken: PutCounts = { sessions, away, acknowledged: undefined, pending: undefined };
    if (wait !== undefined && reasonCode < 0x80) {
      const came = await acknowledgements.wait(receipt, until, wait.signal);
      const pending = Math.max(0, awaited - came.acknowledged - came.over - came.away);
      taken = { sessions, away: away + came.away, acknowledged: came.acknowledged, pending };
    } else acknowledgements.forget(receipt);
    return { reasonCode, refusal: undefined, taken };
  }

  /** A message for one connected client. The code is not asked: whoever sends it has that client in mind. @throws TypeError as `put` */
  async send(clientId: string, message: MessageToPublish, wait: AcknowledgedWait | undefined): Promise<SendOutcome> {
    const { core, machine, limits, name, acknowledgements, runtime, flushSoon, written } = this.#options;
    const publish = draftProblem(message) ?? ownPublishOf(message, limits);
    if (typeof publish === "string") throw new TypeError(`send: ${publish}`);
    const waitMs = wait?.timeoutMs ?? 0;
    const now = runtime.now();
    const made = messageOfPublish(publish, publish.topic, core().nextOrigin(""), now);
    const receipt = new Receipt({ object: name, number: core().numbers.next(), waitMs });
    made.receipt = receipt;
    if (wait !== undefined) acknowledgements.expect(receipt);
    const outcome = machine().deliverDirectly(clientId, made, now);
    flushSoon();
    await written();
    if (wait === undefined) return outcome === "taken" ? "sent" : outcome;
    if (outcome !== "taken" || receipt.awaited === 0) {
      acknowledgements.forget(receipt);
      return outcome === "taken" ? "over" : outcome;
    }
    const { acknowledged, over, away } = await acknowledgements.wait(receipt, now + waitMs, wait.signal);
    if (acknowledged > 0) return "acknowledged";
    if (away > 0) return "away";
    return over > 0 ? "over" : "pending";
  }

  #refused(reasonCode: number, refusal: string): { readonly outcome: Promise<PutOutcome> } {
    this.#options.core().counters.messagesDropped.refused += 1;
    return { outcome: Promise.resolve({ reasonCode, refusal, taken: undefined }) };
  }
}

/** What a message costs while it waits. */
function bytesOf({ topic, payload, propertyBytes, properties }: Publish): number {
  const pairs = properties.userProperties?.length ?? 0;
  const own = payload.length + propertyBytes.length + MEMORY.characterBytes * topic.length;
  return MEMORY.messageBytes + MEMORY.userPropertyBytes * pairs + own;
}
