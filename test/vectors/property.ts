/** Property sections that are refused. */

import { invalid, type Vector } from "./vector.ts";

/** PUBLISH to "a" with one byte of Property Length; the lengths are given for the vector to be complete. */
const publish = (remainingLength: string, propertyLength: string, properties: string): string =>
  `30                  ; PUBLISH
   ${remainingLength}  ; Remaining Length
   0001 "a"            ; Topic Name
   ${propertyLength}   ; Property Length
   ${properties}`;

const connect = (remainingLength: string, propertyLength: string, properties: string): string =>
  `10                  ; CONNECT
   ${remainingLength}  ; Remaining Length
   0004 "MQTT" 05      ; Protocol Name and Level
   02 003c             ; flags, Keep Alive
   ${propertyLength}   ; Property Length
   ${properties}
   0001 "c"            ; Client Identifier`;

const connectWithWill = (remainingLength: string, propertyLength: string, properties: string): string =>
  `10                  ; CONNECT
   ${remainingLength}  ; Remaining Length
   0004 "MQTT" 05      ; Protocol Name and Level
   06 003c 00          ; flags, Keep Alive, Property Length
   0001 "c"            ; Client Identifier
   ${propertyLength}   ; Property Length of the Will Properties
   ${properties}
   0001 "w" 0000       ; Will Topic and Payload`;

const connack = (remainingLength: string, propertyLength: string, properties: string): string =>
  `20                  ; CONNACK
   ${remainingLength}  ; Remaining Length
   00 00               ; flags, Reason Code
   ${propertyLength}   ; Property Length
   ${properties}`;

const INVALID = { 5: "[5.0/2.2.2.2/invalid]" };
const DUPLICATE = { 5: "[5.0/props/duplicate]" };
const LENGTH = { 5: "[5.0/2.1.4/length]" };

