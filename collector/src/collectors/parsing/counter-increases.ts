/** The counters of one core or device at one scrape. */
export type Counters<Name extends string> = Readonly<Record<Name, number>>;

/** Computes by how much counters of several cores or devices increased since the last scrape. */
export class CounterIncreases<Name extends string> {
  readonly #mayDecrease: ReadonlySet<string>;
  #before: ReadonlyMap<string, Counters<Name>> = new Map();

  /** `mayDecrease` names counters that the kernel may decrease; a decrease counts as no increase. */
  constructor(mayDecrease: readonly Name[] = []) {
    this.#mayDecrease = new Set(mayDecrease);
  }

  /**
   * Remembers the current counters and returns the increases. A core or device is left out for one scrape if it was not
   * there at the last one, and if any of its counters decreased: it was reset or wrapped around, and the others may have
   * been reset too.
   */
  update(now: ReadonlyMap<string, Counters<Name>>): Map<string, Counters<Name>> {
    const before = this.#before;
    this.#before = now;
    const increases = new Map<string, Counters<Name>>();
    for (const [source, counters] of now) {
      const earlier = before.get(source);
      const increase = earlier && this.#increase(earlier, counters);
      if (increase !== undefined) increases.set(source, increase);
    }
    return increases;
  }

  #increase(earlier: Counters<Name>, now: Counters<Name>): Counters<Name> | undefined {
    const increase: Partial<Record<Name, number>> = {};
    for (const name of Object.keys(now) as Name[]) {
      const difference = now[name] - earlier[name];
      if (difference < 0 && !this.#mayDecrease.has(name)) return undefined;
      increase[name] = Math.max(0, difference);
    }
    return increase as Counters<Name>;
  }
}
