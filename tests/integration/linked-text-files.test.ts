import { chmodSync, linkSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openDatabase } from '@thugshells/shared/database/open.ts';

import { AgentPair } from '../support/agent-pair.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { findHeldLocks } from '../support/held-locks.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const folder = useTemporaryFolder();
let directory: string;
let pair: AgentPair;
let collector: AgentProcess;

beforeEach(async () => {
  directory = folder.path('textfiles');
  mkdirSync(directory);
  pair = new AgentPair({ TEXTFILE_DIR: directory, INTERVAL: '200ms', REMOTE_URL: 'http://127.0.0.1:1/import' });
  collector = pair.start('collector');
  await until('rows are stored', () => countRows() > 0);
});

afterEach(() => pair.remove());

function countRows(name = 'load.average_1m'): number {
  const database = openDatabase(pair.database, { readonly: true });
  try {
    return database
      .prepare<[string], number>('SELECT COUNT(*) FROM samples JOIN series ON series.id = series_id WHERE name = ?')
      .pluck()
      .get(name)!;
  } finally {
    database.close();
  }
}

/** Links the files of the database into the directory, and waits until the collector has come across all of them. */
async function linkAll(link: (from: string, to: string) => void): Promise<void> {
  for (const suffix of ['', '-shm', '-wal', '.collector-lock'])
    link(pair.database + suffix, join(directory, `b${suffix}.prom`));
  const rows = countRows('textfile.scrape_error');
  await until('more scrapes have passed', () => countRows('textfile.scrape_error') > rows + 3);
  expect(collector.told('collector failing').map((line) => line['error'])).toEqual([
    expect.stringContaining(`it is a file of the database ${pair.database}`),
  ]);
}

test.each([
  ['hard', linkSync],
  ['symbolic', symlinkSync],
] as const)('text files: %s links to the database leave its locks to the collector', async (_kind, link) => {
  const locked = ['', '-shm', '.collector-lock'].map((suffix) => pair.database + suffix);
  const before = locked.map((path) => findHeldLocks(path, collector.pid));
  expect(before.map((locks) => locks.length)).toEqual([1, 1, 1]);
  await linkAll(link);
  expect(locked.map((path) => findHeldLocks(path, collector.pid))).toEqual(before);
  // A second collector would store each sample twice.
  expect(await pair.start('collector').ended).toEqual({ code: 75, signal: null });
  // The last connection deletes the WAL: the uploader must not take itself for it.
  const wal = statSync(`${pair.database}-wal`).ino;
  const uploader = pair.start('uploader');
  await until('the uploader runs', () => uploader.endpoint() !== undefined);
  expect(await uploader.stop()).toEqual({ code: 0, signal: null });
  expect(statSync(`${pair.database}-wal`).ino).toBe(wal);
  const rows = countRows();
  await until('the collector goes on', () => countRows() > rows);
});

test('credentials: a token file that is the database is refused and leaves the locks to the uploader', async () => {
  chmodSync(pair.database, 0o600);
  const other = new AgentPair({
    ...{ DB_PATH: pair.database, UPLOAD_INTERVAL: '200ms', REMOTE_URL: 'http://127.0.0.1:1/import' },
    ...{ REMOTE_TOKEN_FILE: pair.database },
  });
  try {
    const uploader = other.start('uploader');
    await until('it is named', () => uploader.lines.some((line) => line.includes('it is a file of the database')));
    expect(findHeldLocks(pair.database, uploader.pid)).toHaveLength(1);
  } finally {
    await other.remove();
  }
});
