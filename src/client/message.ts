/** A message that came, as its handler sees it. Its payload is a view of what was received and is never changed by the client. */

import { NO_PROPERTIES, type Properties, type Publish, type QoS } from "../mqtt/packet.ts";

/** Properties of a message (MQTT 5.0). In 3.x, which has none, they are left out. Intervals are in seconds. */
export type MessageProperties = Pick<
  Properties,
  "payloadFormatIndicator" | "messageExpiryInterval" | "contentType" | "responseTopic" | "correlationData" | "userProperties"
>;

const decoder = new TextDecoder();

/** A message that came. */
export class Message {
  /** The Topic Name, also where the server sent a Topic Alias for it. */
  readonly topic: string;
  /** A view of what was received: a copy (`slice`) is needed where it is kept for long or changed. */
  readonly payload: Uint8Array;
  /** That of this delivery: the lower of what it was published with and what was granted. */
  readonly qos: QoS;
  /** The server had kept it; with `retainAsPublished`: it was published so. */
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

  /** The payload as text; what is not UTF-8 in it becomes U+FFFD. */
  text(): string {
    return decoder.decode(this.payload);
  }

  /** The payload as JSON. @throws SyntaxError */
  json(): unknown {
    return JSON.parse(this.text());
  }
}
