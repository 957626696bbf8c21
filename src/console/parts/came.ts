/** How many rows have come before those of a list, of which some are shown: so that what is read can stay where it is. */

export class CameCount {
  #of: unknown;
  #last = 0;
  #count = 0;

  /**
   * @param of which ones are shown: when it is another, nothing has come
   * @param shown the oldest first, counted from 1; counting begins anew when all are forgotten
   * @returns how many of those that were shown have come since the start
   */
  next(of: unknown, shown: readonly { readonly id: number }[]): number {
    const newest = shown.at(-1)?.id ?? this.#last;
    if (of === this.#of && newest > this.#last) this.#count += shown.length - behind(shown, this.#last);
    this.#of = of;
    this.#last = newest;
    return this.#count;
  }
}

/** @returns where those begin that have come after it */
function behind(shown: readonly { readonly id: number }[], last: number): number {
  let at = shown.length;
  while (at > 0 && shown[at - 1]!.id > last) at -= 1;
  return at;
}
