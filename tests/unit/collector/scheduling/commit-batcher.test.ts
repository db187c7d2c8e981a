import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { CommitBatcher } from '../../../../collector/src/scheduling/commit-batcher.ts';
import { walCommits } from '../../../support/wal-commits.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { reading, scrapeAt, storeOn } from '../../../support/collector/collector-parts.ts';

const folder = useTemporaryFolder();
let made: ReturnType<typeof storeOn>;
let round: CommitBatcher;
let database: Database;
let commitsBefore: number;

beforeEach(() => {
  made = storeOn(folder.path('metrics.db'));
  round = new CommitBatcher(made);
  database = folder.keep(openDatabase(folder.path('metrics.db')));
  // Series are stored with their first sample.
  take('a');
  round.end();
  commitsBefore = walCommits(folder.path('metrics.db'));
});

afterEach(() => made.store.close());

function take(...names: string[]): void {
  for (const name of names) round.add(scrapeAt(made.clock, made.store, [reading(`${name}.x`, 1)]));
}

function stored(): unknown {
  return database.prepare('SELECT COUNT(*) FROM samples').pluck().get();
}

function commits(): number {
  return walCommits(folder.path('metrics.db')) - commitsBefore;
}

test('scrapes that end within 100 ms are one commit', async () => {
  take('a', 'b');
  await made.clock.advance(90);
  take('c');
  expect(stored()).toBe(1);
  await made.clock.advance(10);
  expect({ stored: stored(), commits: commits() }).toEqual({ stored: 4, commits: 1 });
});

test('a scrape that ends later is a commit of its own, and has its own 100 ms', async () => {
  take('a');
  await made.clock.advance(150);
  take('b');
  await made.clock.advance(90);
  expect({ stored: stored(), commits: commits() }).toEqual({ stored: 2, commits: 1 });
  await made.clock.advance(10);
  expect({ stored: stored(), commits: commits() }).toEqual({ stored: 3, commits: 2 });
});

test('at the end nothing is left behind, and nothing is handed on twice', async () => {
  take('a', 'b');
  round.end();
  expect(stored()).toBe(3);
  await made.clock.advance(100);
  expect({ stored: stored(), commits: commits() }).toEqual({ stored: 3, commits: 1 });
});
