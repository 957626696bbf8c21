/**
 * What the messages of a run say: payload and properties follow from a number, so that whoever gets one knows what is missing. Every
 * property that a broker passes on unaltered is in some of them.
 */

import { NO_PROPERTIES, type Properties, type ProtocolVersion } from "../../src/mqtt/packet.ts";

export interface Content {
  readonly payload: Uint8Array;
  /** Those that are passed on as they are; none of 3.x. */
  readonly properties: Properties;
}

const encoder = new TextEncoder();

/** @param padding how many bytes follow the number */
export function contentOf(number: number, version: ProtocolVersion, padding: number): Content {
  return { payload: encoder.encode(`${number} ${"x".repeat(padding)}`), properties: version === 5 ? propertiesOf(number) : NO_PROPERTIES };
}

/** A message that clears what is retained. */
export function emptyContent(number: number, version: ProtocolVersion): Content {
  return { payload: new Uint8Array(0), properties: version === 5 ? propertiesOf(number) : NO_PROPERTIES };
}

function propertiesOf(number: number): Properties {
  return {
    ...(number % 5 === 0 ? { payloadFormatIndicator: 1 } : {}),
    ...(number % 2 === 0 ? { contentType: `text/${number}` } : {}),
    ...(number % 3 === 0 ? { responseTopic: `answers/${number}`, correlationData: encoder.encode(`c${number}`) } : {}),
    ...(number % 4 === 0
      ? {
          userProperties: [
            ["number", `${number}`],
            ["number", "again"],
          ],
        }
      : {}),
  };
}

/** Properties in one order and as text, without those that belong to one delivery. */
function textOf({ subscriptionIdentifiers, messageExpiryInterval, topicAlias, willDelayInterval, ...rest }: Properties): string {
  const entries = Object.entries(rest).filter(([, value]) => value !== undefined);
  return JSON.stringify(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]),
  );
}

/** What differs between a message and what came of it. @param version of the receiver: 3.x has no properties */
export function differencesOf(expected: Content, got: Content, version: ProtocolVersion): string[] {
  const problems: string[] = [];
  const { payload } = expected;
  if (payload.length !== got.payload.length || payload.some((byte, index) => byte !== got.payload[index])) {
    problems.push(`with a payload of ${got.payload.length} bytes that is not its own of ${payload.length}`);
  }
  const [properties, came] = [textOf(version === 5 ? expected.properties : NO_PROPERTIES), textOf(got.properties)];
  if (properties !== came) problems.push(`with the properties ${came}, where ${properties} were published`);
  return problems;
}
