/** Alerts about the health and the silence of devices, by the real vmalert on histories that this test writes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { alertRules, recordingRules, selectRules } from '../support/alert-rules.ts';
import { query } from '../support/promql.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';
import { replayRules } from '../support/vmalert.ts';

const MINUTE_MS = 60_000;
const DAY = 24 * 60;
/** Whole hours, at which the rule of an hour is evaluated. */
const NOW_MS = Math.floor(Date.now() / (60 * MINUTE_MS)) * 60 * MINUTE_MS;

type Labels = Readonly<Record<string, string>>;

/** A series with a sample in each minute that it has a value at. */
interface Series {
  readonly name: string;
  readonly labels: Labels;
  readonly value: (minute: number) => number | undefined;
}

/** When an alert fired: the first and the last minute of each stretch. */
interface Firing {
  readonly labels: Labels;
  readonly stretches: readonly (readonly [number, number])[];
}

/** A VictoriaMetrics with a history, of which the rules have been replayed. */
class Replay {
  readonly server: VictoriaMetrics;
  readonly #beginMs: number;
  readonly #minutes: number;

  constructor(server: VictoriaMetrics, minutes: number) {
    this.server = server;
    this.#minutes = minutes;
    this.#beginMs = NOW_MS - minutes * MINUTE_MS;
  }

