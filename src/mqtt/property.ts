/**
 * Reads and writes a property section of MQTT 5.0 by the table in property-rule.ts.
 */

import { EMPTY_BYTES, FIELD_BYTES_MAX, utf8Length, variableByteIntegerLength, writeUtf8, writeVariableByteInteger } from "./bytes.ts";
import { PACKET_NAMES } from "./fixed-header.ts";
import { NO_PROPERTIES, type Properties, type UserProperty } from "./packet.ts";
import { type PropertyRule, RULE_BY_ID, RULE_BY_NAME, WILL } from "./property-rule.ts";
import { Reader } from "./reader.ts";
import type { Violation } from "./violation.ts";

export { PROPERTY_RULES, type PropertyRule, type PropertyType, WILL } from "./property-rule.ts";

/** Properties while they are gathered. */
type Gathered = {
  [name: string]: number | string | Uint8Array | number[] | UserProperty[] | undefined;
};

const placeName = (place: number): string => (place === WILL ? "Will Properties" : PACKET_NAMES[place]);

/**
 * Reads a property section with its length from the reader's cursor; a violation is recorded there.
 * @param place the packet type, or WILL
 */
export function readProperties(reader: Reader, place: number): Properties {
  const length = reader.variableByteInteger("Property Length");
  if (length === 0) return NO_PROPERTIES;
  const end = reader.offset + length;
  const outerEnd = reader.end;
  if (end > outerEnd) {
    reader.malformed("5.0/2.1.4/length", "MQTT311-4.8.0-1", "Property Length: expected at most what is left of the packet");
    return NO_PROPERTIES;
  }
  reader.end = end;
  const gathered: Gathered = {};
  while (reader.offset < end) readProperty(reader, place, gathered);
  reader.end = outerEnd;
  if (reader.violation !== undefined) reader.offset = outerEnd;
  else checkTogether(reader, gathered);
  // [MQTT5-4.7.3-1] Here only: rows may hold one from before this was looked at.
  if (gathered.responseTopic === "") reader.protocolError("MQTT5-4.7.3-1", "", "Response Topic: expected at least one character");
  return gathered as Properties;
}

function readProperty(reader: Reader, place: number, gathered: Gathered): void {
  const id = reader.variableByteInteger("Property Identifier");
  const rule = id < RULE_BY_ID.length ? RULE_BY_ID[id] : undefined;
  // [5.0/2.2.2.2/invalid]
  if (rule === undefined || (rule.places & (1 << place)) === 0) {
    const title = rule === undefined ? `Property Identifier ${id}` : rule.title;
    reader.malformed("5.0/2.2.2.2/invalid", "", `${title}: expected a property of ${placeName(place)}`);
    return;
  }
  const before = gathered[rule.name];
  // [5.0/props/duplicate]
  if (before !== undefined && (rule.repeats & (1 << place)) === 0) {
    reader.protocolError("5.0/props/duplicate", "", `${rule.title}: expected at most once in ${placeName(place)}`);
    return;
  }
  switch (rule.type) {
    case "byte":
      gathered[rule.name] = inRange(reader, rule, reader.byte(rule.title));
      return;
    case "uint16":
      gathered[rule.name] = inRange(reader, rule, reader.uint16(rule.title));
      return;
    case "uint32":
      gathered[rule.name] = inRange(reader, rule, reader.uint32(rule.title));
      return;
    case "variable": {
      const value = inRange(reader, rule, reader.variableByteInteger(rule.title));
      if (before === undefined) gathered[rule.name] = [value];
      else (before as number[]).push(value);
      return;
    }
    case "string":
      gathered[rule.name] = reader.string(rule.title);
      return;
    case "binary":
      gathered[rule.name] = reader.binary(rule.title);
      return;
    case "pair": {
      // [MQTT5-1.5.7-1] Order and repeats are kept [MQTT5-3.3.2-18].
      const pair: UserProperty = [reader.string("User Property name"), reader.string("User Property value")];
      if (before === undefined) gathered[rule.name] = [pair];
      else (before as UserProperty[]).push(pair);
    }
  }
}

function inRange(reader: Reader, rule: PropertyRule, value: number): number {
  if (value < rule.min || value > rule.max) {
    reader.protocolError(rule.rangeClause, "", `${rule.title}: expected ${rule.min} to ${rule.max}`, rule.rangeReasonCode);
  }
  return value;
}

/** Rules about a property that need its content or another property. */
function checkTogether(reader: Reader, gathered: Gathered): void {
  // [5.0/3.1.2.11.10/no-method]
  if (gathered.authenticationData !== undefined && gathered.authenticationMethod === undefined) {
    reader.protocolError("5.0/3.1.2.11.10/no-method", "", "Authentication Data: expected together with Authentication Method");
  }
  // [MQTT5-3.3.2-14]
  const responseTopic = gathered.responseTopic as string | undefined;
  if (responseTopic !== undefined && (responseTopic.includes("+") || responseTopic.includes("#"))) {
    reader.protocolError("MQTT5-3.3.2-14", "", "Response Topic: expected a Topic Name without + and #");
  }
}

/**
 * Decodes a property section that stands alone, without its length, such as Publish.propertyBytes.
 * @param place the packet type, or WILL
 */
