/** The first of many names, of which no more are kept than are asked for. */

export class FirstNames {
  readonly #most: number;
  #names: string[] = [];
  /** One behind this is none of the first. */
  #last: string | undefined;

  constructor(most: number) {
    this.#most = most;
  }

  add(name: string): void {
    if (this.#last !== undefined && name > this.#last) return;
    this.#names.push(name);
    // Now and then, so that it costs little for each.
    if (this.#names.length >= 2 * this.#most) this.#cut();
  }

  #cut(): void {
    this.#names = this.#names.sort().slice(0, this.#most);
    if (this.#names.length === this.#most) this.#last = this.#names.at(-1);
  }

  sorted(): readonly string[] {
    this.#cut();
    return this.#names;
  }
}
