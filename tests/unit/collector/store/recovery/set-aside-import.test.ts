// Longer than a test should be: the import is killed after each of its steps.
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, PAGE_SIZE } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, readFileSchemaVersion } from '@thugshells/shared/database/schema-version.ts';

import { FakeClock } from '../../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { NOW, storeOn } from '../../../../support/collector/collector-parts.ts';
import { scrapes, SERIES } from '../../../../support/collector/prepared-store.ts';
import {
  booksIn,
  content,
  fullDatabase,
  killedCopy,
  makeKnown,
  makeNewer,
  NEWER,
  smallDatabase,
  startImport,
} from '../../../../support/collector/set-aside-parts.ts';

/** After everything that fullDatabase() holds. */
const LATER = NOW + 7_200_000;
const folder = useTemporaryFolder();
let path: string;
let aside: string;

beforeEach(() => {
  path = folder.path('agent/metrics.db');
  aside = `${path}.schema-${SCHEMA_VERSION}`;
});

/** A database, and a set-aside one beside it whose schema this program knows. */
async function bothDatabases({ laterMs = LATER } = {}): Promise<{
  readonly rows: unknown[];
  readonly collected: number;
}> {
  // This one first: at its start a store begins to take over what it finds.
  await smallDatabase(path, laterMs);
  await fullDatabase(aside, NOW);
  // What was not surely on the receiver's disk is to be sent again.
  const uploaded = 5;
  const first = (content(aside) as unknown[][]).map((row) => (row[0] === NOW + 580_000 ? row.with(uploaded, 0) : row));
  const rows = sorted([...first, ...content(path)]);
  return { rows, collected: booksIn(aside).collected + booksIn(path).collected };
}

