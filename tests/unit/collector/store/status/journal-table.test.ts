import { beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { Journal } from '@thugshells/shared/logging/journal.ts';

import { reading, scrapeAt, storeOn } from '../../../../support/collector/collector-parts.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { RecordedLog } from '../../../../support/recorded-log.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { walCommits } from '../../../../support/wal-commits.ts';

const folder = useTemporaryFolder();
let path: string;
let clock: FakeClock;
let journal: Journal;
let process: ReturnType<typeof storeOn>;
let reader: Database;

beforeEach(() => {
  path = folder.path('metrics.db');
  clock = new FakeClock();
  start();
  reader = folder.keep(openDatabase(path, { readonly: true }));
});

/** Starts a store, as a process of its own would. */
function start(): void {
  journal = new Journal(clock);
  process = storeOn(path, { clock, journal });
}

function warn(message: string, error = ''): void {
  journal.wrap(new RecordedLog()).warn(message, { error });
}

/** Stores a scrape in a commit of its own; returns how many commits that was. */
async function scrape(afterMs = 10_000): Promise<number> {
  await clock.advance(afterMs);
  const before = walCommits(path);
  process.store.add(scrapeAt(clock, process.store, [reading('a.x', 1)]));
  process.store.flush();
  return walCommits(path) - before;
}

function stored(): string[] {
  return reader.prepare<[], string>('SELECT message FROM journal ORDER BY id').pluck().all();
}

/** Counts the rows of the journal that are written while some work is done. */
async function countWrites(work: () => Promise<unknown>): Promise<number> {
  const other = folder.keep(openDatabase(path));
  other.exec(
    `CREATE TABLE IF NOT EXISTS writes (id INTEGER);
     DELETE FROM writes;
     CREATE TRIGGER IF NOT EXISTS counts AFTER INSERT ON journal BEGIN INSERT INTO writes VALUES (NEW.id); END`,
  );
  await work();
  return reader.prepare<[], number>('SELECT COUNT(*) FROM writes').pluck().get()!;
}

describe('stored journal:', () => {
  test('is written with the next scrape, in its commit, and nothing is written while nothing is logged', async () => {
    await scrape();
    warn('collector failing', 'EACCES');
    const before = walCommits(path);
    await clock.advance(5_000);
    expect([stored(), walCommits(path) - before]).toEqual([[], 0]);
    expect(await scrape()).toBe(1);
    expect(reader.prepare('SELECT level, message, fields, times FROM journal').raw().all()).toEqual([
      ['warn', 'collector failing', '{"error":"EACCES"}', 1],
    ]);
    expect(await countWrites(async () => expect([await scrape(), await scrape()]).toEqual([1, 1]))).toBe(0);
  });

  test('has one row for what is repeated, and no more rows than entries', async () => {
    for (let number = 0; number < 30; number++) warn(`event ${number}`);
    await scrape();
    expect(stored()).toHaveLength(20);
    const written = await countWrites(async () => {
      for (let number = 0; number < 3; number++) {
        warn('event 29');
        await scrape(180_000);
      }
    });
    expect(written).toBe(3);
    expect(stored()).toHaveLength(20);
    expect(reader.prepare('SELECT message, times FROM journal ORDER BY id DESC LIMIT 1').raw().get()).toEqual([
      'event 29',
      4,
    ]);
  });

  test('costs at most ten rows a minute when each text is another one', async () => {
    const minutes = 10;
    const written = await countWrites(async () => {
      for (let number = 0; number < 6 * minutes; number++) {
        for (let each = 0; each < 50; each++) warn('sample refused', `sample ${number} ${each}`);
        await scrape();
      }
    });
    expect(written).toBeLessThanOrEqual(10 * minutes + 20);
    expect(written).toBeGreaterThan(5 * minutes);
  });

  test('goes on in the next process, whether the one before was stopped or killed', async () => {
    await scrape();
    warn('first', 'x');
    await scrape();
    start();
    warn('first', 'x');
    warn('second');
    process.store.close();
    start();
    expect(journal.entries).toMatchObject([
      { message: 'first', times: 2 },
      { message: 'second', times: 1 },
    ]);
    expect(await countWrites(scrape)).toBe(0);
  });

  test('is saved at once at an end that nobody expected', async () => {
    await scrape();
    warn('uncaught exception', 'x is not a function');
    expect(stored()).toEqual([]);
    journal.saveNow();
    expect(stored()).toEqual(['uncaught exception']);
  });

  test('is written again when the commit that wrote it was rolled back', async () => {
    await scrape();
    warn('first');
    const other = folder.keep(openDatabase(path));
    other.exec(`CREATE TRIGGER fails BEFORE INSERT ON collector_status BEGIN SELECT RAISE(ABORT, 'it fails'); END`);
    await scrape();
    expect([stored(), process.store.failure]).toEqual([[], 'it fails']);
    other.exec('DROP TRIGGER fails');
    const stop = new AbortController();
    const running = process.store.run(stop.signal);
    for (let second = 0; second < 15 && process.store.failure !== undefined; second++) await clock.advance(1_000);
    stop.abort();
    await clock.advance(1_000);
    await running;
    expect([stored(), process.store.failure]).toEqual([['first'], undefined]);
  });
});
