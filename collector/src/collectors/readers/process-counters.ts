import { CounterIncreases } from '../parsing/counter-increases.ts';
import type { ProcessRecord } from './process-scan.ts';

/** What the processes of one name have used since the collector started, those that have ended among them. */
export interface NameTotals {
  ticks: number;
  starts: number;
}

/**
 * Adds up the processor time of the processes of each name. A sum over those that are alive would fall when one ends: what each used
 * since the last scrape is added to a total instead.
 */
export class ProcessCounters {
  readonly #totals: ReadonlyMap<string, NameTotals>;
  readonly #increases = new CounterIncreases<'ticks'>();
  /** Processes and the names that they had at the last scrape; undefined before the first one. */
  #before: ReadonlyMap<string, readonly string[]> | undefined;
  /** Start of the youngest process at the last scrape: one that started later is new, and so is all that it has used. */
  #youngestTicks = 0;

  constructor(names: readonly string[]) {
    this.#totals = new Map(names.map((name) => [name, { ticks: 0, starts: 0 }]));
  }

  /**
   * Adds a scrape. What runs at the first one is counted from there on: it may be older than the collector by months.
   *
   * @param isWhole false if there were more processes than could be read: then one that appears may be old too
   */
  update(processes: readonly ProcessRecord[], isWhole: boolean): ReadonlyMap<string, NameTotals> {
    const before = this.#before;
    const wanted = new Map(processes.filter(({ names }) => names.length > 0).map((one) => [toIdentity(one), one]));
    const increases = this.#increases.update(wanted);
    for (const [identity, { ticks, startTicks, names }] of wanted) {
      const isNew = before !== undefined && !before.has(identity) && startTicks > this.#youngestTicks;
      const used = increases.get(identity)?.ticks ?? (isNew ? ticks : 0);
      for (const name of names) {
        const total = this.#totals.get(name)!;
        total.ticks += used;
        if (before !== undefined && !before.get(identity)?.includes(name)) total.starts += 1;
      }
    }
    this.#before = new Map([...wanted].map(([identity, { names }]) => [identity, names]));
    this.#youngestTicks = isWhole
      ? processes.reduce((youngest, { startTicks }) => Math.max(youngest, startTicks), 0)
      : Infinity;
    return this.#totals;
  }
}

/** A process id is used again, but not with the same start. */
function toIdentity({ pid, startTicks }: ProcessRecord): string {
  return `${pid}:${startTicks}`;
}
