/** A message that came, as its handler sees it. Its payload is a view of what was received and is never changed by the client. */

import { NO_PROPERTIES, type Properties, type Publish, type QoS } from "../mqtt/packet.ts";

/** Properties of a message. In 3.x, which has none, they are left out. */
export type MessageProperties = Pick<
  Properties,
  "payloadFormatIndicator" | "messageExpiryInterval" | "contentType" | "responseTopic" | "correlationData" | "userProperties"
>;

const decoder = new TextDecoder();

export class Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** The server has sent it before, on this connection or another one. */
  readonly dup: boolean;
  readonly #properties: Properties;

  constructor(topic: string, { payload, qos, retain, dup, properties }: Publish) {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.dup = dup;
    this.#properties = properties;
  }

  /** Those of the message; those of its way (Topic Alias, Subscription Identifiers) are the client's. */
  get properties(): MessageProperties {
    if (this.#properties === NO_PROPERTIES) return NO_PROPERTIES;
    const { topicAlias, subscriptionIdentifiers, ...properties } = this.#properties;
    return properties;
  }

  /** The payload as text. */
  text(): string {
    return decoder.decode(this.payload);
  }

  /** The payload as JSON. @throws SyntaxError */
  json(): unknown {
    return JSON.parse(this.text());
  }
}
