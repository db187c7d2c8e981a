// Longer than a test should be: the ranges are also held against a model with a flag for each row.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { preparePendingRowsVersion } from '../../../../uploader/src/queue/pending-rows-version.ts';
import { SettledRanges, type CountedRows } from '../../../../uploader/src/queue/settled-ranges.ts';
import { idsIn, StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let settled: SettledRanges;
let readVersion: ReturnType<typeof preparePendingRowsVersion>;

beforeAll(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
  readVersion = preparePendingRowsVersion(stored.database);
});
afterAll(() => stored.remove());
beforeEach(() => void stored.database.exec('BEGIN'));
afterEach(() => void stored.database.exec('ROLLBACK'));

function books(): Record<string, number> {
  return { ...new Backlog(stored.database, settled).readBooks() };
}

describe('settled ranges', () => {
  test('become one range, whatever the order of their parts', () => {
    stored.rows(9);
    for (const part of [
      [7, 9],
      [1, 2],
      [3, 6],
    ] as const)
      settled.deliver([part]);
    expect(settled.readRanges()).toEqual([[1, 9]]);
    expect(books()).toMatchObject({ delivered: 9, pending: 0 });
  });

  test('count a row once, however often it is delivered', () => {
    stored.rows(10);
    expect([settled.deliver([[1, 6]]), settled.deliver([[4, 8]]), settled.deliver([[1, 8]])]).toEqual([6, 2, 0]);
    expect(books()).toMatchObject({ delivered: 8, pending: 2 });
  });

  test('count existing rows, not ids: deleted rows are neither delivered nor pending', () => {
    stored.rows(10);
    stored.drop([3, 4, 5], 'cap');
    expect(settled.deliver([[1, 10]])).toBe(7);
    expect(books()).toEqual({ collected: 10, delivered: 7, pending: 0, rejected: 0, dropped: 3 });
  });

  test('use the reader’s count if no pending row has been deleted since', () => {
    stored.rows(10);
    stored.drop([3], 'cap');
    // A count that cannot be true shows that the rows are not counted again.
    expect(settled.deliver([[1, 5]], { count: 77, pendingRowsVersion: readVersion() })).toBe(77);
  });

  test('count again if a pending row has been deleted or some rows were settled before', () => {
    stored.rows(10);
    const before = readVersion();
    stored.drop([3], 'cap');
    expect(settled.deliver([[1, 5]], { count: 5, pendingRowsVersion: before })).toBe(4);
    expect(settled.deliver([[4, 8]], { count: 5, pendingRowsVersion: readVersion() })).toBe(3);
    expect(
      settled.deliver(
        [
          [2, 8],
          [9, 10],
        ],
        { count: 9, pendingRowsVersion: readVersion() },
      ),
    ).toBe(2);
  });

  test('accept overlapping ranges in one call', () => {
    stored.rows(5);
    expect(
      settled.deliver([
        [1, 3],
        [2, 4],
      ]),
    ).toBe(4);
    expect(settled.readRanges()).toEqual([[1, 4]]);
  });
});

describe('settled ranges: a hole without rows', () => {
  test('joins the ranges around it: thinned rows make one range, not one each', () => {
    stored.rows(20);
    stored.drop(
      idsIn([[1, 20]]).filter((each) => each % 5 !== 0),
      'cap',
    );
    for (const each of [10, 20, 5, 15]) settled.deliver([[each, each]]);
    expect(settled.readRanges()).toEqual([[5, 20]]);
    expect(books()).toEqual({ collected: 20, delivered: 4, pending: 0, rejected: 0, dropped: 16 });
  });

  test('joins nothing beyond the next pending row', () => {
    stored.rows(12);
    settled.deliver([
      [1, 2],
      [6, 6],
      [11, 12],
    ]);
    stored.drop([3, 4, 7, 8, 9], 'cap');
    settled.deliver([[10, 10]]);
    expect(settled.readRanges()).toEqual([
      [1, 2],
      [6, 12],
    ]);
    expect(stored.idsOf('pending')).toEqual([5]);
  });

  test('that appears after its neighbors were settled is joined by compact', () => {
    stored.rows(12);
    settled.deliver([
      [1, 2],
      [4, 5],
      [8, 9],
      [11, 12],
    ]);
    stored.drop([3, 6, 7], 'cap');
    settled.compact();
    expect(settled.readRanges()).toEqual([
      [1, 9],
      [11, 12],
    ]);
    expect(books()).toEqual({ collected: 12, delivered: 8, pending: 1, rejected: 0, dropped: 3 });
  });

  test('inside a range is left out by a requeue, which makes only existing rows pending', () => {
    stored.rows(6);
    stored.drop([3], 'cap');
    settled.deliver([[1, 6]]);
    expect(settled.requeueDelivered([[2, 4]])).toBe(2);
    expect(settled.readRanges()).toEqual([
      [1, 1],
      [5, 6],
    ]);
    expect(settled.deliver([[4, 4]]) + settled.deliver([[2, 2]])).toBe(2);
    expect(settled.readRanges()).toEqual([[1, 6]]);
  });
});

