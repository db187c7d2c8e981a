import { beforeEach, describe, expect, test } from '@jest/globals';

import { migrate } from '../../../../shared/src/database/migrate.ts';
import { openDatabase, type Database } from '../../../../shared/src/database/open.ts';
import { seriesKey } from '../../../../shared/src/metrics/sample.ts';
import { STALE_MARKER, toStoredValue, type SampleValue } from '../../../../shared/src/metrics/sample-value.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const T = 1_700_000_000_000;
const folder = useTemporaryFolder();
let database: Database;

const COLUMNS = [
  'id',
  'timestamp_ms',
  'metric_name',
  'metric_value',
  'value_text',
  'value_type',
  'tags',
  'session_id',
  'device_id',
  'uploaded',
  'priority',
  'dedup_key',
];

function storeSamples(ids: readonly number[]): void {
  const insert = database.prepare('INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, 1, ?, ?)');
  for (const id of ids) insert.run(id, T + id, id / 2);
}

function settle(...ranges: (readonly [number, number])[]): void {
  for (const range of ranges) database.prepare('INSERT INTO settled VALUES (?, ?)').run(...range);
}

function view(columns: string): unknown[] {
  return database.prepare(`SELECT ${columns} FROM metrics ORDER BY id`).raw().all();
}

beforeEach(() => {
  database = folder.keep(openDatabase(folder.path('metrics.db'), { create: true }));
  migrate(database);
  const insert = database.prepare(
    'INSERT INTO series (key, name, tags, device_id, value_type, priority) VALUES (?, ?, ?, ?, ?, ?)',
  );
  insert.run(seriesKey('cpu.usage', 'b1', '{"core":"0"}', 0), 'cpu.usage', '{"core":"0"}', 'b1', 0, 1);
  insert.run(seriesKey('system.kernel', 'b1', '{}', 1), 'system.kernel', '{}', 'b1', 1, 2);
});

test('view metrics: has the columns of the plan, in its order', () => {
  const columns = database
    .prepare('SELECT * FROM metrics')
    .columns()
    .map(({ name }) => name);
  expect(columns).toEqual(COLUMNS);
});

describe('view metrics: uploaded', () => {
  test('view metrics: uploaded is right inside, at the ends of, and outside of settled ranges', () => {
    storeSamples([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    settle([2, 3], [5, 5], [7, 8]);
    expect(view('id, uploaded')).toEqual([
      [1, 0],
      [2, 1],
      [3, 1],
      [4, 0],
      [5, 1],
      [6, 0],
      [7, 1],
      [8, 1],
      [9, 0],
    ]);
  });

  test('view metrics: uploaded is 2 for a rejected sample', () => {
    storeSamples([1, 2, 3]);
    settle([1, 2]);
    database.exec(`INSERT INTO rejected (id, status, reason) VALUES (2, 400, 'no')`);
    expect(view('uploaded').flat()).toEqual([1, 2, 0]);
  });
});

describe('view metrics: time', () => {
  test('view metrics: time is the stored time plus the offset of the epoch', () => {
    storeSamples([1, 2, 3, 4]);
    database.exec(
      `INSERT INTO epochs (first_id, offset_ms, trusted, reason) VALUES (2, 3600000, 1, 'step'), (4, -1000, 0, 'step')`,
    );
    expect(view('timestamp_ms').flat()).toEqual([T + 1, T + 2 + 3_600_000, T + 3 + 3_600_000, T + 4 - 1000]);
  });

  test('view metrics: the dedup key is the time in twelve digits and 52 digits of the series key', () => {
    storeSamples([1]);
    const key = seriesKey('cpu.usage', 'b1', '{"core":"0"}', 0).toString('hex');
    expect(view('dedup_key').flat()).toEqual([`018bcfe56801${key.slice(0, 52)}`]);
    database.exec(`UPDATE epochs SET offset_ms = 15`);
    expect(view('dedup_key').flat()).toEqual([`018bcfe56810${key.slice(0, 52)}`]);
  });
});

describe('view metrics: session', () => {
  test('view metrics: session is the last one that began at or before the id', () => {
    storeSamples([1, 2, 3, 4, 5]);
    const insert = database.prepare(`INSERT INTO sessions (id, start_time, first_sample_id) VALUES (?, 0, ?)`);
    insert.run('a', 2);
    insert.run('b', 4);
    insert.run('never collected', 5);
    insert.run('c', 5);
    expect(view('session_id').flat()).toEqual([null, 'a', 'a', 'b', 'c']);
  });
});

test('view metrics: shows a number and a text each in its column, the labels, and the priority of the series', () => {
  database.exec(`INSERT INTO samples VALUES (1, 1, ${T}, 12.5), (2, 2, ${T}, '5.10.160')`);
  expect(view('metric_name, metric_value, value_text, value_type, tags, device_id, priority')).toEqual([
    ['cpu.usage', 12.5, null, 0, '{"core":"0"}', 'b1', 1],
    ['system.kernel', null, '5.10.160', 1, '{}', 'b1', 2],
  ]);
});

test('view metrics: shows −0 as a zero, and of NaN and the end of a series no number but a name', () => {
  const insert = database.prepare('INSERT INTO samples VALUES (?, 1, ?, ?)');
  const values: readonly SampleValue[] = [1.5, NaN, STALE_MARKER, -0, 'text', 4];
  values.forEach((value, index) => insert.run(index + 1, T + index, toStoredValue(value)));
  expect(view('metric_value, value_text, value_type')).toEqual([
    [1.5, null, 0],
    [null, 'NaN', 0],
    [null, 'StaleNaN', 0],
    [-0, null, 0],
    ['text', null, 0],
    [4, null, 0],
  ]);
  database.exec('DELETE FROM samples WHERE id = 5');
  expect(database.prepare('SELECT COUNT(metric_value), SUM(metric_value) FROM metrics').raw().get()).toEqual([3, 5.5]);
});

test('view metrics: looks each id up, so that its cost does not depend on the number of ranges', () => {
  const plan = database.prepare(`EXPLAIN QUERY PLAN SELECT uploaded FROM metrics`).all() as { detail: string }[];
  const ranges = plan.map(({ detail }) => detail).filter((detail) => /\br\b/.test(detail));
  expect(ranges).toEqual(['SEARCH r USING INTEGER PRIMARY KEY (rowid<?)']);
});

test('view metrics: a connection without our functions reads it while the collector has the database open', () => {
  storeSamples([1, 2, 3]);
  settle([1, 2]);
  database.exec(`INSERT INTO rejected (id, reason) VALUES (2, 'no')`);
  const other = openDatabase(folder.path('metrics.db'), { readonly: true });
  const rows = other.prepare('SELECT * FROM metrics ORDER BY id').all() as { uploaded: number }[];
  other.close();
  expect(rows).toEqual(database.prepare('SELECT * FROM metrics ORDER BY id').all());
  expect(rows.map(({ uploaded }) => uploaded)).toEqual([1, 2, 0]);
});
