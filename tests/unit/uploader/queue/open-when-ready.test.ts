import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, schemaVersion } from '@thugshells/shared/database/schema-version.ts';

import { openNow, openWhenReady } from '../../../../uploader/src/queue/open-when-ready.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { thrownBy } from '../../../support/thrown.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

let folder: string;
let path: string;
let clock: FakeClock;
let log: LogRecord;
let stop: AbortController;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'thugshells-schema-'));
  path = join(folder, 'metrics.db');
  clock = new FakeClock();
  log = new LogRecord();
  stop = new AbortController();
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(onAttempt?: (reason: string) => void): Promise<Database | undefined> {
  return openWhenReady(path, { clock, logger: log, stop: stop.signal, ...(onAttempt && { onAttempt }) });
}

/** Changes the database as the collector does. */
function collect(change: (database: Database) => void): void {
  const database = openDatabase(path, { create: true });
  change(database);
  database.close();
}

describe('open when ready', () => {
  test('opens a prepared database at once', async () => {
    collect(migrate);
    const database = await open();
    expect([schemaVersion(database!), log.lines, clock.sleeps]).toEqual([SCHEMA_VERSION, [], []]);
    database!.close();
  });

  test('tries twice a second and reports each attempt', async () => {
    let attempts = 0;
    const opened = open(() => (attempts += 1));
    await clock.advance(0);
    await clock.advance(2_000);
    expect(attempts).toBe(5);
    stop.abort();
    expect(await opened).toBeUndefined();
  });

  test('waits for a missing database, logs that once, and never creates it', async () => {
    const opened = open();
    await clock.advance(5_000);
    expect(log.messages()).toEqual(['waiting for collector to prepare database']);
    expect(() => openDatabase(path)).toThrow('cannot open');
    collect(migrate);
    await clock.advance(500);
    const database = await opened;
    expect(database?.open).toBe(true);
    database!.close();
  });

  test('waits until the collector has migrated the database', async () => {
    collect(
      (database) =>
        void database.exec(
          'CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp_ms INTEGER NOT NULL, metric_name TEXT NOT NULL, metric_value REAL, device_id TEXT)',
        ),
    );
    const opened = open();
    await clock.advance(1_000);
    expect(log.lines[0]!.fields['reason']).toBe(`schema version 1, this program needs ${SCHEMA_VERSION}`);
    collect(migrate);
    await clock.advance(500);
    (await opened)!.close();
  });

  test('waits until the collector has replaced the database of a newer program, and logs reason and hint once', async () => {
    const reasons = new Set<string>();
    collect((database) => {
      migrate(database);
      database.prepare('INSERT INTO schema_version (version, applied_at) VALUES (?, 0)').run(SCHEMA_VERSION + 1);
    });
    const opened = open((reason) => reasons.add(reason));
    await clock.advance(5_000);
    const versions = `cannot use the database: it has schema version ${SCHEMA_VERSION + 1}, this program knows versions up to ${SCHEMA_VERSION}`;
    expect([log.messages(), [...reasons]]).toEqual([['database too new, waiting for collector'], [versions]]);
    expect(log.lines[0]!.fields).toMatchObject({
      path,
      reason: versions,
      hint: expect.stringContaining('start the collector'),
    });
    renameSync(path, `${path}.schema-${SCHEMA_VERSION + 1}`);
    await clock.advance(5_000);
    expect(log.messages().at(-1)).toBe('waiting for collector to prepare database');
    collect(migrate);
    await clock.advance(500);
    (await opened)!.close();
  });

  test('refuses the database of a newer program to a command, with both versions and a hint', () => {
    collect((database) => {
      migrate(database);
      database.prepare('INSERT INTO schema_version (version, applied_at) VALUES (?, 0)').run(SCHEMA_VERSION + 1);
    });
    expect(thrownBy(() => openNow(path))).toMatchObject({
      code: 'DATABASE_TOO_NEW',
      message: expect.stringMatching(new RegExp(`${SCHEMA_VERSION + 1}.*${SCHEMA_VERSION}`)),
      hint: expect.stringMatching(new RegExp(`knows schema ${SCHEMA_VERSION + 1}, or start the collector`)),
    });
  });

  test('returns undefined when stopped', async () => {
    const opened = open();
    await clock.advance(1_000);
    stop.abort();
    expect(await opened).toBeUndefined();
  });
});
