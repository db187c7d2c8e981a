import { beforeEach, describe, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';
import { COLLECTION_BOUNDS_SECONDS, createHistogram, observe } from '@thugshells/shared/metrics/histogram.ts';
import { OWN_LABEL_NAMES } from '@thugshells/shared/metrics/label-names.ts';
import { AddedLabels, toSample } from '@thugshells/shared/metrics/sample.ts';
import type { SampleValue } from '@thugshells/shared/metrics/sample-value.ts';
import { findSampleRefusal } from '@thugshells/shared/metrics/sample-refusals.ts';
import type { AgentState } from '@thugshells/shared/state/agent-state.ts';
import type { UnhealthyComponent } from '@thugshells/shared/state/unhealthy-components.ts';
import { NO_UPLOADS } from '@thugshells/shared/state/uploader-report.ts';

import { AgentStateReader } from '../../../../collector/src/store/status/agent-state-reader.ts';
import { SelfCollector, toSelfReadings } from '../../../../collector/src/inputs/self.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { migratedDatabase } from '../../../support/collector/collector-parts.ts';

const durations = [0.002, 0.003].reduce(
  (state, value) => observe(state, COLLECTION_BOUNDS_SECONDS, value),
  createHistogram(COLLECTION_BOUNDS_SECONDS),
);
const failing = { component: 'storage', reason: 'write_failing', health: 2 } as const;
const state: AgentState = {
  collectors: [
    { collector: 'cpu', collected: 7, failed: 2, durations },
    { collector: 'load', collected: 1, failed: 0, durations },
  ],
  uploads: { ...NO_UPLOADS, uploaded: 50, failures: 3, partial: 1, bytesSent: 900 },
  judgement: { health: 1, unhealthy: [failing], oldestPendingSeconds: 90 },
  books: { pending: 10, rejected: 4, dropped: 5 },
  boots: { counted: 6, unclean: 2, wasLastClean: false },
  databaseBytes: 1_024,
  walBytes: 2_048,
  walCheckpointMs: 12,
  walReclaimedBytes: 4_096,
};

/** Name and labels → value. */
function values(of: AgentState, skewMs?: number): Record<string, SampleValue> {
  return Object.fromEntries(
    toSelfReadings(of, skewMs).map(({ series, labels, value }) => [`${series.name}${JSON.stringify(labels)}`, value]),
  );
}

describe('self collector: the series of both programs', () => {
  test('is what they counted, under the names of the contract (A-35)', () => {
    expect(values(state, -250.4)).toEqual({
      'collector.metrics_collected_total{"collector":"cpu"}': 7,
      'collector.metrics_failed_total{"collector":"cpu"}': 2,
      'collector.collection_duration_seconds_bucket{"collector":"all","le":"0.001"}': 0,
      'collector.collection_duration_seconds_bucket{"collector":"all","le":"0.005"}': 4,
      'collector.collection_duration_seconds_bucket{"collector":"all","le":"+Inf"}': 4,
      'collector.metrics_collected_total{"collector":"load"}': 1,
      'collector.metrics_failed_total{"collector":"load"}': 0,
      'collector.collection_duration_seconds_sum{"collector":"load"}': 0.005,
      'collector.collection_duration_seconds_count{"collector":"load"}': 2,
      'collector.collection_duration_seconds_sum{"collector":"cpu"}': 0.005,
      'collector.collection_duration_seconds_count{"collector":"cpu"}': 2,
      'uploader.metrics_uploaded_total{}': 50,
      'uploader.upload_failures_total{}': 3,
      'uploader.partial_success_total{}': 1,
      'uploader.bytes_sent_total{}': 900,
      'uploader.upload_duration_seconds_bucket{"le":"+Inf"}': 0,
      'uploader.upload_duration_seconds_sum{}': 0,
      'uploader.upload_duration_seconds_count{}': 0,
      'storage.database_size_bytes{}': 1_024,
      'storage.wal_size_bytes{}': 2_048,
      'storage.metrics_pending_upload{}': 10,
      'uploader.health_status{}': 1,
      'uploader.component_status{"component":"storage","reason":"write_failing"}': 2,
      'storage.oldest_pending_seconds{}': 90,
      'storage.metrics_rejected{}': 4,
      'storage.metrics_dropped{}': 5,
      'storage.wal_checkpoint_duration_seconds{}': 0.012,
      'storage.wal_reclaimed_bytes_total{}': 4_096,
      'system.boots_total{}': 6,
      'system.unclean_shutdowns_total{}': 2,
      'system.last_shutdown_clean{}': 0,
      'time.skew_ms{}': -250,
    });
  });

  test('is missing where it was never measured', () => {
    const names = Object.keys(values({ ...state, uploads: undefined, judgement: undefined }));
    expect(names.filter((name) => name.startsWith('uploader.') || name.startsWith('time.'))).toEqual([]);
  });

  test('can be stored: no reading is refused, and none is there twice', () => {
    const samples = toSelfReadings(state, 0).map((reading) =>
      toSample(reading, { deviceId: 'b', labels: new AddedLabels() }),
    );
    expect(
      samples.map((sample) => findSampleRefusal(sample, 'victoriametrics')).filter((refusal) => refusal !== undefined),
    ).toEqual([]);
    expect(new Set(samples.map(({ name, tags }) => name + JSON.stringify(tags))).size).toBe(samples.length);
  });

  test('has no label that a label of the site may be called', () => {
    const names = toSelfReadings(state, 0).flatMap(({ labels }) => Object.keys(labels));
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !OWN_LABEL_NAMES.includes(name))).toEqual([]);
  });
});

