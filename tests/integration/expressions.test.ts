import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { fillWithBoards, THIS_MACHINE } from '../support/boards-data.ts';
import { alertRules, findSeriesNames, recordingRules } from '../support/alert-rules.ts';
import { expressionsOfDashboards, listValues } from '../support/dashboards.ts';
import { documents, expressionsOfDocument, query, type Expression } from '../support/promql.ts';
import { until } from '../support/until.ts';
import { HISTORY_MINUTES, historyOf, SITE, TROUBLE_MINUTE, type Trouble } from '../support/made-history.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';
import { checkRules, replayRules } from '../support/vmalert.ts';

/** Every expression that the project shows to anybody, on what the real programs say of three boards. */

let server: VictoriaMetrics;

beforeAll(async () => {
  server = await startVictoriaMetrics();
  await fillWithBoards(server);
}, 600_000);
afterAll(() => server.stop());

/** Expressions without an answer; what does not parse throws. */
async function unanswered(expressions: readonly Expression[]): Promise<string[]> {
  const answers = await Promise.all(
    expressions.map(async ({ where, text }) => ({ where, text, values: await query(server.url, text) })),
  );
  return answers.filter(({ values }) => values.length === 0).map(({ where, text }) => `${where}: ${text}`);
}

describe('expressions: data exists for', () => {
  test('every expression of every panel', async () => {
    const expressions = expressionsOfDashboards();
    expect(expressions.length).toBeGreaterThan(80);
    expect(await unanswered(expressions)).toEqual([]);
  });

  test('the series of every alert rule, and every rule parses', async () => {
    const rules = alertRules();
    expect(rules.length).toBeGreaterThan(9);
    for (const { expr } of rules) await query(server.url, expr);
    const recorded = recordingRules().map(({ record }) => record);
    const series = rules.flatMap(({ alert, expr }) => {
      const names = findSeriesNames(expr);
      expect([alert, names.length]).not.toEqual([alert, 0]);
      return names.filter((name) => !recorded.includes(name)).map((text) => ({ where: alert, text }));
    });
    expect(await unanswered(series)).toEqual([]);
  });

  test('every expression of every document (A-51)', async () => {
    const expressions = documents().flatMap(expressionsOfDocument);
    expect(expressions.length).toBeGreaterThan(10);
    expect(await unanswered(expressions)).toEqual([]);
  });
});

test('dashboards: the variable of the device lists the devices', async () => {
  expect(await listValues(server.url, 'device')).toEqual(
    expect.arrayContaining([THIS_MACHINE, 'raspberry-pi', 'x86-board']),
  );
});

test('expressions: one of an unknown series is detected', async () => {
  expect(await unanswered([{ where: 'here', text: 'rate(network_rx_byte_total[5m])' }])).toHaveLength(1);
});

test('alerts: vmalert accepts the rules and their templates (A-56)', async () => {
  await checkRules();
});

