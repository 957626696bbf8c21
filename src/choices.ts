/** What an operator may choose about behaviour that is no number; settings.ts reads it from variables. Numbers are in limits.ts. */

/** How the member of a shared subscription that gets a message is chosen. */
export const SHARED_STRATEGIES = ["round_robin", "random", "sticky", "hash_client", "hash_topic", "least_inflight"] as const;

export type SharedStrategy = (typeof SHARED_STRATEGIES)[number];

/** With these a message is meant for one certain member, and goes to another one only where that one can't take it. */
export function isCertain(strategy: SharedStrategy): boolean {
  return strategy === "sticky" || strategy === "hash_client" || strategy === "hash_topic";
}

/** What a full queue does: its oldest message goes, or a new one is not taken and its publisher is told. */
export const QUEUE_POLICIES = ["drop_oldest", "reject_new"] as const;

export type QueuePolicy = (typeof QUEUE_POLICIES)[number];

/** Whose Client Identifier is it while a session lives: its user's, or anyone's who says it. */
export const CLIENT_ID_OWNERS = ["user", "anyone"] as const;

export type ClientIdOwner = (typeof CLIENT_ID_OWNERS)[number];

/** What a message of a 3.x client does that it may not publish: it is dropped in silence, or ends the connection. */
export const DENY_ACTIONS = ["ignore", "disconnect"] as const;

export type DenyAction = (typeof DENY_ACTIONS)[number];

export interface Choices {
  readonly queuePolicy: QueuePolicy;
  readonly sharedStrategy: SharedStrategy;
  readonly clientIdOwner: ClientIdOwner;
  /** Response Information for clients that request it, with `%c` for the Client Identifier; empty = none [MQTT5-3.1.2-28]. */
  readonly responseInformation: string;
  /** Whether a payload whose Payload Format Indicator is 1 must be UTF-8: if not, 0x99. */
  readonly validatePayloadFormat: boolean;
  readonly denyAction: DenyAction;
  /** Whether clients may ask who is there (`topic/presence.ts`). */
  readonly presence: boolean;
}

export const DEFAULT_CHOICES: Choices = {
  queuePolicy: "drop_oldest",
  sharedStrategy: "round_robin",
  clientIdOwner: "user",
  responseInformation: "",
  validatePayloadFormat: false,
  denyAction: "ignore",
  presence: false,
};
