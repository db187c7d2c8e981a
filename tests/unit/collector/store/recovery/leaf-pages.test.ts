import { readFileSync, writeFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { openDatabase, openSideFile } from '@thugshells/shared/database/open.ts';

import { readSampleCells } from '../../../../../collector/src/store/recovery/source-sample.ts';
import { PageFile, type LeafRow } from '../../../../../collector/src/store/recovery/leaf-pages.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();

function allRows(path: string): LeafRow[] {
  const pages = new PageFile(path);
  try {
    return Array.from({ length: pages.count }, (_, place) => pages.rows(place)).flat();
  } finally {
    pages.close();
  }
}

test('leaf pages: reads rows of every type and length as SQLite does, also with overflow pages and from the WAL', () => {
  const value = fc.oneof(
    fc.constant(null),
    fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
    fc.constantFrom(0, 1, 127, 128, 32_767, -32_769, 8_388_607, 2 ** 31, 2 ** 40, -(2 ** 47)),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ maxLength: 40 }),
    fc.constantFrom('x'.repeat(988), 'y'.repeat(990), 'z'.repeat(5_000)),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  );
  let run = 0;
  fc.assert(
    fc.property(
      fc.array(fc.array(value, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 60 }),
      fc.boolean(),
      (rows, inWal) => {
        const path = folder.path(`rows-${run++}.db`);
        const database = openDatabase(path, { create: true });
        database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)');
        const insert = database.prepare('INSERT INTO t VALUES (?, ?, ?, ?)');
        rows.forEach((row, index) =>
          insert.run(
            (index + 1) * 1_000_003,
            ...row.map((each) => (typeof each === 'number' && Number.isSafeInteger(each) ? BigInt(each) : each)),
          ),
        );
        if (!inWal) database.pragma('wal_checkpoint(TRUNCATE)');
        const expected = database.prepare('SELECT * FROM t ORDER BY id').raw().all() as unknown[][];
        // A row may also be, with older content, on a page that is not used any more.
        const copy = folder.path(`copy-${run}.db`);
        writeFileSync(copy, readFileSync(path));
        if (inWal) writeFileSync(`${copy}-wal`, readFileSync(`${path}-wal`));
        database.close();
        const found = new Map(
          allRows(copy)
            .filter(({ values }) => values.length === 4)
            .map(({ id, values }) => [id, values.slice(1)]),
        );
        const overflowing = (row: unknown[]): boolean =>
          inWal && row.some((each) => typeof each === 'string' && each.length > 400);
        for (const [id, ...values] of expected)
          if (!overflowing(values)) expect(found.get(id as number)).toEqual(values);
      },
    ),
    { numRuns: 60 },
  );
});

test('leaf pages: reads ids of every length as SQLite does', () => {
  const ids = [-(2 ** 53) + 1, -5, -1, 0, 127, 128, 2 ** 14, 2 ** 28 - 1, 2 ** 42, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 1];
  const path = folder.path('ids.db');
  const database = openDatabase(path, { create: true });
  database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a)');
  for (const id of ids) database.prepare('INSERT INTO t VALUES (?, 7)').run(BigInt(id));
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  expect(
    allRows(path)
      .filter(({ values }) => values[1] === 7)
      .map(({ id }) => id),
  ).toEqual(ids);
});

test('leaf pages: skips a row with a type that no version of SQLite writes', () => {
  const path = folder.path('type.db');
  // A record of four types, of which one is a negative number of nine bytes.
  const record = [12, 0, 0x80 | 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
  const page = Buffer.alloc(1_024);
  page[0] = 0x0d;
  page.writeUInt16BE(1, 3);
  page.writeUInt16BE(900, 8);
  Buffer.from([record.length, 7, ...record]).copy(page, 900);
  writeFileSync(path, Buffer.concat([Buffer.alloc(1_024), page]));
  expect(allRows(path)).toEqual([]);
});

test('leaf pages: for any bytes, throws nothing and returns no impossible sample', () => {
  const path = folder.path('noise.db');
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1_024, maxLength: 1_024 }),
      fc.integer({ min: 0, max: 80 }),
      (bytes, cells) => {
        const page = Buffer.from(bytes);
        page[0] = 0x0d;
        page.writeUInt16BE(cells, 3);
        writeFileSync(path, Buffer.concat([Buffer.alloc(1_024), page]));
        const pages = new PageFile(path);
        try {
          for (const sample of readSampleCells(pages, 1)) {
            if (sample === undefined) continue;
            const { id, seriesId, timestampMs } = sample;
            expect([id, seriesId, timestampMs].every(Number.isSafeInteger)).toBe(true);
            expect(timestampMs).toBeGreaterThanOrEqual(1e12);
          }
        } finally {
          pages.close();
        }
      },
    ),
    { numRuns: 500 },
  );
});

test.each([512, 1_024])('leaf pages: finds that a file has pages of %d bytes without its header', (pageSize) => {
  const path = folder.path(`pages-of-${pageSize}.db`);
  const database = openSideFile(path);
  database.pragma(`page_size = ${pageSize}`);
  database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a)');
  const insert = database.prepare('INSERT INTO t VALUES (?, ?)');
  for (let id = 1; id <= 500; id++) insert.run(id, 'x'.repeat(id % 90));
  database.close();
  writeFileSync(path, readFileSync(path).fill(255, 0, 100));
  const pages = new PageFile(path);
  expect(pages.pageSize).toBe(pageSize);
  pages.close();
  expect(allRows(path).filter(({ values }) => values.length === 2)).toHaveLength(500);
});
