import { collectorSeries } from '@thugshells/shared/metrics/agent-series.ts';
import { canonicalTags, type Reading } from '@thugshells/shared/metrics/sample.ts';

/** How many series may be stored in an hour. */
export interface SeriesLimitOptions {
  readonly perCollector: number;
  readonly total: number;
  /** Collectors that have a limit of their own instead, and the variable that it comes from. */
  readonly own?: ReadonlyMap<string, { readonly variable: string; readonly most: number }>;
}

/** What became of the readings of one scrape. */
export interface LimitedReadings {
  /** Those that may be stored, and how many have been left out, once any has. */
  readonly readings: readonly Reading[];
  /** Why each of the others may not. */
  readonly refusals: readonly string[];
  /** The first series that this collector ever lost, as one sentence; once only. */
  readonly notice?: string;
}

/** A series keeps its place for this long after its last reading: names that change with each reboot of a modem add up. */
const PLACE_HELD_MS = 3_600_000;
/** How many of them a sentence names. */
const NAMED = 3;

/**
 * Keeps the number of series bounded. Names of devices, mounts and interfaces come from outside, and so do whole
 * series; where software makes them by the thousand, the receiver's memory, the database and the link pay for each.
 *
 * First come, first served: a series that has a place keeps it while it is read, and for an hour after. What comes when
 * all places of its collector, or of all together, are taken is left out until one is free.
 */
export class SeriesLimit {
  readonly #limits: SeriesLimitOptions;
  /** By collector and series: when it was last read, monotonic milliseconds. */
  readonly #places = new Map<string, Map<string, number>>();
  readonly #losses = new Map<string, { total: number; waiting: ReadonlySet<string> }>();

  constructor(limits: SeriesLimitOptions) {
    this.#limits = limits;
  }

  /** Decides on the readings of one scrape of a collector, at a time of the monotonic clock. */
  admit(collector: string, readings: readonly Reading[], nowMs: number): LimitedReadings {
    const places = this.#placesOf(collector);
    const admitted: Reading[] = [];
    const waiting = new Map<string, Reading>();
    let obstacle: string | undefined;
    for (const reading of readings) {
      const series = seriesOf(reading);
      if (!places.has(series)) {
        // Looked for once a scrape: as many again could come free only by the next one.
        obstacle ??= this.#obstacle(collector, places, nowMs);
        if (obstacle !== undefined) {
          waiting.set(series, reading);
          continue;
        }
      }
      places.set(series, nowMs);
      admitted.push(reading);
    }
    return this.#admission({ collector, admitted, waiting, obstacle });
  }

  #admission(scrape: {
    collector: string;
    admitted: Reading[];
    waiting: ReadonlyMap<string, Reading>;
    obstacle: string | undefined;
  }): LimitedReadings {
    const { collector, admitted, waiting, obstacle } = scrape;
    const before = this.#losses.get(collector);
    if (before === undefined && waiting.size === 0) return { readings: admitted, refusals: [] };
    const begun = [...waiting.keys()].filter((series) => !before?.waiting.has(series)).length;
    const total = (before?.total ?? 0) + begun;
    this.#losses.set(collector, { total, waiting: new Set(waiting.keys()) });
    const readings = [...admitted, { series: collectorSeries.seriesDropped, labels: { collector }, value: total }];
    const refusals = [...waiting.values()].map(({ series }) => `${series.name}: ${obstacle}`);
    if (before !== undefined) return { readings, refusals };
    const named = [...waiting.keys()].slice(0, NAMED).join(', ');
    return {
      readings,
      refusals,
      notice: `${obstacle}; left out: ${named}${waiting.size > NAMED ? ` and ${waiting.size - NAMED} more` : ''}`,
    };
  }

  #placesOf(collector: string): Map<string, number> {
    const places = this.#places.get(collector) ?? new Map<string, number>();
    this.#places.set(collector, places);
    return places;
  }

  /** Why there is no place for another series, after those that were held for too long have been freed. */
  #obstacle(collector: string, places: ReadonlyMap<string, number>, nowMs: number): string | undefined {
    const { perCollector, total, own } = this.#limits;
    const { variable, most } = own?.get(collector) ?? { variable: 'COLLECTOR_MAX_SERIES', most: perCollector };
    const find = () => {
      if (places.size >= most) return `${variable}=${most} series of this collector are stored already`;
      return this.#size() >= total ? `MAX_SERIES=${total} series are stored already` : undefined;
    };
    if (find() === undefined) return undefined;
    for (const held of this.#places.values()) {
      for (const [series, lastMs] of held) if (nowMs - lastMs > PLACE_HELD_MS) held.delete(series);
    }
    return find();
  }

  #size(): number {
    let size = 0;
    for (const held of this.#places.values()) size += held.size;
    return size;
  }
}

/** A series as people write it, `cpu.usage_percent{"core":"0"}`; equal for equal series only. */
function seriesOf({ series, labels, value, canonical = canonicalTags(labels) }: Reading): string {
  const text = typeof value === 'string' ? `=${value}` : '';
  return `${series.name}${canonical}${text}`;
}
