/** A message of the operator for one client alone, which need not be subscribed to anything. */

import type { Message } from "../mqtt/message.ts";
import type { SessionCore } from "./core.ts";
import { mayReceive } from "./identity.ts";
import { enqueue, ownRecordFor } from "./queue.ts";
import { sendQoS0 } from "./send.ts";

/** It was sent or waits for its turn; the client is not connected; it has no right to the topic; its queue is full. */
export type DirectOutcome = "taken" | "away" | "not_authorized" | "full";

/** Where the message has a receipt its acknowledgement is followed, as of what came by a subscription. */
export function deliverDirectly(core: SessionCore, clientId: string, message: Message): DirectOutcome {
  const session = core.sessions.get(clientId);
  if (!session?.connection?.open) return "away";
  if (!mayReceive(core, session, message.topic)) return "not_authorized";
  const { qos, receipt } = message;
  if (qos === 0) {
    sendQoS0(core, session, message, false, undefined);
    return "taken";
  }
  if (session.stored && core.room.isFull) return "full";
  const due = { qos, retain: false, identifiers: undefined, share: "", owed: false };
  if (!enqueue(core, session, message, due, ownRecordFor(core, session, message))) return "full";
  if (receipt !== undefined) core.receipts.given(session, receipt, core.now);
  return "taken";
}
