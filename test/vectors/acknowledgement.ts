import { type Acknowledgement, type AcknowledgementType, NO_PROPERTIES, PUBACK, PUBCOMP, PUBREC, PUBREL } from "../../src/mqtt/packet.ts";
import { invalid, tolerated, type Vector, valid } from "./vector.ts";

const acknowledgement = (type: AcknowledgementType, fields: Partial<Acknowledgement> = {}): Acknowledgement => ({
  type,
  packetId: 0x1234,
  reasonCode: 0,
  properties: NO_PROPERTIES,
  ...fields,
});

const ALL = [3, 4, 5] as const;

export const ACKNOWLEDGEMENT_VECTORS: readonly Vector[] = [
  ...valid("[5.0/3.4.2.1/short] [MQTT5-2.2.1-5] [MQTT311-2.3.1-6] PUBACK in its short form", ALL, "40 02 1234", acknowledgement(PUBACK)),
  ...valid("[5.0/3.4.2.1/short] [MQTT5-2.2.1-5] [MQTT311-2.3.1-6] PUBREC in its short form", ALL, "50 02 1234", acknowledgement(PUBREC)),
  ...valid("[5.0/3.4.2.1/short] [MQTT5-2.2.1-5] [MQTT311-2.3.1-6] PUBREL in its short form", ALL, "62 02 1234", acknowledgement(PUBREL)),
  ...valid("[5.0/3.4.2.1/short] [MQTT5-2.2.1-5] PUBCOMP in its short form", ALL, "70 02 1234", acknowledgement(PUBCOMP)),
  ...valid("[5.0/3.4.2.1/short] PUBACK with a Reason Code alone", [5], "40 03 1234 10", acknowledgement(PUBACK, { reasonCode: 0x10 })),
  ...valid("[5.0/3.4.2.1/short] PUBREC with a Reason Code alone", [5], "50 03 1234 97", acknowledgement(PUBREC, { reasonCode: 0x97 })),
  ...valid("[5.0/3.4.2.1/short] PUBREL with a Reason Code alone", [5], "62 03 1234 92", acknowledgement(PUBREL, { reasonCode: 0x92 })),
  ...valid("[5.0/3.4.2.1/short] PUBCOMP with a Reason Code alone", [5], "70 03 1234 92", acknowledgement(PUBCOMP, { reasonCode: 0x92 })),
  ...tolerated("PUBACK with success written out", [5], "40 03 1234 00", acknowledgement(PUBACK)),
  ...tolerated("PUBACK with success and no properties written out", [5], "40 04 1234 00 00", acknowledgement(PUBACK)),
  ...valid(
    "PUBACK with a Reason String and a User Property",
    [5],
    `40                       ; PUBACK
     10                       ; Remaining Length
     1234                     ; Packet Identifier
     87                       ; Reason Code
     0c                       ; Property Length
     1f 0002 "no"             ; Reason String
     26 0001 "k" 0001 "v"     ; User Property`,
    acknowledgement(PUBACK, { reasonCode: 0x87, properties: { reasonString: "no", userProperties: [["k", "v"]] } }),
  ),
  ...valid("[3.1/fixed-header/dup] PUBREL of 3.1", [3], "62 02 1234", acknowledgement(PUBREL)),
  ...tolerated("[3.1/fixed-header/dup] PUBREL of 3.1 with DUP", [3], "6a 02 1234", acknowledgement(PUBREL)),

  ...invalid("PUBREL with DUP", 0x81, { 4: "[MQTT311-3.6.1-1]", 5: "[MQTT5-3.6.1-1]" }, "6a 02 1234"),
  ...invalid("PUBREL with flags 0000", 0x81, { 3: "[MQTT311-3.6.1-1]", 4: "[MQTT311-3.6.1-1]", 5: "[MQTT5-3.6.1-1]" }, "60 02 1234"),
  ...invalid("PUBACK with flags 0010", 0x81, { 3: "[MQTT311-2.2.2-2]", 4: "[MQTT311-2.2.2-2]", 5: "[MQTT5-2.1.3-1]" }, "42 02 1234"),
  ...invalid("PUBREC with flags 0001", 0x81, { 3: "[MQTT311-2.2.2-2]", 4: "[MQTT311-2.2.2-2]", 5: "[MQTT5-2.1.3-1]" }, "51 02 1234"),
  ...invalid("PUBCOMP with flags 1000", 0x81, { 3: "[MQTT311-2.2.2-2]", 4: "[MQTT311-2.2.2-2]", 5: "[MQTT5-2.1.3-1]" }, "78 02 1234"),
  ...invalid("PUBACK of Packet Identifier 0", 0x82, { 4: "[MQTT311-2.3.1-1]", 5: "[MQTT5-2.2.1-3]" }, "40 02 0000"),
  ...invalid("PUBACK without Packet Identifier", 0x81, { 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, "40 00"),
  ...invalid("PUBACK with half a Packet Identifier", 0x81, { 4: "[MQTT311-4.8.0-1]", 5: "[5.0/2.1.4/length]" }, "40 01 12"),
  ...invalid("PUBACK with a Reason Code in 3.x", 0x81, { 3: "[MQTT311-4.8.0-1]", 4: "[MQTT311-4.8.0-1]" }, "40 03 1234 00"),
  ...invalid("a Reason Code that PUBACK doesn't have", 0x82, { 5: "[MQTT5-3.4.2-1]" }, "40 03 1234 92"),
  ...invalid("a Reason Code that PUBREC doesn't have", 0x82, { 5: "[MQTT5-3.5.2-1]" }, "50 03 1234 01"),
  ...invalid("a Reason Code that PUBREL doesn't have", 0x82, { 5: "[MQTT5-3.6.2-1]" }, "62 03 1234 80"),
  ...invalid("a Reason Code that PUBCOMP doesn't have", 0x82, { 5: "[MQTT5-3.7.2-1]" }, "70 03 1234 10"),
  ...invalid("bytes behind the properties of PUBACK", 0x81, { 5: "[5.0/2.1.4/length]" }, "40 05 1234 00 00 00"),
  ...invalid("a Property Length that leaves PUBACK", 0x81, { 5: "[5.0/2.1.4/length]" }, "40 04 1234 00 01"),
];
