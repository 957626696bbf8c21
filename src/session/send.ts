/** A PUBLISH on its way to a client: within what the client accepts, not after its expiry, with a Topic Alias where there is one. */

import { encodePublish, type Message } from "../mqtt/message.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { SessionCore } from "./core.ts";
import { dropped } from "./dropped.ts";
import { AS_PUBLISHED, type Retain } from "./retain.ts";
import type { Connection, Session } from "./session.ts";
import { mayBeSent } from "./unread-bound.ts";
import { SYSTEM_PREFIX } from "./verdict.ts";

/** Sends a message at QoS 0 to a session that is connected; a client that is away, or doesn't accept it, never gets it. */
export function sendQoS0(
  core: SessionCore,
  session: Session,
  message: Message,
  retain: Retain,
  identifiers: readonly number[] | undefined,
): void {
  const { connection } = session;
  if (connection === undefined || !connection.open) return;
  if (expired(message, core.now)) {
    dropped(core, "expired", session, message);
    return;
  }
  if (!mayBeSent(core, connection)) {
    dropped(core, "unread", session, message);
    return;
  }
  const { version, packetBytesMax } = connection.facts;
  if (version === 5 && (identifiers !== undefined || connection.ownAliases.available)) {
    if (!sendPublish(core, connection, message, { qos: 0, retain, dup: false, packetId: 0, identifiers }))
      dropped(core, "too_large", session, message);
    return;
  }
  const bytes = core.qos0.of(message, version, retainFor(connection, retain), core.now);
  // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
  if (bytes.length > packetBytesMax) {
    dropped(core, "too_large", session, message);
    return;
  }
  count(core, message);
  connection.write(bytes);
}

interface PublishShape {
  readonly qos: QoS;
  readonly retain: Retain;
  readonly dup: boolean;
  readonly packetId: number;
  readonly identifiers: readonly number[] | undefined;
}

/**
 * Sends one PUBLISH of its own, with a Topic Alias where the client takes one.
 * @returns false when it is larger than the client accepts: then nothing was sent
 */
export function sendPublish(core: SessionCore, connection: Connection, message: Message, shape: PublishShape): boolean {
  const { packetBytesMax } = connection.facts;
  const { alias, known } = connection.ownAliases.choose(message.topic);
  let bytes = encode(core, connection, message, shape, alias, known);
  const isTooLarge = bytes.length > packetBytesMax;
  // With a new alias a packet is longer than without, with any where the topic is shorter than that.
  if (isTooLarge && alias !== 0) bytes = encode(core, connection, message, shape, 0, false);
  // [MQTT5-3.1.2-24] [MQTT5-3.1.2-25]
  if (bytes.length > packetBytesMax) return false;
  if (alias !== 0 && !known && !isTooLarge) connection.ownAliases.sent(message.topic, alias);
  count(core, message);
  connection.write(bytes);
  return true;
}

function encode(
  core: SessionCore,
  connection: Connection,
  message: Message,
  shape: PublishShape,
  topicAlias: number,
  aliasKnown: boolean,
): Uint8Array {
  return encodePublish(message, {
    version: connection.version,
    qos: shape.qos,
    retain: retainFor(connection, shape.retain),
    dup: shape.dup,
    packetId: shape.packetId,
    now: core.now,
    subscriptionIdentifiers: shape.identifiers,
    topicAlias,
    aliasKnown,
  });
}

function count({ counters }: SessionCore, { topic }: Message): void {
  counters.messagesDelivered += 1;
  if (topic.startsWith(SYSTEM_PREFIX)) counters.systemDelivered += 1;
}

/** [MQTT311-3.3.1-9] [MQTT5-3.3.1-13] */
function retainFor(connection: Connection, retain: Retain): boolean {
  return retain === AS_PUBLISHED ? connection.seesOptions : retain;
}

export function expired(message: Message, now: number): boolean {
  return message.expiresAt !== 0 && message.expiresAt <= now;
}
