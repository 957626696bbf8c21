/** Strings that are no strings, each in a PUBLISH: every string field is read by the same code. */

import { invalid, type Vector } from "./vector.ts";

const ILL_FORMED = { 3: "[MQTT311-1.5.3-1]", 4: "[MQTT311-1.5.3-1]", 5: "[MQTT5-1.5.4-1]" };
const NUL = { 3: "[MQTT311-1.5.3-2]", 4: "[MQTT311-1.5.3-2]", 5: "[MQTT5-1.5.4-2]" };

const publishOf = (length: string, topicLength: string, topic: string): string =>
  `30                ; PUBLISH
   ${length}         ; Remaining Length
   ${topicLength}    ; length of the Topic Name
   ${topic}          ; Topic Name
   00                ; Property Length or payload`;

const sequences: readonly [name: string, bytes: string][] = [
  ["a lone continuation byte", "80"],
  ["an overlong form of /", "c0af"],
  ["an overlong form of U+007F", "c1bf"],
  ["an overlong form of three bytes", "e09fbf"],
  ["an overlong form of four bytes", "f08fbfbf"],
  ["an overlong form of U+0000", "c080"],
  ["the surrogate U+D800", "eda080"],
  ["the surrogate U+DFFF", "edbfbf"],
  ["a surrogate pair as two characters", "eda0bdedb880"],
  ["a character above U+10FFFF", "f4908080"],
  ["the byte F5", "f5808080"],
  ["the byte FF", "ff"],
  ["a character that ends too early", "e282"],
  ["a character cut off by the next", "e28241"],
  ["a fourth byte out of range", "f09f98c0"],
];

const byteOf = (n: number): string => n.toString(16).padStart(2, "0");

export const TEXT_VECTORS: readonly Vector[] = [
  ...sequences.flatMap(([name, bytes]) => {
    const count = 1 + bytes.length / 2;
    return invalid(`${name} in a string`, 0x81, ILL_FORMED, publishOf(byteOf(2 + count + 1), `00${byteOf(count)}`, `"a" ${bytes}`));
  }),
  ...invalid("U+0000 in a string", 0x81, NUL, publishOf("06", "0003", '"a" 00 "b"')),
  ...invalid("U+0000 as a whole string", 0x81, NUL, publishOf("04", "0001", "00")),
  ...invalid("U+0000 behind a character of two bytes", 0x81, NUL, publishOf("06", "0003", "c3a9 00")),
];
