import { beforeEach, describe, expect, test } from '@jest/globals';

import { migrate } from '../../../../shared/src/database/migrate.ts';
import { type Database } from '../../../../shared/src/database/open.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { toVersionTwo, versionOne } from '../../../support/old-databases.ts';

const T = 1_700_000_000_000;
const folder = useTemporaryFolder();
let database: Database;

/** Columns of a row of version 2 that a test cares for. */
interface OldRow {
  readonly id?: number;
  readonly timestamp_ms?: number;
  readonly metric_name?: string;
  readonly metric_value?: number | null;
  readonly device_id?: string | null;
  readonly value_text?: string | null;
  readonly value_type?: number;
  readonly tags?: string | null;
  readonly session_id?: string | null;
  readonly uploaded?: number;
  readonly priority?: number;
  readonly dedup_key?: string | null;
}

/** Stores rows as version 2 did: the key comes from the function that the program registers. */
function store(...rows: OldRow[]): void {
  rows.forEach((row, index) => {
    const columns = {
      timestamp_ms: T + index * 1000,
      metric_name: 'cpu.usage',
      metric_value: index,
      device_id: 'b1',
      ...row,
    };
    const names = Object.keys(columns);
    const { lastInsertRowid } = database
      .prepare(`INSERT INTO metrics (${names.join(', ')}) VALUES (${names.map((name) => `@${name}`).join(', ')})`)
      .run(columns);
    if (row.dedup_key !== undefined) return;
    database
      .prepare(
        'UPDATE metrics SET dedup_key = dedup_key(metric_name, timestamp_ms, device_id, tags, value_type) WHERE id = ?',
      )
      .run(lastInsertRowid);
  });
}

function view(columns: string): unknown[] {
  return database.prepare(`SELECT ${columns} FROM metrics ORDER BY id`).raw().all();
}

function books(): unknown {
  return database
    .prepare('SELECT last_id, collected, dropped, delivered, rejected FROM collector_state, uploader_state')
    .raw()
    .get();
}

beforeEach(() => {
  database = folder.keep(versionOne(folder.path('metrics.db')));
  toVersionTwo(database);
});

describe('what was uploaded', () => {
  test('stays so: 0 pending, 1 delivered, 2 rejected', () => {
    store(...[1, 1, 0, 2, 2, 1, 0, 0, 1].map((uploaded) => ({ uploaded })));
    migrate(database);
    expect(view('uploaded').flat()).toEqual([1, 1, 0, 2, 2, 1, 0, 0, 1]);
    expect(database.prepare('SELECT id, reason FROM rejected').raw().all()).toEqual([
      [4, 'rejected before version 3'],
      [5, 'rejected before version 3'],
    ]);
  });

  test('becomes ranges that are disjoint and not adjacent', () => {
    store(...[1, 1, 0, 2, 2, 1, 0, 0, 1].map((uploaded) => ({ uploaded })));
    migrate(database);
    expect(database.prepare('SELECT first_id, last_id FROM settled ORDER BY 1').raw().all()).toEqual([
      [1, 2],
      [4, 6],
      [9, 9],
    ]);
  });

  test('keeps the books balanced, and gives no id again that was in use', () => {
    store(...[1, 1, 0, 2, 2, 1, 0, 0, 1].map((uploaded) => ({ uploaded })));
    database.exec('DELETE FROM metrics WHERE id = 9');
    migrate(database);
    expect(books()).toEqual([9, 8, 0, 3, 2]);
    expect(view('SUM(uploaded = 0)')).toEqual([[3]]);
  });

  test('is told by whatever is neither 0 nor 2, and the books count it as the view does', () => {
    store({ uploaded: 3 }, { uploaded: 1 }, { uploaded: 0 });
    migrate(database);
    expect(view('uploaded').flat()).toEqual([1, 1, 0]);
    expect(books()).toEqual([3, 3, 0, 2, 0]);
  });
});

describe('values', () => {
  test('numbers and texts arrive in the columns they came from', () => {
    store(
      { metric_value: 12.25 },
      { metric_value: null, value_text: '5.10.160', value_type: 1, metric_name: 'system.kernel' },
      { metric_value: null },
    );
    migrate(database);
    expect(view('metric_name, metric_value, value_text, value_type')).toEqual([
      ['cpu.usage', 12.25, null, 0],
      ['system.kernel', null, '5.10.160', 1],
      ['cpu.usage', null, null, 0],
    ]);
  });

  test('a number and a text of one name at one time are two series', () => {
    store(
      { timestamp_ms: T, metric_value: 1 },
      { timestamp_ms: T, metric_value: null, value_text: 'x', value_type: 1 },
    );
    migrate(database);
    expect(view('metric_value, value_text')).toEqual([
      [1, null],
      [null, 'x'],
    ]);
  });
});