  at(minute: number): Date {
    return new Date(this.#beginMs + minute * MINUTE_MS);
  }

  async write(series: readonly Series[]): Promise<void> {
    for (const { name, labels, value } of series) {
      const minutes = Array.from({ length: this.#minutes }, (_, minute) => minute).filter(
        (m) => value(m) !== undefined,
      );
      const metric = { __name__: name, ...labels };
      const timestamps = minutes.map((minute) => this.at(minute).getTime());
      const body = JSON.stringify({ metric, values: minutes.map(value), timestamps });
      const request = { method: 'POST', body, headers: { connection: 'close' } };
      expect((await fetch(`${this.server.url}/api/v1/import`, request)).status).toBe(204);
    }
    await this.server.flush();
  }

  /** Evaluates rules over the history, by their names. */
  async run(names: readonly string[]): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'rules-'));
    try {
      const file = join(folder, 'rules.yml');
      writeFileSync(file, selectRules(names));
      await replayRules(this.server.url, this.at(0), this.at(this.#minutes), file);
      await this.server.flush();
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  async firing(alert: string): Promise<Firing[]> {
    const series = await this.server.export(`ALERTS{alertstate="firing",alertname="${alert}"}`);
    return series.map(({ metric, timestamps }) => ({
      labels: metric,
      stretches: findStretches(timestamps.map((ms) => Math.round((ms - this.#beginMs) / MINUTE_MS))),
    }));
  }
}

function findStretches(minutes: readonly number[]): (readonly [number, number])[] {
  const begins = minutes.filter((minute, index) => index === 0 || minute - minutes[index - 1]! > 1);
  const ends = minutes.filter((minute, index) => index === minutes.length - 1 || minutes[index + 1]! - minute > 1);
  return begins.map((begin, index) => [begin, ends[index]!]);
}

const between =
  (from: number, to: number) =>
  (minute: number): boolean =>
    minute >= from && minute < to;

let server: VictoriaMetrics;

describe('alerts: silence', () => {
  const LENGTH = 4 * DAY;
  const MANY = between(3_000, 3_120);
  let replay: Replay;

  /** The two series by which a device is known to be there. */
  const device = (labels: Labels, isSilent: (minute: number) => boolean): Series[] =>
    ['uploader_health_status', 'system_uptime_seconds'].map((name) => ({
      name,
      labels,
      value: (minute) => (isSilent(minute) ? undefined : 0),
    }));
  const find = async (name: string): Promise<Firing[]> =>
    (await replay.firing('DeviceSilent')).filter(({ labels }) => labels['device_id'] === name);

  beforeAll(async () => {
    server = await startVictoriaMetrics();
    replay = new Replay(server, LENGTH);
    const site = { site: 'berlin' };
    await replay.write([
      ...Array.from({ length: 26 }, (_, index) =>
        device({ device_id: `device-${index}`, ...site }, index < 10 ? MANY : () => false),
      ).flat(),
      ...device({ device_id: 'gone', ...site }, (minute) => minute >= 120),
      ...device({ device_id: 'returned', ...site }, between(120, 4_800)),
      ...device({ device_id: 'moved', ...site }, (minute) => minute >= 1_000),
      ...device({ device_id: 'moved', site: 'hamburg' }, (minute) => minute < 1_000 || minute >= 5_000),
      // Its collector is dead.
      device({ device_id: 'unmeasured', ...site }, () => false)[0]!,
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
    expect([begin >= 140, begin <= 142]).toEqual([true, true]);
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
      const found = await query(server.url, expr, new Date(NOW_MS + days * DAY * MINUTE_MS));
      return found.map(({ metric }) => metric['device_id']).sort();
    };

    test('ends after 30 days without samples', async () => {
      expect(await silent(0)).toEqual(['gone', 'moved']);
      // Its last sample was four days ago.
      expect(await silent(25.9)).toContain('gone');
      // The rule of an hour has recorded it for two hours more.
      expect(await silent(26.2)).not.toContain('gone');
    });

    test('ends when the device is retired by the documented command', async () => {
      const [command = ''] = /^curl .*delete_series$/m.exec(readFileSync('docs/health-monitoring.md', 'utf8')) ?? [];
      const own = command.replace('http://127.0.0.1:8428', server.url).replace('greenhouse-1', 'gone');
      execFileSync('sh', ['-c', `${own} --fail --silent --show-error`]);
      expect(await silent(0)).toEqual(['moved']);
      expect(await query(server.url, 'last_over_time(system_uptime_seconds{device_id="gone"}[4d])')).toHaveLength(1);
    });
  });
});

describe('alerts: components', () => {
  const LENGTH = 180;
  const FROM = 30;
  const TO = 90;
  let replay: Replay;
  const bad = between(FROM, TO);
  const health = (device: string, worst: number): Series => ({
    name: 'uploader_health_status',
    labels: { device_id: device },
    value: (minute) => (bad(minute) ? worst : 0),
  });
  /** As the programs report it: the last time with 0. */
  const component = (device: string, name: string, reason: string, value: number): Series => ({
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
  const minutes = (begin: number): unknown => [expect.closeTo(begin, -0.5), expect.closeTo(TO, -0.5)];

  beforeAll(async () => {
    server = await startVictoriaMetrics();
    replay = new Replay(server, LENGTH);
    await replay.write([
      ...[health('full', 2), component('full', 'storage', 'write_failing', 2)],
      ...[component('full', 'time', 'clock_skewed', 1)],
      ...[health('skewed', 1), component('skewed', 'time', 'clock_skewed', 1)],
      ...[health('unmeasured', 2), component('unmeasured', 'collector', 'no_heartbeat', 2)],
      ...[component('unmeasured', 'uploader', 'backlog', 1)],
      // Of versions that had no reasons.
      ...[health('old-error', 2), health('old-degraded', 1)],
      health('well', 0),
    ]);
    await replay.run(['DeviceError', 'DeviceDegraded', 'CollectorDown']);
  }, 300_000);
  afterAll(() => server.stop());

  test.each<[string, Record<string, unknown>]>([
    ['full', { DeviceError: ['storage', 'write_failing', minutes(FROM + 5)] }],
    ['skewed', { DeviceDegraded: ['time', 'clock_skewed', minutes(FROM + 30)] }],
    ['unmeasured', { CollectorDown: ['collector', 'no_heartbeat', minutes(FROM + 5)] }],
    ['old-error', { DeviceError: [undefined, undefined, minutes(FROM + 5)] }],
    ['old-degraded', { DeviceDegraded: [undefined, undefined, minutes(FROM + 30)] }],
    ['well', {}],
  ])('of the device %s fire with component and reason, and end with it', async (device, expected) => {
    expect(await find(device)).toEqual(expected);
  });
});
