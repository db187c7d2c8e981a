/** The counters of one source (a core, a device) at one moment. */
export type Counters<Name extends string> = Readonly<Record<Name, number>>;

/** By how much the counters of several sources rose since the read before. */
export class CounterIncreases<Name extends string> {
  readonly #mayFall: ReadonlySet<string>;
  #before: ReadonlyMap<string, Counters<Name>> = new Map();

  /** `mayFall` names counters that the kernel lets go back; for those going back means no increase. */
  constructor(mayFall: readonly Name[] = []) {
    this.#mayFall = new Set(mayFall);
  }

  /**
   * Takes the counters of every source as they are now, and gives the increases of those sources whose increases mean
   * something. A source is left out for one read when it was not there before (first read, or plugged in since), and
   * when any of its counters went back: it was reset or wrapped around, and then its other counters cannot be told
   * from ones that started again too.
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
      if (difference < 0 && !this.#mayFall.has(name)) return undefined;
      increase[name] = Math.max(0, difference);
    }
    return increase as Counters<Name>;
  }
}
