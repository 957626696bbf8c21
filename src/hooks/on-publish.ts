/**
 * Asks `onPublish` about one message, and makes a verdict of whatever it answers. An answer that is none lets nothing through: a message with a
 * slip in it goes nowhere, and the log says what was wrong.
 */

import { HOOK_MS_MAX, HOOK_REASON_BYTES_MAX } from "../code-limits.ts";
import type { Limits } from "../limits.ts";
import { utf8Length } from "../mqtt/bytes.ts";
import { NO_PROPERTIES, type Publish, type QoS, type Will } from "../mqtt/packet.ts";
import {
  IMPLEMENTATION_SPECIFIC_ERROR,
  NOT_AUTHORIZED,
  PAYLOAD_FORMAT_INVALID,
  QUOTA_EXCEEDED,
  TOPIC_NAME_INVALID,
  UNSPECIFIED_ERROR,
} from "../mqtt/reason-code.ts";
import type { Identity, PublishVerdict } from "../session/ports.ts";
import { clientView, NO_CLIENT } from "./client-view.ts";
import type { BrokerHooks, HookClient, HookContext, HookMessage, MessageToPublish, PublishContext, Refuse } from "./contract.ts";
import type { HookFaults } from "./hook-faults.ts";
import { draftProblem, ownPublishOf } from "./message-draft.ts";

/** What PUBACK and PUBREC may say of a message that is not taken, but for what is wrong with a Packet Identifier. */
const CODES: readonly number[] = [
  UNSPECIFIED_ERROR,
  IMPLEMENTATION_SPECIFIC_ERROR,
  NOT_AUTHORIZED,
  TOPIC_NAME_INVALID,
  QUOTA_EXCEEDED,
  PAYLOAD_FORMAT_INVALID,
];

/** What a client is told whose message an onPublish that has failed was asked about. */
export const FAULT: PublishVerdict = {
  reasonCode: IMPLEMENTATION_SPECIFIC_ERROR,
  reason: "the broker could not decide about the message; send it again",
  isFault: true,
};

export interface OnPublishOptions {
  readonly onPublish: NonNullable<BrokerHooks["onPublish"]>;
  readonly context: HookContext;
  readonly limits: Limits;
  readonly faults: HookFaults;
  /** Waits for an answer, and no longer than so many milliseconds: then it rejects. */
  readonly within: (answer: PromiseLike<unknown>, ms: number) => Promise<unknown>;
}

export class OnPublish {
  readonly #options: OnPublishOptions;
  readonly #contexts: { readonly [Source in PublishContext["source"]]: PublishContext };

  constructor(options: OnPublishOptions) {
    this.#options = options;
    const { context } = options;
    this.#contexts = {
      client: { ...context, source: "client" },
      will: { ...context, source: "will" },
      service: { ...context, source: "service" },
    };
  }

  /**
   * @param ms it may take at most
   * @returns a promise, which never rejects, when the hook takes its time
   */
  ask(identity: Identity, clientId: string, publish: Publish, topic: string, ms: number): PublishVerdict | Promise<PublishVerdict> {
    return this.#ask(clientView(identity, clientId), "client", publish, topic, ms);
  }

  askWill(identity: Identity, clientId: string, will: Will): PublishVerdict | Promise<PublishVerdict> {
    return this.#ask(clientView(identity, clientId), "will", will, will.topic, HOOK_MS_MAX);
  }

  /** About a message of another Worker. */
  askService(publish: Publish): PublishVerdict | Promise<PublishVerdict> {
    return this.#ask(NO_CLIENT, "service", publish, publish.topic, HOOK_MS_MAX);
  }

  #ask(
    client: HookClient,
    source: PublishContext["source"],
    given: Given,
    topic: string,
    ms: number,
  ): PublishVerdict | Promise<PublishVerdict> {
    const { onPublish, within, faults } = this.#options;
    const failed = (error: unknown): PublishVerdict => {
      faults.caught("onPublish", error, client.clientId);
      return FAULT;
    };
    const judge = (said: unknown): PublishVerdict => {
      const verdict = this.#judge(said, given, topic);
      return typeof verdict === "string" ? failed(`what it returns is wrong, so the message goes nowhere: ${verdict}`) : verdict;
    };
    try {
      const said: unknown = onPublish(messageOf(given, topic), client, this.#contexts[source]);
      if (said === undefined) return undefined;
      return isThenable(said) ? within(said, ms).then(judge).catch(failed) : judge(said);
    } catch (error) {
      return failed(error);
    }
  }

  /** @returns what is wrong with an answer, as a sentence */
  #judge(said: unknown, given: Given, topic: string): PublishVerdict | string {
    if (said === undefined) return undefined;
    if (typeof said !== "object" || said === null || Array.isArray(said)) {
      return "expected nothing, a message, or { refuse: reasonCode, reason }";
    }
    if ("refuse" in said) return refusalOf(said as unknown as Refuse);
    const problem = draftProblem(said);
    if (problem !== undefined) return problem;
    const changes = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
    // Not what the hook was given, which it may have changed.
    const changed: HookMessage & MessageToPublish = { ...messageOf(given, topic), ...changes };
    if (changed.qos > given.qos) return `its QoS may not be above that of the client, ${given.qos}`;
    if (changed.retain && !given.retain) return "it may not be retained where the client did not ask for that";
    if (changed.topic.startsWith("$SYS/")) return "topics below $SYS are the broker's own";
    return withPublish(ownPublishOf(changed, this.#options.limits));
  }
}

function withPublish(publish: Publish | string): PublishVerdict | string {
  return typeof publish === "string" ? publish : { publish };
}

function refusalOf({ refuse, reason = "", ...others }: Refuse): PublishVerdict | string {
  const [other] = Object.keys(others);
  if (other !== undefined) return `a refusal has no ${other}; expected: refuse, reason`;
  if (!CODES.includes(refuse)) {
    return `refuse must be a Reason Code of PUBACK: ${CODES.map((code) => `0x${code.toString(16)}`).join(", ")}`;
  }
  if (typeof reason !== "string" || /\0|\p{Surrogate}/u.test(reason) || utf8Length(reason) > HOOK_REASON_BYTES_MAX) {
    return `reason must be a text without U+0000 of at most ${HOOK_REASON_BYTES_MAX} bytes`;
  }
  return { reasonCode: refuse, reason, isFault: false };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** A message that was published; its topic may be that of an alias. */
type Given = Pick<Publish, "payload" | "qos" | "retain" | "properties">;

/** Its own in every part: what a hook changes in it, or keeps, changes nothing else. */
function messageOf({ payload, qos, retain, properties }: Given, topic: string): HookMessage {
  const { payloadFormatIndicator, messageExpiryInterval, contentType, responseTopic, correlationData, userProperties } = properties;
  const known = {
    payloadFormatIndicator,
    messageExpiryInterval,
    contentType,
    responseTopic,
    correlationData: correlationData?.slice(),
    userProperties: userProperties?.map(([name, value]) => [name, value] as const),
  };
  const present =
    properties === NO_PROPERTIES ? NO_PROPERTIES : Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
  return { topic, payload: payload.slice(), qos: qos as QoS, retain, properties: present as HookMessage["properties"] };
}
