/** The health that reaches the receiver while the collector stores nothing: both programs, VictoriaMetrics and Prometheus. */
import { describe, expect, test } from '@jest/globals';

import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { runToEnd, type AgentProcess } from '../support/agent-process.ts';
import { Prometheus } from '../support/prometheus.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type ExportedSeries, type VictoriaMetrics } from '../support/victoria-metrics.ts';

/** Half a minute of silence three times, on a busy machine. */
const ENOUGH_MS = 300_000;

/** Both programs and the receiver of one test; the tests run at the same time, since each waits for half a minute several times. */
class Device {
  readonly server: VictoriaMetrics | Prometheus;
  readonly agents: AgentPair;

  constructor(server: VictoriaMetrics | Prometheus, variables: Record<string, string>) {
    this.server = server;
    this.agents = new AgentPair({ SELF_INTERVAL: '1s', ...variables });
  }

  async start(): Promise<{ collector: AgentProcess; uploader: AgentProcess }> {
    const [collector, uploader] = [this.agents.start('collector'), this.agents.start('uploader')];
    await endpointOf(uploader);
    return { collector, uploader };
  }

  /** Returns the values of an instant query by one label of their series. */
  async query(text: string, label: string): Promise<Record<string, number>> {
    const response = await fetch(`${this.server.url}/api/v1/query?${new URLSearchParams({ query: text }).toString()}`, {
      headers: { connection: 'close' },
    });
    const { data } = (await response.json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    return Object.fromEntries(data.result.map(({ metric, value }) => [metric[label] ?? '', Number(value[1])]));
  }

  /** Waits until the receiver has the health, by `reported_by`. */
  async untilHealth(expected: Record<string, number>): Promise<void> {
    let health: Record<string, number> = {};
    const seen = until(
      `the health at the receiver is ${JSON.stringify(expected)}`,
      async () => {
        health = await this.query('uploader_health_status', 'reported_by');
        return JSON.stringify(Object.entries(health).sort()) === JSON.stringify(Object.entries(expected).sort());
      },
      120_000,
    );
    await seen.catch((error: Error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(health)}`, { cause: error });
    });
  }

  /** Waits until the receiver has a health of zero that the collector has stored from now on, and no other. */
  async untilCollectorIsBack(): Promise<void> {
    const since = Date.now() / 1000;
    const stored = 'timestamp(uploader_health_status{reported_by=""})';
    await until(
      'the collector has stored health',
      async () => ((await this.query(stored, 'reported_by'))[''] ?? 0) > since,
      120_000,
    );
    await this.untilHealth({ '': 0 });
  }

  /** Ends both programs, and requires that nothing was rejected, lost or sent twice. */
  async expectExactBooks(collector: AgentProcess, uploader: AgentProcess): Promise<void> {
    await collector.stop();
    await until('everything is delivered', () => readBooks(this.agents.database).pending === 0);
    const { collected, delivered, rejected, dropped } = readBooks(this.agents.database);
    expect([delivered, rejected, dropped]).toEqual([collected, 0, 0]);
    expect(uploader.log().filter(({ msg }) => /reject|quarantine|failed/.test(msg))).toEqual([]);
    await uploader.stop();
  }

  async remove(): Promise<void> {
    await this.agents.remove();
    await this.server.stop();
  }
}

/** Runs a test with a device, and removes it. */
async function withDevice(
  server: VictoriaMetrics | Prometheus,
  variables: Record<string, string>,
  work: (device: Device) => Promise<void>,
): Promise<void> {
  const device = new Device(server, variables);
  try {
    await work(device);
  } finally {
    await device.remove();
  }
}

function countTimes(series: readonly ExportedSeries[]): { readonly all: number; readonly distinct: number } {
  const { timestamps = [] } = series[0] ?? {};
  return { all: timestamps.length, distinct: new Set(timestamps).size };
}

describe('health sender:', () => {
  test.concurrent(
    'a killed and a stopped collector show in the series that it stores itself, and so does its return',
    async () => {
      const server = await startVictoriaMetrics();
      await withDevice(server, { REMOTE_URL: `${server.url}/api/v1/import` }, async (device) => {
        const begun = await device.start();
        const { uploader } = begun;
        let { collector } = begun;
        await device.untilHealth({ '': 0 });
        await collector.kill('SIGKILL');
        await device.untilHealth({ '': 2 });
        expect(await device.query('uploader_component_status', 'reason')).toMatchObject({ no_heartbeat: 2 });
        expect(Object.values(await device.query('uploader_build_info', 'version'))).toEqual([1]);
        expect(await device.query('storage_metrics_pending_upload', 'device_id')).toEqual({ 'board-1': 0 });
        const whileDead = readBooks(device.agents.database);
        expect(whileDead.delivered).toBe(whileDead.collected);
        collector = device.agents.start('collector');
        await device.untilHealth({ '': 0 });
        collector.signal('SIGSTOP');
        await device.untilHealth({ '': 2 });
        collector.signal('SIGCONT');
        await device.untilHealth({ '': 0 });
        await until(
          'the component has recovered at the receiver',
          async () => (await device.query('uploader_component_status', 'reason'))['no_heartbeat'] === 0,
          60_000,
        );
        await device.expectExactBooks(collector, uploader);
        const series = await server.export('uploader_health_status');
        const { all, distinct } = countTimes(series);
        expect([series.length, all]).toEqual([1, distinct]);
      });
    },
    ENOUGH_MS,
  );

  test.concurrent(
    'Prometheus refuses nothing of a collector that was killed, and of one that was stopped, and the series beside it end',
    async () => {
      const server = await Prometheus.start();
      const remote = { REMOTE_URL: `${server.url}/api/v1/write`, REMOTE_PROTOCOL: 'remote-write' };
      await withDevice(server, remote, async (device) => {
        const begun = await device.start();
        const { uploader } = begun;
        let { collector } = begun;
        await device.untilHealth({ '': 0 });
        await collector.kill('SIGKILL');
        await device.untilHealth({ '': 0, uploader: 2 });
        expect(await device.query('uploader_component_status', 'reason')).toMatchObject({ no_heartbeat: 2 });
        collector = device.agents.start('collector');
        await device.untilCollectorIsBack();
        collector.signal('SIGSTOP');
        await device.untilHealth({ '': 0, uploader: 2 });
        collector.signal('SIGCONT');
        await device.untilCollectorIsBack();
        await device.expectExactBooks(collector, uploader);
      });
    },
    ENOUGH_MS,
  );

  test.concurrent(
    'a collector that has never stored anything shows too',
    async () => {
      const server = await startVictoriaMetrics();
      await withDevice(server, { REMOTE_URL: `${server.url}/api/v1/import` }, async (device) => {
        await runToEnd('collector', device.agents.environment, ['migrate']);
        device.agents.start('uploader');
        await device.untilHealth({ '': 2 });
        expect(await device.query('uploader_component_status', 'reason')).toMatchObject({ nothing_stored: 2 });
      });
    },
    ENOUGH_MS,
  );
});
