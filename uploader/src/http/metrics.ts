import { Registry, type Metric } from 'prom-client';

import {
  toCumulativeBuckets,
  COLLECTION_BOUNDS_SECONDS,
  UPLOAD_BOUNDS_SECONDS,
  type HistogramState,
} from '@thugshells/shared/metrics/histogram.ts';
import { collectorSeries, storageSeries, timeSeries, uploaderSeries } from '@thugshells/shared/metrics/agent-series.ts';
import { toExportedName, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';
import type { Judgement } from '@thugshells/shared/state/uploader-report.ts';

import { sentPerDay } from '../telemetry/sent-per-day.ts';
import type { Snapshot, Snapshots } from '../telemetry/snapshot.ts';

/** One line of the exposition. */
interface Value {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** `_bucket`, `_sum`, `_count` */
  readonly suffix?: string;
}

/**
 * The exposition of both processes' metrics. The values live in the snapshot, so that what is exported here and what is
 * stored as samples is the same; prom-client makes the text of them.
 */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #snapshots: Pick<Snapshots, 'take'>;
  #last: { readonly of: Snapshot; readonly text: Promise<string> } | undefined;

  constructor(deviceId: string, snapshots: Pick<Snapshots, 'take'>, judge: (snapshot: Snapshot) => Judgement) {
    this.#snapshots = snapshots;
    this.#registry.setDefaultLabels({ device_id: deviceId });
    this.#collectorMetrics();
    this.#uploaderMetrics();
    this.#one(storageSeries.databaseBytes, ({ databaseBytes }) => databaseBytes);
    this.#one(storageSeries.walBytes, ({ walBytes }) => walBytes);
    this.#one(storageSeries.pending, ({ books }) => books.pending);
    this.#one(storageSeries.oldestPending, (snapshot) => judge(snapshot).oldestPendingSeconds);
    this.#one(uploaderSeries.health, (snapshot) => judge(snapshot).health);
    this.#one(storageSeries.rejected, ({ books }) => books.rejected);
    this.#one(storageSeries.dropped, ({ books }) => books.dropped);
    this.#one(storageSeries.walCheckpointDuration, ({ storage }) =>
      storage.walCheckpointMs === null ? undefined : storage.walCheckpointMs / 1000,
    );
    this.#one(storageSeries.walReclaimed, ({ storage }) => storage.walReclaimedBytes);
    this.#one(timeSeries.skew, ({ skewMs }) => (skewMs === undefined ? undefined : Math.round(skewMs)));
  }

  /** Prometheus' text format; made once for a snapshot. */
  async text(): Promise<string> {
    const snapshot = this.#snapshots.take();
    if (this.#last?.of !== snapshot) this.#last = { of: snapshot, text: this.#registry.metrics() };
    return this.#last.text;
  }

  #collectorMetrics(): void {
    const ofEach =
      (valuesOf: (row: Snapshot['collectors'][number]) => readonly Value[]) =>
      ({ collectors }: Snapshot): Value[] =>
        collectors.flatMap((row) =>
          valuesOf(row).map((value) => ({ ...value, labels: { collector: row.collector, ...value.labels } })),
        );
    this.#register(
      collectorSeries.collected,
      ofEach(({ collected: value }) => [{ value }]),
    );
    this.#register(
      collectorSeries.failed,
      ofEach(({ failed: value }) => [{ value }]),
    );
    this.#register(
      collectorSeries.duration,
      ofEach(({ durations }) => histogramValues(durations, COLLECTION_BOUNDS_SECONDS)),
    );
  }

  #uploaderMetrics(): void {
    this.#one(uploaderSeries.uploaded, ({ counts }) => counts.uploaded);
    this.#one(uploaderSeries.failures, ({ counts }) => counts.failures);
    this.#one(uploaderSeries.partial, ({ counts }) => counts.partial);
    this.#one(uploaderSeries.bytesSent, ({ counts }) => counts.bytesSent);
    this.#one(uploaderSeries.sentPerDay, sentPerDay);
    this.#register(uploaderSeries.duration, ({ counts }) => histogramValues(counts.durations, UPLOAD_BOUNDS_SECONDS));
  }

  /** A series without labels; one that nothing was measured for must be missing, not zero. */
  #one(series: SeriesDeclaration, valueOf: (snapshot: Snapshot) => number | undefined): void {
    this.#register(series, (snapshot) => {
      const value = valueOf(snapshot);
      return value === undefined ? [] : [{ value }];
    });
  }

  #register(series: SeriesDeclaration, valuesOf: (snapshot: Snapshot) => readonly Value[]): void {
    const name = toExportedName(series.name);
    const { help, kind: type } = series;
    const metric = {
      name,
      help,
      get: () => ({
        ...{ name, help, type, aggregator: 'sum' },
        values: valuesOf(this.#snapshots.take()).map(({ value, labels = {}, suffix }) => ({
          ...{ value, labels },
          ...(suffix === undefined ? {} : { metricName: name + suffix }),
        })),
      }),
    };
    this.#registry.registerMetric(metric as unknown as Metric);
  }
}

function histogramValues(state: HistogramState, bounds: readonly number[]): Value[] {
  const buckets = toCumulativeBuckets(state, bounds);
  return [
    ...buckets.map(({ le, count }): Value => ({ value: count, suffix: '_bucket', labels: { le } })),
    { value: state.sum, suffix: '_sum' },
    { value: buckets.at(-1)!.count, suffix: '_count' },
  ];
}
