/**
 * Point-in-time recovery: the platform keeps the last 30 days of an object's database and can put it back to any moment of them. Who may
 * ask for that is up to whoever can call the object: no path of the Worker leads here (docs/operations.md, Backups).
 */

import type { Runtime } from "../runtime.ts";
import { log } from "./log.ts";

/** So long that the answer is out before the object is reset. */
const RESET_MS = 1000;

export interface RecoverableState {
  readonly storage: Pick<DurableObjectStorage, "getBookmarkForTime" | "onNextSessionRestoreBookmark">;
  abort(reason: string): void;
}

/**
 * Puts the object's database back and resets the object: its connections end, and it starts from what was stored then.
 * @param object its name
 * @param to a time, milliseconds since the epoch, or a bookmark
 * @returns a bookmark of the moment before this, to undo it
 */
export async function recover(object: string, state: RecoverableState, runtime: Runtime, to: number | string): Promise<string> {
  const bookmark = typeof to === "string" ? to : await state.storage.getBookmarkForTime(to);
  const undo = await state.storage.onNextSessionRestoreBookmark(bookmark);
  log("storage goes back", { object, to, bookmark, undo });
  runtime.after(RESET_MS, () => state.abort("its storage goes back to an earlier moment"));
  return undo;
}
