import { renameSync, rmSync, symlinkSync } from 'node:fs';

import { beforeEach, expect, test } from '@jest/globals';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { DatabaseWatch } from '../../../../uploader/src/queue/database-watch.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { RecordedLog } from '../../../support/recorded-log.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
let path: string;
let database: Database;
let clock: FakeClock;
let watch: DatabaseWatch;

beforeEach(() => {
  path = folder.path('metrics.db');
  database = folder.keep(openDatabase(path, { create: true }));
  migrate(database);
  clock = new FakeClock();
  watch = new DatabaseWatch(database, { path, clock, logger: new RecordedLog() });
});

function suspectedAt(): unknown {
  return database.prepare('SELECT suspected_at FROM uploader_state').pluck().get();
}

test('database watch: a database is replaced once its path has another file or none', () => {
  expect(watch.isReplaced).toBe(false);
  renameSync(path, `${path}.aside`);
  expect(watch.isReplaced).toBe(true);
  openDatabase(path, { create: true }).close();
  expect(watch.isReplaced).toBe(true);
});

test('database watch: a folder that cannot be read is no sign of another file', () => {
  const state = folder.path('state');
  const own = folder.keep(openDatabase(`${state}/metrics.db`, { create: true }));
  watch = new DatabaseWatch(own, { path: `${state}/metrics.db`, clock, logger: new RecordedLog() });
  renameSync(state, `${state}.aside`);
  // stat(2) fails with ELOOP, for root too.
  symlinkSync(state, state);
  expect(watch.isReplaced).toBe(false);
  rmSync(state);
  expect(watch.isReplaced).toBe(true);
});

test('database watch: reports corruption to the collector, and no other error', () => {
  watch.reportCorruption(Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' }));
  expect(suspectedAt()).toBeNull();
  watch.reportCorruption(Object.assign(new Error('corrupt'), { code: 'SQLITE_CORRUPT_INDEX' }));
  expect(suspectedAt()).toBe(clock.now());
});

test('database watch: reports a constraint that fails, which means that rows contradict each other', () => {
  watch.reportCorruption(Object.assign(new Error('UNIQUE'), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' }));
  expect(suspectedAt()).toBe(clock.now());
});

test('database watch: recognizes corruption by the message of an error from a thread, which has lost its code', () => {
  watch.reportCorruption(
    structuredClone(Object.assign(new Error('database disk image is malformed'), { code: 'SQLITE_CORRUPT' })),
  );
  expect(suspectedAt()).toBe(clock.now());
});

test('database watch: does not throw if the report cannot be written', () => {
  database.close();
  expect(() => watch.reportCorruption(Object.assign(new Error('x'), { code: 'SQLITE_NOTADB' }))).not.toThrow();
});
