import { readStoredValue, STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';

import type { DeliveredRows } from '../queue/delivered-rows.ts';
import type { StoredRow } from '../queue/rows-by-time.ts';
import { toBucket } from './received-times.ts';

export interface MissingRowsOptions {
  readonly rows: Pick<DeliveredRows, 'readValue'>;
  /** Whether the receiver drops NaN, as VictoriaMetrics does. */
  readonly dropsNaN: boolean;
  readonly dedupMs: number;
}

/**
 * Rows that the receiver does not return, by series, without those that none returns: queries leave out where a series ends.
 * Deduplication may have kept such an end in the place of a sample before it.
 */
export class MissingRows {
  readonly #options: MissingRowsOptions;
  readonly #rows = new Map<string, StoredRow[]>();
  /** By series: the intervals of deduplication that have an end in them. */
  readonly #ends = new Map<string, Set<number>>();

  constructor(options: MissingRowsOptions) {
    this.#options = options;
  }

  /** @param key of its series */
  add(key: string, row: StoredRow): void {
    const { rows, dropsNaN, dedupMs } = this.#options;
    const value = readStoredValue(rows.readValue(row.id));
    if (value === STALE_MARKER)
      findOrCreate(this.#ends, key, () => new Set<number>()).add(toBucket(row.timestampMs, dedupMs));
    else if (!dropsNaN || !Number.isNaN(value)) findOrCreate(this.#rows, key, () => []).push(row);
  }

  /** Lists the series that lack rows, with these. */
  list(): (readonly [key: string, rows: readonly StoredRow[]])[] {
    return [...this.#rows].flatMap(([key, rows]) => {
      const ends = this.#ends.get(key);
      const missing = rows.filter(
        ({ timestampMs }) => ends?.has(toBucket(timestampMs, this.#options.dedupMs)) !== true,
      );
      return missing.length === 0 ? [] : [[key, missing] as const];
    });
  }
}

function findOrCreate<T>(all: Map<string, T>, key: string, create: () => T): T {
  const found = all.get(key) ?? create();
  all.set(key, found);
  return found;
}
