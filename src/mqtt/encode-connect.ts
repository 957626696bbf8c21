/** CONNECT: only clients send it, so that the broker needs this for tests, tools and benchmarks. */

import { CONNECT, type Connect } from "./packet.ts";
import { propertiesLength, WILL } from "./property.ts";
import { binaryFieldLength, sectionLength, stringFieldLength, Writer } from "./writer.ts";

/** @throws RangeError as encodePacket does */
export function encodeConnect(packet: Connect): Uint8Array {
  const { version, will, clientId, userName, password, keepAliveSeconds } = packet;
  if (!(keepAliveSeconds >= 0 && keepAliveSeconds <= 0xffff)) throw new RangeError(`Keep Alive: ${keepAliveSeconds} is not in 0 to 65535`);
  const name = version === 3 ? "MQIsdp" : "MQTT";
  const properties = version === 5 ? propertiesLength(packet.properties, CONNECT) : 0;
  const willProperties = version === 5 && will !== undefined ? propertiesLength(will.properties, WILL) : 0;

  let remainingLength = 2 + name.length + 1 + 1 + 2 + stringFieldLength("Client Identifier", clientId);
  if (version === 5) remainingLength += sectionLength(properties);
  if (will !== undefined) {
    if (version === 5) remainingLength += sectionLength(willProperties);
    remainingLength += stringFieldLength("Will Topic", will.topic) + binaryFieldLength("Will Payload", will.payload);
  }
  if (userName !== undefined) remainingLength += stringFieldLength("User Name", userName);
  if (password !== undefined) remainingLength += binaryFieldLength("Password", password);

  const writer = new Writer(CONNECT << 4, remainingLength);
  writer.string(name);
  writer.byte(packet.bridge ? version | 0x80 : version);
  writer.byte(connectFlags(packet));
  writer.uint16(keepAliveSeconds);
  if (version === 5) writer.properties(packet.properties, properties);
  // [MQTT5-3.1.3-1] [MQTT311-3.1.3-1]
  writer.string(clientId);
  if (will !== undefined) {
    if (version === 5) writer.properties(will.properties, willProperties);
    writer.string(will.topic);
    writer.binary(will.payload);
  }
  if (userName !== undefined) writer.string(userName);
  if (password !== undefined) writer.binary(password);
  return writer.bytes;
}

function connectFlags(packet: Connect): number {
  const { will } = packet;
  const willFlags = will === undefined ? 0 : 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0);
  return (packet.clean ? 0x02 : 0) | willFlags | (packet.password !== undefined ? 0x40 : 0) | (packet.userName !== undefined ? 0x80 : 0);
}
