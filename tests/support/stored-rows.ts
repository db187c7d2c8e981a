import { openDatabase } from '@thugshells/shared/database/open.ts';

import type { ExportedSeries } from './victoria-metrics.ts';

/** One sample of the database or of a receiver's export. */
export interface StoredPoint {
  /** Name and labels as the receiver has them, as one comparable text. */
  readonly series: string;
  readonly timestampMs: number;
  readonly value: number;
}

/** Counts of rows by state. */
export interface RowCounts {
  readonly pending: number;
  readonly delivered: number;
  readonly rejected: number;
}

/** Reads every row of the view `metrics`, named as the receiver names it. */
export function readStoredPoints(databasePath: string): StoredPoint[] {
  const database = openDatabase(databasePath, { readonly: true });
  try {
    const rows = database
      .prepare<
        [],
        {
          metric_name: string;
          tags: string;
          device_id: string;
          timestamp_ms: number;
          metric_value: number | null;
          value_text: string | null;
        }
      >('SELECT metric_name, tags, device_id, timestamp_ms, metric_value, value_text FROM metrics')
      .all();
    return rows.map((row) => {
      const isText = row.value_text !== null;
      return {
        series: seriesText({
          ...(JSON.parse(row.tags) as Record<string, string>),
          __name__: row.metric_name.replaceAll('.', '_') + (isText ? '_info' : ''),
          device_id: row.device_id,
          ...(isText ? { value: row.value_text! } : {}),
        }),
        timestampMs: row.timestamp_ms,
        value: row.metric_value ?? 1,
      };
    });
  } finally {
    database.close();
  }
}

/** Lists every sample of an export. */
export function toStoredPoints(series: readonly ExportedSeries[]): StoredPoint[] {
  return series.flatMap(({ metric, values, timestamps }) =>
    timestamps.map((timestampMs, index) => ({ series: seriesText(metric), timestampMs, value: values[index]! })),
  );
}

/** Counts the rows of the view `metrics` by state, one by one. */
export function countRows(databasePath: string): RowCounts {
  const database = openDatabase(databasePath, { readonly: true });
  try {
    const rows = database
      .prepare<[], { uploaded: number; count: number }>(
        'SELECT uploaded, COUNT(*) AS count FROM metrics GROUP BY uploaded',
      )
      .all();
    const count = (state: number): number => rows.find(({ uploaded }) => uploaded === state)?.count ?? 0;
    return { pending: count(0), delivered: count(1), rejected: count(2) };
  } finally {
    database.close();
  }
}

/** Reads the books; {@link countRows} has to agree with them. */
export function readBooks(databasePath: string): RowCounts & { readonly collected: number; readonly dropped: number } {
  const database = openDatabase(databasePath, { readonly: true });
  try {
    return database
      .prepare<[], RowCounts & { collected: number; dropped: number }>(
        `SELECT collected, delivered, collected - delivered - rejected - dropped AS pending, rejected, dropped
         FROM collector_state, uploader_state`,
      )
      .get()!;
  } finally {
    database.close();
  }
}

function seriesText(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Describes the differences between two sets of samples; empty if they are equal. Times and counts are compared exactly,
 * values to a relative 1e-9, since the receiver rounds.
 */
export function findDifferences(expected: readonly StoredPoint[], actual: readonly StoredPoint[]): string[] {
  const key = ({ series, timestampMs }: StoredPoint): string => `${timestampMs} ${series}`;
  const remaining = new Map(expected.map((point) => [key(point), point]));
  const found: string[] = [];
  if (remaining.size !== expected.length) found.push('an expected sample occurs twice');
  for (const point of actual) {
    const match = remaining.get(key(point));
    remaining.delete(key(point));
    if (match === undefined) found.push(`not expected, or received twice: ${key(point)}`);
    else if (Math.abs(match.value - point.value) > 1e-9 * Math.max(1, Math.abs(match.value))) {
      found.push(`${key(point)} is ${point.value}, not ${match.value}`);
    }
  }
  return [...found, ...[...remaining.keys()].map((missing) => `missing: ${missing}`)];
}
