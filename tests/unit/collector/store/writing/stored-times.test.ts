import { beforeEach, describe, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import { readInstant } from '../../../../../collector/src/store/clock/clock-epochs.ts';
import {
  createStatus,
  migratedDatabase,
  NOW,
  reading,
  startOn,
  view,
} from '../../../../support/collector/collector-parts.ts';
import { booksOf } from '../../../../support/collector/prepared-store.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const MINUTE = 60_000;
const folder = useTemporaryFolder();
let database: Database;
let process: ReturnType<typeof startOn>;

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  process = startOn(database);
});

function write(...readings: Reading[]): void {
  const { admission, clock, writer } = process;
  const at = readInstant(clock);
  writer.commit([{ at, samples: admission.admit(readings, at.wallMs).samples, status: createStatus() }]);
}

const aged = (name: string, value: number, ageMs: number): Reading => ({ ...reading(name, value), ageMs });
const rows = (): unknown[] => view(database, 'metric_name, metric_value, timestamp_ms - 1700000000000');

describe('stored times', () => {
  test('stored times: a sample is older than its scrape by its age, and has a lower id than younger ones', () => {
    write(reading('a.x', 1), aged('b.x', 2, 10), aged('c.x', 3, 50 * MINUTE), aged('d.x', 4, 0));
    expect(rows()).toEqual([
      ['c.x', 3, -50 * MINUTE],
      ['b.x', 2, -10],
      ['a.x', 1, 0],
      ['d.x', 4, 0],
    ]);
  });

  test('stored times: samples of a series never have the time of one before, or an earlier one', async () => {
    write(reading('z.up', 1), aged('b.x', 1, 0));
    await process.clock.advance(MINUTE);
    write(reading('z.up', 1), aged('b.x', 2, MINUTE), aged('c.x', 2, 2 * MINUTE));
    await process.clock.advance(MINUTE);
    write(reading('z.up', 1), aged('b.x', 3, 3 * MINUTE));
    await process.clock.advance(MINUTE);
    write(reading('z.up', 1), aged('b.x', 4, 10));
    expect(rows().filter((row) => (row as string[])[0] !== 'z.up')).toEqual([
      ['b.x', 1, 0],
      ['c.x', 2, -MINUTE],
      ['b.x', 2, 1],
      ['b.x', 3, 2],
      ['b.x', 4, 3 * MINUTE - 10],
    ]);
  });

  test('stored times: the retry of a scrape that was rolled back stores the same', () => {
    const { admission, clock, writer } = process;
    const at = readInstant(clock);
    const { samples } = admission.admit([aged('b.x', 1, 10)], at.wallMs);
    const scrape = { at, samples, status: createStatus() };
    database.exec(
      `CREATE TEMP TRIGGER fails BEFORE INSERT ON collector_status BEGIN SELECT RAISE(ABORT, 'it fails'); END`,
    );
    expect(() => writer.commit([scrape])).toThrow('it fails');
    database.exec('DROP TRIGGER fails');
    writer.commit([scrape]);
    expect(rows()).toEqual([['b.x', 1, -10]]);
  });

  test('stored times: after a restart a sample from before it comes right after what was stored then', async () => {
    write(reading('z.up', 1), aged('b.x', 1, 30 * MINUTE));
    process = startOn(database, { clock: new FakeClock(NOW + 10 * MINUTE) });
    write(reading('z.up', 1), aged('b.x', 1, 40 * MINUTE), aged('c.x', 1, 2 * MINUTE));
    expect(rows()).toEqual([
      ['b.x', 1, -30 * MINUTE],
      ['z.up', 1, 0],
      ['b.x', 1, 1],
      ['c.x', 1, 8 * MINUTE],
      ['z.up', 1, 10 * MINUTE],
    ]);
  });

  test('stored times: a sample that is there already is none, and the books balance', async () => {
    write(reading('z.up', 1), aged('b.x', 1, 0));
    const seriesId = database.prepare<[], number>(`SELECT id FROM series WHERE name = 'b.x'`).pluck().get()!;
    // Imported from a database that was set aside.
    database.prepare('INSERT INTO samples VALUES (3, ?, ?, 5)').run(seriesId, NOW + MINUTE);
    database.exec('UPDATE collector_state SET last_id = 3, collected = 3');
    await process.clock.advance(2 * MINUTE);
    write(reading('z.up', 1), aged('b.x', 5, MINUTE));
    expect(view(database, 'id')).toEqual([[1], [2], [3], [4]]);
    expect(booksOf(database)).toMatchObject({ collected: 4, pending: 4, balanced: 1 });
  });

  test('stored times: a sample is corrected with the clock of its scrape', async () => {
    process.clock.step(-20 * 365 * 86_400_000);
    write(reading('z.up', 1), aged('b.x', 1, 5 * MINUTE));
    await process.clock.advance(MINUTE);
    process.clock.step(20 * 365 * 86_400_000);
    write(reading('z.up', 1), aged('b.x', 2, MINUTE / 2));
    expect(rows()).toEqual([
      ['b.x', 1, -5 * MINUTE],
      ['z.up', 1, 0],
      ['b.x', 2, MINUTE / 2],
      ['z.up', 1, MINUTE],
    ]);
  });
});
