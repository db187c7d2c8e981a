import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { STALE_MARKER, toStoredValue, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';

import { Backlog } from '../../../../../uploader/src/queue/backlog.ts';
import { RowReader, type FirstRows } from '../../../../../uploader/src/encoding/rows/row-reader.ts';
import { SettledRanges } from '../../../../../uploader/src/queue/settled-ranges.ts';
import { idsIn, START_MS, StoredSamples } from '../../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let reader: RowReader;

beforeEach(() => {
  stored = new StoredSamples();
  reader = new RowReader(stored.database);
});
afterEach(() => stored.remove());

/** How many rows were read. */
function countOf({ printed }: FirstRows): number {
  return printed!.reduce((sum, { count }) => sum + count, 0);
}

/** A column of what was read, as one text. */
function textOf({ printed }: FirstRows, column: 'ids' | 'seriesIds' | 'timestamps' | 'values'): string {
  return printed!.map((part) => Buffer.from(part[column] ?? []).toString()).join();
}

/** What is read, as ranges and as the number of rows. */
function read(ranges: readonly IdRange[], limit: number): [ranges: readonly IdRange[], count: number] {
  const rows = reader.firstRows(ranges, limit);
  return [rows.ranges, countOf(rows)];
}

describe('row reader, first rows of some ranges:', () => {
  test('are the oldest ones, at most the limit', () => {
    stored.rows(100);
    expect(read([[41, 100]], 30)).toEqual([[[41, 70]], 30]);
    expect(read([[41, 100]], 2_500)).toEqual([[[41, 100]], 60]);
  });

  test('are as many also if they lie in several ranges', () => {
    stored.rows(30);
    expect(
      read(
        [
          [4, 5],
          [10, 14],
          [21, 30],
        ],
        9,
      ),
    ).toEqual([
      [
        [4, 5],
        [10, 14],
        [21, 22],
      ],
      9,
    ]);
    expect(
      read(
        [
          [4, 5],
          [10, 14],
          [21, 30],
        ],
        7,
      ),
    ).toEqual([
      [
        [4, 5],
        [10, 14],
      ],
      7,
    ]);
  });

  test('are as many also if rows have been deleted', () => {
    stored.rows(20);
    stored.drop([1, 2, 3, 8, 9, 10, 11], 'cap');
    expect(read([[1, 20]], 6)).toEqual([
      [
        [4, 9],
        [12, 13],
      ],
      6,
    ]);
    expect(textOf(reader.firstRows([[1, 20]], 6), 'ids')).toBe('4,5,6,7,');
  });

  test('are none if there is no row', () => {
    stored.rows(9);
    stored.drop([1, 2, 3], 'cap');
    expect(read([[1, 3]], 9)).toEqual([[], 0]);
    expect(read([], 9)).toEqual([[], 0]);
  });

  test('are numbers that SQLite has printed, times with the offset of their epoch', () => {
    const series = stored.series('a');
    stored.add(series, START_MS, 0.1 + 0.2);
    stored.beginEpoch(3_600_000, true);
    stored.add(series, START_MS + 1, 2n ** 53n + 1n);
    const rows = reader.firstRows([[1, 2]], 9);
    expect([textOf(rows, 'seriesIds'), textOf(rows, 'values')]).toEqual([
      '1,1',
      '0.30000000000000004,9007199254740993',
    ]);
    expect(textOf(rows, 'timestamps')).toBe(`${START_MS},${START_MS + 3_600_001}`);
  });

  test.each<[string, unknown, unknown]>([
    ['a text', START_MS + 9, '1'],
    ['bytes', START_MS + 9, Buffer.from('1')],
    ['no value', START_MS + 9, null],
    ['a time that is a text', '12 o’clock', 1],
  ])('are not printed if one of them holds %s', (_, timestampMs, value) => {
    stored.rows(3);
    stored.add(1, timestampMs, value);
    expect(reader.firstRows([[1, 4]], 9)).toEqual({ ranges: [[1, 4]], printed: undefined });
    expect(reader.rows([[3, 4]]).map(({ id, value: read }) => [id, read])).toEqual([
      [3, 2],
      [4, value],
    ]);
  });

  test('are the first pending ones that are neither in flight nor held, for any state of the database', () => {
    const settled = new SettledRanges(stored.database);
    const backlog = new Backlog(stored.database, settled);
    const anyIds = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 20 });
    fc.assert(
      fc.property(anyIds, anyIds, anyIds, fc.integer({ min: 1, max: 45 }), (delivered, dropped, inHand, limit) => {
        stored.database.exec(
          'DELETE FROM samples; DELETE FROM settled; DELETE FROM epochs WHERE first_id > 0; UPDATE collector_state SET last_id = 0',
        );
        stored.rows(20);
        stored.beginEpoch(0, false);
        stored.rows(5);
        stored.beginEpoch(0, true);
        stored.rows(15);
        settled.deliver(toRanges(delivered));
        stored.drop(dropped, 'cap');
        const gone = [...delivered, ...dropped, ...inHand, 21, 22, 23, 24, 25];
        const rows = reader.firstRows(backlog.findSendable(toRanges(inHand)), limit);
        const expected = idsIn([[1, 40]])
          .filter((id) => !gone.includes(id))
          .slice(0, limit);
        expect(idsIn(rows.ranges).filter((id) => !dropped.includes(id))).toEqual(expected);
        expect(countOf(rows)).toBe(expected.length);
      }),
      { numRuns: 100 },
    );
  });
});

describe('row reader, special values:', () => {
  const values: readonly SampleValue[] = [NaN, STALE_MARKER, -0];
  const specials = values.map(toStoredValue);

  test('are printed among the numbers as their bytes', () => {
    const id = stored.series('a.b');
    [1.5, ...specials, 7n].forEach((value, index) => stored.add(id, START_MS + index, value));
    const [part] = reader.firstRows([[1, 5]], 5).printed!;
    const comma = Buffer.from(',');
    expect(Buffer.from(part!.values)).toEqual(
      Buffer.concat([Buffer.from('1.5'), ...specials.flatMap((each) => [comma, each as Buffer]), Buffer.from(',7')]),
    );
  });

  test.each<[string, unknown]>([
    ['other bytes', Buffer.from('8000000000000001', 'hex')],
    ['fewer bytes', Buffer.from('80', 'hex')],
    ['a text', '12'],
    ['NULL', null],
  ])('beside %s are read one by one', (_, other) => {
    const id = stored.series('a.b');
    [...specials, other].forEach((value, index) => stored.add(id, START_MS + index, value));
    expect(reader.firstRows([[1, 3]], 3).printed).toBeDefined();
    expect(reader.firstRows([[1, 4]], 4).printed).toBeUndefined();
  });
});
