/**
 * The sockets for which something was gathered, in the order in which it leaves: what an event brings with the next flush, what one message
 * brings to very many in slices. So nobody's answer stands behind a thousand frames, and the sockets that wait share their frames
 * with what comes meanwhile. Of one socket all leaves together and in order.
 */

import type { SessionCore } from "../session/core.ts";
import { Deque } from "../session/deque.ts";
import { SocketWire } from "./socket-wire.ts";

export class Outgoing {
  readonly #core: Pick<SessionCore, "isForMany" | "slices">;
  #next: SocketWire[] = [];
  readonly #inTurn = new Deque<SocketWire>();

  constructor(core: Pick<SessionCore, "isForMany" | "slices">) {
    this.#core = core;
  }

  /** Something is left for another slice. */
  get isLeft(): boolean {
    return this.#inTurn.length > 0;
  }

  wire(socket: WebSocket): SocketWire {
    return new SocketWire(socket, this.#changed);
  }

  readonly #changed = (wire: SocketWire): void => {
    if (!this.#core.isForMany) {
      wire.leaves = "next";
      this.#next.push(wire);
      return;
    }
    wire.leaves ??= "in turn";
    if (wire.hasTurn) return;
    wire.hasTurn = true;
    this.#inTurn.push(wire);
  };

  /** @param send sends all that was gathered for a socket */
  flush(send: (wire: SocketWire) => void): void {
    const wires = this.#next;
    this.#next = [];
    for (const wire of wires) send(wire);
  }

  /** Sends a slice of what leaves in turn. */
  flushSlice(send: (wire: SocketWire) => void): void {
    for (let frames = 0; frames < this.#core.slices.frames; ) {
      const wire = this.#inTurn.shift();
      if (wire === undefined) return;
      wire.hasTurn = false;
      // Else it has left with something that was sent to this socket alone.
      if (wire.leaves !== "in turn") continue;
      send(wire);
      frames += 1;
    }
  }
}
