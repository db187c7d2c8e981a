import { prepareDatabase } from '../../shared/src/database/prepare.ts';
import type { Logger } from '../../shared/src/logging/logger.ts';
import { canonicalTags, seriesKey } from '../../shared/src/metrics/sample.ts';

/** What a database is filled with. */
export interface DatabaseFilling {
  readonly samples: number;
  readonly series: number;
  readonly deviceId?: string;
  /** So many of the oldest samples are delivered. */
  readonly settled?: number;
}

const quiet: Logger = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  debug: () => undefined,
  child: () => quiet,
};

/**
 * Makes a database as the collector leaves it, without the time that this would take: scrapes of all series, a second
 * apart, the last one now; half of the values are whole counters, half have a fraction. Returns how many samples it holds.
 */
export function fillDatabase(
  path: string,
  { samples, series, deviceId = 'bench', settled = 0 }: DatabaseFilling,
): number {
  const database = prepareDatabase(path, quiet);
  database.pragma('synchronous = OFF');
  const insertSeries = database.prepare(
    'INSERT INTO series (id, key, name, tags, device_id, value_type, priority) VALUES (?, ?, ?, ?, ?, 0, 1)',
  );
  const insertSamples = database.prepare(
    `WITH RECURSIVE n(i) AS (SELECT @first UNION ALL SELECT i + 1 FROM n WHERE i < @last)
     INSERT INTO samples (id, series_id, timestamp_ms, value)
     SELECT i + 1, 1 + i % @series, CAST(@startMs AS INTEGER) + i / @series * 1000,
       IIF((1 + i % @series) % 2 = 0, i / @series * 1500 + ((1 + i % @series) * 7919 + i / @series * 104729) % 997,
         (((1 + i % @series) * 31 + i / @series * 17) % 1000) / 10.0) FROM n`,
  );
  database.transaction(() => {
    for (let id = 1; id <= series; id++) {
      const tags = canonicalTags({ interface: `eth${id % 50}`, place: String(id) });
      insertSeries.run(
        id,
        seriesKey('network.rx_bytes_total', deviceId, tags, 0),
        'network.rx_bytes_total',
        tags,
        deviceId,
      );
    }
  })();
  const startMs = Date.now() - Math.ceil(samples / series) * 1000;
  // In parts, so that the WAL is never as large as the database.
  for (let first = 0; first < samples; first += 500_000) {
    insertSamples.run({
      first: BigInt(first),
      last: BigInt(Math.min(samples, first + 500_000) - 1),
      series: BigInt(series),
      startMs: BigInt(startMs),
    });
    database.pragma('wal_checkpoint(TRUNCATE)');
  }
  database.transaction(() => {
    database.prepare('UPDATE collector_state SET last_id = ?, collected = ?').run(samples, samples);
    if (settled === 0) return;
    database.prepare('INSERT INTO settled (first_id, last_id) VALUES (1, ?)').run(settled);
    database.prepare('UPDATE uploader_state SET delivered = ?').run(settled);
  })();
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  return samples;
}
