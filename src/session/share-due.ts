/** How a member of a shared subscription gets a message: by its own subscription. */

import type { Message } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { Delivery } from "./delivery.ts";
import { AS_PUBLISHED } from "./retain.ts";
import type { Session } from "./session.ts";

/** @param share its whole filter; the session is a member */
export function dueOfShare(
  { subscriptions }: Session,
  message: Message,
  share: string,
): Pick<Delivery, "retain" | "identifiers" | "share" | "owed"> & { readonly qos: QoS } {
  const { request, identifier } = subscriptions.get(share)!;
  return {
    // [MQTT5-4.8.2-3]
    qos: Math.min(message.qos, request.qos) as QoS,
    retain: message.retain && request.retainAsPublished && AS_PUBLISHED,
    // [5.0/3.3.4/shared-id]
    identifiers: identifier === 0 ? undefined : [identifier],
    share,
    owed: false,
  };
}
