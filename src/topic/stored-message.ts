/**
 * Messages as rows hold them. What was damaged there must not reach a client that keeps to the protocol: bytes that are no message any
 * more are refused, whether they end too early or say what no PUBLISH can say. That a payload has changed the checksum of its row tells.
 */

import { type Message, readMessage } from "../mqtt/message.ts";
import { PUBLISH } from "../mqtt/packet.ts";
import { decodeProperties } from "../mqtt/property.ts";
import { RecordError, type RecordReader } from "../mqtt/record.ts";

/**
 * Numbers of messages, sessions and records begin with the clock, a thousand for each millisecond: what is greater than this (the year
 * 2112) was never given, and would leave no room for those that come.
 */
const NUMBER_MAX = 2 ** 52;

/** @throws RecordError when the bytes hold no message */
export function readStoredMessage(reader: RecordReader): Message {
  const message = readMessage(reader);
  const { topic, qos, propertyBytes, sequence, settledBelow } = message;
  if ((qos as number) > 2) throw new RecordError(`a message of QoS ${qos}`);
  // Three characters that no Topic Name has: the wildcards and U+0000 [MQTT5-3.3.2-2] [MQTT5-4.7.3-2].
  if (topic === "" || topic.includes("+") || topic.includes("#") || topic.includes("\u0000")) {
    throw new RecordError(`a message whose topic is ${JSON.stringify(topic)}`);
  }
  checkNumber(sequence);
  checkNumber(settledBelow);
  const properties = decodeProperties(propertyBytes, PUBLISH);
  if ("type" in properties) throw new RecordError(`a message whose properties can't be read: ${properties.message}`);
  return message;
}

/** @throws RecordError when the number can't have been given */
export function checkNumber(number: number): void {
  if (number > NUMBER_MAX) throw new RecordError(`the number ${number}, which was never given`);
}
