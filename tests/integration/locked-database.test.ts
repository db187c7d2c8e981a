import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { AgentPair, endpointOf, healthAt } from '../support/agent-pair.ts';
import { holdLock } from '../support/lock-holder.ts';
import { findDifferences, readBooks, readStoredPoints, toStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const INTERVAL_MS = 500;
/** Longer than three times the longest wait for a lock that the programs ever had. */
const HELD_MS = 16_000;

let receiver: VictoriaMetrics;
let pair: AgentPair;

beforeEach(async () => {
  receiver = await startVictoriaMetrics();
  pair = new AgentPair({ REMOTE_URL: `${receiver.url}/api/v1/import`, INTERVAL: `${INTERVAL_MS}ms` });
});

afterEach(async () => {
  await pair.remove();
  await receiver.stop();
});

/** Returns the longest time between two samples of the system's load. */
function longestGapMs(): number {
  const times = readStoredPoints(pair.database)
    .filter(({ series }) => series.includes('"load_average_1m"') || /load/.test(series))
    .map(({ timestampMs }) => timestampMs);
  const distinct = [...new Set(times)].sort((a, b) => a - b);
  expect(distinct.length).toBeGreaterThan(HELD_MS / INTERVAL_MS);
  return Math.max(...distinct.slice(1).map((time, index) => time - distinct[index]!));
}

/** Requests the liveness page until `ended`; returns how long the slowest response took. */
async function slowestResponseMs(endpoint: string, ended: () => boolean): Promise<number> {
  let slowest = 0;
  while (!ended()) {
    const askedAt = performance.now();
    await (await fetch(new URL('/health/live', endpoint), { headers: { connection: 'close' } })).text();
    slowest = Math.max(slowest, performance.now() - askedAt);
    await delay(100);
  }
  return slowest;
}

test.each(['BEGIN EXCLUSIVE', 'BEGIN IMMEDIATE'])(
  'locked database: while another program holds %s, every scrape is kept, the endpoint answers at once, and health names the holder',
  async (statement) => {
    const collector = pair.start('collector');
    const uploader = pair.start('uploader');
    const endpoint = await endpointOf(uploader);
    await until('samples are delivered', () => readBooks(pair.database).delivered > 100);
    const holder = await holdLock(pair.database, statement);
    let isOver = false;
    const slowest = slowestResponseMs(endpoint, () => isOver);
    const messages: string[] = [];
    const endsAt = performance.now() + HELD_MS;
    while (performance.now() < endsAt) {
      const { report } = await healthAt(endpoint);
      messages.push(...Object.values(report.components).map(({ message }) => message));
      await delay(500);
    }
    const { report } = await healthAt(endpoint);
    await holder.release();
    isOver = true;
    expect(await slowest).toBeLessThan(1_000);
    expect(report.components['storage']).toMatchObject({ status: 'error' });
    expect(report.components['storage']!.message).toMatch(new RegExp(`locked by node\\S* \\(pid ${holder.pid}\\)`));
    expect(messages.filter((message) => /hang|did not return|no scrape for|no heartbeat/.test(message))).toEqual([]);
    await until('health is well again', async () => (await healthAt(endpoint)).report.status === 'ok');
    const before = readBooks(pair.database).collected;
    await until('more is collected', () => readBooks(pair.database).collected > before + 100);
    const [line] = collector.told('cannot store samples, buffering');
    expect(line).toMatchObject({
      error: expect.stringMatching(new RegExp(`locked by node\\S* \\(pid ${holder.pid}\\)`)),
    });
    expect((await collector.stop()).code).toBe(0);
    expect(longestGapMs()).toBeLessThan(2 * INTERVAL_MS);
    await until('everything is delivered', () => readBooks(pair.database).pending === 0);
    expect((await uploader.stop()).code).toBe(0);
    expect(readBooks(pair.database)).toMatchObject({ rejected: 0, dropped: 0 });
    expect(findDifferences(readStoredPoints(pair.database), toStoredPoints(await receiver.export()))).toEqual([]);
    expect(pair.lines().filter((each) => /"level":"error"/.test(each) && !each.includes('buffering'))).toEqual([]);
  },
  120_000,
);
