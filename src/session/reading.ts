/**
 * How much of what a client was sent it has shown to have read, and what it was asked for that. What waits in a socket nobody tells; what the
 * figures lead to is in `unread.ts`.
 */

import type { Account, Ledger } from "../ledger.ts";

/** A client was asked to show that it reads. */
export interface Question {
  readonly packetId: number;
  /** How many bytes were sent by then. */
  readonly position: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export class Reading {
  /** All bytes that were sent. */
  sentBytes = 0;
  /** What it was asked and has not answered, the oldest first. */
  readonly questions: Question[] = [];
  /** How many of the bytes it has shown to have read. */
  #readBytes = 0;
  /** A message whose acknowledgement shows as much. */
  #sign: { readonly packetId: number; readonly position: number } | undefined;
  readonly #unsent: Account;

  constructor(ledger: Ledger) {
    this.#unsent = ledger.account("unsent");
  }

  /** What was sent and may not have been read. */
  get unreadBytes(): number {
    return this.sentBytes - this.#readBytes;
  }

  sent(bytes: number): void {
    this.sentBytes += bytes;
    this.#unsent.add(bytes);
  }

  /** A message with this Packet Identifier was sent. */
  awaitSign(packetId: number): void {
    this.#sign ??= { packetId, position: this.sentBytes };
  }

  /** The client has acknowledged a message. */
  acknowledged(packetId: number): void {
    if (this.#sign?.packetId !== packetId) return;
    this.hasRead(this.#sign.position);
    this.#sign = undefined;
  }

  /** The client has read so many of the bytes that were sent. */
  hasRead(position: number): void {
    const more = Math.max(0, position - this.#readBytes);
    this.#readBytes += more;
    this.#unsent.add(-more);
  }

  /** The socket is gone: nothing waits in it any more. */
  end(): void {
    this.hasRead(this.sentBytes);
  }

  isAsked(packetId: number): boolean {
    return this.questions.some((question) => question.packetId === packetId);
  }
}