test('self collector: stores each component that is not ok with its reason, and once with 0 when it has recovered', async () => {
  const skewed = { component: 'time', reason: 'clock_skewed', health: 1 } as const;
  let unhealthy: readonly UnhealthyComponent[] | undefined;
  const readState = (): AgentState => ({ ...state, judgement: { health: 1, oldestPendingSeconds: 0, unhealthy } });
  const source = new SelfCollector({ readState, readSkewMs: () => 0 });
  const collect = async (now: readonly UnhealthyComponent[] | undefined): Promise<unknown[]> => {
    unhealthy = now;
    const readings = await source.collect();
    return readings
      .filter(({ series }) => series.name === 'uploader.component_status')
      .map(({ labels, value }) => ({ ...labels, health: value }));
  };
  expect(await collect(undefined)).toEqual([]);
  expect(await collect([failing, skewed])).toEqual([failing, skewed]);
  expect(await collect([skewed])).toEqual([skewed, { ...failing, health: 0 }]);
  expect(await collect([skewed])).toEqual([skewed]);
  const held = { ...skewed, reason: 'samples_held' };
  expect(await collect([held])).toEqual([held, { ...skewed, health: 0 }]);
  expect(await collect([])).toEqual([{ ...held, health: 0 }]);
  expect(await collect([])).toEqual([]);
});

describe('self collector: the reader of its state', () => {
  const folder = useTemporaryFolder();
  let database: Database;
  let reader: AgentStateReader;
  beforeEach(() => {
    database = folder.keep(migratedDatabase(folder.path('metrics.db')));
    reader = new AgentStateReader(database, folder.path('metrics.db'));
  });

  test('reads a database on which nothing has run', () => {
    expect(reader.read()).toMatchObject({
      collectors: [],
      uploads: undefined,
      books: { pending: 0, rejected: 0, dropped: 0 },
    });
  });

  test('reads what both programs left, and not of a collector that is absent', async () => {
    const note = database.prepare('INSERT INTO collector_status VALUES (?, ?, ?, 0, 1000, 0, 1, 7, 2, ?)');
    note.run('cpu', 'failing', 'EACCES', JSON.stringify(durations));
    note.run('temperature', 'absent', '', JSON.stringify(durations));
    database.exec('UPDATE collector_state SET collected = 20');
    database.exec('UPDATE uploader_state SET delivered = 12, rejected = 3');
    const judgement = { health: 1, oldestPendingSeconds: 9, unhealthy: [failing] };
    const report = { counts: state.uploads, judgement };
    database.prepare('UPDATE uploader_state SET report = ?').run(JSON.stringify(report));
    expect(reader.read()).toMatchObject({
      collectors: [{ collector: 'cpu', collected: 7, failed: 2, durations }],
      uploads: state.uploads,
      judgement,
      books: { pending: 5, rejected: 3 },
    });
    const source = new SelfCollector({ readState: () => reader.read(), readSkewMs: () => 5 });
    expect([source.name, (await source.collect()).length]).toEqual(['self', 24]);
  });
});
