/** The properties of a message as rows, and what they weigh. */

import { expect, it } from "vitest";
import { apart, countOf, rowsOf, weightOf } from "../../src/console/payload/property-rows.ts";

const ALL = {
  payloadFormatIndicator: 1,
  messageExpiryInterval: 0,
  contentType: "text/plain",
  responseTopic: "a/b",
  correlationData: Uint8Array.of(0, 255),
  userProperties: [
    ["a", "1"],
    ["a", "2"],
  ],
} as const;

it("rows are by the names of the specification, no more than are wanted, and counted without being made", () => {
  expect(rowsOf(ALL)).toEqual([
    ["Content Type", "text/plain"],
    ["Payload Format", "UTF-8"],
    ["Message Expiry", "0 s"],
    ["Response Topic", "a/b"],
    ["Correlation Data", "00 ff"],
    ["a", "1"],
    ["a", "2"],
  ]);
  expect([countOf(ALL), countOf({}), rowsOf({})]).toEqual([7, 0, []]);
  expect([rowsOf(ALL, 6).length, rowsOf(ALL, 5).length, rowsOf(ALL, 1).length]).toEqual([6, 5, 5]);
});

it("they weigh what is in them, and each pair some more", () => {
  expect([weightOf({}), weightOf(ALL)]).toEqual([0, 10 + 3 + 2 + 2 * 66]);
});

it("what was a part of a packet holds it no more", () => {
  const { correlationData } = apart({ correlationData: new Uint8Array(1024).subarray(0, 2) });
  expect(correlationData!.buffer.byteLength).toBe(2);
});
