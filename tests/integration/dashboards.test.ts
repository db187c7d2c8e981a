/** What the dashboards show of devices that are well, and of those that are not, at both kinds of receiver. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import {
  expressionsOfDashboards,
  fillIn,
  listValues,
  readDashboards,
  type Choice,
  type DashboardPanel,
} from '../support/dashboards.ts';
import { HISTORY_MINUTES, historyOf, TROUBLE_MINUTE, type Trouble } from '../support/made-history.ts';
import { Prometheus } from '../support/prometheus.ts';
import { query, queryRange, type InstantValue } from '../support/promql.ts';
import { postRemoteWrite } from '../support/remote-write-bodies.ts';
import { startVictoriaMetrics, type ExportedSeries, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const MINUTE_MS = 60_000;
const endMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
const beginMs = endMs - (HISTORY_MINUTES - 1) * MINUTE_MS;
/** Where plots begin: every device has then been up for longer than a step, and what happens is between two points. */
const shownMs = beginMs + 63 * MINUTE_MS;

/** What is shown of a device comes from these, and while it is well they have these values. */
const WELL: Readonly<Record<string, (minute: number) => number>> = {
  uploader_health_status: () => 0,
  system_uptime_seconds: (minute) => 1_000 + 60 * minute,
  time_skew_ms: () => 12,
  collector_build_info: () => 1,
};
const NAMES = Object.keys(WELL);

/** By device: what is not as it should be from the middle of the history on. */
const devices: Readonly<Record<string, Trouble>> = {
  healthy: {},
  silent: Object.fromEntries(NAMES.map((name) => [name, () => undefined])),
  failing: { uploader_health_status: () => 2 },
  'without-collector': { system_uptime_seconds: () => undefined },
  'without-self': { uploader_health_status: () => undefined },
  restarted: { system_uptime_seconds: (minute) => 30 + 60 * (minute - TROUBLE_MINUTE) },
  'clock-set': { time_skew_ms: () => -5_000 },
  // A change of labels begins new series, and the old ones end.
  moved: Object.fromEntries(
    Object.entries(WELL).map(([name, value]) => [
      name,
      (minute, { site }) => (site === 'leipzig' ? undefined : value(minute)),
    ]),
  ),
};

const SITES: Readonly<Record<string, readonly string[]>> = { healthy: ['berlin'], moved: ['leipzig', 'bonn'] };

function seriesOf(device: string): ExportedSeries[] {
  const labels = SITES[device]?.map((site) => ({ site })) ?? [{}];
  const series = NAMES.flatMap((name) =>
    labels.map((site) => ({
      metric: { __name__: name, ...(name === 'collector_build_info' ? { value: `1.0-${device}` } : {}), ...site },
      values: [1],
      timestamps: [],
    })),
  );
  const lines = historyOf(device, series, { beginMs, trouble: devices[device] ?? {} });
  return lines.split('\n').map((line) => JSON.parse(line) as ExportedSeries);
}

let victoriaMetrics: VictoriaMetrics;
let prometheus: Prometheus;

beforeAll(async () => {
  victoriaMetrics = await startVictoriaMetrics();
  prometheus = await Prometheus.start('1d');
  const series = Object.keys(devices).flatMap(seriesOf);
  const body = series.map((each) => JSON.stringify(each)).join('\n');
  await fetch(`${victoriaMetrics.url}/api/v1/import`, { method: 'POST', body, headers: { connection: 'close' } });
  await victoriaMetrics.flush();
  const sent = series.map(({ metric, values, timestamps }) => {
    const { __name__: name = '', device_id: deviceId = '', ...tags } = metric;
    return { name, deviceId, tags, samples: values.map((value, at) => [timestamps[at]!, value] as const) };
  });
  expect(await postRemoteWrite(prometheus.url, '1.0', sent)).toMatchObject({ status: 204 });
}, 120_000);

afterAll(async () => {
  await victoriaMetrics?.stop();
  await prometheus?.stop();
});

const dashboards = readDashboards();
const fleet = dashboards.find(({ uid }) => uid === 'thugshells-fleet')!;
const device = dashboards.find(({ uid }) => uid === 'thugshells-device')!;

function findPanel({ panels }: { readonly panels: readonly DashboardPanel[] }, type: string, title: string) {
  const panel = panels.find((each) => each.type === type && each.title === title);
  if (panel === undefined) throw new Error(`no ${type} with the title ${title}`);
  return panel;
}

