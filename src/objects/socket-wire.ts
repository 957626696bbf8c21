/**
 * A hibernatable WebSocket as the session core's Wire: packets are gathered and leave as one frame a tick, because frames are the
 * dear part of sending; only what is large has its own. Nothing is sent before the host has flushed its rows.
 */

import { framesOf } from "../mqtt/bytes.ts";
import type { Wire } from "../session/ports.ts";
import type { Tap } from "./tap.ts";

/** WebSocket.OPEN. */
export const SOCKET_OPEN = 1;

/** WebSocket.CLOSING: this end has sent Close, and the other one has not answered. */
export const SOCKET_CLOSING = 2;

export class SocketWire implements Wire {
  readonly socket: WebSocket;
  /** When what was gathered leaves: with the next flush, or in its turn. */
  leaves: "next" | "in turn" | undefined;
  /** It has a place among those that leave in turn, be it with something or not. */
  hasTurn = false;
  /** Somebody watches what is sent and comes here. */
  tap: Tap | undefined;
  readonly #changed: (wire: SocketWire) => void;
  #packets: Uint8Array[] = [];
  #closing: { readonly code: number; readonly reason: string } | undefined;
  #isGone = false;

  /**
   * @param changed called when the wire has something to flush, and again until that leaves with the next flush
   */
  constructor(socket: WebSocket, changed: (wire: SocketWire) => void) {
    this.socket = socket;
    this.#changed = changed;
  }

  /** It was told to close, before it was gone. */
  get closes(): boolean {
    return this.#closing !== undefined && !this.#isGone;
  }

  send(bytes: Uint8Array): void {
    this.#packets.push(bytes);
    this.tap?.sent(bytes);
    this.#mark();
  }

  close(code: number, reason: string): void {
    this.#closing = { code, reason };
    this.tap?.closes(code, reason);
    this.#mark();
  }

  /** Its socket is no more: nothing more is said to it. */
  gone(): void {
    this.#isGone = true;
  }

  attach(state: Uint8Array): void {
    this.socket.serializeAttachment(state);
  }

  #mark(): void {
    if (this.leaves !== "next") this.#changed(this);
  }

  /**
   * Sends what was gathered, then closes if that was asked for. A socket that is gone swallows both.
   * @throws what an open socket throws that does not take the frame: what was gathered is lost
   */
  flush(): void {
    this.leaves = undefined;
    if (this.#isGone) return;
    const packets = this.#packets;
    this.#packets = [];
    try {
      for (const frame of framesOf(packets)) this.#send(frame);
    } catch (error) {
      // Else it closed meanwhile, and its close event ends the connection; or it is closed now.
      if (this.socket.readyState === SOCKET_OPEN && this.#closing === undefined) throw error;
    }
    if (this.#closing !== undefined) this.#close(this.#closing);
  }

  #send(frame: Uint8Array): void {
    this.socket.send(frame);
  }

  #close({ code, reason }: { readonly code: number; readonly reason: string }): void {
    try {
      // Its connection has ended: an object that wakes before the client has answered must not take it for one that lives.
      this.socket.serializeAttachment(null);
      this.socket.close(code, reason);
    } catch {
      // It closed meanwhile.
    }
  }
}
