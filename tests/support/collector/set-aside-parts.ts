import { cpSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION } from '@thugshells/shared/database/schema-version.ts';

import { SalvageQueue } from '../../../collector/src/store/recovery/salvage-queue.ts';
import { queueSetAsideImports } from '../../../collector/src/store/recovery/set-aside-import.ts';
import { FakeClock } from '../fake-clock.ts';
import { reading, scrapeAt, startOn, storeOn } from './collector-parts.ts';
import { booksOf, deliver, scrapes } from './prepared-store.ts';

/** A schema version that this program does not know. */
export const NEWER = SCHEMA_VERSION + 1;

/** Marks a database as migrated by a newer program. */
export function makeNewer(path: string): void {
  const database = openDatabase(path);
  database.prepare('INSERT INTO schema_version (version, applied_at) VALUES (?, 0)').run(NEWER);
  database.close();
}

/** Undoes makeNewer(): as if this were the newer program. */
export function makeKnown(path: string): void {
  const database = openDatabase(path);
  database.prepare('DELETE FROM schema_version WHERE version = ?').run(NEWER);
  database.close();
}

/**
 * A database with something of everything: 2,400 rows, of which 700 are delivered (the 12 of the 58th scrape not surely) and 3 rejected,
 * and 5 samples that were dropped.
 */
export async function fullDatabase(path: string, startMs: number): Promise<void> {
  const parts = storeOn(path, { clock: new FakeClock(startMs) });
  await scrapes(parts, 200);
  const database = openDatabase(path);
  deliver(database, 703);
  database.exec(`
    UPDATE uploader_state SET delivered = 700, rejected = 3;
    INSERT INTO rejected (id, status, reason) VALUES (701, 400, 'bad value'), (702, 400, 'bad value'), (703, NULL, 'no name');
    INSERT INTO losses (at, reason, first_ms, last_ms, count) VALUES (${startMs}, 'cap', 1, 2, 5);
    UPDATE collector_state SET dropped = 5, collected = collected + 5;
    INSERT INTO provisional (accepted_at, ranges) VALUES (${startMs}, '[[685,696]]');`);
  database.close();
  parts.store.close();
}

/** A database of a few rows, one of another series first: ids of series are others than in fullDatabase(). */
export async function smallDatabase(path: string, startMs: number): Promise<void> {
  const parts = storeOn(path, { clock: new FakeClock(startMs) });
  parts.store.add(scrapeAt(parts.clock, parts.store, [reading('b.y', 1)]));
  parts.store.flush();
  await scrapes(parts, 10);
  parts.store.close();
}

/** Returns the samples of a database with their states, in an order that does not depend on ids. */
export function content(path: string): unknown[] {
  return withDatabase(path, (database) =>
    database
      .prepare(
        `SELECT timestamp_ms, metric_name, metric_value, tags, device_id, uploaded, q.status, q.reason
         FROM metrics LEFT JOIN rejected AS q USING (id) ORDER BY timestamp_ms, metric_name, tags, uploaded`,
      )
      .raw()
      .all(),
  );
}

export function booksIn(path: string): ReturnType<typeof booksOf> {
  return withDatabase(path, booksOf);
}

/** Starts the import of the set-aside files beside a database, step by step. */
export function startImport(path: string, nowMs: number) {
  const clock = new FakeClock(nowMs);
  const database = openDatabase(path);
  const { epochs, ledger, log } = startOn(database, { clock });
  queueSetAsideImports(database, { dbPath: path, logger: log });
  const queue = new SalvageQueue(database, { clock, logger: log, epochs, ledger, databasePath: path });
  return {
    log,
    queue,
    /** Makes at most this many steps. */
    steps(count = Infinity): void {
      for (let step = 0; step < count && queue.isCopying; step++) queue.step();
    },
    close(): void {
      queue.close();
      database.close();
    },
  };
}

/** Copies a folder as a kill leaves it: without shared memory. */
export function killedCopy(path: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  cpSync(dirname(path), folder, { recursive: true, filter: (file) => file !== folder && !file.endsWith('-shm') });
  return join(folder, basename(path));
}

function withDatabase<T>(path: string, read: (database: Database) => T): T {
  const database = openDatabase(path, { readonly: true });
  try {
    return read(database);
  } finally {
    database.close();
  }
}