describe.each(['VictoriaMetrics', 'Prometheus'] as const)('dashboards, from %s:', (receiver) => {
  const url = (): string => (receiver === 'Prometheus' ? prometheus.url : victoriaMetrics.url);

  /** Asks what a panel shows, in one of its columns where it is a table. */
  async function show(panel: DashboardPanel, choice: Choice = {}, refId = 'A'): Promise<InstantValue[]> {
    const { expr } = panel.targets!.find((target) => target.refId === refId)!;
    return query(url(), fillIn(expr, choice), new Date(endMs));
  }
  const byDevice = (values: readonly InstantValue[]): Record<string, number> =>
    Object.fromEntries(values.map(({ metric, value }) => [metric['device_id'] ?? '', Number(value[1])]));

  test('every expression parses', async () => {
    for (const { text } of expressionsOfDashboards()) await query(url(), text);
  });

  test.each([
    ['Devices', 8],
    ['Silent', 1],
    ['Degraded', 0],
    ['Error', 1],
  ])('the fleet has under %s %d of 8', async (title, count) => {
    const [answer] = await show(findPanel(fleet, 'stat', title));
    expect(answer?.value[1]).toBe(String(count));
  });

  test('a site has its own devices only', async () => {
    expect(await listValues(url(), 'site')).toEqual(expect.arrayContaining(['berlin', 'bonn']));
    const [answer] = await show(findPanel(fleet, 'stat', 'Devices'), { site: 'berlin' });
    expect(answer?.value[1]).toBe('1');
  });

  test('the table has one row for each device, with its state, or that there was no report', async () => {
    const rows = await show(findPanel(fleet, 'table', 'Devices'));
    expect(rows).toHaveLength(8);
    expect(byDevice(rows)).toEqual({
      ...Object.fromEntries(Object.keys(devices).map((name) => [name, 0])),
      ...{ failing: 2, silent: 3, 'without-self': 3 },
    });
    const sites: Record<string, unknown> = Object.fromEntries(
      rows.map(({ metric }) => [metric['device_id'] ?? '', metric['site']]),
    );
    expect(sites).toMatchObject({ healthy: 'berlin', moved: 'bonn' });
  });

  test('the table has the age of the newest sample, whichever program sent it', async () => {
    const { silent, ...others } = byDevice(await show(findPanel(fleet, 'table', 'Devices'), {}, 'B'));
    expect(silent).toBeGreaterThanOrEqual((HISTORY_MINUTES - TROUBLE_MINUTE) * 60);
    expect(silent).toBeLessThan((HISTORY_MINUTES - TROUBLE_MINUTE + 2) * 60);
    expect(Object.keys(others)).toHaveLength(7);
    expect(Math.max(...Object.values(others))).toBeLessThan(120);
  });

  test('the table has the version of each device', async () => {
    const rows = await show(findPanel(fleet, 'table', 'Devices'), {}, 'J');
    expect(rows.find(({ metric }) => metric['device_id'] === 'failing')?.metric['value']).toBe('1.0-failing');
  });

  test('the table has the clock skew without its sign', async () => {
    expect(byDevice(await show(findPanel(fleet, 'table', 'Devices'), {}, 'E'))).toMatchObject({
      'clock-set': 5_000,
      healthy: 12,
    });
  });

  describe.each([60, 300, 1_800])('in plots with a point each %d s', (stepSeconds) => {
    /** The first and the last minute of each time that an annotation marks, by device. */
    async function marks(name: string): Promise<Record<string, (readonly [number, number])[]>> {
      const { expr } = device.annotations.list.find((annotation) => annotation.name === name)!;
      const found = await Promise.all(
        Object.keys(devices).map(async (deviceId) => {
          const text = fillIn(expr, { device: deviceId, stepSeconds });
          const [series] = await queryRange(url(), text, [shownMs / 1000, endMs / 1000], stepSeconds);
          const points = (series?.values ?? []).filter(([, value]) => Number(value) > 0).map(([seconds]) => seconds);
          const begins = points.filter((point) => !points.includes(point - stepSeconds));
          const ends = points.filter((point) => !points.includes(point + stepSeconds));
          const minute = (seconds: number): number => (seconds - beginMs / 1000) / 60;
          return [deviceId, begins.map((begin, at) => [minute(begin), minute(ends[at]!)] as const)] as const;
        }),
      );
      return Object.fromEntries(found.filter(([, times]) => times.length > 0));
    }

    test.each([
      ['Restarts', 'restarted'],
      ['Clock steps', 'clock-set'],
    ])('%s are marked once, where they were, and at the one device that had one', async (name, deviceId) => {
      const marked = await marks(name);
      expect(Object.keys(marked)).toEqual([deviceId]);
      const [[begin, end] = [0, 0], ...others] = marked[deviceId]!;
      expect(others).toEqual([]);
      expect(begin).toBeGreaterThanOrEqual(TROUBLE_MINUTE);
      expect(begin).toBeLessThanOrEqual(TROUBLE_MINUTE + stepSeconds / 60);
      expect(end).toBeLessThanOrEqual(TROUBLE_MINUTE + 6 + stepSeconds / 60);
    });
  });
});
