import type { NameRules } from '../parsing/name-filter.ts';

/** Interfaces to report, and the maximum number of them. */
export interface InterfaceRules extends NameRules {
  readonly maxInterfaces: number;
}

/**
 * Limits the number of reported interfaces, on devices where software creates them by the hundred.
 *
 * A reported interface stays reported while it exists. One that disappears keeps its place, so that a modem link that
 * comes and goes is still reported, until another interface needs the place. Free places are assigned in the order of
 * names, with numbers compared as numbers: `eth2` before `eth10`.
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
   * How often an interface began to be unreported: once for each, not at each scrape; again only if it disappeared or
   * was reported in between.
   */
  get droppedTotal(): number {
    return this.#droppedTotal;
  }

  /** The interfaces that were left out first, for the log; empty while none was. */
  get firstUnreported(): readonly string[] {
    return this.#firstUnreported;
  }

  /** Returns which of the present interfaces are reported. */
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

  /** Returns whether a place is free, after freeing that of the longest chosen interface that is absent if need be. */
  #claimPlace(presentNames: ReadonlySet<string>): boolean {
    if (this.#chosen.size < this.#max) return true;
    for (const name of this.#chosen) if (!presentNames.has(name)) return this.#chosen.delete(name);
    return false;
  }
}

const numericCollator = new Intl.Collator('en', { numeric: true });

/** The collator takes `eth01` and `eth1` for equal; comparing them as texts too makes the order total. */
function compareNumberedNames(one: string, other: string): number {
  return numericCollator.compare(one, other) || (one < other ? -1 : 1);
}
