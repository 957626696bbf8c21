/** The variables of what an operator may choose that is no number. */

import { CLIENT_ID_OWNERS, DEFAULT_CHOICES, DENY_ACTIONS, QUEUE_POLICIES, SHARED_STRATEGIES } from "./choices.ts";
import { flag, setting } from "./setting.ts";

const D = DEFAULT_CHOICES;

export const CHOICE_SETTINGS = {
  clientIdOwner: setting(
    "CLIENT_ID_OWNER",
    D.clientIdOwner,
    CLIENT_ID_OWNERS.join(" or "),
    "whose a client ID is while its session lives: its user's, and another user who connects with it is refused (0x85); or anyone's, and another user ends connection and session, which it never resumes",
    (text) => CLIENT_ID_OWNERS.find((owner) => owner === text),
  ),
  queuePolicy: setting(
    "QUEUE_POLICY",
    D.queuePolicy,
    QUEUE_POLICIES.join(" or "),
    "what a full queue does: its oldest message goes; or a new one is not taken, and a 5.0 publisher hears 0x97",
    (text) => QUEUE_POLICIES.find((policy) => policy === text),
  ),
  sharedStrategy: setting(
    "SHARED_SUBSCRIPTION_STRATEGY",
    D.sharedStrategy,
    `one of ${SHARED_STRATEGIES.join(", ")}`,
    "which member of a shared subscription gets a message: in turn, at random, always the same while it is there, by a hash of the publisher's client ID or of the topic, or the one with the fewest unacknowledged messages",
    (text) => SHARED_STRATEGIES.find((strategy) => strategy === text),
  ),
  responseInformation: setting(
    "RESPONSE_INFORMATION",
    D.responseInformation,
    "a Topic Name, with %c for the client ID, or nothing",
    "the Response Information that 5.0 clients get when they request it, such as `responses/%c`; empty = none",
    (text) => (/[+#]/.test(text) ? undefined : text),
  ),
  validatePayloadFormat: flag(
    "VALIDATE_PAYLOAD_FORMAT",
    D.validatePayloadFormat,
    "`true` refuses (0x99) a message that says it is UTF-8 (Payload Format Indicator 1) and is not",
  ),
  presence: flag(
    "PRESENCE",
    D.presence,
    "`true` lets clients subscribe to `$presence/FILTER`: [who is there under a filter](presence.md), and who comes and goes; else they are refused",
  ),
  denyAction: setting(
    "ACL_DENY_ACTION",
    D.denyAction,
    DENY_ACTIONS.join(" or "),
    "what a message of a 3.x client does that it may not publish, which 3.x has no word for: it is acknowledged and goes nowhere, or ends the connection",
    (text) => DENY_ACTIONS.find((action) => action === text),
  ),
};
