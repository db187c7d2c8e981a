/** The counters of one core or device at one scrape. */
export type Counters<Name extends string> = Readonly<Record<Name, number>>;

/**
 * Returns the increases of the counters of one core or device, given by how much each changed since the last scrape;
 * undefined if that cannot be known.
 */
export type ChangeJudge<Name extends string> = (changes: Counters<Name>) => Counters<Name> | undefined;

/** Computes by how much counters of several cores or devices increased since the last scrape. */
export class CounterIncreases<Name extends string> {
  readonly #judge: ChangeJudge<Name>;
  #before: ReadonlyMap<string, Counters<Name>> = new Map();

  constructor(judge: ChangeJudge<Name> = refuseDecreases) {
    this.#judge = judge;
  }

  /**
   * Remembers the current counters and returns the increases. A core or device is left out for one scrape if it was not
   * there at the last one, and if the judge cannot know its increases.
   */
  update(now: ReadonlyMap<string, Counters<Name>>): Map<string, Counters<Name>> {
    const before = this.#before;
    this.#before = now;
    const increases = new Map<string, Counters<Name>>();
    for (const [source, counters] of now) {
      const earlier = before.get(source);
      const increase = earlier && this.#judge(subtract(counters, earlier));
      if (increase !== undefined) increases.set(source, increase);
    }
    return increases;
  }
}

/** Judges that a counter that decreased was reset or wrapped around, and that the others may have been reset too. */
function refuseDecreases<Name extends string>(changes: Counters<Name>): Counters<Name> | undefined {
  return Object.values<number>(changes).some((change) => change < 0) ? undefined : changes;
}

function subtract<Name extends string>(now: Counters<Name>, earlier: Counters<Name>): Counters<Name> {
  const names = Object.keys(now) as Name[];
  return Object.fromEntries(names.map((name) => [name, now[name] - earlier[name]])) as Counters<Name>;
}
