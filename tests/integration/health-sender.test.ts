/** The health that reaches the receiver while the collector stores nothing: both programs, VictoriaMetrics and Prometheus. */
import { afterEach, expect, test } from '@jest/globals';

import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { runToEnd, type AgentProcess } from '../support/agent-process.ts';
import { Prometheus } from '../support/prometheus.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type ExportedSeries, type VictoriaMetrics } from '../support/victoria-metrics.ts';

let agents: AgentPair;
let server: VictoriaMetrics | Prometheus;
afterEach(async () => {
  await agents.remove();
  await server.stop();
});

/** Returns the values of an instant query by one label of their series. */
async function query(text: string, label: string): Promise<Record<string, number>> {
  const response = await fetch(`${server.url}/api/v1/query?${new URLSearchParams({ query: text }).toString()}`, {
    headers: { connection: 'close' },
  });
  const { data } = (await response.json()) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return Object.fromEntries(data.result.map(({ metric, value }) => [metric[label] ?? '', Number(value[1])]));
}

/** Waits until the receiver has the health, by `reported_by`. */
async function untilHealth(expected: Record<string, number>, deadlineMs = 60_000): Promise<void> {
  await until(
    `the health at the receiver is ${JSON.stringify(expected)}`,
    async () => {
      const health = await query('uploader_health_status', 'reported_by');
      return JSON.stringify(Object.entries(health).sort()) === JSON.stringify(Object.entries(expected).sort());
    },
    deadlineMs,
  );
}

async function start(variables: Record<string, string>): Promise<{ collector: AgentProcess; uploader: AgentProcess }> {
  agents = new AgentPair({ SELF_INTERVAL: '1s', ...variables });
  const [collector, uploader] = [agents.start('collector'), agents.start('uploader')];
  await endpointOf(uploader);
  return { collector, uploader };
}

/** Ends both programs, and requires that nothing was rejected, lost or sent twice. */
async function expectExactBooks(collector: AgentProcess, uploader: AgentProcess): Promise<void> {
  await collector.stop();
  await until('everything is delivered', () => readBooks(agents.database).pending === 0);
  const { collected, delivered, rejected, dropped } = readBooks(agents.database);
  expect([delivered, rejected, dropped]).toEqual([collected, 0, 0]);
  expect(uploader.log().filter(({ msg }) => /reject|quarantine|failed/.test(msg))).toEqual([]);
  await uploader.stop();
}

function countTimes(series: readonly ExportedSeries[]): { readonly all: number; readonly distinct: number } {
  const { timestamps = [] } = series[0] ?? {};
  return { all: timestamps.length, distinct: new Set(timestamps).size };
}

test('health sender: a killed and a stopped collector show in the series that it stores itself, and so does its return', async () => {
  const started = await startVictoriaMetrics();
  server = started;
  const begun = await start({ REMOTE_URL: `${server.url}/api/v1/import` });
  const { uploader } = begun;
  let { collector } = begun;
  await untilHealth({ '': 0 });
  await collector.kill('SIGKILL');
  await untilHealth({ '': 2 });
  expect(await query('uploader_component_status', 'component')).toMatchObject({
    collector: 2,
    uploader: 0,
    storage: 0,
  });
  expect(Object.values(await query('uploader_build_info', 'version'))).toEqual([1]);
  expect(await query('storage_metrics_pending_upload', 'device_id')).toEqual({ 'board-1': 0 });
  const whileDead = readBooks(agents.database);
  expect(whileDead.delivered).toBe(whileDead.collected);
  collector = agents.start('collector');
  await untilHealth({ '': 0 });
  collector.signal('SIGSTOP');
  await untilHealth({ '': 2 });
  collector.signal('SIGCONT');
  await untilHealth({ '': 0 });
  expect((await query('uploader_component_status', 'component'))['collector']).toBe(0);
  await expectExactBooks(collector, uploader);
  const series = await started.export('uploader_health_status');
  const { all, distinct } = countTimes(series);
  expect([series.length, all]).toEqual([1, distinct]);
}, 240_000);

test('health sender: Prometheus refuses nothing of a collector that was killed, and of one that was stopped', async () => {
  server = await Prometheus.start();
  const remote = { REMOTE_URL: `${server.url}/api/v1/write`, REMOTE_PROTOCOL: 'remote-write' };
  const begun = await start(remote);
  const { uploader } = begun;
  let { collector } = begun;
  await untilHealth({ '': 0 });
  await collector.kill('SIGKILL');
  await untilHealth({ '': 0, uploader: 2 });
  expect(await query('uploader_component_status', 'component')).toMatchObject({ collector: 2, uploader: 0 });
  collector = agents.start('collector');
  await untilHealth({ '': 0, uploader: 0 });
  collector.signal('SIGSTOP');
  await untilHealth({ '': 0, uploader: 2 });
  collector.signal('SIGCONT');
  await untilHealth({ '': 0, uploader: 0 });
  await expectExactBooks(collector, uploader);
}, 240_000);

test('health sender: a collector that has never stored anything shows too', async () => {
  server = await startVictoriaMetrics();
  agents = new AgentPair({ REMOTE_URL: `${server.url}/api/v1/import` });
  await runToEnd('collector', agents.environment, ['migrate']);
  agents.start('uploader');
  await untilHealth({ '': 2 }, 120_000);
  expect(await query('uploader_component_status', 'component')).toMatchObject({ collector: 2 });
}, 180_000);
