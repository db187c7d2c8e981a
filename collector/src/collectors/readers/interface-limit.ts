/**
 * Keeps the number of reported interfaces bounded, on boards where software makes them by the hundred.
 *
 * An interface that has a place keeps it while it is there. One that goes keeps its place too, so that a modem link
 * that comes and goes is not lost, until another needs the place. Free places go in the order of names, numbers within
 * them as numbers: `eth2` before `eth10`.
 */
export class InterfaceLimit {
  readonly #max: number;
  readonly #chosen = new Set<string>();
  #unreported: ReadonlySet<string> = new Set();
  #droppedTotal = 0;
  #firstUnreported: readonly string[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * How often an interface began to wait for a place: once for each, not once a scrape; again only after it had left
   * or had a place in between.
   */
  get droppedTotal(): number {
    return this.#droppedTotal;
  }

  /** The interfaces that were the first to wait, for whoever tells it once; empty while none has. */
  get firstUnreported(): readonly string[] {
    return this.#firstUnreported;
  }

  /** Which of the interfaces that are there now have a place. */
  choose(present: readonly string[]): ReadonlySet<string> {
    const presentNames = new Set(present);
    const unreported = new Set<string>();
    for (const name of present.filter((one) => !this.#chosen.has(one)).sort(compareNumberedNames)) {
      if (this.#claimPlace(presentNames)) this.#chosen.add(name);
      else unreported.add(name);
    }
    for (const name of unreported) if (!this.#unreported.has(name)) this.#droppedTotal += 1;
    if (this.#firstUnreported.length === 0) this.#firstUnreported = [...unreported];
    this.#unreported = unreported;
    return new Set(present.filter((name) => this.#chosen.has(name)));
  }

  /** Whether a place is free, or could be freed of the one that has been chosen longest and is not there. */
  #claimPlace(presentNames: ReadonlySet<string>): boolean {
    if (this.#chosen.size < this.#max) return true;
    for (const name of this.#chosen) if (!presentNames.has(name)) return this.#chosen.delete(name);
    return false;
  }
}

const numericCollator = new Intl.Collator('en', { numeric: true });

/** `eth01` and `eth1` are one to the collator; comparing them as texts too makes the order a total one. */
function compareNumberedNames(one: string, other: string): number {
  return numericCollator.compare(one, other) || (one < other ? -1 : 1);
}
