import {
  NO_PROPERTIES,
  SUBACK,
  SUBSCRIBE,
  type Subscribe,
  type SubscriptionRequest,
  UNSUBACK,
  UNSUBSCRIBE,
} from "../../src/mqtt/packet.ts";
import { invalid, tolerated, type Vector, valid } from "./vector.ts";

const request = (fields: Partial<SubscriptionRequest>): SubscriptionRequest => ({
  filter: "a/b",
  qos: 0,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  ...fields,
});

const subscribe = (requests: readonly SubscriptionRequest[]): Subscribe => ({
  type: SUBSCRIBE,
  packetId: 10,
  subscriptions: requests,
  properties: NO_PROPERTIES,
});

const BOTH_3X = [3, 4] as const;

const TWO_FILTERS = `0e                ; Remaining Length
     000a              ; Packet Identifier
     0003 "a/b" 01     ; Topic Filter, QoS 1
     0003 "c/+" 02     ; Topic Filter, QoS 2`;

export const SUBSCRIPTION_VECTORS: readonly Vector[] = [
  ...valid(
    "SUBSCRIBE with two filters",
    BOTH_3X,
    `82                ; SUBSCRIBE
     ${TWO_FILTERS}`,
    subscribe([request({ qos: 1 }), request({ filter: "c/+", qos: 2 })]),
  ),
  ...tolerated(
    "[3.1/fixed-header/dup] SUBSCRIBE of 3.1 with DUP",
    [3],
    `8a                ; SUBSCRIBE, DUP
     ${TWO_FILTERS}`,
    subscribe([request({ qos: 1 }), request({ filter: "c/+", qos: 2 })]),
  ),
  ...valid(
    "[MQTT5-2.2.2-1] SUBSCRIBE with all options",
    [5],
    `82                ; SUBSCRIBE
     0f                ; Remaining Length
     000a              ; Packet Identifier
     00                ; Property Length
     0003 "a/b" 2e     ; Topic Filter: QoS 2, No Local, Retain As Published, Retain Handling 2
     0003 "c/#" 10     ; Topic Filter: QoS 0, Retain Handling 1`,
    subscribe([
      request({ qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 }),
      request({ filter: "c/#", retainHandling: 1 }),
    ]),
  ),
  ...valid(
    "SUBSCRIBE with a Subscription Identifier and a User Property",
    [5],
    `82                       ; SUBSCRIBE
     15                       ; Remaining Length
     000a                     ; Packet Identifier
     0c                       ; Property Length
     0b ffffff7f              ; Subscription Identifier, the largest
     26 0001 "k" 0001 "v"     ; User Property
     0003 "a/b" 00            ; Topic Filter`,
    {
      ...subscribe([request({})]),
      properties: { subscriptionIdentifiers: [268_435_455], userProperties: [["k", "v"]] },
    },
  ),
  ...valid("SUBACK with every code of 3.1.1", [4], "90 06 000a 00 01 02 80", {
    type: SUBACK,
    packetId: 10,
    reasonCodes: [0, 1, 2, 0x80],
    properties: NO_PROPERTIES,
  }),
  ...valid(
    "[MQTT5-2.2.1-6] SUBACK with a Reason String",
    [5],
    `90                ; SUBACK
     09                ; Remaining Length
     000a              ; Packet Identifier
     04                ; Property Length
     1f 0001 "n"       ; Reason String
     87 02             ; Reason Codes`,
    { type: SUBACK, packetId: 10, reasonCodes: [0x87, 2], properties: { reasonString: "n" } },
  ),
  ...valid(
    "UNSUBSCRIBE with two filters",
    BOTH_3X,
    `a2                ; UNSUBSCRIBE
     0a                ; Remaining Length
     000a              ; Packet Identifier
     0003 "a/b"        ; Topic Filter
     0001 "#"          ; Topic Filter`,
    { type: UNSUBSCRIBE, packetId: 10, filters: ["a/b", "#"], properties: NO_PROPERTIES },
  ),
  ...tolerated("[3.1/fixed-header/dup] UNSUBSCRIBE of 3.1 with DUP", [3], 'aa 05 000a 0001 "#"', {
    type: UNSUBSCRIBE,
    packetId: 10,
    filters: ["#"],
    properties: NO_PROPERTIES,
  }),
  ...valid("[MQTT5-2.2.2-1] UNSUBSCRIBE of 5.0", [5], 'a2 06 000a 00 0001 "#"', {
    type: UNSUBSCRIBE,
    packetId: 10,
    filters: ["#"],
    properties: NO_PROPERTIES,
  }),
  ...valid("[MQTT311-2.3.1-7] UNSUBACK of 3.x", BOTH_3X, "b0 02 000a", {
    type: UNSUBACK,
    packetId: 10,
    reasonCodes: [],
    properties: NO_PROPERTIES,
  }),
  ...valid("[MQTT5-2.2.1-6] UNSUBACK of 5.0", [5], "b0 05 000a 00 00 11", {
    type: UNSUBACK,
    packetId: 10,
    reasonCodes: [0, 0x11],
    properties: NO_PROPERTIES,
  }),

  ...invalid("SUBSCRIBE with flags 0000", 0x81, { 3: "[MQTT311-3.8.1-1]", 4: "[MQTT311-3.8.1-1]" }, '80 06 000a 0001 "a" 00'),
  ...invalid("SUBSCRIBE with flags 0000", 0x81, { 5: "[MQTT5-3.8.1-1]" }, '80 07 000a 00 0001 "a" 00'),
  ...invalid("SUBSCRIBE with DUP", 0x81, { 4: "[MQTT311-3.8.1-1]" }, '8a 06 000a 0001 "a" 00'),
  ...invalid("UNSUBSCRIBE with flags 0011", 0x81, { 3: "[MQTT311-3.10.1-1]", 4: "[MQTT311-3.10.1-1]" }, 'a3 05 000a 0001 "a"'),
  ...invalid("UNSUBSCRIBE with DUP", 0x81, { 5: "[MQTT5-3.10.1-1]" }, 'aa 06 000a 00 0001 "a"'),
  ...invalid("SUBSCRIBE without a filter", 0x82, { 3: "[MQTT311-3.8.3-3]", 4: "[MQTT311-3.8.3-3]" }, "82 02 000a"),
  ...invalid("SUBSCRIBE without a filter", 0x82, { 5: "[MQTT5-3.8.3-2]" }, "82 03 000a 00"),
  ...invalid("UNSUBSCRIBE without a filter", 0x82, { 3: "[MQTT311-3.10.3-2]", 4: "[MQTT311-3.10.3-2]" }, "a2 02 000a"),
  ...invalid("UNSUBSCRIBE without a filter", 0x82, { 5: "[MQTT5-3.10.3-2]" }, "a2 03 000a 00"),
  ...invalid("SUBSCRIBE with Packet Identifier 0", 0x82, { 4: "[MQTT311-2.3.1-1]" }, '82 06 0000 0001 "a" 00'),
  ...invalid("SUBSCRIBE with Packet Identifier 0", 0x82, { 5: "[MQTT5-2.2.1-3]" }, '82 07 0000 00 0001 "a" 00'),
  ...invalid("UNSUBSCRIBE with Packet Identifier 0", 0x82, { 4: "[MQTT311-2.3.1-1]" }, 'a2 05 0000 0001 "a"'),
  ...invalid("UNSUBSCRIBE with Packet Identifier 0", 0x82, { 5: "[MQTT5-2.2.1-3]" }, 'a2 06 0000 00 0001 "a"'),
  ...invalid("a requested QoS of 3", 0x81, { 3: "[MQTT311-3.8.3-4]", 4: "[MQTT311-3.8.3-4]" }, '82 06 000a 0001 "a" 03'),
  ...invalid("5.0 options in 3.x", 0x81, { 3: "[MQTT311-3.8.3-4]", 4: "[MQTT311-3.8.3-4]" }, '82 06 000a 0001 "a" 05'),
  ...invalid("reserved bit 6 of the options", 0x81, { 5: "[MQTT5-3.8.3-5]" }, '82 07 000a 00 0001 "a" 40'),
  ...invalid("reserved bit 7 of the options", 0x81, { 5: "[MQTT5-3.8.3-5]" }, '82 07 000a 00 0001 "a" 80'),
  ...invalid("Maximum QoS 3", 0x82, { 5: "[5.0/3.8.3.1/qos3]" }, '82 07 000a 00 0001 "a" 03'),
  ...invalid("Retain Handling 3", 0x82, { 5: "[5.0/3.8.3.1/qos3]" }, '82 07 000a 00 0001 "a" 30'),
  ...invalid("a filter without options", 0x81, { 4: "[MQTT311-4.8.0-1]" }, '82 05 000a 0001 "a"'),
  ...invalid("a filter without options", 0x81, { 5: "[5.0/2.1.4/length]" }, '82 06 000a 00 0001 "a"'),
  ...invalid("a SUBSCRIBE filter that is no UTF-8 [MQTT311-3.8.3-1]", 0x81, { 4: "[MQTT311-1.5.3-1]" }, "82 06 000a 0001 ff 00"),
  ...invalid("a SUBSCRIBE filter that is no UTF-8 [MQTT5-3.8.3-1]", 0x81, { 5: "[MQTT5-1.5.4-1]" }, "82 07 000a 00 0001 ff 00"),
  ...invalid("an UNSUBSCRIBE filter that is no UTF-8 [MQTT311-3.10.3-1]", 0x81, { 4: "[MQTT311-1.5.3-1]" }, "a2 05 000a 0001 ff"),
  ...invalid("an UNSUBSCRIBE filter that is no UTF-8 [MQTT5-3.10.3-1]", 0x81, { 5: "[MQTT5-1.5.4-1]" }, "a2 06 000a 00 0001 ff"),
  ...invalid("a filter with U+0000 [MQTT311-4.7.3-2]", 0x81, { 4: "[MQTT311-1.5.3-2]" }, "82 06 000a 0001 00 00"),
  ...invalid("a filter with U+0000 [MQTT5-4.7.3-2]", 0x81, { 5: "[MQTT5-1.5.4-2]" }, "82 07 000a 00 0001 00 00"),
  ...invalid("a SUBACK code that 3.1.1 doesn't have", 0x82, { 4: "[MQTT311-3.9.3-2]" }, "90 03 000a 87"),
  ...invalid("a SUBACK code that 5.0 doesn't have", 0x82, { 5: "[MQTT5-3.9.3-2]" }, "90 04 000a 00 03"),
  ...invalid("a SUBACK without codes", 0x82, { 4: "[MQTT311-3.8.4-5]" }, "90 02 000a"),
  ...invalid("a SUBACK without codes", 0x82, { 5: "[MQTT5-3.8.4-6]" }, "90 03 000a 00"),
  ...invalid("an UNSUBACK code that 5.0 doesn't have", 0x82, { 5: "[MQTT5-3.11.3-2]" }, "b0 04 000a 00 01"),
  ...invalid("an UNSUBACK without codes", 0x82, { 5: "[MQTT5-3.11.3-2]" }, "b0 03 000a 00"),
  ...invalid("an UNSUBACK with codes in 3.x", 0x81, { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]" }, "b0 03 000a 00"),
];
