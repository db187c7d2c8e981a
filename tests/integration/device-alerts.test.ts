/** Alerts about the health and the silence of devices, by the real vmalert on histories that this test writes. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import { alertRules, recordingRules } from '../support/alert-rules.ts';
import { query } from '../support/promql.ts';
import { RuleReplay, type Firing, type HistorySeries } from '../support/rule-replay.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const DAY = 24 * 60;

const between =
  (from: number, to: number) =>
  (minute: number): boolean =>
    minute >= from && minute < to;

let server: VictoriaMetrics;

describe('alerts: silence', () => {
  const LENGTH = 4 * DAY;
  const MANY = between(3_000, 3_120);
  let replay: RuleReplay;

  /** The two series by which a device is known to be there. */
  const device = (labels: Labels, isSilent: (minute: number) => boolean): HistorySeries[] =>
    ['uploader_health_status', 'system_uptime_seconds'].map((name) => ({
      name,
      labels,
      value: (minute) => (isSilent(minute) ? undefined : 0),
    }));
  const find = async (name: string): Promise<Firing[]> =>
    (await replay.firing('DeviceSilent')).filter(({ labels }) => labels['device_id'] === name);

  beforeAll(async () => {
    server = await startVictoriaMetrics();
    replay = new RuleReplay(server, LENGTH);
    const site = { site: 'berlin' };
    await replay.write([
      ...Array.from({ length: 40 }, (_, index) =>
        device({ device_id: `device-${index}`, ...site }, index < 10 ? MANY : () => false),
      ).flat(),
      // With those below, 4 of 46 devices, which is less than a tenth.
      ...['gone', 'gone-2', 'gone-3'].flatMap((name) => device({ device_id: name, ...site }, (m) => m >= 120)),
      ...device({ device_id: 'returned', ...site }, between(120, 4_800)),
      ...device({ device_id: 'moved', ...site }, (minute) => minute >= 1_000),
      ...device({ device_id: 'moved', site: 'hamburg' }, (minute) => minute < 1_000 || minute >= 5_000),
      ...device({ device_id: 'unmeasured', ...site }, () => false).map((series) => ({
        ...series,
        // Its collector is dead.
        value: (minute: number) => (series.name === 'uploader_health_status' || minute < 1_000 ? 0 : undefined),
      })),
    ]);
    await replay.run(recordingRules().map(({ record }) => record));
    await replay.run(['DeviceSilent', 'ManyDevicesSilent']);
  }, 300_000);
  afterAll(() => server.stop());

  test('of one device fires for as long as it lasts, with the labels of its site', async () => {
    const [{ labels, stretches }] = (await find('gone')) as [Firing];
    expect(labels).toMatchObject({ site: 'berlin', severity: 'critical' });
    expect(stretches).toEqual([[expect.any(Number), LENGTH]]);
    const [[begin]] = stretches as [readonly [number, number]];
    expect(begin).toBeGreaterThanOrEqual(140);
    expect(begin).toBeLessThanOrEqual(142);
  });

  test('ends within two minutes when samples arrive again', async () => {
    const [{ stretches }] = (await find('returned')) as [Firing];
    expect(stretches).toEqual([[expect.any(Number), expect.any(Number)]]);
    expect(Math.abs(stretches[0]![1] - 4_800)).toBeLessThanOrEqual(2);
  });

  test('is not that of a series whose labels were changed, and has the newest labels', async () => {
    const found = await find('moved');
    expect(found.map(({ labels }) => labels['site'])).toEqual(['hamburg']);
    expect(found[0]!.stretches[0]![0]).toBeGreaterThan(5_000);
  });

  test('is not that of a device whose collector is dead', async () => {
    expect(await find('unmeasured')).toEqual([]);
  });

  test('of many devices fires before that of each, and only while it is more than a tenth', async () => {
    const [{ labels, stretches }] = (await replay.firing('ManyDevicesSilent')) as [Firing];
    expect(labels['device_id']).toBeUndefined();
    expect(stretches).toHaveLength(1);
    const [[begin, end]] = stretches as [readonly [number, number]];
    const [{ stretches: one }] = (await find('device-3')) as [Firing];
    expect(begin).toBeGreaterThanOrEqual(3_018);
    expect(begin).toBeLessThan(one[0]![0]);
    expect(Math.abs(end - 3_120)).toBeLessThanOrEqual(2);
  });

  describe('the memory of devices', () => {
    const { expr } = alertRules().find(({ alert }) => alert === 'DeviceSilent')!;
    const silent = async (days: number): Promise<unknown[]> => {
      const found = await query(server.url, expr, replay.at(LENGTH + days * DAY));
      return found.map(({ metric }) => metric['device_id']).sort();
    };

    test('ends after 30 days without samples', async () => {
      expect(await silent(0)).toEqual(['gone', 'gone-2', 'gone-3', 'moved']);
      // Its last sample was four days ago.
      expect(await silent(25.9)).toContain('gone');
      // The rule of an hour has recorded it for two hours more.
      expect(await silent(26.2)).not.toContain('gone');
    });

    test('ends when the device is retired by the documented command', async () => {
      const [command = ''] = /^curl .*delete_series$/m.exec(readFileSync('docs/health-monitoring.md', 'utf8')) ?? [];
      const own = command.replace('http://127.0.0.1:8428', server.url).replace('greenhouse-1', 'gone');
      execFileSync('sh', ['-c', `${own} --fail --silent --show-error`]);
      expect(await silent(0)).toEqual(['gone-2', 'gone-3', 'moved']);
      expect(await query(server.url, 'last_over_time(system_uptime_seconds{device_id="gone"}[5d])')).toHaveLength(1);
    });
  });
});

