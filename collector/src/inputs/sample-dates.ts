import { MAX_SAMPLE_AGE_MS, type Reading } from '@thugshells/shared/metrics/sample.ts';
import type { SampleValue } from '@thugshells/shared/metrics/sample-value.ts';

import { describeSeries } from './exposition-converter.ts';
import { SampleCounter, type CountedSamples } from './sample-count.ts';
import { toSeriesText } from './scraped-series.ts';

/** The samples of a page, with the timestamps of those that have one, Unix milliseconds. */
export interface TimestampedPage {
  readonly readings: readonly Reading[];
  readonly timestamps: readonly (number | undefined)[];
}

/** When a scrape began, by two clocks, and how long it took, in milliseconds. */
export interface ScrapeTime {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly durationMs: number;
}

/** The samples of a page by their ages. */
export interface DatedPage {
  /** Those that are new. */
  readonly readings: readonly Reading[];
  /** Those that are as old as the one before, with another value, or older. */
  readonly late: CountedSamples;
  /** Those that have the time of the scrape because their own cannot be used. */
  readonly redated: CountedSamples;
}

/** What is known of the last sample of a series. */
interface DatedSample {
  readonly timestampMs: number;
  readonly value: SampleValue;
  /** When it was measured, by the monotonic clock. */
  readonly monotonicMs: number;
}

/** The clocks of two hosts agree no better. */
const MAX_AHEAD_MS = 1_000;
/** An earlier timestamp is later by the monotonic clock if the wall clock was set back by more than this in between. */
const STEP_MS = 500;

/**
 * Gives samples the age that follows from their timestamps: scrape time minus age is their time, whatever becomes of the
 * clock of this device later. An exporter on this device has this device's clock, which may be stepped between two scrapes:
 * so a sample is compared with the one before by the monotonic clock.
 *
 *   the timestamp of the one before, and its value     no new sample
 *   ahead of the scrape, or older than an hour         new, with the time of the scrape
 *   later than the one before                          new; if not by its age too, the clock was set ahead, and it comes
 *                                                      right after the one before
 *   earlier, but later by its age                      new: the clock was set back
 *   not later                                          left out
 */
export class SampleDates {
  #last: ReadonlyMap<string, DatedSample> = new Map();

  /** Dates the samples of a page that was scraped after all others. One without samples is as if it had not been there. */
  date({ readings, timestamps }: TimestampedPage, scrape: ScrapeTime): DatedPage {
    const late = new SampleCounter();
    const redated = new SampleCounter();
    const dated = new Map<string, DatedSample>();
    const fresh: Reading[] = [];
    for (const [index, reading] of readings.entries()) {
      const timestampMs = timestamps[index];
      if (timestampMs === undefined) {
        fresh.push(reading);
        continue;
      }
      const key = toSeriesText(reading);
      const last = this.#last.get(key);
      const { value } = reading;
      if (last !== undefined) dated.set(key, last);
      if (last?.timestampMs === timestampMs && Object.is(last.value, value)) continue;
      const { ageMs, isOwn } = findAge(timestampMs, scrape, last);
      if (ageMs === undefined) {
        late.add(() => describe(reading));
        continue;
      }
      if (!isOwn) redated.add(() => describe(reading));
      dated.set(key, { timestampMs, value, monotonicMs: scrape.monotonicMs - ageMs });
      fresh.push({ ...reading, ageMs });
    }
    if (readings.length > 0) this.#last = dated;
    return { readings: fresh, late, redated };
  }
}

/** Returns the age of a new sample, and whether it is its own; no age if it is not later than the last one of its series. */
function findAge(
  timestampMs: number,
  { wallMs, monotonicMs, durationMs }: ScrapeTime,
  last: DatedSample | undefined,
): { readonly ageMs: number | undefined; readonly isOwn: boolean } {
  const ownMs = wallMs - timestampMs;
  const isOwn = ownMs >= -durationMs - MAX_AHEAD_MS && ownMs <= MAX_SAMPLE_AGE_MS;
  const ageMs = isOwn ? Math.max(0, ownMs) : 0;
  if (last === undefined) return { ageMs, isOwn };
  const laterMs = monotonicMs - ageMs - last.monotonicMs;
  if (timestampMs > last.timestampMs) return { ageMs: laterMs > 0 ? ageMs : findLeastAge(monotonicMs, last), isOwn };
  return { ageMs: timestampMs < last.timestampMs && laterMs > STEP_MS ? ageMs : undefined, isOwn };
}

/** Returns the age of a sample right after another. */
function findLeastAge(monotonicMs: number, last: DatedSample): number {
  return Math.max(0, Math.ceil(monotonicMs - last.monotonicMs) - 1);
}

function describe({ series, labels }: Reading): string {
  return describeSeries({ name: series.name, labels });
}
