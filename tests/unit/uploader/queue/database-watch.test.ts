import { renameSync } from 'node:fs';

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

test('a database is replaced when another file, or none, stands where it stood', () => {
  expect(watch.isReplaced).toBe(false);
  renameSync(path, `${path}.aside`);
  expect(watch.isReplaced).toBe(true);
  openDatabase(path, { create: true }).close();
  expect(watch.isReplaced).toBe(true);
});

test('the collector is told of damage, and of no other fault', () => {
  watch.suspect(Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' }));
  expect(suspectedAt()).toBeNull();
  watch.suspect(Object.assign(new Error('damaged'), { code: 'SQLITE_CORRUPT_INDEX' }));
  expect(suspectedAt()).toBe(clock.now());
});

test('an error that came from a thread tells of damage by its words: its code stays behind', () => {
  watch.suspect(
    structuredClone(Object.assign(new Error('database disk image is malformed'), { code: 'SQLITE_CORRUPT' })),
  );
  expect(suspectedAt()).toBe(clock.now());
});

test('a database that does not take the message is no fault of the uploads', () => {
  database.close();
  expect(() => watch.suspect(Object.assign(new Error('x'), { code: 'SQLITE_NOTADB' }))).not.toThrow();
});
