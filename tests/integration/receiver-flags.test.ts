import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '@thugshells/shared/clock.ts';

import { findProgram } from '../../deploy/scripts/programs.ts';
import { QueryClient } from '../../uploader/src/transport/query-client.ts';
import { freePort } from '../support/free-port.ts';
import { directConnection } from '../support/uploader/direct-connection.ts';
import { VictoriaMetricsProcess } from '../support/victoria-metrics-process.ts';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'flags-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const MONTH_MS = 31 * 86_400_000;
test.each([
  ['of which none was set', [], { retentionMs: MONTH_MS, acceptedAgeMs: MONTH_MS, dedupMs: 0 }],
  [
    'of which one was set',
    ['-retentionPeriod=3d'],
    { retentionMs: 3 * 86_400_000, acceptedAgeMs: 3 * 86_400_000, dedupMs: 0 },
  ],
  [
    'that has a key on /metrics',
    ['-metricsAuthKey=x', '-retentionPeriod=1y', '-dedup.minScrapeInterval=10s'],
    { retentionMs: 365 * 86_400_000, acceptedAgeMs: 365 * 86_400_000, dedupMs: 10_000 },
  ],
])('receiver flags: retention and deduplication of a VictoriaMetrics %s are known', async (_, flags, expected) => {
  const [port, binary] = [await freePort(), await findProgram('victoria-metrics')];
  const server = await VictoriaMetricsProcess.start({ binary, dir: mkdtempSync(join(folder, 'data-')), port, flags });
  const remoteUrl = `http://127.0.0.1:${port}/api/v1/import`;
  const client = new QueryClient({ ...directConnection, clock: systemClock, remoteUrl, queryUrl: '' });
  try {
    expect(await client.readFlags(new AbortController().signal)).toEqual(expected);
  } finally {
    client.close();
    await server.kill('SIGTERM');
  }
});
