import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  copyDatabase,
  listColumns,
  prepareDatabase,
  putValue,
  startCollector,
  startUploader,
  type Column,
} from '../../support/any-stored-value.ts';
import { readBooks } from '../../support/stored-rows.ts';

/**
 * SQLite keeps any value in any column. Whatever stands in one, both programs start, store and send; a second start of the
 * uploader finds what the collector has repaired.
 */
let folder: string;
let template: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'any-stored-value-'));
  template = join(folder, 'template.db');
  await prepareDatabase(template);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What only the collector repairs, at its start: what is settled, and the books. */
const ITS_REPAIR = /^(settled|collector_state|uploader_state|books_copy)$/;

/** Starts both programs with a value in a column. */
async function startWith(column: Column, value: unknown) {
  const own = mkdtempSync(join(folder, 'case-'));
  const path = copyDatabase(template, own);
  if (!putValue(path, column, value)) return undefined;
  const uploader = ITS_REPAIR.test(column.table) ? undefined : await startUploader(path);
  const collector = await startCollector(path);
  const again = await startUploader(path);
  const books = readBooks(path);
  rmSync(own, { recursive: true });
  return { uploader, collector, again, books };
}

const UNREADABLE = 'warn: stored value unreadable, default used';
/** Beyond the range of dates. */
const TOO_LATE = 8.64e15 + 1;

describe('a stored value of the wrong type', () => {
  const uploaders: [place: string, value: unknown][] = [
    ['collector_status.durations', '{'],
    ['collector_status.durations', '{"counts":[1],"sum":0}'],
    ['collector_status.since', TOO_LATE],
    ['collector_status.last_scrape', TOO_LATE],
    ['collector_status.collected', 'abc'],
    ['collector_status.status', 'fine'],
    ['collector_state.heartbeat', TOO_LATE],
    ['storage_state.wal_blocked_since', TOO_LATE],
    ['journal.at', TOO_LATE],
    ['journal.fields', '{"error":{}}'],
    ['journal.level', 'fatal'],
    ['storage_state.trouble_since', 'abc'],
    ['uploader_state.report', '{"counts":'],
    ['uploader_state.report', '[]'],
    ['uploader_state.report', '{"counts":{},"uploads":[{"atMs":8640000000000001}]}'],
  ];
  test.each(uploaders)('%s = %j: the uploader starts, logs it once and sends all', async (place, value) => {
    const [table, column] = place.split('.') as [string, string];
    const path = copyDatabase(template, mkdtempSync(join(folder, 'case-')));
    expect(putValue(path, { table, column }, value)).toBe(true);
    const { sent, said } = await startUploader(path);
    expect([sent, said]).toEqual([11, [UNREADABLE]]);
  });

  test.each([
    ['collector_status.durations', '{"counts":'],
    ['collector_status.failed', Buffer.from('x')],
    ['journal.times', -1],
    ['uploader_state.report', 'null'],
  ])('%s = %j: the collector starts, logs it and goes on', async (place, value) => {
    const [table, column] = place.split('.') as [string, string];
    const path = copyDatabase(template, mkdtempSync(join(folder, 'case-')));
    expect(putValue(path, { table, column }, value)).toBe(true);
    const { failure, said } = await startCollector(path);
    expect(failure).toBeUndefined();
    expect(said).toContain(UNREADABLE);
  });
});

test('whatever stands in a column of the database, both programs start, store and send', async () => {
  const columns = listColumns(template);
  const texts = ['', 'abc', '{"a":1}', '[]', '[[5,1]]', 'null', '{"counts":[1],"sum":"x"}', '1700000000000'];
  const value = fc.oneof(
    fc.constantFrom<unknown>(null, ...texts, Buffer.from([255, 0, 1]), Infinity, -Infinity, NaN),
    fc.constantFrom<unknown>(
      0,
      -1,
      1.5,
      1e308,
      TOO_LATE,
      253_402_300_800_000,
      2n ** 53n + 1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
    ),
    fc.json(),
    fc.string(),
    fc.double(),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...columns), value, async (column, stored) => {
      const came = await startWith(column, stored);
      if (came === undefined) return;
      const { collector, again, books } = came;
      expect(collector.failure).toBeUndefined();
      expect(again.sent + again.refused).toBeGreaterThan(0);
      // What an epoch says of its clock may hold its samples; nothing else may.
      if (column.table !== 'epochs') expect(books.pending).toBe(0);
      expect(books.collected).toBe(books.delivered + books.pending + books.rejected + books.dropped);
    }),
    // The same values in each run, so that a failure is news.
    { seed: 19, numRuns: 40, endOnFailure: true },
  );
}, 120_000);