describe('settled ranges: a rejected row', () => {
  test('is settled, with its status and reason', () => {
    stored.rows(3);
    expect(
      settled.reject([
        { id: 2, status: 400, reason: 'bad' },
        { id: 3, reason: 'not finite' },
      ]),
    ).toBe(2);
    expect(settled.readRanges()).toEqual([[2, 3]]);
    expect(stored.database.prepare('SELECT * FROM rejected').all()).toEqual([
      { id: 2, status: 400, reason: 'bad' },
      { id: 3, status: null, reason: 'not finite' },
    ]);
    expect([...stored.uploaded().values()]).toEqual([0, 2, 2]);
  });

  test('that was delivered before stays delivered', () => {
    stored.rows(2);
    settled.deliver([[1, 2]]);
    expect(settled.reject([{ id: 1, reason: 'late' }])).toBe(0);
    expect(books()).toMatchObject({ delivered: 2, rejected: 0 });
    expect([...stored.uploaded().values()]).toEqual([1, 1]);
  });

  test('that is rejected twice counts once', () => {
    stored.rows(2);
    expect(
      settled.reject([
        { id: 1, reason: 'a' },
        { id: 1, reason: 'b' },
      ]),
    ).toBe(1);
    expect(books()).toMatchObject({ rejected: 1, pending: 1 });
  });
});

describe('settled ranges: requeueDelivered', () => {
  test('makes delivered rows pending; rejected and pending rows stay as they are', () => {
    stored.rows(10);
    settled.deliver([[1, 6]]);
    settled.reject([{ id: 8, reason: 'bad' }]);
    expect(settled.requeueDelivered([[4, 9]])).toBe(3);
    expect(settled.readRanges()).toEqual([
      [1, 3],
      [8, 8],
    ]);
    expect(books()).toEqual({ collected: 10, delivered: 3, pending: 6, rejected: 1, dropped: 0 });
  });

  test('counts existing rows only, so that the books balance after they are delivered again', () => {
    stored.rows(10);
    settled.deliver([[1, 10]]);
    stored.drop([1, 2, 3], 'retention');
    expect(settled.requeueDelivered([[1, 5]])).toBe(2);
    expect(settled.deliver([[1, 5]])).toBe(2);
    expect(books()).toMatchObject({ delivered: 10, pending: 0 });
  });

  test('does not change adjacent ranges', () => {
    stored.rows(9);
    settled.deliver([
      [1, 3],
      [7, 9],
    ]);
    expect(settled.requeueDelivered([[4, 6]])).toBe(0);
    expect(settled.readRanges()).toEqual([
      [1, 3],
      [7, 9],
    ]);
  });
});

type SettlingStep =
  | { readonly kind: 'store'; readonly count: number }
  /** For delivered ranges, `isCounted` says whether a reader has counted their rows before. */
  | { readonly kind: 'deliver' | 'requeue'; readonly isCounted: boolean; readonly ranges: readonly IdRange[] }
  | { readonly kind: 'reject' | 'retain' | 'cap'; readonly ids: readonly number[] }
  | { readonly kind: 'compact' };

const id = fc.integer({ min: 1, max: 40 });
const ids = fc.array(id, { minLength: 1, maxLength: 6 });
const ranges = fc.array(
  fc.tuple(id, fc.integer({ min: 0, max: 9 })).map(([first, more]): IdRange => [first, first + more]),
  { maxLength: 4 },
);
const step: fc.Arbitrary<SettlingStep> = fc.oneof(
  fc.record({ kind: fc.constant('store' as const), count: fc.integer({ min: 1, max: 8 }) }),
  fc.record({
    kind: fc.constantFrom('deliver' as const, 'deliver' as const, 'requeue' as const),
    isCounted: fc.boolean(),
    ranges,
  }),
  fc.record({ kind: fc.constantFrom('reject' as const, 'retain' as const, 'cap' as const), ids }),
  fc.record({ kind: fc.constant('compact' as const) }),
);

/** The model: one flag per row. */
class RowByRow {
  readonly rows = new Map<number, { state: 'pending' | 'delivered' | 'rejected'; exists: boolean }>();
  collected = 0;
  delivered = 0;
  rejected = 0;
  dropped = 0;

