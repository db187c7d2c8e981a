import { beforeEach, describe, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';
import { declareForeignSeries } from '@thugshells/shared/metrics/series.ts';

import { readInstant } from '../../../../../collector/src/store/clock/clock-epochs.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { createStatus, migratedDatabase, NOW, startOn } from '../../../../support/collector/collector-parts.ts';

/** When series began to count, as it is stored beside their samples. */

const MINUTE = 60_000;
const HOUR = 3_600_000;
const folder = useTemporaryFolder();
let database: Database;
let process: ReturnType<typeof startOn>;

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  process = startOn(database);
});

/** Commits a scrape of some series, each with its start; the first two get ids 1 and 2. */
function scrape(starts: Readonly<Record<string, number | undefined>>): void {
  const { admission, clock, writer } = process;
  const at = readInstant(clock);
  const readings = Object.entries(starts).map(([name, createdMs]) => ({
    series: declareForeignSeries(name, 'counter'),
    labels: {},
    value: 1,
    createdMs,
  }));
  writer.commit([{ at, samples: admission.admit(readings, at.wallMs).samples, status: createStatus() }]);
}

async function scrapeAfter(ms: number, starts: Readonly<Record<string, number | undefined>>): Promise<void> {
  await process.clock.advance(ms);
  scrape(starts);
}

/** Rows as series, first sample and start. */
function stored(): unknown[] {
  return database.prepare('SELECT series_id, first_id, start_ms FROM series_starts ORDER BY id').raw().all();
}

describe('start table', () => {
  test('start table: has a row for a series when it is first stored, and when its start changes', async () => {
    scrape({ a: NOW - HOUR, b: NOW - MINUTE, c: undefined });
    await scrapeAfter(15_000, { a: NOW - HOUR, b: NOW - MINUTE, c: undefined });
    const first = [
      [1, 1, NOW - HOUR],
      [2, 1, NOW - MINUTE],
    ];
    expect(stored()).toEqual(first);
    await scrapeAfter(HOUR, { a: NOW - HOUR, b: NOW + HOUR, c: undefined });
    expect(stored()).toEqual([...first, [2, 7, NOW + HOUR]]);
  });

  test('start table: a source that does not say it any more ends the start', async () => {
    scrape({ a: NOW - HOUR });
    await scrapeAfter(HOUR, { a: undefined });
    await scrapeAfter(15_000, { a: undefined });
    expect(stored()).toEqual([
      [1, 1, NOW - HOUR],
      [1, 2, null],
    ]);
  });

  test('start table: a start that changes with each scrape is not known, and costs three rows', async () => {
    scrape({ a: NOW });
    for (let count = 1; count < 100; count++) await scrapeAfter(15_000, { a: NOW + count * 15_000 });
    expect(stored()).toEqual([
      [1, 1, NOW],
      [1, 2, NOW + 15_000],
      [1, 3, null],
    ]);
    const last = NOW + 99 * 15_000;
    await scrapeAfter(9 * MINUTE, { a: last });
    expect(stored()).toHaveLength(3);
    await scrapeAfter(MINUTE, { a: last });
    expect(stored().at(-1)).toEqual([1, 102, last]);
  });

  test('start table: while the source says the same, a step of the clock changes no start', async () => {
    scrape({ a: NOW - HOUR });
    process.clock.step(5 * HOUR);
    await scrapeAfter(HOUR, { a: NOW - HOUR });
    expect(stored()).toEqual([[1, 1, NOW - HOUR]]);
  });

  test('start table: a start after a step is as long before the scrape as the clock says', async () => {
    scrape({ other: undefined });
    process.clock.step(5 * HOUR);
    await scrapeAfter(HOUR, { a: NOW + 5 * HOUR });
    // An hour before the scrape, whose stored time is NOW and an hour.
    expect(stored()).toEqual([[2, 2, NOW]]);
  });

  test('start table: with samples stamped by the receiver’s clock, a start is as long before the scrape as by this device’s', async () => {
    database
      .prepare(
        `INSERT INTO receiver_clock (boot_id, booted_at_ms, policy, measured_at) VALUES ('boot-1', ?, 'correct', ?)`,
      )
      .run(NOW - process.clock.sinceBoot() + MINUTE, NOW);
    process = startOn(database, { clock: process.clock });
    scrape({ a: NOW - HOUR });
    const { startMs, timestampMs } = database
      .prepare<[], { startMs: number; timestampMs: number }>(
        `SELECT start_ms AS startMs, timestamp_ms AS timestampMs FROM series_starts, samples`,
      )
      .get()!;
    expect(timestampMs - startMs).toBe(HOUR);
  });

  test('start table: a later process writes no start that is stored, and one that has changed', async () => {
    scrape({ a: NOW - HOUR, b: NOW - HOUR, c: NOW - HOUR });
    const clock = new FakeClock(NOW + MINUTE);
    process = startOn(database, { clock });
    scrape({ a: NOW - HOUR, b: NOW + 1, c: undefined });
    expect(stored().slice(3)).toEqual([
      [2, 4, NOW + 1],
      [3, 4, null],
    ]);
    // The restart of the collector is no change of the exporter's.
    await scrapeAfter(MINUTE, { a: NOW + MINUTE });
    expect(stored().at(-1)).toEqual([1, 7, NOW + MINUTE]);
  });

  test('start table: what a rolled back transaction has written is written again', () => {
    database.exec(
      `CREATE TEMP TRIGGER fails BEFORE INSERT ON collector_status BEGIN SELECT RAISE(ABORT, 'it fails'); END`,
    );
    expect(() => scrape({ a: NOW })).toThrow('it fails');
    expect(stored()).toEqual([]);
    database.exec('DROP TRIGGER fails');
    scrape({ a: NOW });
    expect(stored()).toEqual([[1, 1, NOW]]);
  });

  test('start table: starts of deleted samples are deleted, and the one that is left samples have is not', async () => {
    scrape({ a: NOW, b: NOW });
    await scrapeAfter(HOUR, { a: NOW + HOUR, b: NOW });
    await scrapeAfter(HOUR, { a: NOW + 2 * HOUR, b: NOW });
    database.exec('DELETE FROM samples WHERE id < 5');
    await scrapeAfter(HOUR, { a: NOW + 3 * HOUR, b: NOW });
    expect(stored()).toEqual([
      [2, 1, NOW],
      [1, 5, NOW + 2 * HOUR],
      [1, 7, NOW + 3 * HOUR],
    ]);
  });

  test('start table: a value of another type is written anew', () => {
    scrape({ a: NOW });
    database.exec(`UPDATE series_starts SET start_ms = 'abc'`);
    process = startOn(database, { clock: process.clock });
    scrape({ a: NOW });
    expect(stored().at(-1)).toEqual([1, 2, NOW]);
  });
});
