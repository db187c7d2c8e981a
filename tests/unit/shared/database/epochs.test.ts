import { beforeEach, describe, expect, test } from '@jest/globals';

import {
  correctedTimeSql,
  EpochRanges,
  findEpoch,
  NEWEST_OFFSET_SQL,
  SENT_BEFORE_CORRECTION,
  splitByEpoch,
} from '../../../../shared/src/database/epochs.ts';
import { migrate } from '../../../../shared/src/database/migrate.ts';
import { openDatabase, type Database } from '../../../../shared/src/database/open.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const DAY = 86_400_000;
const OPEN_END = Number.MAX_SAFE_INTEGER;
let database: Database;

interface Epoch {
  readonly firstId: number;
  readonly offsetMs: number;
  readonly trusted?: number;
  readonly bootId?: string;
  readonly lost?: number;
}

function addEpoch({ firstId, offsetMs, trusted = 1, bootId, lost = 0 }: Epoch): void {
  const insert = database.prepare(
    "INSERT INTO epochs (first_id, offset_ms, trusted, boot_id, boot_base_ms, lost, reason) VALUES (?, ?, ?, ?, 0, ?, 'test')",
  );
  insert.run(firstId, offsetMs, trusted, bootId ?? null, lost);
}

beforeEach(() => {
  database = folder.keep(openDatabase(folder.path('metrics.db'), { create: true }));
  migrate(database);
  database.exec('DELETE FROM epochs');
});

describe('epoch ranges', () => {
  test('epoch ranges: none without epochs', () => {
    expect(new EpochRanges(database).all()).toEqual([]);
  });

  test('epoch ranges: each ends before the next one begins, the newest has no end', () => {
    addEpoch({ firstId: 6, offsetMs: -20, trusted: 0 });
    addEpoch({ firstId: 1, offsetMs: 0 });
    addEpoch({ firstId: 9, offsetMs: 7, trusted: 0, lost: 1 });
    expect(new EpochRanges(database).all()).toEqual([
      { firstId: 1, lastId: 5, offsetMs: 0, isTrusted: true, isLost: false },
      { firstId: 6, lastId: 8, offsetMs: -20, isTrusted: false, isLost: false },
      { firstId: 9, lastId: OPEN_END, offsetMs: 7, isTrusted: false, isLost: true },
    ]);
  });

  test('epoch ranges: the receiver’s clock overrules a trusted epoch of its boot', () => {
    addEpoch({ firstId: 1, offsetMs: 0, bootId: 'a' });
    addEpoch({ firstId: 2, offsetMs: 0, bootId: 'b' });
    database.exec("INSERT INTO receiver_clock VALUES ('a', 86400001, 'hold', 0)");
    expect(new EpochRanges(database).all().map(({ isTrusted }) => isTrusted)).toEqual([false, true]);
  });
});

describe('an epoch whose offset is unreadable', () => {
  test.each([['abc'], [1.5], [Infinity], [2n ** 60n], [Buffer.from('0')]])(
    '(%p) is not trusted: its samples are held',
    (offset) => {
      addEpoch({ firstId: 1, offsetMs: 0 });
      addEpoch({ firstId: 6, offsetMs: 0, trusted: 2 });
      database.prepare('UPDATE epochs SET offset_ms = ? WHERE first_id = 6').run(offset);
      expect(new EpochRanges(database).all().map(({ offsetMs, isTrusted }) => [offsetMs, isTrusted])).toEqual([
        [0, true],
        [0, false],
      ]);
    },
  );

  test.each([
    ['correct', 'test', false],
    ['correct', SENT_BEFORE_CORRECTION, true],
    ['hold', 'test', true],
  ])(
    'epoch ranges: an epoch that agreed with another receiver’s clock, under the policy %s and because %s, is trusted: %s',
    (policy, reason, isTrusted) => {
      addEpoch({ firstId: 1, offsetMs: 3 * DAY, trusted: 2, bootId: 'this' });
      addEpoch({ firstId: 6, offsetMs: 1_000, trusted: 2, bootId: 'this' });
      database.prepare('UPDATE epochs SET reason = ?').run(reason);
      database.prepare(`INSERT INTO receiver_clock VALUES ('this', 0, ?, 0)`).run(policy);
      expect(new EpochRanges(database).all().map((epoch) => epoch.isTrusted)).toEqual([isTrusted, true]);
    },
  );
});

test('split by epoch: cuts ranges where epochs begin and gives each part its offset', () => {
  addEpoch({ firstId: 3, offsetMs: 1 });
  addEpoch({ firstId: 6, offsetMs: 2 });
  addEpoch({ firstId: 7, offsetMs: 3 });
  const ranges = [
    [1, 4],
    [6, 6],
    [7, 9],
  ] as const;
  expect(splitByEpoch(ranges, new EpochRanges(database).all())).toEqual([
    { firstId: 3, lastId: 4, offsetMs: 1 },
    { firstId: 6, lastId: 6, offsetMs: 2 },
    { firstId: 7, lastId: 9, offsetMs: 3 },
  ]);
});

test('find epoch: the last one that begins at or before the id, the first one for ids before all', () => {
  const epochs = [5, 8, 9, 20].map((firstId) => ({ firstId }));
  const found = [1, 5, 7, 8, 9, 10, 19, 20, 21].map((id) => findEpoch(epochs, id)?.firstId);
  expect(found).toEqual([5, 5, 5, 8, 9, 9, 9, 20, 20]);
  expect(findEpoch([], 1)).toBeUndefined();
});

describe('SQL of the corrected time', () => {
  beforeEach(() => {
    addEpoch({ firstId: 1, offsetMs: 100 });
    addEpoch({ firstId: 3, offsetMs: -100 });
    database.exec(
      "INSERT INTO series (key, name, tags, device_id, value_type, priority) VALUES (x'01', 'a', '{}', 'd', 0, 1)",
    );
    const insert = database.prepare('INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, 1, ?, 0)');
    for (const id of [1, 2, 3, 4]) insert.run(id, 1_000 * id);
  });

  test.each(['samples', 'm'])('corrected time: stored time plus the offset of the sample’s epoch, table %s', (name) => {
    const rows = database
      .prepare(`SELECT ${correctedTimeSql(name)} FROM samples AS ${name} ORDER BY id`)
      .pluck()
      .all();
    expect(rows).toEqual([1_100, 2_100, 2_900, 3_900]);
  });

  test('corrected time: the view that people query has the same', () => {
    const corrected = database.prepare(`SELECT ${correctedTimeSql()} FROM samples ORDER BY id`).pluck().all();
    expect(database.prepare('SELECT timestamp_ms FROM metrics ORDER BY id').pluck().all()).toEqual(corrected);
  });

  test('newest offset: that of the epoch with the highest first id', () => {
    expect(database.prepare(`SELECT ${NEWEST_OFFSET_SQL}`).pluck().get()).toBe(-100);
  });
});
