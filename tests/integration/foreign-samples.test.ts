import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { expectSameValues, valuesBySeries } from '../support/compare-series.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics } from '../support/victoria-metrics.ts';

/** What users' scripts and targets expose, through the agent and directly into a second VictoriaMetrics: both hold the same. */

const toRelease: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of toRelease.splice(0).reverse()) await release();
});

async function victoriaMetrics() {
  const server = await startVictoriaMetrics();
  toRelease.push(() => server.stop());
  return server;
}

const FIXTURES = join(import.meta.dirname, '../fixtures/textfiles');

test('what public scripts for the textfile collector write is the same by the agent as VictoriaMetrics itself reads it', async () => {
  const [ours, theirs] = [await victoriaMetrics(), await victoriaMetrics()];
  const { stdout, stderr, code } = await runToEnd(
    'collector',
    { THUGSHELLS_COLLECTORS: 'textfile', THUGSHELLS_TEXTFILE_DIR: FIXTURES, THUGSHELLS_DEVICE_ID: 'b1' },
    ['once'],
  );
  expect([code, stderr]).toEqual([0, 'backup_size_bytes: value NaN is not finite']);
  await fetch(`${ours.url}/api/v1/import`, { method: 'POST', body: stdout });
  const files = readdirSync(FIXTURES).filter((name) => name.endsWith('.prom'));
  for (const name of files) {
    await fetch(`${theirs.url}/api/v1/import/prometheus?extra_label=device_id=b1`, {
      method: 'POST',
      body: readFileSync(join(FIXTURES, name)),
    });
  }
  expect(files.length).toBeGreaterThanOrEqual(20);
  const expected = valuesBySeries(await theirs.export(), /^textfile_/);
  expect(expected.size).toBeGreaterThan(80);
  expectSameValues(valuesBySeries(await ours.export(), /^textfile_/), expected);
  expect((await ours.export('textfile_mtime_seconds')).map(({ metric }) => metric['file']).sort()).toEqual(
    files.map((name) => join(FIXTURES, name)).sort(),
  );
});

test('infinite values of a text file reach VictoriaMetrics as they are, and NaN is left out by name', async () => {
  const ours = await victoriaMetrics();
  const folder = mkdtempSync(join(tmpdir(), 'foreign-samples-'));
  toRelease.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(
    join(folder, 'limits.prom'),
    'limit{of="up"} +Inf\nlimit{of="down"} -Inf\nlimit{of="none"} NaN\nlimit 5\n',
  );
  const settings = { COLLECTORS: 'textfile', TEXTFILE_DIR: folder };
  const once = await runToEnd(
    'collector',
    Object.fromEntries(Object.entries(settings).map(([name, value]) => [`THUGSHELLS_${name}`, value])),
    ['once'],
  );
  expect([once.code, once.stderr]).toEqual([0, 'limit: value NaN is not finite']);
  expect(once.stdout).toMatch(/"of":"down".*"values":\[-1e999\]/);
  const agent = new AgentPair({ REMOTE_URL: `${ours.url}/api/v1/import`, ...settings });
  toRelease.push(() => agent.remove());
  agent.start('collector');
  agent.start('uploader');
  const read = async (): Promise<unknown[]> => {
    const response = await fetch(`${ours.url}/api/v1/query?query=last_over_time(limit[1h])`);
    const { data } = (await response.json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    return data.result.map(({ metric, value }) => [metric['of'] ?? '', value[1]]).sort();
  };
  await until('three series are there', async () => ((await read()).length === 3 ? true : undefined));
  expect(await read()).toEqual([
    ['', '5'],
    ['down', '-Inf'],
    ['up', '+Inf'],
  ]);
});

describe('a target that never answers', () => {
  test('delays nothing, not the end either, and is named in the health report', async () => {
    const ours = await victoriaMetrics();
    let asked = 0;
    const silent = createServer(() => {
      asked += 1;
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    toRelease.push(() => {
      silent.close();
      silent.closeAllConnections();
    });
    const folder = mkdtempSync(join(tmpdir(), 'foreign-samples-'));
    toRelease.push(() => rmSync(folder, { recursive: true }));
    const target = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/metrics`;
    const agent = new AgentPair({
      REMOTE_URL: `${ours.url}/api/v1/import`,
      COLLECTORS: 'load textfile scrape',
      TEXTFILE_DIR: folder,
      SCRAPE_TARGETS: `silent=${target}`,
      SCRAPE_INTERVAL: '15s',
    });
    toRelease.push(() => agent.remove());
    const collector = agent.start('collector');
    const uploader = agent.start('uploader');
    const endpoint = await until('the status server listens', () => uploader.endpoint());
    const text = await until('the target is named', async () => {
      const health = await (await fetch(new URL('/health', endpoint), { headers: { connection: 'close' } })).text();
      return health.includes('no complete response within 10 s') && health;
    });
    expect(text).toContain('scrape:silent');
    await until('up is 0', async () => (await ours.export('up'))[0]?.values.includes(0));
    const loads = await until('the others go on', async () => {
      const found = (await ours.export('load_average_1m'))[0];
      return found !== undefined && found.timestamps.length > 8 && found;
    });
    const gaps = loads.timestamps.slice(1).map((at, index) => at - loads.timestamps[index]!);
    // One that waited for the target would have waited ten seconds.
    expect(Math.max(...gaps)).toBeLessThan(9_000);
    await until('it is asked again', () => asked >= 2);
    const stoppedAt = performance.now();
    expect(await collector.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(9_000);
  }, 120_000);
});
