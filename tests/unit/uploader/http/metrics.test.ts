import { describe, expect, test } from '@jest/globals';

import { exposeHealthOnly, MetricsExposition } from '../../../../uploader/src/http/metrics.ts';
import type { Snapshot } from '../../../../uploader/src/telemetry/snapshot.ts';
import type { SendOutcome, SendResult } from '../../../../uploader/src/transport/transport.ts';
import { UploadCounters } from '../../../../uploader/src/telemetry/upload-counters.ts';
import { collectorRow, toHistogram, snapshot, storage } from '../../../support/uploader/made-snapshot.ts';

const unhealthy = [{ component: 'storage', reason: 'samples_dropped', health: 1 }] as const;
const judge = () => ({ health: 1, unhealthy, oldestPendingSeconds: 90 });

function metricsOf(changes: Partial<Snapshot> = {}, deviceId = 'board-1'): MetricsExposition {
  return new MetricsExposition({ deviceId }, { take: () => snapshot(changes) }, judge);
}

/** The exposition after some posts. */
function after(...posts: readonly [SendResult, number][]): Promise<Map<string, number>> {
  const counters = new UploadCounters();
  for (const [post, samples] of posts) counters.posted(post, samples);
  return valuesOf(metricsOf({ counts: counters.counts }));
}

function postOf(outcome: SendOutcome, durationMs = 30): SendResult {
  return { outcome, durationMs, endpoint: '', bytesSent: 500, bytesReceived: 0, isClosing: false };
}

/** Name and labels as the text has them → value; every line that is no comment. */
async function valuesOf(metrics: MetricsExposition): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

test('metrics: expose every series with its type and help (A-41)', async () => {
  const text = await metricsOf().text();
  const kinds = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name, kind]);
  expect(Object.fromEntries(kinds)).toEqual({
    collector_metrics_collected_total: 'counter',
    collector_metrics_failed_total: 'counter',
    collector_collection_duration_seconds: 'histogram',
    uploader_metrics_uploaded_total: 'counter',
    uploader_upload_failures_total: 'counter',
    uploader_partial_success_total: 'counter',
    uploader_upload_duration_seconds: 'histogram',
    uploader_bytes_sent_total: 'counter',
    uploader_verified_through_timestamp_seconds: 'gauge',
    uploader_missing_at_receiver_total: 'counter',
    uploader_reverified_total: 'counter',
    uploader_sent_bytes_per_day: 'gauge',
    uploader_health_status: 'gauge',
    uploader_component_status: 'gauge',
    storage_database_size_bytes: 'gauge',
    storage_wal_size_bytes: 'gauge',
    storage_metrics_pending_upload: 'gauge',
    storage_oldest_pending_seconds: 'gauge',
    storage_metrics_rejected: 'gauge',
    storage_metrics_dropped: 'gauge',
    storage_wal_checkpoint_duration_seconds: 'gauge',
    storage_wal_reclaimed_bytes_total: 'counter',
    time_skew_ms: 'gauge',
  });
  expect([...text.matchAll(/^# HELP (\S+) (.+)$/gm)]).toHaveLength(kinds.length);
});

test('metrics: bytes sent per day are missing while they are not known', async () => {
  const exported = async (sentPerDay: number | undefined) =>
    [...(await valuesOf(metricsOf({ sentPerDay })))].find(([name]) =>
      name.startsWith('uploader_sent_bytes_per_day'),
    )?.[1];
  expect([await exported(undefined), await exported(72_000)]).toEqual([undefined, 72_000]);
});

test('metrics: a component that is not ok has its reason as a label', async () => {
  const name = 'uploader_component_status{component="storage",reason="samples_dropped",device_id="board-1"}';
  expect((await valuesOf(metricsOf())).get(name)).toBe(1);
});

describe('metrics: every line', () => {
  test('has the device as an escaped label', async () => {
    const lines = [...(await valuesOf(metricsOf({}, 'a"b\\c'))).keys()];
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.filter((line) => !line.includes('device_id="a\\"b\\\\c"'))).toEqual([]);
  });

  test('of a collector has its name as a label', async () => {
    const collectors = [collectorRow('cpu', { collected: 7, failed: 2 }), collectorRow('load', { collected: 9 })];
    const values = await valuesOf(metricsOf({ collectors }));
    expect(values.get('collector_metrics_collected_total{collector="cpu",device_id="board-1"}')).toBe(7);
    expect(values.get('collector_metrics_failed_total{collector="cpu",device_id="board-1"}')).toBe(2);
    expect(values.get('collector_metrics_collected_total{collector="load",device_id="board-1"}')).toBe(9);
  });
});

