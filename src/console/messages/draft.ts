/** A message as somebody writes it, and what is to be published of it. */
import type { MessageProperties } from "../../client/index.ts";
import { bytesOfBase64, bytesOfHex } from "../parts/bytes.ts";

export const ENCODINGS = ["text", "json", "hex", "base64"] as const;
export type Encoding = (typeof ENCODINGS)[number];

export const ENCODING_NAMES: Readonly<Record<Encoding, string>> = { text: "Text", json: "JSON", hex: "Hex", base64: "Base64" };

export interface Draft {
  readonly topic: string;
  readonly payload: string;
  readonly encoding: Encoding;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly contentType: string;
  readonly messageExpiryInterval: string;
  readonly responseTopic: string;
  readonly correlationData: string;
  readonly isUtf8: boolean;
  readonly userProperties: readonly (readonly [name: string, value: string])[];
}

export const NEW_DRAFT: Draft = {
  topic: "",
  payload: "",
  encoding: "text",
  qos: 1,
  retain: false,
  contentType: "",
  messageExpiryInterval: "",
  responseTopic: "",
  correlationData: "",
  isUtf8: false,
  userProperties: [],
};

/** @returns the bytes of the payload @throws Error with a sentence that says what is expected */
export function payloadOf({ payload, encoding }: Draft): Uint8Array {
  switch (encoding) {
    case "text":
      return new TextEncoder().encode(payload);
    case "json":
      try {
        JSON.parse(payload);
      } catch (error) {
        throw new Error(`The payload is not JSON: ${(error as Error).message}`);
      }
      return new TextEncoder().encode(payload);
    case "hex":
      return bytesOfHex(payload) ?? wrong("hexadecimal digits, two for each byte");
    case "base64":
      return bytesOfBase64(payload) ?? wrong("Base64");
  }
}

function wrong(expected: string): never {
  throw new Error(`The payload: expected ${expected}.`);
}

/** @throws Error with a sentence that says what is expected */
export function propertiesOf(draft: Draft): MessageProperties {
  const { contentType, messageExpiryInterval, responseTopic, correlationData, isUtf8, userProperties } = draft;
  const expiry = Number(messageExpiryInterval);
  if (messageExpiryInterval !== "" && !(Number.isInteger(expiry) && expiry >= 0 && expiry <= 0xffffffff))
    throw new Error("Message Expiry: expected seconds, 0 to 4,294,967,295.");
  return {
    ...(contentType !== "" && { contentType }),
    ...(messageExpiryInterval !== "" && { messageExpiryInterval: expiry }),
    ...(responseTopic !== "" && { responseTopic }),
    ...(correlationData !== "" && { correlationData: new TextEncoder().encode(correlationData) }),
    ...(isUtf8 && { payloadFormatIndicator: 1 as const }),
    ...(userProperties.length > 0 && { userProperties }),
  };
}