describe('identities', () => {
  test('a row without a device belongs to the device with the empty name', () => {
    store({ device_id: null }, { device_id: '' }, { device_id: 'b2' });
    migrate(database);
    expect(view('device_id').flat()).toEqual(['', '', 'b2']);
    expect(database.prepare('SELECT COUNT(*) FROM series').pluck().get()).toBe(2);
  });

  test('tags in another order, or with other blanks, are one series with sorted tags', () => {
    store({ tags: '{"b":"2","a":"1"}' }, { tags: '{ "a": "1", "b": "2" }' });
    migrate(database);
    expect(view('tags').flat()).toEqual(['{"a":"1","b":"2"}', '{"a":"1","b":"2"}']);
    expect(database.prepare('SELECT COUNT(*) FROM series').pluck().get()).toBe(1);
  });

  test.each([null, '', '{}'])('%p as tags means none', (tags) => {
    store({ tags });
    migrate(database);
    expect(view('tags').flat()).toEqual(['{}']);
  });

  test.each(['{"core":', 'core=0', '["core","0"]', '"core"', 'null', '7'])(
    'tags %p, which are no labels, are kept whole as one label',
    (tags) => {
      store({ tags });
      migrate(database);
      expect(JSON.parse(String(view('tags').flat()[0]))).toEqual({ tags });
    },
  );

  test('tags that are no text become one', () => {
    store({ tags: '{"core":0,"online":true,"note":null}' });
    migrate(database);
    expect(view('tags').flat()).toEqual(['{"core":"0","note":"null","online":"true"}']);
  });

  test('tags that hold tags stay apart from each other', () => {
    store({ timestamp_ms: T, tags: '{"core":{"id":0}}' }, { timestamp_ms: T, tags: '{"core":{"id":1}}' });
    migrate(database);
    expect(view('tags').flat()).toEqual(['{"core":"{\\"id\\":0}"}', '{"core":"{\\"id\\":1}"}']);
  });

  test('of rows without a key that turn out to be one sample, the first stays and the books count it once', () => {
    store(
      { timestamp_ms: T, dedup_key: null, tags: '{"a":"1","b":"2"}', uploaded: 1 },
      { timestamp_ms: T, dedup_key: null, tags: '{"b":"2","a":"1"}' },
      { timestamp_ms: T, dedup_key: null, tags: '{"b":"2","a":"1"}', uploaded: 2 },
      { timestamp_ms: T + 1, dedup_key: null },
    );
    migrate(database);
    expect(view('id, uploaded')).toEqual([
      [1, 1],
      [4, 0],
    ]);
    expect(books()).toEqual([4, 2, 0, 1, 0]);
  });

  test('the priority of a series is the highest of its rows', () => {
    store({ priority: 1 }, { priority: 3 }, { priority: 2 });
    migrate(database);
    expect(view('priority').flat()).toEqual([3, 3, 3]);
  });
});

describe('sessions', () => {
  test('keep their row, and their samples by the id they begin with', () => {
    database.exec(`INSERT INTO sessions (id, start_time, end_time, status, metadata) VALUES
      ('one', ${T}, ${T + 5}, 'completed', '{"host":"b1"}'), ('two', ${T + 9}, NULL, 'active', NULL), ('without samples', ${T}, ${T}, 'failed', NULL)`);
    store({ session_id: null }, { session_id: 'one' }, { session_id: 'one' }, { session_id: 'two' });
    migrate(database);
    expect(view('session_id').flat()).toEqual([null, 'one', 'one', 'two']);
    expect(database.prepare('SELECT * FROM sessions ORDER BY id').raw().all()).toEqual([
      ['one', T, T + 5, 'completed', '{"host":"b1"}', 2],
      ['two', T + 9, null, 'active', null, 4],
      ['without samples', T, T, 'failed', null, null],
    ]);
  });

  test('that only samples know get a row with the span of these', () => {
    store({ session_id: 'lost' }, { session_id: 'lost' }, { session_id: 'lost' });
    migrate(database);
    expect(
      database.prepare('SELECT id, start_time, end_time, status, first_sample_id FROM sessions').raw().all(),
    ).toEqual([['lost', T, T + 2000, 'completed', 1]]);
  });
});

test('upload checkpoints of version 2 stay', () => {
  database.exec(
    `INSERT INTO upload_checkpoints (batch_id, chunk_index, uploaded_at, metric_count) VALUES ('batch', 0, ${T}, 50)`,
  );
  migrate(database);
  expect(
    database.prepare('SELECT batch_id, chunk_index, metric_count, success FROM upload_checkpoints').raw().all(),
  ).toEqual([['batch', 0, 50, 1]]);
});
