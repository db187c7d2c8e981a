import { beforeEach, describe, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';

import { Ledger } from '../../../../../collector/src/store/space/ledger.ts';
import { formatSkipped, SalvageTable } from '../../../../../collector/src/store/recovery/salvage-progress.ts';
import { migratedDatabase, NOW } from '../../../../support/collector/collector-parts.ts';
import { RecordedLog } from '../../../../support/recorded-log.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
let database: Database;
let log: RecordedLog;
let table: SalvageTable;

const EVERY_ID = [[1, Number.MAX_SAFE_INTEGER]];
const details = { skipped: [[3, 4] as const], shiftMs: 5, areBooksKnown: false, isEstimate: true, doubtful: 2 };
const row = { step: 'settled', position: 7, skipped: formatSkipped(details), lost: 6, recovered: 1 };

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  log = new RecordedLog();
  table = new SalvageTable(database, log);
  new Ledger(database).add({ reason: 'corruption', count: 6, firstMs: null, lastMs: null }, NOW);
});

function insert(changes: Readonly<Record<string, unknown>>): void {
  const sql =
    'INSERT INTO salvage (file, step, position, skipped, lost, recovered) VALUES (@file, @step, @position, @skipped, @lost, @recovered)';
  database.prepare(sql).run({ file: 'a.damaged', ...row, ...changes });
}

describe('salvage progress', () => {
  test('is returned as it was saved', () => {
    insert({});
    const { skipped: _, ...plain } = row;
    expect(table.all()).toEqual([{ id: 1, file: 'a.damaged', ...plain, ...details }]);
    expect(log.said('error')).toEqual([]);
  });

  test.each([['[[3,4]'], ['[[4,3]]'], ['null'], ['{}'], ['{"skipped":[],"shift_ms":"5","are_books_known":true}'], [7]])(
    'whose details are unreadable (%j) reads every page, and books what it finds as the ledger has it',
    (skipped) => {
      insert({ skipped });
      const found = { skipped: EVERY_ID, shiftMs: 0, areBooksKnown: true, isEstimate: false, lost: 6, position: 7 };
      expect(table.all()).toMatchObject([found]);
      expect(log.said('error')).toEqual(['error: salvage progress unreadable, starting over']);
    },
  );

  test('of more than the ledger has as counted is an estimate', () => {
    insert({ skipped: 'x', lost: 7 });
    expect(table.all()).toMatchObject([{ isEstimate: true }]);
  });

  test.each([
    ['step', 'nowhere'],
    ['position', 'abc'],
    ['position', -1],
  ])('whose %s is %j begins with the first pending sample', (column, value) => {
    insert({ [column]: value });
    expect(table.all()).toMatchObject([{ step: 'pending', position: 0, lost: 6, skipped: [[3, 4]] }]);
  });

  test('of no file is left out, and the others go on', () => {
    insert({ file: Buffer.from('x') });
    insert({});
    expect(table.all()).toMatchObject([{ id: 2 }]);
  });
});
