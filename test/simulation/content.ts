/**
 * What the messages of a run say: each its number, so that whoever gets one knows what is missing, and what chance gives it. Every
 * property that a broker passes on unaltered is in some of them.
 */

import { NO_PROPERTIES, type Properties, type ProtocolVersion } from "../../src/mqtt/packet.ts";
import type { Random } from "./random.ts";

export interface Content {
  readonly payload: Uint8Array;
  /** Those that are passed on as they are; none of 3.x. */
  readonly properties: Properties;
}

const encoder = new TextEncoder();

/** What a message is like apart from its number: as that counts what was published before, nothing else may follow from it. */
export interface Look {
  readonly version: ProtocolVersion;
  /** Whether some of them have thousands of bytes. */
  readonly long: boolean;
  readonly random: Random;
}

export function contentOf(number: number, { version, long, random }: Look): Content {
  const padding = long && random.chance(1 / 7) ? 3_000 : random.below(40);
  return { payload: encoder.encode(`${number} ${"x".repeat(padding)}`), properties: propertiesOf(number, version, random) };
}

/** A message that clears what is retained. */
export function emptyContent(number: number, { version, random }: Look): Content {
  return { payload: new Uint8Array(0), properties: propertiesOf(number, version, random) };
}

/** The number of the message that says this; one that clears what is retained leaves nothing to tell it by. */
export function numberOf(payload: Uint8Array): number | undefined {
  return payload.length === 0 ? undefined : Number(new TextDecoder().decode(payload).split(" ")[0]);
}

function propertiesOf(number: number, version: ProtocolVersion, random: Random): Properties {
  if (version !== 5) return NO_PROPERTIES;
  return {
    ...(random.chance(1 / 5) ? { payloadFormatIndicator: 1 } : {}),
    ...(random.chance(1 / 2) ? { contentType: `text/${number}` } : {}),
    ...(random.chance(1 / 3) ? { responseTopic: `answers/${number}`, correlationData: encoder.encode(`c${number}`) } : {}),
    ...(random.chance(1 / 4)
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
