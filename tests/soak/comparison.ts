import { openDatabase } from '@thugshells/shared/database/open.ts';

import type { StoredPoint } from '../support/stored-rows.ts';

/** A longer pause between two scrapes is a kill or a step of the clock, no delay. */
const LONGEST_DELAY_MS = 3_000;

/** What a receiver that has got everything keeps: of several samples of a series at one time, one; it is taken at its word which. */
export function keptOf(
  stored: readonly StoredPoint[],
  exported: readonly StoredPoint[],
): { readonly kept: StoredPoint[]; readonly shared: number } {
  const key = ({ series, timestampMs }: StoredPoint): string => `${timestampMs} ${series}`;
  const found = new Map(exported.map((point) => [key(point), point.value]));
  const kept = new Map<string, StoredPoint>();
  for (const point of stored) {
    const isTheOne =
      Math.abs(point.value - (found.get(key(point)) ?? NaN)) <= 1e-9 * Math.max(1, Math.abs(point.value));
    if (isTheOne || !kept.has(key(point))) kept.set(key(point), point);
  }
  return { kept: [...kept.values()], shared: stored.length - kept.size };
}

/** Spans of time whose rows wait for the receiver's clock. */
export function heldEpochs(path: string): number {
  return readNumber(path, 'SELECT COUNT(*) FROM clock_epochs WHERE trusted = 0');
}

/** The id of the newest row. */
export function readLastId(path: string): number {
  return readNumber(path, 'SELECT last_id FROM collector_state');
}

/** Ranges of rows up to an id that were delivered and may still be lost by the receiver. */
export function unconfirmedRows(path: string, lastId: number): number {
  const ranges = 'SELECT COUNT(*) FROM provisional, json_each(provisional.ranges) WHERE value ->> 0 <= ?';
  return readNumber(path, ranges, lastId);
}

function readNumber(path: string, sql: string, ...parameters: number[]): number {
  const database = openDatabase(path, { readonly: true });
  try {
    return database
      .prepare<number[], number>(sql)
      .pluck()
      .get(...parameters)!;
  } finally {
    database.close();
  }
}

/** How much later than an interval after the one before it each scrape of the load average came. */
export function delaysOf(stored: readonly StoredPoint[], intervalMs: number): number[] {
  const times = stored
    .filter(({ series }) => series.includes('"load_average_1m"'))
    .map(({ timestampMs }) => timestampMs);
  return times
    .map((time, index) => time - (times[index - 1] ?? -Infinity) - intervalMs)
    .filter((late) => Math.abs(late) < LONGEST_DELAY_MS)
    .map((late) => Math.max(0, late));
}