describe('alerts:', () => {
  const minute = 60_000;
  const beginMs = Math.floor(Date.now() / minute) * minute - 8 * 60 * minute;
  /** What each rule is there for; the series stay those that the programs export. */
  const troubles: Readonly<Record<string, Trouble>> = {
    DeviceSilent: {
      '*': () => undefined,
      ...Object.fromEntries(['uploader_health_status', 'system_uptime_seconds'].map((name) => [name, () => undefined])),
    },
    DeviceError: { uploader_component_status: (_, { component }) => (component === 'storage' ? 2 : 0) },
    CollectorDown: { uploader_component_status: (_, { component }) => (component === 'collector' ? 2 : 0) },
    DeviceDegraded: {
      uploader_health_status: () => 1,
      uploader_component_status: (_, { component }) => (component === 'storage' ? 1 : 0),
    },
    BacklogOld: { storage_oldest_pending_seconds: () => 7_200 },
    SamplesRejected: { storage_metrics_rejected: () => 3 },
    SamplesDropped: { storage_metrics_dropped: () => 3 },
    ClockSkewed: { time_skew_ms: () => -5_000 },
    CollectorFailing: {
      collector_metrics_failed_total: (at, { collector }) => (collector === 'disk' ? at - TROUBLE_MINUTE : 0),
    },
    DiskWorn: { disk_life_time_estimate: () => 10 },
    FilesystemFull: { filesystem_available_bytes: () => 2e7 },
    FilesystemBecameReadonly: { filesystem_readonly: () => 1 },
    FilesystemErrors: { filesystem_errors_total: () => 1 },
    DiskErrors: { disk_io_errors_total: (at) => 4 + at - TROUBLE_MINUTE },
    PowerLost: { power_online: () => 0 },
    BatteryLow: { power_capacity_percent: () => 19 },
    OutOfMemory: { memory_oom_kills_total: () => 1 },
    OpenFilesHigh: { kernel_files_open: () => 360_000 },
    ClockNotSynchronized: { system_clock_synchronized: () => 0 },
    DeviceHot: { cpu_temperature_celsius: () => 90 },
    DeviceThrottled: { cpu_throttled: (_, { reason }) => (reason === 'under_voltage' ? 1 : 0) },
    LinkFlapping: { network_carrier_changes_total: (at) => Math.max(0, at - TROUBLE_MINUTE) },
    ServiceDown: { service_up: (_, { unit }) => (unit === 'encoder.service' ? 0 : 1) },
    ServiceRestarting: { service_restarts_total: (at) => Math.max(0, at - TROUBLE_MINUTE) },
  };
  /** By device: the rules that fire, each with the minute at which it began to. */
  const firing = new Map<string, Map<string, number>>();
  const firingWithoutSite = new Set<string>();

  async function noteFiring(): Promise<void> {
    for (const { metric, timestamps } of await server.export('ALERTS{alertstate="firing"}')) {
      const { device_id: device = '', alertname: name = '', site } = metric;
      if (site !== SITE) firingWithoutSite.add(name);
      const rules = firing.get(device) ?? new Map<string, number>();
      firing.set(device, rules.set(name, Math.round((timestamps[0]! - beginMs) / minute)));
    }
  }

  beforeAll(async () => {
    // One board that has everything: of series of two boards that are the same, the last is taken.
    const everything = new Map(
      (await server.export()).map((series) => [JSON.stringify({ ...series.metric, device_id: '' }), series]),
    );
    // What a device exports whose disk takes nothing.
    const failing = { __name__: 'uploader_component_status', component: 'storage', reason: 'write_failing' };
    const series = [...everything.values(), { metric: failing, values: [0], timestamps: [0] }];
    // Inputs that nothing is attached to, of which a driver returns the end of its range or a conversion that failed.
    const unattached: Trouble = { cpu_temperature_celsius: (at) => [127.5, 1000, 6280][at % 3] };
    // A card reader without a card, which is asked every two seconds.
    const emptyReader: Trouble = { disk_io_errors_total: (at) => 30 * at, disk_io_time_seconds_total: () => 0 };
    const boards = { healthy: {}, unattached, emptyReader, ...troubles };
    for (const [device, trouble] of Object.entries(boards)) {
      const body = historyOf(device, series, { beginMs, trouble });
      const response = await fetch(`${server.url}/api/v1/import`, {
        method: 'POST',
        body,
        headers: { connection: 'close' },
      });
      expect(response.status).toBe(204);
    }
    await server.flush();
    // A query that fails on a busy machine leaves its rule out, and vmalert says nothing of it.
    await until(
      'every rule was replayed',
      async () => {
        await replayRules(server.url, new Date(beginMs), new Date(beginMs + HISTORY_MINUTES * minute));
        await noteFiring();
        return firing.size >= Object.keys(troubles).length;
      },
      60_000,
    ).catch(() => undefined);
  }, 300_000);

  test('do not fire for a device without problems', () => {
    expect(firing.get('healthy')).toBeUndefined();
  });

  test('alerts: do not fire for a temperature that no device has', () => {
    expect(firing.get('unattached')).toBeUndefined();
  });

  test('alerts: do not fire for a card reader without a card', () => {
    expect(firing.get('emptyReader')).toBeUndefined();
  });

  test('have the label of the site', () => {
    expect([...firingWithoutSite]).toEqual([]);
  });

  test('each have a failure in this test, but for that of a fleet', () => {
    expect(
      alertRules()
        .map(({ alert }) => alert)
        .sort(),
    ).toEqual([...Object.keys(troubles), 'ManyDevicesSilent'].sort());
  });

  test.each(Object.keys(troubles))('%s fires, and only it, after its trouble began', (name) => {
    const rules = firing.get(name) ?? new Map<string, number>();
    expect([...rules.keys()]).toEqual([name]);
    expect(rules.get(name)).toBeGreaterThanOrEqual(TROUBLE_MINUTE);
    expect(rules.get(name)).toBeLessThan(HISTORY_MINUTES - 20);
  });
});