  apply(step: SettlingStep): void {
    if (step.kind === 'store')
      for (let i = 0; i < step.count; i++) this.rows.set((this.collected += 1), { state: 'pending', exists: true });
    else if ('ranges' in step) for (const each of idsIn(step.ranges)) this.#applyTo(each, step.kind);
    else if ('ids' in step) for (const each of step.ids) this.#applyTo(each, step.kind);
  }

  #applyTo(each: number, kind: SettlingStep['kind']): void {
    const row = this.rows.get(each);
    if (row?.exists !== true) return;
    if (row.state === 'pending' && kind === 'deliver') this.delivered += 1;
    if (row.state === 'pending' && kind === 'reject') this.rejected += 1;
    if (row.state === 'delivered' && kind === 'requeue') this.delivered -= 1;
    if (row.state === 'pending' && kind === 'cap') this.dropped += 1;
    if (row.state === 'pending' && kind === 'deliver') row.state = 'delivered';
    else if (row.state === 'pending' && kind === 'reject') row.state = 'rejected';
    else if (row.state === 'delivered' && kind === 'requeue') row.state = 'pending';
    else if ((row.state === 'pending' && kind === 'cap') || (row.state === 'delivered' && kind === 'retain'))
      row.exists = false;
  }

  /** Counts as a reader of all existing rows in some ranges does, pending or not. */
  count(list: readonly IdRange[]): CountedRows {
    const rows = new Set(idsIn(list).filter((each) => this.rows.get(each)?.exists === true));
    return { count: rows.size, pendingRowsVersion: readVersion() };
  }

  /** Returns the ids that a collector may delete for this reason. */
  removable(step: { readonly kind: string; readonly ids: readonly number[] }): number[] {
    const state = step.kind === 'cap' ? 'pending' : 'delivered';
    return step.ids.filter((each) => this.rows.get(each)?.state === state);
  }
}

function apply(step: SettlingStep, model: RowByRow): void {
  // Only ids that were ever offered can be settled.
  const known = (list: readonly IdRange[]): IdRange[] =>
    list.filter(([first]) => first <= model.collected).map(([first, last]) => [first, Math.min(last, model.collected)]);
  if (step.kind === 'store') stored.rows(step.count);
  else if (step.kind === 'deliver')
    settled.deliver(known(step.ranges), step.isCounted ? model.count(known(step.ranges)) : undefined);
  else if (step.kind === 'requeue') settled.requeueDelivered(known(step.ranges));
  else if (step.kind === 'reject')
    settled.reject(step.ids.filter((each) => each <= model.collected).map((each) => ({ id: each, reason: 'bad' })));
  else if (step.kind === 'retain') stored.drop(model.removable(step), 'retention');
  else if (step.kind === 'cap') stored.drop(model.removable(step), 'cap');
  else settled.compact();
}

function compare(model: RowByRow): void {
  const list = settled.readRanges();
  expect(list.every(([first, last], i) => first <= last && (i === 0 || first > list[i - 1]![1] + 1))).toBe(true);
  expect(Math.max(0, ...list.flat())).toBeLessThanOrEqual(stored.number('SELECT last_id FROM collector_state'));
  const { collected, delivered, rejected, dropped } = model;
  const existing = [...model.rows].filter(([, { exists }]) => exists);
  const pending = existing.filter(([, { state }]) => state === 'pending').length;
  expect(books()).toEqual({ collected, delivered, rejected, dropped, pending });
  const codes = { pending: 0, delivered: 1, rejected: 2 };
  expect([...stored.uploaded()]).toEqual(existing.map(([each, { state }]) => [each, codes[state]]));
}

/** Finds the gaps between ranges in which no row exists. */
function findHoles(): IdRange[] {
  const list = settled.readRanges();
  const gaps = list.slice(1).map(([first], index): IdRange => [list[index]![1] + 1, first - 1]);
  return gaps.filter(
    ([first, last]) => stored.number(`SELECT COUNT(*) FROM samples WHERE id BETWEEN ${first} AND ${last}`) === 0,
  );
}

test('settled ranges: ranges, books and view equal a model with one flag per row, for random steps', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      stored.database.exec('SAVEPOINT run');
      try {
        const model = new RowByRow();
        for (const each of [{ kind: 'store', count: 5 } as const, ...steps]) {
          apply(each, model);
          model.apply(each);
          compare(model);
          if (each.kind === 'compact') expect(findHoles()).toEqual([]);
        }
      } finally {
        stored.database.exec('ROLLBACK TO run; RELEASE run');
      }
    }),
    { numRuns: 300 },
  );
});
