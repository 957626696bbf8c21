/**
 * A cursor over one packet that records the first violation instead of throwing. After a violation every read returns a neutral
 * value and the cursor stands at the end, so that loops over the rest end by themselves; who reads asks `violation` once, last.
 */

import { decodeUtf8, EMPTY_BYTES, INCOMPLETE, NOT_MINIMAL, readVariableByteInteger, variableByteIntegerLength } from "./bytes.ts";
import type { ProtocolVersion } from "./packet.ts";
import { MALFORMED_PACKET, PROTOCOL_ERROR } from "./reason-code.ts";
import { VIOLATION, type Violation } from "./violation.ts";

export class Reader {
  readonly bytes: Uint8Array;
  readonly version: ProtocolVersion;
  offset: number;
  /** Nothing at or behind it is read. The property section narrows it for a while. */
  end: number;
  violation: Violation | undefined = undefined;

  constructor(bytes: Uint8Array, offset: number, end: number, version: ProtocolVersion) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.version = version;
  }

  /** The bytes can't be parsed: 0x81. Clauses: that of 5.0, that of 3.x. */
  malformed(clause5: string, clause3: string, message: string): Violation {
    return this.#fail("malformed", MALFORMED_PACKET, clause5, clause3, message);
  }

  /** The bytes can be parsed but say what is not allowed. */
  protocolError(clause5: string, clause3: string, message: string, reasonCode: number = PROTOCOL_ERROR): Violation {
    return this.#fail("protocol", reasonCode, clause5, clause3, message);
  }

  #fail(kind: Violation["kind"], reasonCode: number, clause5: string, clause3: string, message: string): Violation {
    this.offset = this.end;
    this.violation ??= { type: VIOLATION, kind, clause: this.version === 5 ? clause5 : clause3, reasonCode, message };
    return this.violation;
  }

  #truncated(field: string): Violation {
    return this.malformed("5.0/2.1.4/length", "MQTT311-4.8.0-1", `${field}: the packet ends within it`);
  }

  byte(field: string): number {
    if (this.offset >= this.end) {
      this.#truncated(field);
      return 0;
    }
    return this.bytes[this.offset++];
  }

  uint16(field: string): number {
    const at = this.offset;
    if (at + 2 > this.end) {
      this.#truncated(field);
      return 0;
    }
    this.offset = at + 2;
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  uint32(field: string): number {
    const high = this.uint16(field);
    const low = this.uint16(field);
    return high * 0x1_0000 + low;
  }

  variableByteInteger(field: string): number {
    const value = readVariableByteInteger(this.bytes, this.offset, this.end);
    if (value >= 0) {
      this.offset += variableByteIntegerLength(value);
      return value;
    }
    if (value === INCOMPLETE) this.#truncated(field);
    else if (value === NOT_MINIMAL) {
      this.malformed("MQTT5-1.5.5-1", "3.1.1/2.2.3/length", `${field}: expected the shortest form of a Variable Byte Integer`);
    } else this.malformed("5.0/1.5.5/five-bytes", "3.1.1/2.2.3/length", `${field}: expected at most four bytes`);
    return 0;
  }

  /** A UTF-8 Encoded String. */
  string(field: string): string {
    const length = this.uint16(field);
    const start = this.offset;
    const end = start + length;
    if (end > this.end) {
      this.#truncated(field);
      return "";
    }
    const text = decodeUtf8(this.bytes, start, end);
    if (text === undefined) {
      if (this.bytes.subarray(start, end).includes(0)) {
        this.malformed("MQTT5-1.5.4-2", "MQTT311-1.5.3-2", `${field}: holds U+0000; expected a string without it`);
      } else this.malformed("MQTT5-1.5.4-1", "MQTT311-1.5.3-1", `${field}: expected well-formed UTF-8`);
      return "";
    }
    this.offset = end;
    return text;
  }

  /** Binary Data: a view, not a copy. */
  binary(field: string): Uint8Array {
    const length = this.uint16(field);
    const start = this.offset;
    const end = start + length;
    if (end > this.end) {
      this.#truncated(field);
      return EMPTY_BYTES;
    }
    this.offset = end;
    return this.bytes.subarray(start, end);
  }

  /** All that is left: a view, not a copy. */
  rest(): Uint8Array {
    const start = this.offset;
    this.offset = this.end;
    return start === this.end ? EMPTY_BYTES : this.bytes.subarray(start, this.end);
  }

  /** A Packet Identifier where one is required: never 0 [MQTT5-2.2.1-3] [MQTT5-2.2.1-4] [MQTT311-2.3.1-1]. */
  packetId(): number {
    const id = this.uint16("Packet Identifier");
    if (id === 0) this.protocolError("MQTT5-2.2.1-3", "MQTT311-2.3.1-1", "Packet Identifier: expected 1 to 65535");
    return id;
  }

  /** The packet must end here [5.0/2.1.4/length]. */
  expectEnd(packet: string): void {
    if (this.offset < this.end) {
      this.malformed("5.0/2.1.4/length", "MQTT311-4.8.0-1", `${packet}: expected its end, found ${this.end - this.offset} more bytes`);
    }
  }
}
