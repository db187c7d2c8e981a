import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';

import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

let server: VictoriaMetrics;
let agents: AgentPair;

beforeAll(async () => {
  server = await startVictoriaMetrics();
}, 120_000);
afterAll(() => server.stop());
beforeEach(() => {
  agents = new AgentPair({ REMOTE_URL: `${server.url}/api/v1/import`, SELF_INTERVAL: '1s', LABELS: 'site=berlin' });
});
afterEach(() => agents.remove());

/** Returns the only value of an instant query; undefined if there is none. */
async function query(text: string): Promise<number | undefined> {
  await server.flush();
  const response = await fetch(`${server.url}/api/v1/query?${new URLSearchParams({ query: text }).toString()}`);
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return data.result.length === 0 ? undefined : Number(data.result[0]!.value[1]);
}

test('own metrics: counters of both programs reach VictoriaMetrics, and a kill is a counter reset in a rate (A-42)', async () => {
  agents.start('collector');
  let uploader = agents.start('uploader');
  await endpointOf(uploader);
  await until(
    'its own samples are there',
    async () => (await query('collector_metrics_collected_total{collector="memory"}')) !== undefined,
    60_000,
  );
  await until('some uploads are counted', async () => (await query('uploader_metrics_uploaded_total'))! > 0, 120_000);
  await uploader.kill('SIGKILL');
  uploader = agents.start('uploader');
  await endpointOf(uploader);
  // A counter of the uploader begins at 0 with its process, as Prometheus expects it; that is a reset, not a fall.
  await until(
    'the new process counts from 0',
    async () => (await query('resets(uploader_metrics_uploaded_total[10m])')) === 1,
    120_000,
  );
  await until('and counts again', async () => (await query('uploader_metrics_uploaded_total'))! > 0, 120_000);
  const [most, now, counted] = await Promise.all(
    ['max_over_time', 'last_over_time', 'increase'].map((name) =>
      query(`${name}(uploader_metrics_uploaded_total[10m])`),
    ),
  );
  expect(counted).toBeLessThanOrEqual(most! + now! + 1);
  // Those of the collector live in the database, with the samples that they count: they go on.
  expect(await query('resets(collector_metrics_collected_total{collector="memory"}[10m])')).toBe(0);
  const [first, last, increase] = await Promise.all(
    ['first_over_time', 'last_over_time', 'increase'].map((name) =>
      query(`${name}(collector_metrics_collected_total{collector="memory"}[10m])`),
    ),
  );
  expect(last).toBeGreaterThan(first!);
  expect(increase).toBeLessThanOrEqual(last! + 10);
  expect(await query('rate(collector_metrics_collected_total{collector="memory"}[1m])')).toBeGreaterThan(0);
  expect(
    await query('histogram_quantile(0.5, sum(collector_collection_duration_seconds_bucket) by (le))'),
  ).toBeGreaterThan(0);
  expect(Math.abs((await query('time_skew_ms'))!)).toBeLessThan(2_000);
  const [all, ofSite] = await Promise.all(
    ['{device_id="board-1"}', '{device_id="board-1",site="berlin"}'].map((match) => query(`count(${match})`)),
  );
  expect([all, ofSite]).toEqual([ofSite, expect.any(Number)]);
}, 300_000);

test('own metrics: are fewer series than those of the device', async () => {
  const collector = agents.start('collector');
  const uploader = agents.start('uploader');
  await endpointOf(uploader);
  await until(
    'all are there',
    async () => (await query('time_skew_ms')) !== undefined && (await query('uploader_bytes_sent_total')) !== undefined,
    90_000,
  );
  await collector.stop();
  await until('everything is delivered', () => readBooks(agents.database).pending === 0, 60_000);
  const own = '{__name__=~"(collector|uploader|storage|time)_.*"}';
  const ownSeries = (await query(`count(last_over_time(${own}[5m]))`))!;
  const allSeries = (await query('count(last_over_time({__name__!=""}[5m]))'))!;
  expect(ownSeries).toBeLessThan(allSeries - ownSeries);
}, 240_000);
