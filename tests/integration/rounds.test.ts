import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { AgentProcess } from '../support/agent-process.js';
import { until } from '../support/until.js';
import { walCommits } from '../support/wal-commits.js';

test('collectors that are due at once are one commit', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rounds-'));
  const path = join(folder, 'metrics.db');
  const collector = new AgentProcess('collector', {
    THUGSHELLS_DB_PATH: path,
    THUGSHELLS_DEVICE_ID: 'b1',
    THUGSHELLS_INTERVAL: '1s',
    THUGSHELLS_LOG_LEVEL: 'debug',
  });
  try {
    const scrapes = (): number => collector.told('scrape').length;
    await until('all have been due ten times', () => scrapes() >= 80);
    // A busy machine may part what is due at once; each by itself would be as many commits as scrapes.
    expect(walCommits(path)).toBeLessThan(scrapes() / 2);
    expect(await collector.stop()).toEqual({ code: 0, signal: null });
  } finally {
    await collector.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}, 60_000);
