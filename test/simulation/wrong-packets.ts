/** Packets that no client may send: each ends its connection, or is refused, and nothing else happens. */

export interface WrongPacket {
  readonly what: string;
  readonly bytes: Uint8Array;
}

export const WRONG_PACKETS: readonly WrongPacket[] = [
  { what: "a packet that does not exist", bytes: Uint8Array.of(0x0f, 0) },
  { what: "a packet that only a Server may send", bytes: Uint8Array.of(0xd0, 0) },
  { what: "a second CONNECT", bytes: Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 1, 0x78) },
  { what: "SUBSCRIBE without a filter", bytes: Uint8Array.of(0x82, 3, 0, 1, 0) },
  { what: "PUBLISH at QoS 3", bytes: Uint8Array.of(0x36, 5, 0, 1, 0x61, 0, 1) },
  { what: "PUBLISH to a wildcard", bytes: Uint8Array.of(0x30, 4, 0, 1, 0x23, 0) },
  { what: "PUBREL with wrong flags", bytes: Uint8Array.of(0x60, 2, 0, 1) },
  { what: "a length that never ends", bytes: Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 1) },
];

/** Packets that make no sense where they come, and end nothing. */
export const ODD_PACKETS: readonly WrongPacket[] = [
  { what: "PUBACK for nothing", bytes: Uint8Array.of(0x40, 2, 0xff, 0xf0) },
  { what: "PUBREL for nothing", bytes: Uint8Array.of(0x62, 2, 0xff, 0xf2) },
  { what: "PUBCOMP for nothing", bytes: Uint8Array.of(0x70, 2, 0xff, 0xf3) },
];
