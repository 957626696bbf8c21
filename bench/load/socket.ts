/**
 * The client's side of a WebSocket with MQTT in it, as small as it can be: the upgrade, unmasked frames of any size cut anywhere, and the
 * packets in them cut anywhere. Only the beginning of a packet is looked at; payloads are skipped, never copied.
 */

import { connect, type Socket } from "node:net";

/** Fixed header, length of the topic: what must be there before the rest of the head is known. */
const HEAD_BYTES = 1024;

export interface PacketListener {
  /**
   * @param packetId of acknowledgements and of PUBLISH above QoS 0, else 0
   * @param body the whole of CONNACK; of PUBLISH the Topic Name where topics are wanted; else undefined
   */
  packet(firstByte: number, packetId: number, body: Uint8Array | undefined): void;
  /** A frame was read to its end. */
  frameEnd(): void;
  /** All that came at once was read. */
  idle(): void;
  closed(reason: string): void;
}

export class PacketSocket {
  readonly socket: Socket;
  /** Whether the listener wants to know the topics of messages. */
  topics = false;
  readonly #listener: PacketListener;
  #open: (() => void) | undefined;
  /** The answer to the upgrade, then bytes of a frame's header that was cut. */
  #held: Buffer = Buffer.alloc(0);
  #frameLeft = 0;
  #opcode = 0;
  /** The head of a packet that was cut. */
  readonly #head = Buffer.allocUnsafe(HEAD_BYTES);
  #headLength = 0;
  /** Bytes of the packet's rest that don't matter. */
  #skip = 0;
  #ended = false;

  constructor(url: string, listener: PacketListener) {
    this.#listener = listener;
    const { hostname, port, pathname, search } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
    );
    this.socket.on("data", (data) => this.#receive(data));
    this.socket.on("error", (error) => this.#end(error.message));
    this.socket.on("close", () => this.#end("closed by the broker"));
  }

  /** Resolves when the upgrade was answered. */
  opened(): Promise<void> {
    return new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  /** Ends it from this side: what comes from now on is nobody's business. */
  leave(last: Buffer): void {
    this.#ended = true;
    this.socket.end(last);
    this.socket.resume();
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.socket.destroy();
    this.#listener.closed(reason);
  }

  #receive(data: Buffer): void {
    if (this.#ended) return;
    let bytes = data;
    if (this.#held.length > 0) bytes = Buffer.concat([this.#held, data]);
    let at = 0;
    if (this.#open !== undefined) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) {
        this.#held = bytes;
        return;
      }
      const status = bytes.toString("latin1", 0, bytes.indexOf("\r\n"));
      if (!status.startsWith("HTTP/1.1 101")) {
        this.#end(`the upgrade was answered by ${status}`);
        return;
      }
      this.#open();
      this.#open = undefined;
      at = end + 4;
    }
    this.socket.cork();
    at = this.#readFrames(bytes, at);
    this.#held = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
    this.#listener.idle();
    this.socket.uncork();
  }

  /** @returns where a header stands that is not whole, or the end */
  #readFrames(bytes: Buffer, from: number): number {
    let at = from;
    const end = bytes.length;
    for (;;) {
      if (this.#frameLeft === 0) {
        if (end - at < 2) return at;
        const short = bytes[at + 1]! & 0x7f;
        const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
        if (end - at < headerBytes) return at;
        this.#opcode = bytes[at]! & 0x0f;
        this.#frameLeft = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
        at += headerBytes;
        if (this.#frameLeft === 0) {
          this.#listener.frameEnd();
          continue;
        }
      }
      if (at === end) return at;
      const length = Math.min(this.#frameLeft, end - at);
      // A close, ping or pong has nothing for MQTT; a close is followed by the socket's end.
      if (this.#opcode < 8) this.#readPackets(bytes, at, at + length);
      at += length;
      this.#frameLeft -= length;
      if (this.#frameLeft === 0) this.#listener.frameEnd();
    }
  }

  #readPackets(bytes: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, to - at);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#headLength > 0) {
        // The head of this packet came in pieces.
        this.#head[this.#headLength] = bytes[at]!;
        this.#headLength += 1;
        at += 1;
        if (this.#readHead(this.#head, 0, this.#headLength) > 0) this.#headLength = 0;
      } else {
        const length = this.#readHead(bytes, at, to);
        if (length > 0) {
          at += length;
          continue;
        }
        bytes.copy(this.#head, 0, at, to);
        this.#headLength = to - at;
        return;
      }
    }
  }

  /** @returns how many bytes of the packet were used, 0 when its head is not whole; what is left of it is to be skipped */
  #readHead(bytes: Buffer, from: number, to: number): number {
    let at = from + 1;
    let remaining = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= to) return 0;
      const byte = bytes[at]!;
      at += 1;
      remaining |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const bodyEnd = at + remaining;
    const first = bytes[from]!;
    const type = first >> 4;
    let used = at;
    let packetId = 0;
    let body: Uint8Array | undefined;
    if (type === 3) {
      const idBytes = (first & 0x06) === 0 ? 0 : 2;
      if (idBytes > 0 || this.topics) {
        if (to - at < 2) return 0;
        const idAt = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!);
        if (to < idAt + idBytes) return 0;
        if (idBytes > 0) packetId = (bytes[idAt]! << 8) | bytes[idAt + 1]!;
        if (this.topics) body = bytes.subarray(at + 2, idAt);
        used = idAt + idBytes;
      }
    } else if (type === 2) {
      if (to < bodyEnd) return 0;
      body = new Uint8Array(bytes.subarray(from, bodyEnd));
      used = bodyEnd;
    } else if (remaining >= 2) {
      if (to - at < 2) return 0;
      packetId = (bytes[at]! << 8) | bytes[at + 1]!;
      used = at + 2;
    }
    const available = Math.min(to, bodyEnd);
    this.#skip = bodyEnd - available;
    // In the held head the rest of the body is not there yet.
    if (bytes === this.#head) this.#skip = bodyEnd - used;
    this.#listener.packet(first, packetId, body);
    return bytes === this.#head ? used - from : available - from;
  }
}

const EMPTY = Buffer.alloc(0);
