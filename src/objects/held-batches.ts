/** What an object gives to one that has many batches for it, to be held (`caller.ts`). */

import { RpcTarget } from "cloudflare:workers";
import type { HeldCalls } from "./calls.ts";

export class HeldBatches extends RpcTarget implements HeldCalls {
  readonly #take: (batch: Uint8Array) => Promise<Uint8Array>;

  constructor(take: (batch: Uint8Array) => Promise<Uint8Array>) {
    super();
    this.#take = take;
  }

  /** As a call on its object would be, but not billed as a request. */
  take(batch: Uint8Array): Promise<Uint8Array> {
    return this.#take(batch);
  }
}
