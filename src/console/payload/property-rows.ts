/** The properties of a message (MQTT 5.0) as rows, by the names of the specification; how many they are, and what they weigh. */
import type { MessageProperties } from "../../client/index.ts";
import { hexOf, textOf } from "./formats.ts";

export function rowsOf(properties: MessageProperties, most = Number.POSITIVE_INFINITY): (readonly [name: string, value: string])[] {
  const { payloadFormatIndicator, messageExpiryInterval, contentType, responseTopic, correlationData, userProperties = [] } = properties;
  const rows: (readonly [string, string])[] = [];
  if (contentType !== undefined) rows.push(["Content Type", contentType]);
  if (payloadFormatIndicator !== undefined) rows.push(["Payload Format", payloadFormatIndicator === 1 ? "UTF-8" : "unspecified"]);
  if (messageExpiryInterval !== undefined) rows.push(["Message Expiry", `${messageExpiryInterval} s`]);
  if (responseTopic !== undefined) rows.push(["Response Topic", responseTopic]);
  if (correlationData !== undefined) rows.push(["Correlation Data", textOf(correlationData) ?? hexOf(correlationData)]);
  for (const [name, value] of userProperties.slice(0, Math.max(0, most - rows.length))) rows.push([name, value]);
  return rows;
}

/** @returns how many rows there are, without making them */
export function countOf({ userProperties = [], ...others }: MessageProperties): number {
  return Object.values(others).filter((value) => value !== undefined).length + userProperties.length;
}

/** A pair of texts takes that much beside what they say. */
const PAIR_BYTES = 64;

/** @returns about how many bytes a browser holds for them */
export function weightOf({ contentType = "", responseTopic = "", correlationData, userProperties = [] }: MessageProperties): number {
  let weight = contentType.length + responseTopic.length + (correlationData?.length ?? 0);
  for (const [name, value] of userProperties) weight += PAIR_BYTES + name.length + value.length;
  return weight;
}

/** @returns the same, which hold no more of the packet that they came in than they are */
export function apart(properties: MessageProperties): MessageProperties {
  const { correlationData } = properties;
  return correlationData === undefined ? properties : { ...properties, correlationData: correlationData.slice() };
}
