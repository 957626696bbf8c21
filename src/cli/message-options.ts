/** Properties of a message, and of a will, as `pub` and `sub` are told them. */

import { InvalidArgumentError } from "commander";
import type { PublishOptions, WillOptions } from "../client/options.ts";
import type { QoS, UserProperty } from "../mqtt/packet.ts";
import { UsageProblem } from "./problem.ts";
import type { Command } from "./program.ts";
import { qosOf } from "./server.ts";
import { wholeNumber } from "./values.ts";

export interface WillFlags {
  readonly willTopic?: string;
  readonly willPayload?: string;
  readonly willQos: QoS;
  readonly willRetain: boolean;
}

export function willOptions(command: Command): Command {
  return command
    .option("--will-topic <topic>", "the topic of a will, which the broker publishes when the connection is lost")
    .option("--will-payload <message>", "its payload")
    .option("--will-qos <qos>", "its QoS", qosOf, 0)
    .option("--will-retain", "retains it", false);
}

export function willOf({ willTopic: topic, willPayload: payload, willQos: qos, willRetain: retain }: WillFlags): { will?: WillOptions } {
  if (topic === undefined && payload !== undefined) throw new UsageProblem("--will-payload needs --will-topic.");
  return topic === undefined ? {} : { will: { topic, qos, retain, ...(payload === undefined ? {} : { payload }) } };
}

export interface PropertyFlags {
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: string;
  readonly messageExpiry?: number;
  readonly userProperty?: readonly UserProperty[];
}

/** Of MQTT 5.0. */
export function propertyOptions(command: Command): Command {
  return command
    .option("--content-type <text>", "Content Type (5.0)")
    .option("--response-topic <topic>", "Response Topic (5.0)")
    .option("--correlation-data <text>", "Correlation Data (5.0)")
    .option("--message-expiry <seconds>", "Message Expiry Interval (5.0)", wholeNumber(0, 4_294_967_295))
    .option("--user-property <name=value>", "a User Property (5.0); may be given several times", userProperties);
}

function userProperties(text: string, former: readonly UserProperty[] = []): UserProperty[] {
  const at = text.indexOf("=");
  if (at < 0) throw new InvalidArgumentError("Expected a name, = and a value.");
  return [...former, [text.slice(0, at), text.slice(at + 1)]];
}

export function propertiesOf(flags: PropertyFlags): PublishOptions {
  const { contentType, responseTopic, correlationData, messageExpiry, userProperty } = flags;
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
    ...(messageExpiry === undefined ? {} : { messageExpiryInterval: messageExpiry }),
    ...(userProperty === undefined ? {} : { userProperties: userProperty }),
  };
}
