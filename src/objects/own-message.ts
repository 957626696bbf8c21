/** A message of no client: of the Worker's own code, or of another Worker. No rights are asked for it. */

import { messageOfPublish } from "../mqtt/message.ts";
import type { Publish } from "../mqtt/packet.ts";
import type { Receipt } from "../mqtt/receipt.ts";
import type { Runtime } from "../runtime.ts";
import { handOn } from "../session/consume.ts";
import type { SessionCore } from "../session/core.ts";

export interface OwnMessageOptions {
  readonly core: () => SessionCore;
  readonly runtime: Runtime;
  /** Called after anything that may have left something to flush. */
  readonly flushSoon: () => void;
  /** Resolves once everything so far is in rows, and sent. */
  readonly written: () => Promise<void>;
}

/**
 * Not to be called in the midst of what the core does.
 * @param receipt counts who takes it
 * @returns the Reason Code of what became of it, once all who are to keep it have it in rows; from 0x80 on not everyone has it
 */
export async function handOnOwn(
  { core, runtime, flushSoon, written }: OwnMessageOptions,
  publish: Publish,
  receipt?: Receipt,
): Promise<number> {
  const outcome = await new Promise<number>((settled) => {
    const now = runtime.now();
    core().now = now;
    const message = messageOfPublish(publish, publish.topic, core().nextOrigin(""), now);
    message.receipt = receipt;
    handOn(core(), message, { settled }, undefined);
    flushSoon();
  });
  await written();
  return outcome;
}
