import { NO_PROPERTIES, PUBLISH, type Publish } from "../../src/mqtt/packet.ts";
import { ascii, bytesOf, invalid, tolerated, type Vector, valid } from "./vector.ts";

const publish = (fields: Partial<Publish>): Publish => ({
  type: PUBLISH,
  dup: false,
  qos: 0,
  retain: false,
  topic: "TEST",
  packetId: 0,
  properties: NO_PROPERTIES,
  propertyBytes: new Uint8Array(0),
  payload: new Uint8Array(0),
  ...fields,
});

const BOTH_3X = [3, 4] as const;

export const PUBLISH_VECTORS: readonly Vector[] = [
  ...valid(
    "[MQTT311-2.3.1-5] PUBLISH QoS 0 has no Packet Identifier: the payload follows the Topic Name",
    BOTH_3X,
    `30                ; PUBLISH
     10                ; Remaining Length
     0004 "TEST"       ; Topic Name
     "HelloWorld"      ; payload`,
    publish({ payload: ascii("HelloWorld") }),
  ),
  ...valid(
    "[MQTT311-3.3.2-1] PUBLISH QoS 1",
    BOTH_3X,
    `32                ; PUBLISH, QoS 1
     12                ; Remaining Length
     0004 "TEST"       ; Topic Name
     0001              ; Packet Identifier
     "HelloWorld"      ; payload`,
    publish({ qos: 1, packetId: 1, payload: ascii("HelloWorld") }),
  ),
  ...valid(
    "[MQTT311-3.3.2-1] PUBLISH QoS 2",
    BOTH_3X,
    `34                ; PUBLISH, QoS 2
     12                ; Remaining Length
     0004 "TEST"       ; Topic Name
     0001              ; Packet Identifier
     "HelloWorld"      ; payload`,
    publish({ qos: 2, packetId: 1, payload: ascii("HelloWorld") }),
  ),
  ...valid(
    "PUBLISH with DUP and RETAIN and no payload",
    BOTH_3X,
    `3b                ; PUBLISH, DUP, QoS 1, RETAIN
     08                ; Remaining Length
     0004 "TEST"       ; Topic Name
     ffff              ; Packet Identifier, the largest`,
    publish({ dup: true, qos: 1, retain: true, packetId: 65_535 }),
  ),
  ...valid(
    "[MQTT5-2.2.1-2] [MQTT5-2.2.2-1] PUBLISH QoS 0 has the Property Length right behind the Topic Name",
    [5],
    `30                ; PUBLISH
     11                ; Remaining Length
     0004 "TEST"       ; Topic Name
     00                ; Property Length
     "HelloWorld"      ; payload`,
    publish({ payload: ascii("HelloWorld") }),
  ),
  ...valid(
    "[MQTT5-3.3.2-1] PUBLISH QoS 2, 5.0",
    [5],
    `34                ; PUBLISH, QoS 2
     13                ; Remaining Length
     0004 "TEST"       ; Topic Name
     1267              ; Packet Identifier
     00                ; Property Length
     "HelloWorld"      ; payload`,
    publish({ qos: 2, packetId: 0x1267, payload: ascii("HelloWorld") }),
  ),
  ...valid(
    "[MQTT5-1.5.7-1] PUBLISH with every property, User Properties in order and with repeats",
    [5],
    `32                            ; PUBLISH, QoS 1
     38                            ; Remaining Length
     0001 "a"                      ; Topic Name
     0007                          ; Packet Identifier
     31                            ; Property Length
     01 01                         ; Payload Format Indicator
     02 0000000a                   ; Message Expiry Interval
     03 0001 "j"                   ; Content Type
     08 0003 "r/t"                 ; Response Topic
     09 0002 00ff                  ; Correlation Data
     23 0005                       ; Topic Alias
     0b 01  0b 8001                ; Subscription Identifiers 1 and 128
     26 0001 "k" 0001 "1"          ; User Property
     26 0001 "k" 0001 "2"          ; User Property
     26 0000     0000              ; User Property of empty strings
     "x"                           ; payload`,
    publish({
      qos: 1,
      topic: "a",
      packetId: 7,
      properties: {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 10,
        contentType: "j",
        responseTopic: "r/t",
        correlationData: Uint8Array.of(0, 0xff),
        topicAlias: 5,
        subscriptionIdentifiers: [1, 128],
        userProperties: [
          ["k", "1"],
          ["k", "2"],
          ["", ""],
        ],
      },
      propertyBytes: bytesOf(`01 01 02 0000000a 03 0001 "j" 08 0003 "r/t" 09 0002 00ff 23 0005 0b 01 0b 8001
        26 0001 "k" 0001 "1"
        26 0001 "k" 0001 "2"
        26 0000 0000`),
      payload: ascii("x"),
    }),
  ),
  ...valid(
    "[5.0/2.2.2.2/order] PUBLISH with properties in another order",
    [5],
    `30                ; PUBLISH
     0b                ; Remaining Length
     0001 "a"          ; Topic Name
     07                ; Property Length
     02 00000001       ; Message Expiry Interval
     01 00             ; Payload Format Indicator`,
    publish({
      topic: "a",
      properties: { messageExpiryInterval: 1, payloadFormatIndicator: 0 },
      propertyBytes: bytesOf("02 00000001 01 00"),
    }),
  ),
  ...valid(
    "PUBLISH with a Topic Alias instead of a Topic Name",
    [5],
    `30                ; PUBLISH
     07                ; Remaining Length
     0000              ; Topic Name, empty
     03                ; Property Length
     23 ffff           ; Topic Alias
     "x"               ; payload`,
    publish({ topic: "", properties: { topicAlias: 65_535 }, propertyBytes: bytesOf("23 ffff"), payload: ascii("x") }),
  ),
  ...valid(
    "[MQTT311-1.5.3-3] PUBLISH keeps EF BB BF in the Topic Name",
    BOTH_3X,
    `30                ; PUBLISH
     06                ; Remaining Length
     0004 efbbbf "a"   ; Topic Name`,
    publish({ topic: "\ufeffa" }),
  ),
  ...valid(
    "[MQTT5-1.5.4-3] PUBLISH keeps EF BB BF in the Topic Name, 5.0",
    [5],
    `30                ; PUBLISH
     07                ; Remaining Length
     0004 efbbbf "a"   ; Topic Name
     00                ; Property Length`,
    publish({ topic: "\ufeffa" }),
  ),
  ...valid(
    "[5.0/1.5.4/disallowed] PUBLISH with control characters and a non-character in the Topic Name is accepted",
    [5],
    `30                          ; PUBLISH
     0d                          ; Remaining Length
     000a                        ; length of the Topic Name
     01 1f 7f c280 c29f efbfbf   ; U+0001 U+001F U+007F U+0080 U+009F U+FFFF
     00                          ; Property Length`,
    publish({ topic: "\u0001\u001f\u007f\u0080\u009f\uffff" }),
  ),
  ...valid(
    "[3.1.1/1.5.3/disallowed] PUBLISH with control characters in the Topic Name is accepted",
    BOTH_3X,
    `30                ; PUBLISH
     05                ; Remaining Length
     0003 01 c280      ; Topic Name: U+0001 U+0080`,
    publish({ topic: "\u0001\u0080" }),
  ),
  ...valid(
    "PUBLISH with two, three and four byte characters",
    [4],
    `30                          ; PUBLISH
     0b                          ; Remaining Length
     0009 c3a9 e282ac f09f9880   ; Topic Name`,
    publish({ topic: "é€😀" }),
  ),
  ...tolerated(
    "PUBLISH whose User Properties stand between others",
    [5],
    `30                   ; PUBLISH
     14                   ; Remaining Length
     0001 "a"             ; Topic Name
     10                   ; Property Length
     26 0001 "k" 0001 "j" ; User Property
     01 01                ; Payload Format Indicator
     26 0001 "l" 0001 "m" ; User Property`,
    publish({
      topic: "a",
      properties: {
        userProperties: [
          ["k", "j"],
          ["l", "m"],
        ],
        payloadFormatIndicator: 1,
      },
      propertyBytes: bytesOf('26 0001 "k" 0001 "j" 01 01 26 0001 "l" 0001 "m"'),
    }),
  ),

  ...invalid(
    "QoS 3 in PUBLISH",
    0x81,
    { 3: "[MQTT311-3.3.1-4]", 4: "[MQTT311-3.3.1-4]", 5: "[MQTT5-3.3.1-4]" },
    `36                ; PUBLISH, QoS 3
     06                ; Remaining Length
     0001 "a"          ; Topic Name
     0001              ; Packet Identifier
     00                ; Property Length or payload`,
  ),
  ...invalid(
    "DUP with QoS 0",
    0x81,
    { 3: "[MQTT311-3.3.1-2]", 4: "[MQTT311-3.3.1-2]", 5: "[MQTT5-3.3.1-2]" },
    `38                ; PUBLISH, DUP, QoS 0
     04                ; Remaining Length
     0001 "a"          ; Topic Name
     00                ; Property Length or payload`,
  ),
  ...invalid(
    "+ in the Topic Name",
    0x90,
    { 3: "[MQTT311-3.3.2-2]", 4: "[MQTT311-3.3.2-2]", 5: "[MQTT5-3.3.2-2]" },
    `30                ; PUBLISH
     06                ; Remaining Length
     0003 "a/+"        ; Topic Name
     00                ; Property Length or payload`,
  ),
  ...invalid(
    "# in the Topic Name",
    0x90,
    { 3: "[MQTT311-3.3.2-2]", 4: "[MQTT311-3.3.2-2]", 5: "[MQTT5-3.3.2-2]" },
    `30                ; PUBLISH
     04                ; Remaining Length
     0001 "#"          ; Topic Name
     00                ; Property Length or payload`,
  ),
  ...invalid(
    "an empty Topic Name in 3.x",
    0x90,
    { 3: "[MQTT311-4.7.3-1]", 4: "[MQTT311-4.7.3-1]" },
    `30                ; PUBLISH
     03                ; Remaining Length
     0000              ; Topic Name
     "x"               ; payload`,
  ),
  ...invalid(
    "an empty Topic Name without Topic Alias",
    0x82,
    { 5: "[5.0/3.3.2.1/empty]" },
    `30                ; PUBLISH
     03                ; Remaining Length
     0000              ; Topic Name
     00                ; Property Length`,
  ),
  ...invalid(
    "Packet Identifier 0",
    0x82,
    { 3: "[MQTT311-2.3.1-1]", 4: "[MQTT311-2.3.1-1]", 5: "[MQTT5-2.2.1-3]" },
    `32                ; PUBLISH, QoS 1
     06                ; Remaining Length
     0001 "a"          ; Topic Name
     0000              ; Packet Identifier
     00                ; Property Length or payload`,
  ),
  ...invalid(
    "a Topic Name that is not there",
    0x81,
    { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" },
    `30                ; PUBLISH
     00                ; Remaining Length`,
  ),
  ...invalid(
    "a Topic Name that goes beyond the packet",
    0x81,
    { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" },
    `30                ; PUBLISH
     04                ; Remaining Length
     0003 "ab"         ; Topic Name, one byte short`,
  ),
  ...invalid(
    "a Packet Identifier of one byte",
    0x81,
    { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" },
    `32                ; PUBLISH, QoS 1
     04                ; Remaining Length
     0001 "a"          ; Topic Name
     01                ; half a Packet Identifier`,
  ),
  ...invalid(
    "a missing Property Length",
    0x81,
    { 5: "[5.0/2.1.4/length]" },
    `30                ; PUBLISH
     03                ; Remaining Length
     0001 "a"          ; Topic Name`,
  ),
];