test('alerts: the silence of two devices is not that of many, though they are all there are', async () => {
  server = await startVictoriaMetrics();
  try {
    const { expr } = alertRules().find(({ alert }) => alert === 'ManyDevicesSilent')!;
    const replay = new RuleReplay(server, 60);
    const silent = (name: string): HistorySeries => ({
      name: 'uploader_health_status',
      labels: { device_id: name },
      value: (minute) => (minute < 30 ? 0 : undefined),
    });
    await replay.write([silent('a'), silent('b')]);
    expect(await query(server.url, expr, replay.at(60))).toEqual([]);
    await replay.write([silent('c')]);
    expect(await query(server.url, expr, replay.at(60))).toHaveLength(1);
  } finally {
    await server.stop();
  }
}, 60_000);

describe('alerts: components', () => {
  const LENGTH = 180;
  const FROM = 30;
  const TO = 90;
  let replay: RuleReplay;
  const bad = between(FROM, TO);
  const health = (device: string, worst: number): HistorySeries => ({
    name: 'uploader_health_status',
    labels: { device_id: device },
    value: (minute) => (bad(minute) ? worst : 0),
  });
  /** As the programs report it: the last time with 0. */
  const component = (device: string, name: string, reason: string, value: number): HistorySeries => ({
    name: 'uploader_component_status',
    labels: { device_id: device, component: name, reason },
    value: (minute) => (bad(minute) ? value : minute === TO ? 0 : undefined),
  });
  /** Returns by alert: component and reason of a device, and the first and the last minute. */
  const find = async (device: string): Promise<Record<string, unknown>> => {
    const found: Record<string, unknown> = {};
    for (const alert of ['DeviceError', 'DeviceDegraded', 'CollectorDown'])
      for (const { labels, stretches } of await replay.firing(alert))
        if (labels['device_id'] === device)
          found[alert] = [labels['component'], labels['reason'], ...stretches.map(([begin, end]) => [begin, end])];
    return found;
  };
  /** Within a minute and a half. */
  const minutes = (begin: number): unknown => [expect.closeTo(begin, -0.5), expect.closeTo(TO, -0.5)];

  beforeAll(async () => {
    server = await startVictoriaMetrics();
    replay = new RuleReplay(server, LENGTH);
    await replay.write([
      ...[health('full', 2), component('full', 'storage', 'write_failing', 2)],
      ...[component('full', 'time', 'clock_skewed', 1)],
      ...[health('skewed', 1), component('skewed', 'time', 'clock_skewed', 1)],
      ...[health('unmeasured', 2), component('unmeasured', 'collector', 'no_heartbeat', 2)],
      ...[component('unmeasured', 'uploader', 'backlog', 1)],
      health('well', 0),
    ]);
    await replay.run(['DeviceError', 'DeviceDegraded', 'CollectorDown']);
  }, 300_000);
  afterAll(() => server.stop());

  test.each<[string, Record<string, unknown>]>([
    ['full', { DeviceError: ['storage', 'write_failing', minutes(FROM + 5)] }],
    ['skewed', { DeviceDegraded: ['time', 'clock_skewed', minutes(FROM + 30)] }],
    ['unmeasured', { CollectorDown: ['collector', 'no_heartbeat', minutes(FROM + 5)] }],
    ['well', {}],
  ])('of the device %s fire with component and reason, and end with it', async (device, expected) => {
    expect(await find(device)).toEqual(expected);
  });
});
