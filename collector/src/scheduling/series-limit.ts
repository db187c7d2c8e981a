import { createHash } from 'node:crypto';

import { collectorSeries } from '@thugshells/shared/metrics/agent-series.ts';
import { canonicalTags, type Reading } from '@thugshells/shared/metrics/sample.ts';
import { STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';

/** Maximum numbers of series that are stored in an hour. */
export interface SeriesLimitOptions {
  readonly perCollector: number;
  readonly total: number;
  /** By collector: its own limit in place of `perCollector`, and the variable that sets it. */
  readonly own?: ReadonlyMap<string, { readonly variable: string; readonly maxSeries: number }>;
}

/** The readings of one scrape that may be stored, and the refused ones. */
export interface LimitedReadings {
  /** Those that may be stored, and the counter of refused series once there is one. */
  readonly readings: readonly Reading[];
  /** The reason for each of the others. */
  readonly refusals: readonly string[];
  /** The text for the log, when this collector's first series is refused; once only. */
  readonly notice?: string;
}

/** How long a series counts after its last reading: a modem whose names change with each reboot would add up forever. */
const EXPIRES_AFTER_MS = 3_600_000;
const MAX_TEXT_LENGTH = 1_000;
/** How many refused series the log names. */
const MAX_NAMED = 3;

/**
 * Keeps the number of series bounded. Names of devices, mounts and interfaces come from outside, and so do whole
 * series. If software creates them by the thousand, each costs memory of the receiver, database size and bandwidth.
 *
 * First come, first served: a series that was admitted stays so while it is read, and for an hour after. A new series is
 * refused while the limit of its collector, or the total, is reached.
 */
export class SeriesLimit {
  readonly #limits: SeriesLimitOptions;
  /** Admitted series by collector, with the time of the last reading, monotonic milliseconds. */
  readonly #admitted = new Map<string, Map<string, number>>();
  readonly #losses = new Map<string, { total: number; refused: ReadonlySet<string> }>();

  constructor(limits: SeriesLimitOptions) {
    this.#limits = limits;
  }

  /**
   * Decides which readings of one scrape of a collector may be stored.
   *
   * @param nowMs the time of the scrape by the monotonic clock
   */
  admit(collector: string, readings: readonly Reading[], nowMs: number): LimitedReadings {
    const known = this.#findAdmitted(collector);
    const admitted: Reading[] = [];
    const refused = new Map<string, Reading>();
    let reason: string | undefined;
    for (const reading of readings) {
      const series = toSeriesText(reading);
      if (reading.value === STALE_MARKER) {
        // The end of a series that was refused is none, and that of another does not keep its place.
        if (known.has(series)) admitted.push(reading);
        continue;
      }
      if (!known.has(series)) {
        // Once the limit is reached it stays reached for the rest of the scrape: the search for expired series is not repeated.
        reason ??= this.#findRefusal(collector, known, nowMs);
        if (reason !== undefined) {
          refused.set(series, reading);
          continue;
        }
      }
      known.set(series, nowMs);
      admitted.push(reading);
    }
    return this.#countRefused({ collector, admitted, refused, reason });
  }

  #countRefused(scrape: {
    collector: string;
    admitted: Reading[];
    refused: ReadonlyMap<string, Reading>;
    reason: string | undefined;
  }): LimitedReadings {
    const { collector, admitted, refused, reason } = scrape;
    const before = this.#losses.get(collector);
    if (before === undefined && refused.size === 0) return { readings: admitted, refusals: [] };
    const newlyRefused = [...refused.keys()].filter((series) => !before?.refused.has(series)).length;
    const total = (before?.total ?? 0) + newlyRefused;
    this.#losses.set(collector, { total, refused: new Set(refused.keys()) });
    const readings = [...admitted, { series: collectorSeries.seriesDropped, labels: { collector }, value: total }];
    const refusals = [...refused.values()].map(({ series }) => `${series.name}: ${reason}`);
    if (before !== undefined) return { readings, refusals };
    const named = [...refused.keys()].slice(0, MAX_NAMED).join(', ');
    const more = refused.size > MAX_NAMED ? ` and ${refused.size - MAX_NAMED} more` : '';
    return { readings, refusals, notice: `${reason}; left out: ${named}${more}` };
  }

  #findAdmitted(collector: string): Map<string, number> {
    const admitted = this.#admitted.get(collector) ?? new Map<string, number>();
    this.#admitted.set(collector, admitted);
    return admitted;
  }

  /** Returns which limit another series would exceed, after series without a reading for an hour have been removed. */
  #findRefusal(collector: string, known: ReadonlyMap<string, number>, nowMs: number): string | undefined {
    const { perCollector, total, own } = this.#limits;
    const { variable, maxSeries } = own?.get(collector) ?? {
      variable: 'COLLECTOR_MAX_SERIES',
      maxSeries: perCollector,
    };
    const find = () => {
      if (known.size >= maxSeries) return describeLimit(`${maxSeries} series of this collector`, variable);
      return this.#countAdmitted() >= total ? describeLimit(`${total} series`, 'MAX_SERIES') : undefined;
    };
    if (find() === undefined) return undefined;
    for (const admitted of this.#admitted.values()) {
      for (const [series, lastMs] of admitted) if (nowMs - lastMs > EXPIRES_AFTER_MS) admitted.delete(series);
    }
    return find();
  }

  #countAdmitted(): number {
    let count = 0;
    for (const admitted of this.#admitted.values()) count += admitted.size;
    return count;
  }
}

function describeLimit(series: string, variable: string): string {
  return `${series} are stored already, increase THUGSHELLS_${variable} to store more`;
}

/**
 * Returns a series as people write it, `cpu.usage_percent{"core":"0"}`; equal for equal series only. It is remembered for an
 * hour: of a long one the end is a hash.
 */
function toSeriesText({ series, labels, value, canonical = canonicalTags(labels) }: Reading): string {
  const text = `${series.name}${canonical}${typeof value === 'string' ? `=${value}` : ''}`;
  if (text.length <= MAX_TEXT_LENGTH) return text;
  // Copied: a slice would keep the whole text in memory.
  const start = Buffer.from(text.slice(0, MAX_TEXT_LENGTH / 2)).toString();
  return `${start}… ${createHash('sha256').update(text).digest('hex')}`;
}
