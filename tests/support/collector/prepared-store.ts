import { copyFileSync, existsSync } from 'node:fs';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { FakeClock } from '../fake-clock.ts';
import { NOW, reading, scrapeAt, storeOn } from './collector-parts.ts';

/** What is in the books and in the tables beneath them. */
export interface Ledgered {
  readonly collected: number;
  readonly delivered: number;
  readonly pending: number;
  readonly rejected: number;
  readonly dropped: number;
  readonly balanced: number | null;
}

export const SERIES = 12;

/** Stores scrapes of SERIES series, ten seconds apart, each in a commit of its own. */
export async function scrapes(parts: ReturnType<typeof storeOn>, count: number): Promise<void> {
  const { clock, store } = parts;
  for (let scrape = 0; scrape < count; scrape++) {
    await clock.advance(10_000);
    store.add(
      scrapeAt(
        clock,
        store,
        Array.from({ length: SERIES }, (_, index) => reading('a.x', clock.now() % 1_000_003, { i: String(index) })),
      ),
    );
    store.flush();
  }
}

/** Settles the first `count` rows as delivered, as the uploader does. */
export function deliver(database: Database, count: number): void {
  if (count === 0) return;
  database.transaction(() => {
    database.exec('DELETE FROM settled');
    database.prepare('INSERT INTO settled VALUES (1, ?)').run(count);
    database.prepare('UPDATE uploader_state SET delivered = ?').run(count);
  })();
}

export function booksOf(database: Database): Ledgered {
  return database
    .prepare<[], Ledgered>('SELECT collected, delivered, pending, rejected, dropped, balanced FROM books')
    .get()!;
}

/**
 * The files of a database in the middle of its life: `inFile` scrapes in the database's file, as many more as `inWal` in
 * the WAL alone, the first `delivered` rows delivered; its process was killed.
 */
export async function killedDatabase(
  path: string,
  { inFile, inWal, delivered }: { readonly inFile: number; readonly inWal: number; readonly delivered: number },
): Promise<{ readonly rows: number; readonly clock: FakeClock }> {
  const live = `${path}.live`;
  const parts = storeOn(live, { clock: new FakeClock(NOW) });
  await scrapes(parts, inFile);
  const uploader = openDatabase(live);
  deliver(uploader, delivered);
  uploader.pragma('wal_checkpoint(TRUNCATE)');
  await scrapes(parts, inWal);
  copyDatabase(live, path);
  uploader.close();
  parts.store.close();
  return { rows: (inFile + inWal) * SERIES, clock: parts.clock };
}

/** Copies what a kill would leave: the file and its WAL; what is shared in memory is gone. */
export function copyDatabase(from: string, to: string): void {
  for (const suffix of ['', '-wal']) if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
}
