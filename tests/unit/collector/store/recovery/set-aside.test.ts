import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, PAGE_SIZE } from '@thugshells/shared/database/open.ts';
import { listSetAsideFiles } from '@thugshells/shared/database/set-aside-files.ts';
import { SCHEMA_VERSION, readFileSchemaVersion } from '@thugshells/shared/database/schema-version.ts';

import { pruneKeptDatabases } from '../../../../../collector/src/store/recovery/kept-databases.ts';
import { setNewerDatabaseAside } from '../../../../../collector/src/store/recovery/set-aside.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { RecordedLog } from '../../../../support/recorded-log.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { NOW, storeOn } from '../../../../support/collector/collector-parts.ts';
import { copyDatabase, killedDatabase, scrapes, SERIES } from '../../../../support/collector/prepared-store.ts';
import { booksIn, content, makeNewer, NEWER } from '../../../../support/collector/set-aside-parts.ts';

const LATER = NOW + 86_400_000;
const folder = useTemporaryFolder();
let path: string;
let aside: string;

beforeEach(() => {
  path = folder.path('metrics.db');
  aside = `${path}.schema-${NEWER}`;
});

/** A newer program's database as its kill leaves it: some of it stands in the WAL alone. */
async function newerDatabase(): Promise<number> {
  const { rows } = await killedDatabase(path, { inFile: 20, inWal: 5, delivered: 100 });
  const live = openDatabase(path);
  live.prepare('INSERT INTO schema_version (version, applied_at) VALUES (?, 0)').run(NEWER);
  // As a kill leaves it: closing the database would move the WAL into it.
  for (const suffix of ['', '-wal']) expect(existsSync(path + suffix)).toBe(true);
  copyDatabase(path, `${path}.kept`);
  live.close();
  for (const suffix of ['', '-wal']) renameSync(`${path}.kept${suffix}`, path + suffix);
  return rows;
}