export function decodeProperties(bytes: Uint8Array, place: number): Properties | Violation {
  if (bytes.length === 0) return NO_PROPERTIES;
  const reader = new Reader(bytes, 0, bytes.length, 5);
  const gathered: Gathered = {};
  while (reader.offset < reader.end) readProperty(reader, place, gathered);
  if (reader.violation === undefined) checkTogether(reader, gathered);
  return reader.violation ?? (gathered as Properties);
}

/** Decodes Will Properties that encodeProperties wrote. @returns undefined when the bytes are something else */
export function decodeWillProperties(bytes: Uint8Array): Properties | undefined {
  const properties = decodeProperties(bytes, WILL);
  return "reasonCode" in properties ? undefined : properties;
}

function stringLength(rule: PropertyRule, text: string): number {
  const length = utf8Length(text);
  if (length > FIELD_BYTES_MAX) throw new RangeError(`${rule.title}: ${length} bytes, at most ${FIELD_BYTES_MAX} fit`);
  return 2 + length;
}

/** Bytes of one property's value or, for what may repeat, of all its occurrences with their further identifiers. */
function valueLength(rule: PropertyRule, value: unknown): number {
  switch (rule.type) {
    case "variable": {
      const numbers = value as readonly number[];
      let length = numbers.length - 1;
      for (const each of numbers) length += variableByteIntegerLength(checkNumber(rule, each));
      return length;
    }
    case "string":
      return stringLength(rule, value as string);
    case "binary": {
      const { length } = value as Uint8Array;
      if (length > FIELD_BYTES_MAX) throw new RangeError(`${rule.title}: ${length} bytes, at most ${FIELD_BYTES_MAX} fit`);
      return 2 + length;
    }
    case "pair": {
      const pairs = value as readonly UserProperty[];
      let length = pairs.length - 1;
      for (const [name, text] of pairs) length += stringLength(rule, name) + stringLength(rule, text);
      return length;
    }
    default:
      checkNumber(rule, value as number);
      return rule.type === "byte" ? 1 : rule.type === "uint16" ? 2 : 4;
  }
}

function checkNumber(rule: PropertyRule, value: number): number {
  if (value >= rule.min && value <= rule.max) return value;
  throw new RangeError(`${rule.title}: ${value} is not in ${rule.min} to ${rule.max}`);
}

const isAbsent = (value: unknown): boolean => value === undefined || (Array.isArray(value) && value.length === 0);

/**
 * Bytes of a property section without its length.
 * @param place the packet type, or WILL; without it, any property is counted
 * @throws RangeError for a property that the place doesn't allow or a value that doesn't fit
 */
export function propertiesLength(properties: Properties, place?: number): number {
  if (properties === NO_PROPERTIES) return 0;
  let length = 0;
  for (const name in properties) {
    const value = properties[name as keyof Properties];
    if (isAbsent(value)) continue;
    const rule = RULE_BY_NAME.get(name);
    if (rule === undefined) throw new RangeError(`${name} is no property`);
    if (place !== undefined && (rule.places & (1 << place)) === 0) throw new RangeError(`${name} is no property of ${placeName(place)}`);
    length += 1 + valueLength(rule, value);
  }
  return length;
}

function writeString(target: Uint8Array, offset: number, text: string): number {
  const end = writeUtf8(target, offset + 2, text);
  return writeUint16(target, end - offset - 2, offset, end);
}

function writeUint16(target: Uint8Array, value: number, offset: number, next = offset + 2): number {
  target[offset] = value >>> 8;
  target[offset + 1] = value;
  return next;
}

/**
 * Writes a property section without its length, in the order in which the properties stand in the object.
 * @param target must have room for propertiesLength(properties, place) bytes
 * @returns the offset behind it
 */
export function writeProperties(target: Uint8Array, offset: number, properties: Properties): number {
  if (properties === NO_PROPERTIES) return offset;
  let at = offset;
  for (const name in properties) {
    const value = properties[name as keyof Properties];
    if (isAbsent(value)) continue;
    const rule = RULE_BY_NAME.get(name)!;
    switch (rule.type) {
      case "byte":
        target[at++] = rule.id;
        target[at++] = value as number;
        break;
      case "uint16":
        target[at++] = rule.id;
        at = writeUint16(target, value as number, at);
        break;
      case "uint32":
        target[at++] = rule.id;
        at = writeUint16(target, (value as number) >>> 16, at);
        at = writeUint16(target, value as number, at);
        break;
      case "variable":
        for (const each of value as readonly number[]) {
          target[at++] = rule.id;
          at = writeVariableByteInteger(target, at, each);
        }
        break;
      case "string":
        target[at++] = rule.id;
        at = writeString(target, at, value as string);
        break;
      case "binary":
        target[at++] = rule.id;
        at = writeUint16(target, (value as Uint8Array).length, at);
        target.set(value as Uint8Array, at);
        at += (value as Uint8Array).length;
        break;
      case "pair":
        for (const [key, text] of value as readonly UserProperty[]) {
          target[at++] = rule.id;
          at = writeString(target, at, key);
          at = writeString(target, at, text);
        }
    }
  }
  return at;
}

/**
 * Encodes a property section without its length.
 * @param place the packet type, or WILL; without it, any property is taken, for bytes that are kept and not sent as they are
 * @throws RangeError as propertiesLength does
 */
export function encodeProperties(properties: Properties, place?: number): Uint8Array {
  const length = propertiesLength(properties, place);
  if (length === 0) return EMPTY_BYTES;
  const bytes = new Uint8Array(length);
  writeProperties(bytes, 0, properties);
  return bytes;
}
