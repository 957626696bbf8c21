/**
 * Whether there is room for more rows. Where there is none, what needs a row of its own is refused before anything is begun, and everything
 * else goes on; what is small and ends something that is stored is still written.
 */
export interface Room {
  readonly isFull: boolean;
}

/** Where nobody looks. */
export const ENOUGH_ROOM: Room = { isFull: false };
