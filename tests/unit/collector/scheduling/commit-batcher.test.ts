import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { CommitBatcher } from '../../../../collector/src/scheduling/commit-batcher.ts';
import { walCommits } from '../../../support/wal-commits.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { NOW, reading, scrapeAt, storeOn } from '../../../support/collector/collector-parts.ts';

const folder = useTemporaryFolder();
let made: ReturnType<typeof storeOn>;
let batcher: CommitBatcher;
let database: Database;
let commitsBefore: number;

beforeEach(() => {
  made = storeOn(folder.path('metrics.db'));
  useFlushInterval(0);
  database = folder.keep(openDatabase(folder.path('metrics.db')));
  // Series are stored with their first sample.
  made.store.add(scrapeAt(made.clock, made.store, [reading('a.x', 1)]));
  made.store.flush();
  commitsBefore = walCommits(folder.path('metrics.db'));
});

afterEach(() => {
  batcher.close();
  made.store.close();
});

function useFlushInterval(flushIntervalMs: number): void {
  batcher = new CommitBatcher({ ...made, flushIntervalMs });
}

function scrape(...names: string[]): void {
  for (const name of names) batcher.add(scrapeAt(made.clock, made.store, [reading(`${name}.x`, 1)]));
}

/** How many rows there are, and how many commits it took to add those of the test. */
function stored(): { rows: unknown; commits: number } {
  return {
    rows: database.prepare('SELECT COUNT(*) FROM samples').pluck().get(),
    commits: walCommits(folder.path('metrics.db')) - commitsBefore,
  };
}

test('commit batcher: commits scrapes that end within 100 ms together', async () => {
  scrape('a', 'b');
  await made.clock.advance(90);
  scrape('c');
  expect(stored()).toEqual({ rows: 1, commits: 0 });
  await made.clock.advance(10);
  expect(stored()).toEqual({ rows: 4, commits: 1 });
});

test('commit batcher: gives a scrape that ends later a commit of its own, within its own 100 ms', async () => {
  scrape('a');
  await made.clock.advance(150);
  scrape('b');
  await made.clock.advance(90);
  expect(stored()).toEqual({ rows: 2, commits: 1 });
  await made.clock.advance(10);
  expect(stored()).toEqual({ rows: 3, commits: 2 });
});

test('commit batcher: buffers scrapes for FLUSH_INTERVAL and no longer; each keeps its own time', async () => {
  useFlushInterval(60_000);
  for (let count = 0; count < 6; count++) {
    await made.clock.advance(10_000);
    scrape('a');
  }
  await made.clock.advance(9_999);
  expect(stored()).toEqual({ rows: 1, commits: 0 });
  await made.clock.advance(1);
  expect(stored()).toEqual({ rows: 7, commits: 1 });
  const times = database.prepare('SELECT timestamp_ms FROM metrics ORDER BY id').pluck().all();
  expect(times.slice(1)).toEqual([1, 2, 3, 4, 5, 6].map((count) => NOW + count * 10_000));
});

test('commit batcher: flushes nothing after it was closed; closing the store commits what is pending', async () => {
  useFlushInterval(60_000);
  scrape('a', 'b');
  batcher.close();
  expect(made.clock.sleeping).toBe(0);
  await made.clock.advance(60_000);
  expect(stored()).toEqual({ rows: 1, commits: 0 });
  made.store.close();
  expect(stored().rows).toBe(3);
});
