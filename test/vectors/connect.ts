import { CONNECT, type Connect, NO_PROPERTIES, type ProtocolVersion } from "../../src/mqtt/packet.ts";
import { ascii, invalid, tolerated, type Vector, valid } from "./vector.ts";

const connect = (version: ProtocolVersion, fields: Partial<Connect> = {}): Connect => ({
  type: CONNECT,
  version,
  clean: true,
  keepAliveSeconds: 60,
  clientId: "c",
  will: undefined,
  userName: undefined,
  password: undefined,
  properties: NO_PROPERTIES,
  ...fields,
});

/** A CONNECT of 3.1.1 with the Client Identifier "c" and these flags; `rest` follows. */
const connect4 = (remainingLength: string, flags: string, rest = ""): string =>
  `10                ; CONNECT
   ${remainingLength} ; Remaining Length
   0004 "MQTT" 04    ; Protocol Name and Level
   ${flags}          ; Connect Flags
   003c              ; Keep Alive
   0001 "c"          ; Client Identifier
   ${rest}`;

/** The same in 3.1. */
const connect3 = (remainingLength: string, flags: string, rest = ""): string =>
  `10                ; CONNECT
   ${remainingLength} ; Remaining Length
   0006 "MQIsdp" 03  ; Protocol Name and Level
   ${flags}          ; Connect Flags
   003c              ; Keep Alive
   0001 "c"          ; Client Identifier
   ${rest}`;

/** The same in 5.0, without properties. */
const connect5 = (remainingLength: string, flags: string, rest = ""): string =>
  `10                ; CONNECT
   ${remainingLength} ; Remaining Length
   0004 "MQTT" 05    ; Protocol Name and Level
   ${flags}          ; Connect Flags
   003c              ; Keep Alive
   00                ; Property Length
   0001 "c"          ; Client Identifier
   ${rest}`;

