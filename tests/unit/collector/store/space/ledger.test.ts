import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { Database } from '@thugshells/shared/database/open.ts';

import { Ledger, type LossReason } from '../../../../../collector/src/store/space/ledger.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { migratedDatabase, NOW } from '../../../../support/collector/collector-parts.ts';

const HOUR = 3_600_000;
const folder = useTemporaryFolder();
let database: Database;
let ledger: Ledger;

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  ledger = new Ledger(database);
});

function entries(): unknown[] {
  return database.prepare('SELECT reason, count, first_ms, last_ms FROM losses ORDER BY id').raw().all();
}

function dropped(): unknown {
  return database
    .prepare('SELECT dropped, (SELECT IFNULL(SUM(count), 0) FROM losses) FROM collector_state')
    .raw()
    .get();
}

describe('ledger: a loss', () => {
  test('ledger: a loss is an entry with reason, count and times, and is counted in `dropped`', () => {
    ledger.add({ reason: 'cap', count: 7, firstMs: NOW - 20, lastMs: NOW - 10 }, NOW);
    expect(entries()).toEqual([['cap', 7, NOW - 20, NOW - 10]]);
    expect(dropped()).toEqual([7, 7]);
  });

  test('ledger: a loss of the same reason within an hour extends the entry, whatever came between', () => {
    ledger.add({ reason: 'thinned', count: 1, firstMs: 50, lastMs: 60 }, NOW);
    ledger.add({ reason: 'cap', count: 2, firstMs: 10, lastMs: 20 }, NOW + 1);
    ledger.add({ reason: 'thinned', count: 4, firstMs: 40, lastMs: 55 }, NOW + 2);
    ledger.add({ reason: 'thinned', count: 8, firstMs: null, lastMs: null }, NOW + 3);
    ledger.add({ reason: 'thinned', count: 16, firstMs: 70, lastMs: 80 }, NOW + 2 * HOUR);
    expect(entries()).toEqual([
      ['thinned', 13, 40, 60],
      ['cap', 2, 10, 20],
      ['thinned', 16, 70, 80],
    ]);
    expect(dropped()).toEqual([31, 31]);
  });

  test('ledger: an entry without times gets those of the next loss that has them', () => {
    ledger.add({ reason: 'corruption', count: 1, firstMs: null, lastMs: null }, NOW);
    ledger.add({ reason: 'corruption', count: 1, firstMs: 5, lastMs: 9 }, NOW);
    expect(entries()).toEqual([['corruption', 2, 5, 9]]);
  });
});

describe('ledger: recovered samples', () => {
  test('ledger: recovered samples are subtracted from the newest entries of their reason, and from `dropped`', () => {
    ledger.add({ reason: 'corruption', count: 5, firstMs: null, lastMs: null }, NOW);
    ledger.add({ reason: 'corruption', count: 5, firstMs: null, lastMs: null }, NOW + 2 * HOUR);
    ledger.bookRecovered('corruption', 7);
    expect(entries()).toEqual([['corruption', 3, null, null]]);
    expect(dropped()).toEqual([3, 3]);
  });

  test('ledger: throws if more samples are recovered than were lost', () => {
    ledger.add({ reason: 'cap', count: 5, firstMs: null, lastMs: null }, NOW);
    expect(() => ledger.bookRecovered('corruption', 1)).toThrow('1 recovered samples were never booked as lost');
  });
});

test('ledger: keeps at most 500 entries, and loses neither a count nor a time', () => {
  const loss = fc.record({
    reason: fc.constantFrom<LossReason>('cap', 'thinned', 'memory', 'corruption'),
    count: fc.integer({ min: 1, max: 1_000 }),
  });
  let hour = 0;
  fc.assert(
    fc.property(fc.array(loss, { minLength: 200, maxLength: 300 }), (losses) => {
      for (const { reason, count } of losses) {
        hour += 1;
        ledger.add({ reason, count, firstMs: NOW + hour * HOUR, lastMs: NOW + hour * HOUR + 1 }, NOW + hour * HOUR);
      }
      expect(entries().length).toBeLessThanOrEqual(500);
    }),
    { numRuns: 4 },
  );
  const [booked, sum] = dropped() as [number, number];
  expect(booked).toBe(sum);
  expect(database.prepare('SELECT MIN(first_ms), MAX(last_ms) FROM losses').raw().get()).toEqual([
    NOW + HOUR,
    NOW + hour * HOUR + 1,
  ]);
});
