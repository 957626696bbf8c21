/** The packets of one client as those are told who watch it (`traces.ts`): a bounded number of them in each second, in a bounded size. */

import { decodePacket } from "../mqtt/decode.ts";
import type { Connect, Packet, ProtocolVersion } from "../mqtt/packet.ts";
import type { Violation } from "../mqtt/violation.ts";
import { TRACED_BYTES_MAX, TRACED_PACKETS_PER_SECOND, TRACED_TEXT_MAX } from "../work-limits.ts";
import { type PacketView, packetView } from "./packet-view.ts";

/** One socket that watches. */
export class Watcher {
  readonly #socket: WebSocket;
  #second = 0;
  #told = 0;
  #leftOut = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  tell(now: number, view: PacketView): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#told = 0;
    }
    if (this.#told === TRACED_PACKETS_PER_SECOND) {
      this.#leftOut += 1;
      return;
    }
    this.#told += 1;
    const leftOut = this.#leftOut > 0 && { left_out: this.#leftOut };
    this.#leftOut = 0;
    const text = JSON.stringify({ time: now, ...view, ...leftOut });
    try {
      this.#socket.send(text.length > TRACED_BYTES_MAX ? JSON.stringify({ time: now, ...cut(view), ...leftOut }) : text);
    } catch {
      // It has gone: its close event comes.
    }
  }
}

/** What is short of a packet, and the beginnings of its texts: neither lists nor properties. */
function cut(view: PacketView): PacketView {
  const short = Object.entries(view).flatMap(([name, value]) => {
    if (typeof value === "string" && value.length > TRACED_TEXT_MAX) return [[name, `${value.slice(0, TRACED_TEXT_MAX)} …`]];
    return typeof value === "object" && value !== null ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(short), cut: true };
}

/** The packets of one client, for those who watch it. */
export class Tap {
  readonly watchers = new Map<WebSocket, Watcher>();
  readonly #now: () => number;
  #version: ProtocolVersion = 5;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Its connection speaks this version. */
  speaks(version: ProtocolVersion): void {
    this.#version = version;
  }

  /** Its CONNECT was let in, as this user. */
  connects(connect: Connect, { userName = null }: { readonly userName: string | null | undefined }): void {
    this.#version = connect.version;
    this.#tell({ direction: "in", ...packetView(connect), username: userName });
  }

  came(packet: Packet | Violation, size: number | undefined): void {
    this.#tell({ direction: "in", ...packetView(packet), ...(size !== undefined && { size }) });
  }

  sent(bytes: Uint8Array): void {
    this.#tell({ direction: "out", ...packetView(decodePacket(bytes, this.#version)), size: bytes.length });
  }

  /** The broker ends the connection. */
  closes(code: number, reason: string): void {
    this.#tell({ direction: "out", packet: "close", close_code: code, ...(reason !== "" && { reason }) });
  }

  /** The connection is over. */
  lost(): void {
    this.#tell({ direction: "in", packet: "closed" });
  }

  #tell(view: PacketView): void {
    for (const watcher of this.watchers.values()) watcher.tell(this.#now(), view);
  }
}
