/** A Durable Object that writes rows through the broker's own store, and does nothing else. */

import { DurableObject } from "cloudflare:workers";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { SqliteSessionStore } from "../../src/storage/sqlite-session-store.ts";

export class StoreObject extends DurableObject {
  readonly #meter = createRowMeter();
  readonly #store = new SqliteSessionStore(this.ctx.storage.sql, this.#meter);
  #number = 0;

  /** Nothing but the call. */
  nothing(): number {
    return 0;
  }

  /** Writes rows of a message log in one transaction. @returns how many were written */
  put(rows: number, bytes: number): number {
    const before = this.#meter.rowsWritten;
    for (let row = 0; row < rows; row += 1) {
      this.#number = (this.#number + 1) % 1000;
      this.#store.putChunk({ number: this.#number, heads: new Uint8Array(16), records: new Uint8Array(bytes) });
    }
    return this.#meter.rowsWritten - before;
  }

  /** Reads all of them. */
  read(): number {
    return this.#store.chunkHeads(0, 1_000_000).length;
  }
}

export default { fetch: (): Response => new Response() };