describe('metrics: requests', () => {
  const labels = '{device_id="board-1"}';

  test('count as delivered, partial or failed by their outcome; bytes and durations always (A-18)', async () => {
    const failed = (['retry', 'hold', 'rejected'] as const).map((kind): [SendResult, number] => [
      postOf({ kind, reason: 'x' }),
      50,
    ]);
    const values = await after(
      [postOf({ kind: 'delivered' }), 50],
      [postOf({ kind: 'partial', accepted: 25, rejected: [] }), 50],
      ...failed,
    );
    const counts = [
      'metrics_uploaded_total',
      'partial_success_total',
      'upload_failures_total',
      'bytes_sent_total',
      'upload_duration_seconds_count',
    ];
    expect(counts.map((name) => values.get(`uploader_${name}${labels}`))).toEqual([75, 1, 3, 2_500, 5]);
  });

  test('are counted from 0, so that the first one is an increase', async () => {
    const values = await valuesOf(metricsOf());
    expect([
      values.get(`uploader_upload_failures_total${labels}`),
      values.get(`uploader_metrics_uploaded_total${labels}`),
    ]).toEqual([0, 0]);
  });

  test('are in eight cumulative buckets and +Inf', async () => {
    const values = await after(
      ...[5, 10, 11, 900, 61_000].map((durationMs): [SendResult, number] => [
        postOf({ kind: 'delivered' }, durationMs),
        1,
      ]),
    );
    const buckets = ['0.01', '0.05', '0.2', '0.5', '1', '5', '20', '60', '+Inf'].map((le) =>
      values.get(`uploader_upload_duration_seconds_bucket{le="${le}",device_id="board-1"}`),
    );
    expect(buckets).toEqual([2, 3, 3, 3, 4, 4, 4, 4, 5]);
    expect(values.get(`uploader_upload_duration_seconds_sum${labels}`)).toBeCloseTo(61.926);
  });
});

test('metrics: scrapes of a collector are in five cumulative buckets and +Inf', async () => {
  const collectors = [collectorRow('cpu', { durations: toHistogram(0.0005, 0.001, 0.003, 0.09, 0.5, 2) })];
  const values = await valuesOf(metricsOf({ collectors }));
  const name = 'collector_collection_duration_seconds';
  const buckets = ['0.001', '0.005', '0.025', '0.1', '1', '+Inf'].map((le) =>
    values.get(`${name}_bucket{collector="cpu",le="${le}",device_id="board-1"}`),
  );
  expect(buckets).toEqual([2, 3, 3, 4, 5, 6]);
  expect(values.get(`${name}_count{collector="cpu",device_id="board-1"}`)).toBe(6);
  expect(values.get(`${name}_sum{collector="cpu",device_id="board-1"}`)).toBeCloseTo(2.5945);
});

describe('metrics: a gauge', () => {
  test('has the value of the snapshot', async () => {
    const values = await valuesOf(
      metricsOf({ skewMs: -250, storage: { ...storage, walCheckpointMs: 12, walReclaimedBytes: 4_096 } }),
    );
    const shown = [
      'storage_database_size_bytes',
      'storage_wal_size_bytes',
      'storage_metrics_pending_upload',
      'time_skew_ms',
      'storage_wal_checkpoint_duration_seconds',
      'storage_wal_reclaimed_bytes_total',
      'uploader_health_status',
      'storage_oldest_pending_seconds',
    ];
    expect(shown.map((name) => values.get(`${name}{device_id="board-1"}`))).toEqual([
      1_024, 2_048, 10, -250, 0.012, 4_096, 1, 90,
    ]);
  });

  test('is missing, not zero, if nothing was measured', async () => {
    expect(await metricsOf({ skewMs: undefined }).text()).not.toMatch(/^time_skew_ms/m);
  });

  test('disappears once its value is unknown', async () => {
    let skewMs: number | undefined = 5;
    const metrics = new MetricsExposition({ deviceId: 'board-1' }, { take: () => snapshot({ skewMs }) }, judge);
    expect(await metrics.text()).toMatch(/^time_skew_ms\S+ 5$/m);
    skewMs = undefined;
    expect(await metrics.text()).not.toMatch(/^time_skew_ms/m);
  });
});

test('metrics: the text is formatted once per snapshot', async () => {
  let taken = snapshot({ walBytes: 1 });
  const metrics = new MetricsExposition({ deviceId: 'board-1' }, { take: () => taken }, judge);
  const first = await metrics.text();
  expect(first).toMatch(/^storage_wal_size_bytes\S+ 1$/m);
  expect(await metrics.text()).toBe(first);
  taken = snapshot({ walBytes: 2 });
  expect(await metrics.text()).toMatch(/^storage_wal_size_bytes\S+ 2$/m);
});

test('metrics: labels of the site are on every line, beside the device', async () => {
  const device = { deviceId: 'board-1', siteLabels: { site: 'berlin' } };
  const lines = [
    ...(await valuesOf(new MetricsExposition(device, { take: () => snapshot({}) }, judge))).keys(),
    ...(await exposeHealthOnly(device, 1)).split('\n').filter((line) => line !== '' && !line.startsWith('#')),
  ];
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.filter((line) => !/[{,]site="berlin"[,}]/.test(line) || !line.includes('device_id="board-1"'))).toEqual(
    [],
  );
});