function sorted(rows: readonly unknown[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

function names(of = path): string[] {
  return readdirSync(dirname(of))
    .filter((name) => /^metrics\.db\.(schema|damaged)/.test(name) && !/(\.ballast|-wal|-shm)$/.test(name))
    .sort();
}

function salvages(of = path): unknown[] {
  const database = openDatabase(of);
  try {
    return database.prepare('SELECT file, step FROM salvage').raw().all();
  } finally {
    database.close();
  }
}

describe('import of a set-aside database: its schema is known', () => {
  test('import: copies values, corrected times, states and reasons, adds the books and removes the file', async () => {
    const { rows, collected } = await bothDatabases();
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps();
    copying.close();
    expect(sorted(content(path))).toEqual(rows);
    expect(booksIn(path)).toEqual({
      collected,
      delivered: 688,
      pending: rows.length - 688 - 3,
      rejected: 3,
      dropped: 5,
      balanced: 1,
    });
    expect(salvages()).toEqual([]);
    expect(readdirSync(dirname(path)).filter((name) => name.includes('schema') && !name.endsWith('.ballast'))).toEqual(
      [],
    );
  });

  test('import: adds the boots that the file has counted, the one that both have once', async () => {
    await bothDatabases();
    const source = openDatabase(aside);
    source.exec('UPDATE boots SET counted = 7, unclean = 3');
    source.close();
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps();
    copying.close();
    const database = folder.keep(openDatabase(path));
    expect(database.prepare('SELECT counted, unclean FROM boots').raw().all()).toEqual([[7, 3]]);
  });

  test('import: is one event in the log, with counts', async () => {
    await bothDatabases();
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps();
    copying.close();
    expect(copying.log.said('info', 'warn', 'error')).toEqual(['info: set-aside database imported, file removed']);
    const counts = { count: 2_400, collected: 2_405, delivered: 700, rejected: 3, dropped: 5, lost: 0 };
    expect(copying.log.lines[0]!.fields).toEqual({ path: `${basename(aside)}.taking-over`, ...counts });
  });

  test('import: the books balance at every step', async () => {
    await bothDatabases();
    const copying = startImport(path, LATER + 1_000_000);
    let steps = 0;
    for (; copying.queue.isCopying; steps++) {
      expect(booksIn(path)).toMatchObject({ balanced: 1 });
      copying.steps(1);
    }
    copying.close();
    // Books, three slices of pending rows, one of settled ones, and what ends each of them.
    expect(steps).toBeGreaterThanOrEqual(6);
  });

  test('import: loses no sample if the clock was set back and stored times are the same', async () => {
    const { rows, collected } = await bothDatabases({ laterMs: NOW });
    const copying = startImport(path, NOW + 9_000_000);
    copying.steps();
    copying.close();
    expect(sorted(content(path))).toEqual(rows);
    expect(booksIn(path)).toMatchObject({ collected, balanced: 1 });
    await scrapes(storeOn(path, { clock: new FakeClock(NOW + 9_100_000) }), 1);
    expect(booksIn(path)).toMatchObject({ collected: collected + SERIES, balanced: 1 });
  });

  test('import: held samples stay held, with the start of their boot', async () => {
    await smallDatabase(path, LATER);
    await fullDatabase(aside, NOW);
    const database = openDatabase(aside);
    database.exec(
      `UPDATE epochs SET trusted = 0, boot_id = 'an earlier boot', boot_base_ms = 77; INSERT INTO receiver_clock VALUES ('an earlier boot', 5.5, 'hold', 6)`,
    );
    database.close();
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps();
    copying.close();
    const reader = folder.keep(openDatabase(path));
    expect(
      reader.prepare(`SELECT DISTINCT trusted, boot_base_ms FROM epochs WHERE boot_id = 'an earlier boot'`).raw().all(),
    ).toEqual([[0, 77]]);
    expect(reader.prepare('SELECT booted_at_ms FROM receiver_clock').pluck().all()).toEqual([5.5]);
  });

  test('import: the store runs it while it collects', async () => {
    const { collected } = await bothDatabases();
    const { clock, store, log } = storeOn(path, { clock: new FakeClock(LATER + 1_000_000) });
    const stop = new AbortController();
    const running = store.run(stop.signal);
    await scrapes({ clock, store, log }, 2);
    stop.abort();
    await running;
    store.close();
    expect(names()).toEqual([]);
    expect(booksIn(path)).toMatchObject({ collected: collected + 2 * SERIES, balanced: 1 });
  });

  test('import: a file with a newer schema stays unchanged', async () => {
    await smallDatabase(path, LATER);
    await fullDatabase(aside, NOW);
    makeNewer(aside);
    renameSync(aside, `${path}.schema-${NEWER}`);
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps();
    copying.close();
    expect([names(), salvages(), booksIn(path).collected]).toEqual([
      [`metrics.db.schema-${NEWER}`],
      [],
      10 * SERIES + 1,
    ]);
  });

  test('import: a file that cannot be migrated stays, and the next one is imported', async () => {
    await bothDatabases();
    await fullDatabase(`${aside}.2`, LATER + 100_000);
    const broken = openDatabase(aside);
    // The version 8 again, but the table that 9 adds is there.
    broken.exec('DELETE FROM schema_version WHERE version > 8');
    broken.close();
    const copying = startImport(path, LATER + 9_000_000);
    copying.steps();
    copying.close();
    expect(copying.log.said('error')).toEqual(['error: cannot import set-aside database']);
    expect(names()).toEqual([`${basename(aside)}.taking-over`]);
    expect(booksIn(path)).toMatchObject({ collected: 10 * SERIES + 1 + 2_405, balanced: 1 });
  });
});

describe('import of a set-aside database: a kill', () => {
  test.each([
    ['', LATER],
    [', with the same stored times,', NOW],
  ])(
    'import: a kill after any step%s loses no sample and copies none twice',
    async (_, laterMs) => {
      const { rows, collected } = await bothDatabases({ laterMs });
      for (let steps = 0, isOver = false; !isOver; steps++) {
        const start = killedCopy(path, folder.path(`start-${steps}`));
        const killed = startImport(start, LATER + 1_000_000);
        killed.steps(steps);
        isOver = !killed.queue.isCopying;
        const left = killedCopy(start, folder.path(`left-${steps}`));
        killed.close();
        const next = startImport(left, LATER + 2_000_000);
        next.steps();
        next.close();
        expect(sorted(content(left))).toEqual(rows);
        expect(booksIn(left)).toMatchObject({ collected, delivered: 688, rejected: 3, dropped: 5, balanced: 1 });
        expect([names(left), salvages(left)]).toEqual([[], []]);
      }
    },
    60_000,
  );

  /** What a kill leaves while the file gets its name, and while it is removed. */
  test.each<[string, (marked: string) => void]>([
    ['before the file had the suffix of an import', (marked) => renameSync(marked, aside)],
    ['before its WAL had that name', (marked) => renameSync(`${marked}-wal`, `${aside}-wal`)],
  ])('import: a kill %s loses nothing', async (_, undo) => {
    const { rows, collected } = await bothDatabases();
    const wal = openDatabase(aside);
    wal.exec(
      `INSERT INTO losses (at, reason, count) VALUES (1, 'cap', 7); UPDATE collector_state SET collected = collected + 7, dropped = dropped + 7`,
    );
    for (const suffix of ['', '-wal']) cpSync(aside + suffix, `${folder.path('kept')}${suffix}`);
    wal.close();
    for (const suffix of ['', '-wal']) renameSync(`${folder.path('kept')}${suffix}`, aside + suffix);
    const killed = startImport(path, LATER + 1_000_000);
    const left = killedCopy(path, folder.path('left'));
    killed.close();
    [path, aside] = [left, `${left}.schema-${SCHEMA_VERSION}`];
    undo(`${aside}.taking-over`);
    const next = startImport(path, LATER + 2_000_000);
    next.steps();
    next.close();
    expect(sorted(content(path))).toEqual(rows);
    expect(booksIn(path)).toMatchObject({ collected: collected + 7, dropped: 12, balanced: 1 });
    expect(names()).toEqual([]);
  });

  test.each([['before', false], ['after']])(
    'import: a kill %s the file is removed copies nothing twice',
    async (_, isRemoved = true) => {
      const { rows } = await bothDatabases();
      const marked = `${aside}.taking-over`;
      cpSync(aside, folder.path('copy'));
      const copying = startImport(path, LATER + 1_000_000);
      copying.steps();
      copying.close();
      const database = openDatabase(path);
      database
        .prepare(
          `INSERT INTO salvage (file, step, position, skipped, lost, recovered) VALUES (?, 'done', 0, '[]', 0, 2400)`,
        )
        .run(basename(marked));
      database.close();
      if (!isRemoved) renameSync(folder.path('copy'), marked);
      const next = startImport(path, LATER + 2_000_000);
      next.steps();
      next.close();
      expect([sorted(content(path)), names(), salvages()]).toEqual([rows, [], []]);
    },
  );
});

describe('import of a set-aside database: the importing database is set aside itself', () => {
  /** Halfway through, an older program starts with a new database; then the newer program comes back. */
  async function backAndForth(
    steps: number,
    { laterMs = LATER, olderMs = LATER + 2_000_000 } = {},
  ): Promise<{ readonly rows: string[]; readonly collected: number }> {
    const { rows, collected } = await bothDatabases({ laterMs });
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps(steps);
    copying.close();
    makeNewer(path);
    const older = storeOn(path, { clock: new FakeClock(olderMs) });
    await scrapes(older, 2);
    const stop = new AbortController();
    const running = older.store.run(stop.signal);
    await older.clock.advance(5_000);
    stop.abort();
    await running;
    older.store.close();
    const added = content(path);
    expect([added.length, names()]).toEqual([
      2 * SERIES,
      [`${basename(aside)}.taking-over`, `metrics.db.schema-${NEWER}`].sort(),
    ]);
    return {
      rows: sorted([...(rows as string[]).map((row) => JSON.parse(row) as unknown), ...added]),
      collected: collected + 2 * SERIES,
    };
  }

  const sameTimes = { laterMs: NOW, olderMs: NOW };
  test.each<[number, string, { laterMs?: number; olderMs?: number }]>([
    ...[0, 1, 2, 3, 4, 5].map((steps) => [steps, '', {}] as [number, string, object]),
    ...[1, 3].map((steps) => [steps, ' with the same stored times', sameTimes] as [number, string, object]),
  ])('import: goes on in the next database after %i steps%s', async (steps, _, times) => {
    const { rows, collected } = await backAndForth(steps, times);
    // The newer program: it knows the schema.
    makeKnown(`${path}.schema-${NEWER}`);
    renameSync(`${path}.schema-${NEWER}`, `${path}.schema-${SCHEMA_VERSION}.2`);
    const newer = startImport(path, LATER + 3_000_000);
    newer.steps();
    newer.close();
    expect(sorted(content(path))).toEqual(rows);
    expect(booksIn(path)).toMatchObject({ collected, delivered: 688, rejected: 3, dropped: 5, balanced: 1 });
    expect([names(), salvages()]).toEqual([[], []]);
  });
});

describe('import of a set-aside database: a corrupt file', () => {
  test('import: copies what can be read of a corrupt file, books the rest as dropped and keeps the file', async () => {
    const { collected } = await bothDatabases();
    const database = openDatabase(aside);
    const leaf = database
      .prepare<[], { page: number; rows: number }>(
        `SELECT pageno AS page, ncell AS rows FROM dbstat WHERE name = 'samples' AND pagetype = 'leaf' LIMIT 1 OFFSET 30`,
      )
      .get()!;
    database.close();
    const bytes = readFileSync(aside);
    bytes.fill(0xa5, (leaf.page - 1) * PAGE_SIZE, leaf.page * PAGE_SIZE);
    writeFileSync(aside, bytes);
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps();
    copying.close();
    expect(booksIn(path)).toMatchObject({ collected, dropped: 5 + leaf.rows, balanced: 1 });
    expect(copying.log.said('warn', 'error')).toEqual(['warn: corrupt set-aside database salvaged']);
    expect(names()).toEqual([expect.stringMatching(/^metrics\.db\.damaged-\d{8}T\d{6}Z$/)]);
  });

  test('import: a file without its header gives every sample, as pending', async () => {
    await bothDatabases();
    const before = booksIn(path);
    const bytes = readFileSync(aside);
    bytes.fill(0, 0, PAGE_SIZE);
    writeFileSync(aside, bytes);
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps();
    copying.close();
    expect(booksIn(path)).toMatchObject({ balanced: 1, delivered: before.delivered });
    expect(existsSync(`${aside}.taking-over`)).toBe(false);
  });

  test('import: samples of a file that was removed halfway are in the ledger', async () => {
    const { collected } = await bothDatabases();
    const copying = startImport(path, LATER + 1_000_000);
    copying.steps(3);
    copying.close();
    const before = booksIn(path);
    rmSync(`${aside}.taking-over`);
    const next = startImport(path, LATER + 2_000_000);
    next.steps();
    next.close();
    expect(booksIn(path)).toMatchObject({ collected, dropped: 5 + collected - before.collected, balanced: 1 });
    expect([salvages(), readFileSchemaVersion(path)]).toEqual([[], SCHEMA_VERSION]);
  });
});
