import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { AgentProcess } from '../support/agent-process.ts';
import { until } from '../support/until.ts';
import { walCommits } from '../support/wal-commits.ts';

let folder: string;
let path: string;
let collector: AgentProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rounds-'));
  path = join(folder, 'metrics.db');
});

afterEach(async () => {
  await collector?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function start(interval: string): AgentProcess {
  collector = new AgentProcess('collector', {
    THUGSHELLS_DB_PATH: path,
    THUGSHELLS_DEVICE_ID: 'b1',
    THUGSHELLS_INTERVAL: interval,
    THUGSHELLS_LOG_LEVEL: 'debug',
  });
  return collector;
}

function scrapes(): ReturnType<AgentProcess['told']> {
  return collector!.told('scrape');
}

test('collectors that are due at once are one commit', async () => {
  start('1s');
  await until('all have been due ten times', () => scrapes().length >= 80);
  // A busy machine may part what is due at once; each by itself would be as many commits as scrapes.
  expect(walCommits(path)).toBeLessThan(scrapes().length / 2);
}, 60_000);

test('what has gathered when the collector is stopped is stored', async () => {
  // At this pace some scrapes wait for their commit at any moment.
  const running = start('100ms');
  await until('all have been due several times', () => scrapes().length >= 40);
  expect(await running.stop()).toEqual({ code: 0, signal: null });
  const database = openDatabase(path, { readonly: true });
  const stored = database.prepare<[], number>('SELECT COUNT(*) FROM samples').pluck().get();
  database.close();
  expect(stored).toBe(scrapes().reduce((sum, { count }) => sum + Number(count), 0));
}, 60_000);
