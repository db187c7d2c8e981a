import { MAX_SAMPLE_AGE_MS } from '@thugshells/shared/metrics/sample.ts';

/** How often series are forgotten whose last sample is so old that a later one cannot be as old. */
const FORGET_INTERVAL_MS = MAX_SAMPLE_AGE_MS;

/**
 * Finds the stored times of samples that are older than their scrapes: that of the scrape minus the age, but later than the
 * last one of their series, so that these stay in the order of time, and than all that was in the database before this
 * process. What is stored is not read for that.
 */
export class StoredTimes {
  readonly #newestBeforeMs: number;
  /** By the ids of series, of committed samples with an age. */
  readonly #last = new Map<number, number>();
  /** The same of the transaction that is open. */
  readonly #uncommitted = new Map<number, number>();
  #forgottenAtMs = 0;

  /** @param newestBeforeMs stored time of the newest sample when the database was opened */
  constructor(newestBeforeMs: number) {
    this.#newestBeforeMs = newestBeforeMs;
  }

  /** Returns the stored time of a sample. @param scrapeMs the stored time of its scrape */
  find(seriesId: number, scrapeMs: number, ageMs: number | undefined): number {
    if (ageMs === undefined) return scrapeMs;
    const lastMs = this.#uncommitted.get(seriesId) ?? this.#last.get(seriesId) ?? this.#newestBeforeMs;
    const storedMs = Math.min(scrapeMs, Math.max(scrapeMs - ageMs, lastMs + 1));
    this.#uncommitted.set(seriesId, storedMs);
    return storedMs;
  }

  /** The transaction was committed. */
  keep(): void {
    let newestMs = this.#forgottenAtMs;
    for (const [seriesId, storedMs] of this.#uncommitted) {
      this.#last.set(seriesId, storedMs);
      newestMs = Math.max(newestMs, storedMs);
    }
    this.#uncommitted.clear();
    if (newestMs - this.#forgottenAtMs < FORGET_INTERVAL_MS) return;
    this.#forgottenAtMs = newestMs;
    for (const [seriesId, storedMs] of this.#last)
      if (storedMs < newestMs - MAX_SAMPLE_AGE_MS) this.#last.delete(seriesId);
  }

  /** The transaction was rolled back. */
  forget(): void {
    this.#uncommitted.clear();
  }
}
