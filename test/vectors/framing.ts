/** Bytes that are not the one packet which their Remaining Length announces. In all other vectors it is right. */

import { invalid, type Vector } from "./vector.ts";

export const FRAMING_VECTORS: readonly Vector[] = [
  ...invalid(
    "a second packet behind PUBLISH, which is no payload",
    0x81,
    { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" },
    '30 04 0001 "a" 00 c0 00',
  ),
  ...invalid("bytes behind the packet", 0x81, { 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, "c0 00 00"),
  ...invalid("a packet that is shorter than announced", 0x81, { 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, "40 03 1234"),
  ...invalid("a packet without Remaining Length", 0x81, { 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, "c0"),
  ...invalid("no bytes at all", 0x81, { 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, ""),
  ...invalid("a padded Remaining Length", 0x81, { 3: "[3.1.1/2.2.3/length]", 4: "[3.1.1/2.2.3/length]", 5: "[MQTT5-1.5.5-1]" }, "c0 80 00"),
  ...invalid("a Remaining Length padded to four bytes", 0x81, { 4: "[3.1.1/2.2.3/length]", 5: "[MQTT5-1.5.5-1]" }, "40 82 80 80 00 1234"),
  ...invalid(
    "a Remaining Length of five bytes",
    0x81,
    { 3: "[3.1.1/2.2.3/length]", 4: "[3.1.1/2.2.3/length]", 5: "[5.0/1.5.5/five-bytes]" },
    "c0 80 80 80 80 01",
  ),
];