function names(): string[] {
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}.s`))
    .sort();
}

function started(): ReturnType<typeof storeOn> {
  const parts = storeOn(path, { clock: new FakeClock(LATER) });
  folder.keep(parts.store);
  return parts;
}

describe('set aside: a newer database', () => {
  test('a newer database keeps all its content under a name with its version, and collection goes on in a new one', async () => {
    const rows = await newerDatabase();
    const parts = started();
    await scrapes(parts, 2);
    expect(names()).toEqual([basename(aside)]);
    expect([readFileSchemaVersion(aside), content(aside).length]).toEqual([NEWER, rows]);
    expect([readFileSchemaVersion(path), booksIn(path)]).toMatchObject([
      SCHEMA_VERSION,
      { collected: 2 * SERIES, pending: 2 * SERIES, balanced: 1 },
    ]);
  });

  test('setting aside is one event in the log, with the file, both versions and a hint', async () => {
    await newerDatabase();
    const { log } = started();
    expect(log.said('warn', 'error')).toEqual(['warn: database set aside: newer schema']);
    const { fields } = log.lines.find(({ level }) => level === 'warn')!;
    expect(fields).toMatchObject({
      path: aside,
      schema_version: NEWER,
      known_version: SCHEMA_VERSION,
      hint: expect.stringContaining(`knows schema ${NEWER}`),
    });
  });

  test('a set-aside file gets a number if its name is taken, also by one that is being imported', async () => {
    for (const taken of [aside, `${aside}.2.taking-over`, `${aside}.3-wal`]) writeFileSync(taken, 'another');
    await newerDatabase();
    started();
    expect(readFileSchemaVersion(`${aside}.4`)).toBe(NEWER);
  });

  test('a set-aside file is unchanged at the next start and is not evicted', async () => {
    const rows = await newerDatabase();
    started().store.close();
    pruneKeptDatabases(path, 0);
    const { log } = started();
    expect([names(), content(aside).length, log.said('warn', 'error')]).toEqual([[basename(aside)], rows, []]);
  });

  test('a newer database that another program has open takes its commits and keeps its WAL', async () => {
    const rows = await newerDatabase();
    const other = openDatabase(path);
    other.exec(`INSERT INTO sessions (id, start_time, status) VALUES ('before', 1, 'active')`);
    const parts = started();
    other.exec(`INSERT INTO sessions (id, start_time, status) VALUES ('after', 1, 'active')`);
    await scrapes(parts, 1);
    other.close();
    await scrapes(parts, 1);
    expect(booksIn(path)).toMatchObject({ collected: 2 * SERIES, balanced: 1 });
    const reader = folder.keep(openDatabase(aside, { readonly: true }));
    expect(reader.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(reader.prepare(`SELECT id FROM sessions WHERE start_time = 1 ORDER BY id`).pluck().all()).toEqual([
      'after',
      'before',
    ]);
    expect(content(aside)).toHaveLength(rows);
  });

  test('a database that is not newer stays in place', async () => {
    const { rows } = await killedDatabase(path, { inFile: 5, inWal: 1, delivered: 0 });
    setNewerDatabaseAside({ dbPath: path, logger: new RecordedLog() });
    expect([names(), content(path).length]).toEqual([[], rows]);
  });
});

test('set aside: reading the version of an emptied file keeps its WAL, from which samples are salvaged', async () => {
  await killedDatabase(path, { inFile: 5, inWal: 5, delivered: 0 });
  truncateSync(path, 0);
  const walBytes = statSync(`${path}-wal`).size;
  started();
  const [damaged] = readdirSync(dirname(path)).filter((name) => /damaged-\w+-wal$/.test(name));
  expect(statSync(folder.path(damaged!)).size).toBe(walBytes);
  // Nobody knows what stood in the file.
  expect(booksIn(path).balanced).toBeNull();
});

describe('set aside: after a kill', () => {
  const intent = (): string => `${path}.setting-aside`;

  /** How far the move came: what had its new name already. */
  test.each<[string, readonly string[]]>([
    ['before anything was moved', []],
    ['with the file moved and its WAL not', ['']],
    ['with all of it moved', ['', '-wal']],
  ])('after a kill %s, the next start finishes the move and nothing is lost', async (_, moved) => {
    const rows = await newerDatabase();
    writeFileSync(intent(), basename(aside));
    for (const suffix of moved) renameSync(path + suffix, aside + suffix);
    await scrapes(started(), 2);
    expect(names().filter((name) => !name.endsWith('-wal'))).toEqual([basename(aside)]);
    expect([readFileSchemaVersion(aside), content(aside).length]).toEqual([NEWER, rows]);
    expect(booksIn(path)).toMatchObject({ collected: 2 * SERIES, balanced: 1 });
    expect(existsSync(intent())).toBe(false);
  });

  test('after a kill while the target was being written, nothing has been moved', async () => {
    const rows = await newerDatabase();
    writeFileSync(intent(), 'metr');
    started();
    expect([names(), content(aside).length, existsSync(intent())]).toEqual([[basename(aside)], rows, false]);
  });

  test('after a kill behind the last rename, the new database keeps its own WAL', async () => {
    await newerDatabase();
    const first = started();
    await scrapes(first, 2);
    // The note of what is moved was forgotten too late.
    writeFileSync(intent(), basename(aside));
    const killed = openDatabase(path);
    copyDatabase(path, `${path}.kept`);
    first.store.close();
    killed.close();
    for (const suffix of ['', '-wal']) renameSync(`${path}.kept${suffix}`, path + suffix);
    started();
    expect(booksIn(path)).toMatchObject({ collected: 2 * SERIES, balanced: 1 });
  });
});

test('set aside: lists the set-aside files with version and size, and no others', () => {
  for (const name of [
    'schema-6',
    'schema-6-wal',
    'schema-12.3',
    'schema-12.3.taking-over',
    'schema-x',
    'damaged-20260101T000000Z',
    'schema-6.old',
  ]) {
    writeFileSync(`${path}.${name}`, '12345');
  }
  writeFileSync(`${path}2.schema-6`, '');
  const listed = listSetAsideFiles(path).map(({ file, ...rest }) => [
    file.slice('metrics.db.'.length),
    ...Object.values(rest),
  ]);
  expect(listed).toEqual([
    ['schema-12.3', 12, 5, false],
    ['schema-12.3.taking-over', 12, 5, true],
    ['schema-6', 6, 10, false],
  ]);
  expect(listSetAsideFiles(folder.path('missing/metrics.db'))).toEqual([]);
});

test('set aside: only the record of its version makes a database newer', async () => {
  await killedDatabase(path, { inFile: 2, inWal: 0, delivered: 0 });
  makeNewer(path);
  expect(readFileSchemaVersion(path)).toBe(NEWER);
  expect(readFileSchemaVersion(`${path}.missing`)).toBeUndefined();
});

test('set aside: a sound database is newer by its newest version alone, whichever versions it lacks', async () => {
  const { rows } = await killedDatabase(path, { inFile: 2, inWal: 0, delivered: 0 });
  const database = openDatabase(path);
  database.exec('INSERT INTO schema_version (version, applied_at) VALUES (99, 0)');
  database.close();
  started();
  expect(names()).toEqual(['metrics.db.schema-99']);
  expect(content(`${path}.schema-99`)).toHaveLength(rows);
});

test('set aside: a corrupt record of versions makes no database newer, if its other pages are corrupt too', async () => {
  const { rows } = await killedDatabase(path, { inFile: 20, inWal: 0, delivered: 0 });
  const database = openDatabase(path);
  database.prepare('UPDATE schema_version SET version = 68 WHERE version = ?').run(SCHEMA_VERSION);
  const page = database.prepare(`SELECT rootpage FROM sqlite_schema WHERE name = 'upload_checkpoints'`).pluck().get();
  database.close();
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(PAGE_SIZE, 0xa5), 0, PAGE_SIZE, (Number(page) - 1) * PAGE_SIZE);
  closeSync(file);
  await scrapes(started(), 2);
  expect(names()).toEqual([]);
  expect(content(path)).toHaveLength(rows + 2 * SERIES);
});
