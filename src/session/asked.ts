/**
 * Subscriptions to one filter that follow each other before Topic objects have answered. Each that is granted is to be in a row, for its
 * client is told; but not behind a later one, nor behind UNSUBSCRIBE.
 */

/** @template Item a subscription */
export class Asked<Item> {
  readonly #subscription: Item;
  /** What stood before it was asked for. */
  readonly #previous: Item | undefined;
  /** The one that was asked for before and was not answered then. */
  readonly #before: Asked<Item> | undefined;
  #state: "open" | "granted" | "refused" = "open";
  #overtaken = false;

  constructor(subscription: Item, previous: Item | undefined, before: Asked<Item> | undefined) {
    this.#subscription = subscription;
    this.#previous = previous;
    this.#before = before?.isOpen ? before : undefined;
  }

  /** This one, or one before it, awaits its answer. */
  get isOpen(): boolean {
    return this.#state === "open" || this.#before?.isOpen === true;
  }

  /** @returns whether it is to have a row: no later one has been granted, and nobody has unsubscribed */
  grant(): boolean {
    this.#state = "granted";
    this.#before?.overtake();
    return !this.#overtaken;
  }

  refuse(): void {
    this.#state = "refused";
  }

  /** What comes after it counts: it has no row any more, whatever its answer. */
  overtake(): void {
    this.#overtaken = true;
    this.#before?.overtake();
  }

  /** What has been granted last, as far as that is known: it stands if nothing more is. */
  get granted(): Item | undefined {
    if (this.#state === "granted") return this.#subscription;
    return this.#before === undefined ? this.#previous : this.#before.granted;
  }

  /** What stands in the place of one that was refused. */
  get instead(): Item | undefined {
    if (this.#state !== "refused") return this.#subscription;
    return this.#before === undefined ? this.#previous : this.#before.instead;
  }
}

/**
 * What of all subscriptions is to be kept and to be known elsewhere: of those that are not answered yet what was granted before them.
 * @param asked the last one for each filter, as long as one is not answered
 */
export function grantedOf<Item>(
  all: Iterable<readonly [filter: string, subscription: Item]>,
  asked: ReadonlyMap<string, Asked<Item>> | undefined,
): Item[] {
  const found: Item[] = [];
  for (const [filter, standing] of all) {
    const last = asked?.get(filter);
    const granted = last?.isOpen ? last.granted : standing;
    if (granted !== undefined) found.push(granted);
  }
  return found;
}