export const CONNECT_VECTORS: readonly Vector[] = [
  ...valid("CONNECT of 3.1.1 with a Client Identifier alone", [4], connect4("0d", "02"), connect(4)),
  ...valid("[3.1/connect/name] CONNECT of 3.1", [3], connect3("0f", "02"), connect(3)),
  ...valid("[MQTT5-2.2.2-1] CONNECT of 5.0 without properties", [5], connect5("0e", "02"), connect(5)),
  ...valid(
    "CONNECT of a bridge of 3.1.1, level 84",
    [4],
    connect4("0d", "02").replace('"MQTT" 04', '"MQTT" 84'),
    connect(4, { bridge: true }),
  ),
  ...valid(
    "CONNECT of a bridge of 3.1, level 83",
    [3],
    connect3("0f", "02").replace('"MQIsdp" 03', '"MQIsdp" 83'),
    connect(3, { bridge: true }),
  ),
  ...valid("CONNECT is read by its own version, not by that of the connection", [5], connect4("0d", "00"), connect(4, { clean: false })),
  ...valid(
    "CONNECT with an empty Client Identifier",
    [4],
    `10                ; CONNECT
     0c                ; Remaining Length
     0004 "MQTT" 04    ; Protocol Name and Level
     02                ; Connect Flags: Clean Session
     ffff              ; Keep Alive, the largest
     0000              ; Client Identifier`,
    connect(4, { clientId: "", keepAliveSeconds: 65_535 }),
  ),
  ...valid(
    "[MQTT311-3.1.3-1] CONNECT with will, user name and password in their order",
    [4],
    connect4(
      "1b",
      "f6",
      `0001 "w"          ; Will Topic
       0002 00ff         ; Will Message
       0001 "u"          ; User Name
       0002 8081         ; Password, which is no text`,
    ),
    connect(4, {
      will: { qos: 2, retain: true, topic: "w", payload: Uint8Array.of(0, 0xff), properties: NO_PROPERTIES },
      userName: "u",
      password: Uint8Array.of(0x80, 0x81),
    }),
  ),
  ...valid(
    "[MQTT5-3.1.3-1] CONNECT of 5.0 with all fields and all properties",
    [5],
    `10                       ; CONNECT
     69                       ; Remaining Length
     0004 "MQTT" 05           ; Protocol Name and Level
     ce                       ; User Name, Password, Will QoS 1, Will, Clean Start
     000a                     ; Keep Alive
     29                       ; Property Length
     11 ffffffff              ; Session Expiry Interval
     21 0001                  ; Receive Maximum
     27 00000001              ; Maximum Packet Size
     22 ffff                  ; Topic Alias Maximum
     19 01                    ; Request Response Information
     17 00                    ; Request Problem Information
     26 0001 "k" 0001 "v"     ; User Property
     15 0005 "SCRAM"          ; Authentication Method
     16 0003 000102           ; Authentication Data
     0002 "id"                ; Client Identifier
     25                       ; Will Property Length
     18 00000005              ; Will Delay Interval
     01 01                    ; Payload Format Indicator
     02 00000006              ; Message Expiry Interval
     03 0001 "t"              ; Content Type
     08 0001 "r"              ; Response Topic
     09 0001 ff               ; Correlation Data
     26 0001 "a" 0001 "b"     ; User Property
     26 0001 "a" 0000         ; User Property
     0001 "w"                 ; Will Topic
     0000                     ; Will Payload
     0001 "u"                 ; User Name
     0001 "p"                 ; Password`,
    connect(5, {
      keepAliveSeconds: 10,
      clientId: "id",
      will: {
        qos: 1,
        retain: false,
        topic: "w",
        payload: new Uint8Array(0),
        properties: {
          willDelayInterval: 5,
          payloadFormatIndicator: 1,
          messageExpiryInterval: 6,
          contentType: "t",
          responseTopic: "r",
          correlationData: Uint8Array.of(0xff),
          userProperties: [
            ["a", "b"],
            ["a", ""],
          ],
        },
      },
      userName: "u",
      password: ascii("p"),
      properties: {
        sessionExpiryInterval: 0xffff_ffff,
        receiveMaximum: 1,
        maximumPacketSize: 1,
        topicAliasMaximum: 65_535,
        requestResponseInformation: 1,
        requestProblemInformation: 0,
        userProperties: [["k", "v"]],
        authenticationMethod: "SCRAM",
        authenticationData: Uint8Array.of(0, 1, 2),
      },
    }),
  ),
  ...valid(
    "[5.0/3.1.2.9/pw-only] CONNECT of 5.0 with a password and no user name",
    [5],
    connect5("11", "42", '0001 "p"          ; Password'),
    connect(5, { password: ascii("p") }),
  ),
  ...tolerated(
    "[3.1/connect/username] CONNECT of 3.1 whose flags announce fields that are not there",
    [3],
    connect3("0f", "c2"),
    connect(3),
  ),
  ...tolerated(
    "[3.1/connect/username] CONNECT of 3.1 with a user name and no password",
    [3],
    connect3("12", "c2", '0001 "u"          ; User Name'),
    connect(3, { userName: "u" }),
  ),

  ...invalid(
    "another Protocol Name",
    0x84,
    { 4: "[MQTT311-3.1.2-1]" },
    `10                ; CONNECT
     0d                ; Remaining Length
     0004 "mqtt" 04    ; Protocol Name and Level
     02 003c 0001 "c"  ; flags, Keep Alive, Client Identifier`,
  ),
  ...invalid(
    "another Protocol Name in 5.0",
    0x84,
    { 5: "[MQTT5-3.1.2-1]" },
    `10                ; CONNECT
     0f                ; Remaining Length
     0005 "MQTTS" 05   ; Protocol Name and Level
     02 003c 00 0001 "c"  ; flags, Keep Alive, properties, Client Identifier`,
  ),
  ...invalid("MQTT level 3", 0x84, { 4: "[MQTT311-3.1.2-2]" }, connect4("0d", "02").replace('"MQTT" 04', '"MQTT" 03')),
  ...invalid("MQIsdp level 4", 0x84, { 3: "[MQTT311-3.1.2-2]" }, connect3("0f", "02").replace('"MQIsdp" 03', '"MQIsdp" 04')),
  ...invalid("MQTT level 85, a bridge", 0x84, { 5: "[MQTT5-3.1.2-2]" }, connect5("0e", "02").replace('"MQTT" 05', '"MQTT" 85')),
  ...invalid("MQTT level 83", 0x84, { 4: "[MQTT311-3.1.2-2]" }, connect4("0d", "02").replace('"MQTT" 04', '"MQTT" 83')),
  ...invalid("MQIsdp level 84", 0x84, { 4: "[MQTT311-3.1.2-2]" }, connect3("0f", "02").replace('"MQIsdp" 03', '"MQIsdp" 84')),
  ...invalid("MQTT level 6", 0x84, { 5: "[MQTT5-3.1.2-2]" }, connect5("0e", "02").replace('"MQTT" 05', '"MQTT" 06')),
  ...invalid(
    "CONNECT that ends within the Protocol Name",
    0x81,
    { 5: "[5.0/2.1.4/length]" },
    `10                ; CONNECT
     05                ; Remaining Length
     0004 "MQT"        ; Protocol Name, one byte short`,
  ),
  ...invalid("flags in the fixed header of CONNECT", 0x81, { 4: "[MQTT311-2.2.2-2]" }, connect4("0d", "02").replace("10  ", "11  ")),
  ...invalid("flags in the fixed header of CONNECT", 0x81, { 5: "[MQTT5-2.1.3-1]" }, connect5("0e", "02").replace("10  ", "18  ")),

  ...invalid("bit 0 of Connect Flags", 0x81, { 4: "[MQTT311-3.1.2-3]" }, connect4("0d", "03")),
  ...invalid("bit 0 of Connect Flags", 0x81, { 5: "[MQTT5-3.1.2-3]" }, connect5("0e", "03")),
  ...invalid("Will QoS without a will [MQTT311-3.1.2-11]", 0x81, { 4: "[MQTT311-3.1.2-13]" }, connect4("0d", "0a")),
  ...invalid("Will QoS without a will", 0x81, { 5: "[MQTT5-3.1.2-11]" }, connect5("0e", "0a")),
  ...invalid("Will Retain without a will [MQTT311-3.1.2-11]", 0x81, { 4: "[MQTT311-3.1.2-15]" }, connect4("0d", "22")),
  ...invalid("Will Retain without a will", 0x81, { 5: "[MQTT5-3.1.2-13]" }, connect5("0e", "22")),
  ...invalid("Will QoS 3", 0x81, { 4: "[MQTT311-3.1.2-14]" }, connect4("12", "1e", '0001 "w" 0000 ; will')),
  ...invalid("Will QoS 3", 0x81, { 5: "[MQTT5-3.1.2-12]" }, connect5("14", "1e", '00 0001 "w" 0000 ; will')),
  ...invalid("a password without user name", 0x81, { 4: "[MQTT311-3.1.2-22]" }, connect4("10", "42", '0001 "p" ; Password')),
  ...invalid("a password without user name", 0x81, { 3: "[MQTT311-3.1.2-22]" }, connect3("12", "42", '0001 "p" ; Password')),

  ...invalid(
    "CONNECT without a Client Identifier",
    0x81,
    { 4: "[MQTT311-3.1.3-3]" },
    `10                ; CONNECT
     0a                ; Remaining Length
     0004 "MQTT" 04    ; Protocol Name and Level
     02 003c           ; flags, Keep Alive`,
  ),
  ...invalid(
    "CONNECT without a Client Identifier",
    0x81,
    { 5: "[MQTT5-3.1.3-3]" },
    `10                ; CONNECT
     0b                ; Remaining Length
     0004 "MQTT" 05    ; Protocol Name and Level
     02 003c 00        ; flags, Keep Alive, Property Length`,
  ),
  ...invalid("a will flag without a will", 0x81, { 4: "[MQTT311-3.1.2-9]" }, connect4("0d", "06")),
  ...invalid("a will flag without a will", 0x81, { 5: "[MQTT5-3.1.2-9]" }, connect5("0e", "06")),
  ...invalid("a will without payload", 0x81, { 4: "[MQTT311-3.1.2-9]" }, connect4("10", "06", '0001 "w" ; Will Topic')),
  ...invalid("a will without payload", 0x81, { 5: "[MQTT5-3.1.2-9]" }, connect5("12", "06", '00 0001 "w" ; Will Topic')),
  ...invalid("a will without topic", 0x81, { 5: "[MQTT5-3.1.2-9]" }, connect5("0f", "06", "00 ; Will Properties")),
  ...invalid("a user name flag without user name", 0x81, { 4: "[MQTT311-3.1.2-19]" }, connect4("0d", "82")),
  ...invalid("a user name flag without user name", 0x81, { 5: "[MQTT5-3.1.2-17]" }, connect5("0e", "82")),
  ...invalid("a password flag without password", 0x81, { 4: "[MQTT311-3.1.2-21]" }, connect4("10", "c2", '0001 "u" ; User Name')),
  ...invalid("a password flag without password", 0x81, { 5: "[MQTT5-3.1.2-19]" }, connect5("0e", "42")),
  ...invalid("a user name without its flag", 0x81, { 4: "[MQTT311-3.1.2-18]" }, connect4("10", "02", '0001 "u" ; User Name')),
  ...invalid("a user name without its flag", 0x81, { 3: "[MQTT311-3.1.2-18]" }, connect3("12", "02", '0001 "u" ; User Name')),
  ...invalid("a user name without its flag", 0x81, { 5: "[MQTT5-3.1.2-16]" }, connect5("11", "02", '0001 "u" ; User Name')),
  ...invalid("a password without its flag", 0x81, { 4: "[MQTT311-3.1.2-20]" }, connect4("13", "82", '0001 "u" 0001 "p"')),
  ...invalid("a password without its flag", 0x81, { 5: "[MQTT5-3.1.2-18]" }, connect5("14", "82", '0001 "u" 0001 "p"')),
  ...invalid("bytes behind the password", 0x81, { 4: "[MQTT311-4.8.0-1]" }, connect4("14", "c2", '0001 "u" 0001 "p" 00')),
  ...invalid("bytes behind the password", 0x81, { 5: "[5.0/2.1.4/length]" }, connect5("15", "c2", '0001 "u" 0001 "p" 00')),

  ...invalid(
    "a Client Identifier that is no UTF-8 [MQTT311-3.1.3-4]",
    0x81,
    { 4: "[MQTT311-1.5.3-1]" },
    connect4("0d", "02").replace('"c"', "ff"),
  ),
  ...invalid(
    "a Client Identifier that is no UTF-8 [MQTT5-3.1.3-4]",
    0x81,
    { 5: "[MQTT5-1.5.4-1]" },
    connect5("0e", "02").replace('"c"', "ff"),
  ),
  ...invalid(
    "a Will Topic that is no UTF-8 [MQTT311-3.1.3-10]",
    0x81,
    { 4: "[MQTT311-1.5.3-1]" },
    connect4("12", "06", "0001 ff 0000 ; will"),
  ),
  ...invalid(
    "a Will Topic that is no UTF-8 [MQTT5-3.1.3-11]",
    0x81,
    { 5: "[MQTT5-1.5.4-1]" },
    connect5("14", "06", "00 0001 ff 0000 ; will"),
  ),
  ...invalid(
    "a user name that is no UTF-8 [MQTT311-3.1.3-11]",
    0x81,
    { 4: "[MQTT311-1.5.3-1]" },
    connect4("10", "82", "0001 ff ; User Name"),
  ),
  ...invalid("a user name that is no UTF-8 [MQTT5-3.1.3-12]", 0x81, { 5: "[MQTT5-1.5.4-1]" }, connect5("11", "82", "0001 ff ; User Name")),
  ...invalid("a wildcard in the Will Topic", 0x90, { 4: "[MQTT311-4.7.1-1]" }, connect4("12", "06", '0001 "#" 0000 ; will')),
  ...invalid("a wildcard in the Will Topic", 0x90, { 5: "[MQTT5-4.7.0-1]" }, connect5("14", "06", '00 0001 "+" 0000 ; will')),
  ...invalid("an empty Will Topic", 0x90, { 4: "[MQTT311-4.7.3-1]" }, connect4("11", "06", "0000 0000 ; will")),
  ...invalid("an empty Will Topic", 0x90, { 5: "[MQTT5-4.7.3-1]" }, connect5("13", "06", "00 0000 0000 ; will")),
  ...invalid("a Will Message that leaves the packet", 0x81, { 4: "[MQTT311-4.8.0-1]" }, connect4("12", "06", '0001 "w" 0001 ; will')),
  ...invalid("a Will Payload that leaves the packet", 0x81, { 5: "[5.0/2.1.4/length]" }, connect5("14", "06", '00 0001 "w" 0001 ; will')),
  ...invalid("a password that leaves the packet", 0x81, { 4: "[MQTT311-4.8.0-1]" }, connect4("13", "c2", '0001 "u" 0002 "p"')),
  ...invalid("a password that leaves the packet", 0x81, { 5: "[5.0/2.1.4/length]" }, connect5("11", "42", '0002 "p" ; Password')),
];
