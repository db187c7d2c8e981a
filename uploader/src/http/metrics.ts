import { Gauge, Registry, type Metric } from 'prom-client';

import {
  toCumulativeBuckets,
  COLLECTION_BOUNDS_SECONDS,
  UPLOAD_BOUNDS_SECONDS,
  type HistogramState,
} from '@thugshells/shared/metrics/histogram.ts';
import { collectorSeries, storageSeries, timeSeries, uploaderSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Labels } from '@thugshells/shared/metrics/sample.ts';
import { toExportedName, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';
import type { Judgement } from '@thugshells/shared/state/uploader-report.ts';

import type { Snapshot, Snapshots } from '../telemetry/snapshot.ts';

export const EXPOSITION_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** What every line of the exposition bears. */
export interface ExposedDevice {
  readonly deviceId: string;
  /** THUGSHELLS_LABELS. */
  readonly siteLabels?: Labels;
}

/** One line of the exposition. */
interface ExportedValue {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** `_bucket`, `_sum`, `_count` */
  readonly suffix?: string;
}

/**
 * Exposes the metrics of both processes. The values are read from the snapshot, so what is exported here equals what is
 * stored as samples; prom-client formats the text.
 */
export class MetricsExposition {
  readonly contentType = EXPOSITION_TYPE;
  readonly #registry = new Registry();
  readonly #snapshots: Pick<Snapshots, 'take'>;
  #last: { readonly of: Snapshot; readonly text: Promise<string> } | undefined;

  constructor(device: ExposedDevice, snapshots: Pick<Snapshots, 'take'>, judge: (snapshot: Snapshot) => Judgement) {
    this.#snapshots = snapshots;
    this.#registry.setDefaultLabels(toDefaultLabels(device));
    this.#collectorMetrics();
    this.#uploaderMetrics();
    this.#registerSingle(storageSeries.databaseBytes, ({ databaseBytes }) => databaseBytes);
    this.#registerSingle(storageSeries.walBytes, ({ walBytes }) => walBytes);
    this.#registerSingle(storageSeries.pending, ({ books }) => books.pending);
    this.#registerSingle(storageSeries.oldestPending, (snapshot) => judge(snapshot).oldestPendingSeconds);
    this.#registerSingle(uploaderSeries.health, (snapshot) => judge(snapshot).health);
    this.#register(uploaderSeries.componentStatus, (snapshot) =>
      (judge(snapshot).unhealthy ?? []).map(({ component, reason, health: value }) => ({
        value,
        labels: { component, reason },
      })),
    );
    this.#registerSingle(storageSeries.rejected, ({ books }) => books.rejected);
    this.#registerSingle(storageSeries.dropped, ({ books }) => books.dropped);
    this.#registerSingle(storageSeries.walCheckpointDuration, ({ storage }) =>
      storage.walCheckpointMs === null ? undefined : storage.walCheckpointMs / 1000,
    );
    this.#registerSingle(storageSeries.walReclaimed, ({ storage }) => storage.walReclaimedBytes);
    this.#registerSingle(timeSeries.skew, ({ skewMs }) => (skewMs === undefined ? undefined : Math.round(skewMs)));
  }

  /** Returns Prometheus' text format; formatted once per snapshot. */
  async text(): Promise<string> {
    const snapshot = this.#snapshots.take();
    if (this.#last?.of !== snapshot) this.#last = { of: snapshot, text: this.#registry.metrics() };
    return this.#last.text;
  }

  #collectorMetrics(): void {
    const perCollector =
      (readValues: (row: Snapshot['collectors'][number]) => readonly ExportedValue[]) =>
      ({ collectors }: Snapshot): ExportedValue[] =>
        collectors.flatMap((row) =>
          readValues(row).map((value) => ({ ...value, labels: { collector: row.collector, ...value.labels } })),
        );
    this.#register(
      collectorSeries.collected,
      perCollector(({ collected: value }) => [{ value }]),
    );
    this.#register(
      collectorSeries.failed,
      perCollector(({ failed: value }) => [{ value }]),
    );
    this.#register(
      collectorSeries.duration,
      perCollector(({ durations }) => toHistogramValues(durations, COLLECTION_BOUNDS_SECONDS)),
    );
  }

  #uploaderMetrics(): void {
    this.#registerSingle(uploaderSeries.uploaded, ({ counts }) => counts.uploaded);
    this.#registerSingle(uploaderSeries.failures, ({ counts }) => counts.failures);
    this.#registerSingle(uploaderSeries.partial, ({ counts }) => counts.partial);
    this.#registerSingle(uploaderSeries.bytesSent, ({ counts }) => counts.bytesSent);
    this.#registerSingle(uploaderSeries.verifiedThrough, ({ verification }) =>
      verification?.throughMs === undefined ? undefined : verification.throughMs / 1000,
    );
    this.#registerSingle(uploaderSeries.missingAtReceiver, ({ verification }) => verification?.missing);
    this.#registerSingle(uploaderSeries.reverified, ({ verification }) => verification?.reverified);
    this.#registerSingle(uploaderSeries.sentPerDay, ({ sentPerDay }) => sentPerDay);
    this.#register(uploaderSeries.duration, ({ counts }) => toHistogramValues(counts.durations, UPLOAD_BOUNDS_SECONDS));
  }

  /** Registers a series without labels; one without a value must be missing, not zero. */
  #registerSingle(series: SeriesDeclaration, readValue: (snapshot: Snapshot) => number | undefined): void {
    this.#register(series, (snapshot) => {
      const value = readValue(snapshot);
      return value === undefined ? [] : [{ value }];
    });
  }

  #register(series: SeriesDeclaration, readValues: (snapshot: Snapshot) => readonly ExportedValue[]): void {
    const name = toExportedName(series.name);
    const { help, kind: type } = series;
    const metric = {
      name,
      help,
      get: () => ({
        ...{ name, help, type, aggregator: 'sum' },
        values: readValues(this.#snapshots.take()).map(({ value, labels = {}, suffix }) => ({
          ...{ value, labels },
          ...(suffix === undefined ? {} : { metricName: name + suffix }),
        })),
      }),
    };
    this.#registry.registerMetric(metric as unknown as Metric);
  }
}

/** Returns the exposition while there is no database: the device's health alone. */
export async function exposeHealthOnly(device: ExposedDevice, health: number): Promise<string> {
  const registry = new Registry();
  registry.setDefaultLabels(toDefaultLabels(device));
  const { name, help } = uploaderSeries.health;
  new Gauge({ name: toExportedName(name), help, registers: [registry] }).set(health);
  return registry.metrics();
}

function toDefaultLabels({ deviceId, siteLabels }: ExposedDevice): Labels {
  return { ...siteLabels, device_id: deviceId };
}

function toHistogramValues(state: HistogramState, bounds: readonly number[]): ExportedValue[] {
  const buckets = toCumulativeBuckets(state, bounds);
  return [
    ...buckets.map(({ le, count }): ExportedValue => ({ value: count, suffix: '_bucket', labels: { le } })),
    { value: state.sum, suffix: '_sum' },
    { value: buckets.at(-1)!.count, suffix: '_count' },
  ];
}
