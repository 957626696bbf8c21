/** CONNACK, PINGREQ, PINGRESP, DISCONNECT, AUTH, and what concerns any packet: types and flags. */

import { AUTH, CONNACK, DISCONNECT, NO_PROPERTIES, PINGREQ, PINGRESP } from "../../src/mqtt/packet.ts";
import { invalid, tolerated, type Vector, valid } from "./vector.ts";

const ALL = [3, 4, 5] as const;

export const CONNECTION_VECTORS: readonly Vector[] = [
  ...valid("CONNACK", [3, 4], "20 02 00 00", { type: CONNACK, sessionPresent: false, reasonCode: 0, properties: NO_PROPERTIES }),
  ...valid("CONNACK with Session Present", [4], "20 02 01 00", {
    type: CONNACK,
    sessionPresent: true,
    reasonCode: 0,
    properties: NO_PROPERTIES,
  }),
  ...valid("[3.1/connack/codes] CONNACK that refuses", [3, 4], "20 02 00 05", {
    type: CONNACK,
    sessionPresent: false,
    reasonCode: 5,
    properties: NO_PROPERTIES,
  }),
  ...tolerated("[3.1/connack/flags] CONNACK of 3.1 whose reserved byte is not looked at", [3], "20 02 01 00", {
    type: CONNACK,
    sessionPresent: false,
    reasonCode: 0,
    properties: NO_PROPERTIES,
  }),
  ...valid("[MQTT5-2.2.2-1] CONNACK of 5.0 without properties", [5], "20 03 01 00 00", {
    type: CONNACK,
    sessionPresent: true,
    reasonCode: 0,
    properties: NO_PROPERTIES,
  }),
  ...valid(
    "CONNACK with all properties",
    [5],
    `20                       ; CONNACK
     3f                       ; Remaining Length
     00                       ; Connect Acknowledge Flags
     00                       ; Reason Code
     3c                       ; Property Length
     11 0000000a              ; Session Expiry Interval
     21 0100                  ; Receive Maximum
     24 01                    ; Maximum QoS
     25 00                    ; Retain Available
     27 00100000              ; Maximum Packet Size
     12 0001 "i"              ; Assigned Client Identifier
     22 0010                  ; Topic Alias Maximum
     1f 0001 "r"              ; Reason String
     26 0001 "k" 0001 "v"     ; User Property
     28 00                    ; Wildcard Subscription Available
     29 01                    ; Subscription Identifier Available
     2a 00                    ; Shared Subscription Available
     13 003c                  ; Server Keep Alive
     1a 0001 "q"              ; Response Information
     1c 0001 "s"              ; Server Reference
     15 0001 "m"              ; Authentication Method
     16 0001 00               ; Authentication Data`,
    {
      type: CONNACK,
      sessionPresent: false,
      reasonCode: 0,
      properties: {
        sessionExpiryInterval: 10,
        receiveMaximum: 256,
        maximumQoS: 1,
        retainAvailable: 0,
        maximumPacketSize: 1_048_576,
        assignedClientIdentifier: "i",
        topicAliasMaximum: 16,
        reasonString: "r",
        userProperties: [["k", "v"]],
        wildcardSubscriptionAvailable: 0,
        subscriptionIdentifierAvailable: 1,
        sharedSubscriptionAvailable: 0,
        serverKeepAlive: 60,
        responseInformation: "q",
        serverReference: "s",
        authenticationMethod: "m",
        authenticationData: Uint8Array.of(0),
      },
    },
  ),
  ...valid("PINGREQ", ALL, "c0 00", { type: PINGREQ }),
  ...valid("PINGRESP", ALL, "d0 00", { type: PINGRESP }),
  ...valid("[5.0/3.14.2.1/short] DISCONNECT without anything", ALL, "e0 00", {
    type: DISCONNECT,
    reasonCode: 0,
    properties: NO_PROPERTIES,
  }),
  ...valid("[5.0/3.14.2.1/short] DISCONNECT with a Reason Code alone", [5], "e0 01 04", {
    type: DISCONNECT,
    reasonCode: 4,
    properties: NO_PROPERTIES,
  }),
  ...tolerated("DISCONNECT with success written out", [5], "e0 01 00", { type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES }),
  ...tolerated("DISCONNECT with an empty property section", [5], "e0 02 81 00", {
    type: DISCONNECT,
    reasonCode: 0x81,
    properties: NO_PROPERTIES,
  }),
  ...valid(
    "DISCONNECT with properties",
    [5],
    `e0                ; DISCONNECT
     0f                ; Remaining Length
     9c                ; Reason Code
     0d                ; Property Length
     11 00000000       ; Session Expiry Interval
     1f 0001 "r"       ; Reason String
     1c 0001 "s"       ; Server Reference`,
    {
      type: DISCONNECT,
      reasonCode: 0x9c,
      properties: { sessionExpiryInterval: 0, reasonString: "r", serverReference: "s" },
    },
  ),
  ...valid("AUTH without anything, which the session core judges", [5], "f0 00", { type: AUTH, reasonCode: 0, properties: NO_PROPERTIES }),
  ...valid(
    "AUTH that goes on",
    [5],
    `f0                ; AUTH
     0a                ; Remaining Length
     18                ; Reason Code
     08                ; Property Length
     15 0001 "m"       ; Authentication Method
     16 0001 ff        ; Authentication Data`,
    { type: AUTH, reasonCode: 0x18, properties: { authenticationMethod: "m", authenticationData: Uint8Array.of(0xff) } },
  ),

  ...invalid("Connect Acknowledge Flags above 1", 0x81, { 4: "[3.1.1/3.2.2.1/reserved]" }, "20 02 02 00"),
  ...invalid("Connect Acknowledge Flags above 1", 0x81, { 5: "[MQTT5-3.2.2-1]" }, "20 03 02 00 00"),
  ...invalid("Session Present in a refusal", 0x82, { 4: "[MQTT311-3.2.2-4]" }, "20 02 01 05"),
  ...invalid("Session Present in a refusal", 0x82, { 5: "[MQTT5-3.2.2-6]" }, "20 03 01 87 00"),
  ...invalid("a CONNACK code that 3.x doesn't have", 0x82, { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]" }, "20 02 00 06"),
  ...invalid("a CONNACK code that 5.0 doesn't have", 0x82, { 5: "[MQTT5-3.2.2-8]" }, "20 03 00 8b 00"),
  ...invalid("CONNACK of one byte", 0x81, { 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, "20 01 00"),
  ...invalid("a DISCONNECT code that 5.0 doesn't have", 0x82, { 5: "[MQTT5-3.14.2-1]" }, "e0 01 01"),
  ...invalid("an AUTH code that 5.0 doesn't have", 0x82, { 5: "[MQTT5-3.15.2-1]" }, "f0 01 17"),
  ...invalid("DISCONNECT with content in 3.x", 0x81, { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]" }, "e0 01 00"),
  ...invalid("AUTH in 3.x", 0x81, { 3: "[3.1.1/2.2.1/types]", 4: "[3.1.1/2.2.1/types]" }, "f0 00"),

  ...invalid("packet type 0", 0x81, { 3: "[3.1.1/2.2.1/types]", 4: "[3.1.1/2.2.1/types]", 5: "[5.0/2.1.2/type0]" }, "00 00"),
  ...invalid("CONNACK with flags", 0x81, { 3: "[MQTT311-2.2.2-2]", 4: "[MQTT311-2.2.2-2]", 5: "[MQTT5-2.1.3-1]" }, "21 02 00 00"),
  ...invalid("SUBACK with flags", 0x81, { 3: "[MQTT311-2.2.2-2]", 4: "[MQTT311-2.2.2-2]", 5: "[MQTT5-2.1.3-1]" }, "92 03 000a 00"),
  ...invalid("UNSUBACK with flags", 0x81, { 3: "[MQTT311-2.2.2-2]", 4: "[MQTT311-2.2.2-2]", 5: "[MQTT5-2.1.3-1]" }, "b2 02 000a"),
  ...invalid("PINGREQ with flags", 0x81, { 3: "[MQTT311-2.2.2-2]", 4: "[MQTT311-2.2.2-2]", 5: "[MQTT5-2.1.3-1]" }, "c1 00"),
  ...invalid("PINGRESP with flags", 0x81, { 3: "[MQTT311-2.2.2-2]", 4: "[MQTT311-2.2.2-2]", 5: "[MQTT5-2.1.3-1]" }, "d8 00"),
  ...invalid("DISCONNECT with flags", 0x81, { 3: "[MQTT311-3.14.1-1]", 4: "[MQTT311-3.14.1-1]", 5: "[MQTT5-3.14.1-1]" }, "e2 00"),
  ...invalid("AUTH with flags", 0x81, { 5: "[MQTT5-3.15.1-1]" }, "f1 00"),
  ...invalid("PINGREQ with content", 0x81, { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, "c0 01 00"),
  ...invalid("PINGRESP with content", 0x81, { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, "d0 01 00"),
];