export const PROPERTY_VECTORS: readonly Vector[] = [
  ...invalid("Property Identifier 0", 0x81, INVALID, publish("06", "02", "00 00")),
  ...invalid("an unknown Property Identifier", 0x81, INVALID, publish("06", "02", "04 00")),
  ...invalid("a Property Identifier above the last", 0x81, INVALID, publish("06", "02", "2b 00")),
  ...invalid("a Property Identifier of two bytes", 0x81, INVALID, publish("06", "02", "8001")),
  ...invalid("a padded Property Identifier", 0x81, { 5: "[MQTT5-1.5.5-1]" }, publish("07", "03", "8100 01 ; Payload Format Indicator")),
  ...invalid("Session Expiry Interval in PUBLISH", 0x81, INVALID, publish("09", "05", "11 00000000")),
  ...invalid("Will Delay Interval in PUBLISH", 0x81, INVALID, publish("09", "05", "18 00000000")),
  ...invalid("Topic Alias in CONNECT", 0x81, INVALID, connect("11", "03", "23 0001")),
  ...invalid("Will Delay Interval in the properties of CONNECT itself", 0x81, INVALID, connect("13", "05", "18 00000001")),
  ...invalid("Topic Alias in Will Properties", 0x81, INVALID, connectWithWill("17", "03", "23 0001")),
  ...invalid("Reason String in SUBSCRIBE", 0x81, INVALID, '82 0b 000a 04 1f 0001 "r" 0001 "a" 00'),
  ...invalid("Subscription Identifier in UNSUBSCRIBE", 0x81, INVALID, 'a2 08 000a 02 0b 01 0001 "a"'),
  ...invalid("Session Expiry Interval in PUBACK", 0x81, INVALID, "40 09 1234 00 05 11 00000000"),

  ...invalid("a property value that ends with the section", 0x81, LENGTH, publish("06", "02", "23 00")),
  ...invalid("a string property that leaves the section", 0x81, LENGTH, publish("0a", "04", '03 0002 "j"  "kl"')),
  ...invalid("a binary property that leaves the section", 0x81, LENGTH, publish("0a", "04", '09 0002 "j"  "kl"')),
  ...invalid("a number that leaves the section", 0x81, LENGTH, publish("09", "03", '02 0000  "kl"')),
  ...invalid("a byte that leaves the section", 0x81, LENGTH, publish("06", "01", '01  "k"')),
  ...invalid("a binary property that leaves the packet", 0x81, LENGTH, publish("08", "04", '09 0002 "j"')),
  ...invalid("a section that leaves the packet", 0x81, LENGTH, publish("06", "03", "01 01")),
  ...invalid("a Property Length of five bytes", 0x81, { 5: "[5.0/1.5.5/five-bytes]" }, '30 08 0001 "a" ffffffff01'),
  ...invalid("a padded Property Length", 0x81, { 5: "[MQTT5-1.5.5-1]" }, '30 05 0001 "a" 8000'),
  ...invalid("a padded Subscription Identifier", 0x81, { 5: "[MQTT5-1.5.5-1]" }, publish("07", "03", "0b 8100")),
  ...invalid(
    "a User Property whose value is no UTF-8 [MQTT5-1.5.7-1]",
    0x81,
    { 5: "[MQTT5-1.5.4-1]" },
    publish("0b", "07", '26 0001 "k" 0001 ff'),
  ),
  ...invalid(
    "a User Property whose name holds U+0000 [MQTT5-1.5.7-1]",
    0x81,
    { 5: "[MQTT5-1.5.4-2]" },
    publish("0b", "07", '26 0001 00 0001 "v"'),
  ),
  ...invalid("a User Property without value", 0x81, LENGTH, publish("08", "04", '26 0001 "k"')),
  ...invalid("a Response Topic that is no UTF-8 [MQTT5-3.3.2-13]", 0x81, { 5: "[MQTT5-1.5.4-1]" }, publish("08", "04", "08 0001 ff")),
  ...invalid("a Content Type that is no UTF-8 [MQTT5-3.3.2-19]", 0x81, { 5: "[MQTT5-1.5.4-1]" }, publish("08", "04", "03 0001 ff")),
  ...invalid("# in the Response Topic", 0x82, { 5: "[MQTT5-3.3.2-14]" }, publish("08", "04", '08 0001 "#"')),
  ...invalid("+ in the Response Topic", 0x82, { 5: "[MQTT5-3.3.2-14]" }, publish("0a", "06", '08 0003 "a/+"')),

  ...invalid("an empty Response Topic", 0x82, { 5: "[MQTT5-4.7.3-1]" }, publish("07", "03", "08 0000")),
  ...invalid("an empty Response Topic in Will Properties", 0x82, { 5: "[MQTT5-4.7.3-1]" }, connectWithWill("17", "03", "08 0000")),
  ...invalid("+ in the Response Topic of Will Properties", 0x82, { 5: "[MQTT5-3.3.2-14]" }, connectWithWill("18", "04", '08 0001 "+"')),

  ...invalid("two Payload Format Indicators", 0x82, DUPLICATE, publish("08", "04", "01 01 01 01")),
  ...invalid("two Message Expiry Intervals", 0x82, DUPLICATE, publish("0e", "0a", "02 00000001 02 00000001")),
  ...invalid("two Content Types", 0x82, DUPLICATE, publish("0a", "06", "03 0000 03 0000")),
  ...invalid("two Topic Aliases", 0x82, DUPLICATE, publish("0a", "06", "23 0001 23 0001")),
  ...invalid("two Receive Maximums", 0x82, DUPLICATE, connect("14", "06", "21 0001 21 0001")),
  ...invalid("two Session Expiry Intervals of 0", 0x82, DUPLICATE, connect("18", "0a", "11 00000000 11 00000000")),
  ...invalid("two Subscription Identifiers in SUBSCRIBE", 0x82, DUPLICATE, '82 0b 000a 04 0b 01 0b 02 0001 "a" 00'),
  ...invalid("two Reason Strings", 0x82, DUPLICATE, "40 0a 1234 00 06 1f 0000 1f 0000"),

  ...invalid("Payload Format Indicator 2", 0x82, INVALID, publish("06", "02", "01 02")),
  ...invalid("Topic Alias 0", 0x94, { 5: "[MQTT5-3.3.2-8]" }, publish("07", "03", "23 0000")),
  ...invalid("Subscription Identifier 0", 0x82, { 5: "[5.0/3.3.2.3.8/zero]" }, '82 09 000a 02 0b 00 0001 "a" 00'),
  ...invalid("Receive Maximum 0", 0x82, { 5: "[5.0/3.1.2.11.3/zero]" }, connect("11", "03", "21 0000")),
  ...invalid("Maximum Packet Size 0", 0x82, { 5: "[5.0/3.1.2.11.4/zero]" }, connect("13", "05", "27 00000000")),
  ...invalid("Request Response Information 2", 0x82, { 5: "[5.0/3.1.2.11.6/range]" }, connect("10", "02", "19 02")),
  ...invalid("Request Problem Information 255", 0x82, { 5: "[5.0/3.1.2.11.6/range]" }, connect("10", "02", "17 ff")),
  ...invalid("Maximum QoS 2", 0x82, { 5: "[5.0/3.2.2.3.4/never2]" }, connack("05", "02", "24 02")),
  ...invalid("Retain Available 2", 0x82, INVALID, connack("05", "02", "25 02")),
  ...invalid("Wildcard Subscription Available 2", 0x82, INVALID, connack("05", "02", "28 02")),
  ...invalid("Subscription Identifier Available 2", 0x82, INVALID, connack("05", "02", "29 02")),
  ...invalid("Shared Subscription Available 2", 0x82, INVALID, connack("05", "02", "2a 02")),
  ...invalid("Authentication Data without Method", 0x82, { 5: "[5.0/3.1.2.11.10/no-method]" }, connect("12", "04", "16 0001 00")),
  ...invalid("Authentication Data without Method in AUTH", 0x82, { 5: "[5.0/3.1.2.11.10/no-method]" }, "f0 06 18 04 16 0001 00"),
];
