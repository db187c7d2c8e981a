import { openDatabase } from '@thugshells/shared/database/open.ts';

import type { ExportedSeries } from './victoria-metrics.ts';

/** One sample, as the database holds it or as a receiver exports it. */
export interface Point {
  /** Exported name and labels as one comparable text. */
  readonly series: string;
  readonly timestampMs: number;
  readonly value: number;
}

/** The books, by the view alone. */
export interface ViewCounts {
  readonly pending: number;
  readonly delivered: number;
  readonly rejected: number;
}

/** Every row of the view `metrics`, named as it leaves the board. */
export function storedPoints(databasePath: string): Point[] {
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

/** Every sample of an export. */
export function exportedPoints(series: readonly ExportedSeries[]): Point[] {
  return series.flatMap(({ metric, values, timestamps }) =>
    timestamps.map((timestampMs, index) => ({ series: seriesText(metric), timestampMs, value: values[index]! })),
  );
}

/** How many rows are in which state, counted one by one. */
export function viewCounts(databasePath: string): ViewCounts {
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

/** Books and rows side by side; a difference is a fault. */
export function books(databasePath: string): ViewCounts & { readonly collected: number; readonly dropped: number } {
  const database = openDatabase(databasePath, { readonly: true });
  try {
    return database
      .prepare<[], ViewCounts & { collected: number; dropped: number }>(
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
 * What differs between two sets of points: times and counts exactly, values by a relative 1e-9 (the receiver rounds).
 * Empty where they are equal.
 */
export function differences(expected: readonly Point[], actual: readonly Point[]): string[] {
  const key = ({ series, timestampMs }: Point): string => `${timestampMs} ${series}`;
  const remaining = new Map(expected.map((point) => [key(point), point]));
  const found: string[] = [];
  if (remaining.size !== expected.length) found.push('the expected points repeat themselves');
  for (const point of actual) {
    const match = remaining.get(key(point));
    remaining.delete(key(point));
    if (match === undefined) found.push(`not expected, or twice: ${key(point)}`);
    else if (Math.abs(match.value - point.value) > 1e-9 * Math.max(1, Math.abs(match.value))) {
      found.push(`${key(point)} is ${point.value}, not ${match.value}`);
    }
  }
  return [...found, ...[...remaining.keys()].map((missing) => `missing: ${missing}`)];
}
