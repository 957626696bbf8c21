/**
 * The room on the disk of one's own machine. Objects can't see it: who runs the broker there looks, and sets this for all objects of the
 * process. On the platform nobody sets it; an object that is at its bound there is refused its rows (`guarded-store.ts`).
 */
import type { Room } from "../room.ts";

export const LOCAL_ROOM: Room & { isFull: boolean } = { isFull: false };
