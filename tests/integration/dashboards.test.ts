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
import { Prometheus } from '../support/prometheus.ts';
import { query, queryRange, type InstantValue } from '../support/promql.ts';
import { postRemoteWrite } from '../support/remote-write-bodies.ts';
import { startVictoriaMetrics, type ExportedSeries, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const MINUTE_MS = 60_000;
/** One sample of each series in each minute. */
const MINUTES = 180;
/** From then on devices are not as they should be. */
const CHANGE_MINUTE = 90;
const endMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
const beginMs = endMs - (MINUTES - 1) * MINUTE_MS;
/** Where plots begin: every device has then been up for longer than a step, and what happens is between two points. */
const shownMs = beginMs + 63 * MINUTE_MS;

/** The value of a series at a minute; undefined for no sample. */
type Value = (minute: number, site?: string) => number | undefined;
type Values = Readonly<Record<string, Value>>;

/** What is shown of a device comes from these. */
const WELL: Values = {
  uploader_health_status: () => 0,
  system_uptime_seconds: (minute) => 1_000 + 60 * minute,
  time_skew_ms: () => 12,
  collector_build_info: () => 1,
  uploader_component_status: () => 0,
};
/** What else tells apart the series of a name. */
const LABELS: Readonly<Record<string, (device: string) => Readonly<Record<string, string>>>> = {
  collector_build_info: (device) => ({ value: `1.0-${device}` }),
  uploader_component_status: () => ({ component: 'storage', reason: 'write_failing' }),
};

function replaceAll(replace: (value: Value) => Value): Values {
  return Object.fromEntries(Object.entries(WELL).map(([name, value]) => [name, replace(value)]));
}

const devices: Readonly<Record<string, Values>> = {
  healthy: {},
  silent: replaceAll(() => () => undefined),
  failing: { uploader_health_status: () => 2, uploader_component_status: () => 2 },
  'without-collector': { system_uptime_seconds: () => undefined },
  'without-self': { uploader_health_status: () => undefined },
  restarted: { system_uptime_seconds: (minute) => 30 + 60 * (minute - CHANGE_MINUTE) },
  'clock-set': { time_skew_ms: () => -5_000 },
  // A change of labels begins new series, and the old ones end.
  moved: replaceAll((value) => (minute, site) => (site === 'leipzig' ? undefined : value(minute))),
};
const SITES: Readonly<Record<string, readonly string[]>> = { healthy: ['berlin'], moved: ['leipzig', 'bonn'] };

function seriesOf(device: string): ExportedSeries[] {
  const sites = SITES[device] ?? [undefined];
  return Object.entries(WELL).flatMap(([name, usual]) =>
    sites.map((site) => {
      const changed = devices[device]![name] ?? usual;
      const samples = Array.from({ length: MINUTES }, (_, minute) => ({
        timestamp: beginMs + minute * MINUTE_MS,
        value: (minute < CHANGE_MINUTE ? usual : changed)(minute, site),
      })).filter((sample): sample is { timestamp: number; value: number } => sample.value !== undefined);
      const labels = { ...LABELS[name]?.(device), ...(site === undefined ? {} : { site }) };
      return {
        metric: { __name__: name, device_id: device, ...labels },
        values: samples.map(({ value }) => value),
        timestamps: samples.map(({ timestamp }) => timestamp),
      };
    }),
  );
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
    expect(silent).toBeGreaterThanOrEqual((MINUTES - CHANGE_MINUTE) * 60);
    expect(silent).toBeLessThan((MINUTES - CHANGE_MINUTE + 2) * 60);
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

  test('components that are not ok are listed with the reason, and no others', async () => {
    for (const [dashboard, labels] of [
      [fleet, { device_id: 'failing' }],
      [device, {}],
    ] as const) {
      const rows = await show(findPanel(dashboard, 'table', 'Components not ok'));
      expect(rows.map(({ metric, value }) => [metric, value[1]])).toEqual([
        [{ component: 'storage', reason: 'write_failing', ...labels }, '2'],
      ]);
    }
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
      expect(begin).toBeGreaterThanOrEqual(CHANGE_MINUTE);
      expect(begin).toBeLessThanOrEqual(CHANGE_MINUTE + stepSeconds / 60);
      expect(end).toBeLessThanOrEqual(CHANGE_MINUTE + 6 + stepSeconds / 60);
    });
  });
});
