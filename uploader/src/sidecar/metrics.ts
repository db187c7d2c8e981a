import { Counter, Gauge, Histogram, Registry, type Metric } from 'prom-client';

import { COLLECTION_BOUNDS_SECONDS } from '@thugshells/shared/histogram.js';
import { declareSeries, exportedName, type SeriesDeclaration } from '@thugshells/shared/series.js';

import type { Post } from '../transport.js';
import type { CollectorRow, Snapshot, Snapshots } from './snapshot.js';

const collected = declareSeries({ name: 'collector.metrics_collected_total', kind: 'counter', unit: 'none', help: 'Samples stored by this collector.' });
const failed = declareSeries({ name: 'collector.metrics_failed_total', kind: 'counter', unit: 'none', help: 'Scrapes of this collector that failed and readings that were refused.' });
const collectionDuration = declareSeries({ name: 'collector.collection_duration_seconds', kind: 'histogram', unit: 'seconds', help: 'Duration of one scrape.' });
const uploaded = declareSeries({ name: 'uploader.metrics_uploaded_total', kind: 'counter', unit: 'none', help: 'Samples that the receiver accepted since this process started.' });
const failures = declareSeries({ name: 'uploader.upload_failures_total', kind: 'counter', unit: 'none', help: 'Posts of which the receiver took nothing.' });
const partial = declareSeries({ name: 'uploader.partial_success_total', kind: 'counter', unit: 'none', help: 'Posts of which the receiver took a part.' });
const uploadDuration = declareSeries({ name: 'uploader.upload_duration_seconds', kind: 'histogram', unit: 'seconds', help: 'Time from a post to its answer.' });
const bytesSent = declareSeries({ name: 'uploader.bytes_sent_total', kind: 'counter', unit: 'bytes', help: 'Bytes of requests sent, headers and tries that failed included.' });
const databaseSize = declareSeries({ name: 'storage.database_size_bytes', kind: 'gauge', unit: 'bytes', help: 'Size of the database file.' });
const walSize = declareSeries({ name: 'storage.wal_size_bytes', kind: 'gauge', unit: 'bytes', help: 'Size of the write-ahead log.' });
const pending = declareSeries({ name: 'storage.metrics_pending_upload', kind: 'gauge', unit: 'none', help: 'Samples not uploaded yet.' });
const skew = declareSeries({ name: 'time.skew_ms', kind: 'gauge', unit: 'milliseconds', help: 'How far this clock is ahead of the receiver’s.' });

/** Upper bounds of an upload's duration: a good link answers within the first, REMOTE_TIMEOUT lies behind the last. */
const UPLOAD_BOUNDS_SECONDS = [0.01, 0.05, 0.2, 0.5, 1, 5, 20, 60];

/** The exposition of both processes' metrics. */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #uploaded: Counter;
  readonly #failures: Counter;
  readonly #partial: Counter;
  readonly #bytesSent: Counter;
  readonly #duration: Histogram;

  constructor(deviceId: string, snapshots: Snapshots) {
    this.#registry.setDefaultLabels({ device_id: deviceId });
    this.#uploaded = this.#counter(uploaded);
    this.#failures = this.#counter(failures);
    this.#partial = this.#counter(partial);
    this.#bytesSent = this.#counter(bytesSent);
    this.#duration = new Histogram({ ...named(uploadDuration), buckets: UPLOAD_BOUNDS_SECONDS, registers: [this.#registry] });
    this.#gauge(databaseSize, snapshots, (snapshot) => snapshot.databaseBytes);
    this.#gauge(walSize, snapshots, (snapshot) => snapshot.walBytes);
    this.#gauge(pending, snapshots, (snapshot) => snapshot.books.pending);
    this.#gauge(skew, snapshots, (snapshot) => snapshot.skewMs);
    this.#fromCollectors(collected, snapshots, (row) => [{ value: row.collected }]);
    this.#fromCollectors(failed, snapshots, (row) => [{ value: row.failed }]);
    this.#fromCollectors(collectionDuration, snapshots, histogramValues);
  }

  /** Counts one post. */
  posted({ outcome, bytesSent: bytes, durationMs }: Post, samples: number): void {
    this.#bytesSent.inc(bytes);
    this.#duration.observe(durationMs / 1000);
    if (outcome.kind === 'delivered') this.#uploaded.inc(samples);
    else if (outcome.kind === 'partial') {
      this.#partial.inc();
      this.#uploaded.inc(outcome.accepted);
    } else this.#failures.inc();
  }

  /** Prometheus' text format. */
  async text(): Promise<string> {
    return this.#registry.metrics();
  }

  #counter(series: SeriesDeclaration): Counter {
    return new Counter({ ...named(series), registers: [this.#registry] });
  }

  #gauge(series: SeriesDeclaration, snapshots: Snapshots, valueOf: (snapshot: Snapshot) => number | undefined): void {
    const gauge: Gauge = new Gauge({
      ...named(series),
      registers: [this.#registry],
      collect() {
        const value = valueOf(snapshots.take());
        // A gauge that nothing was measured for must be missing, not zero.
        if (value === undefined) gauge.remove();
        else gauge.set(value);
      },
    });
  }

  /** Counters and histograms that live in the collector's table: prom-client only formats them. */
  #fromCollectors(
    series: SeriesDeclaration,
    snapshots: Snapshots,
    valuesOf: (row: CollectorRow) => readonly { readonly value: number; readonly suffix?: string; readonly le?: string }[],
  ): void {
    const { name, help } = named(series);
    const metric = {
      name,
      help,
      get: () => ({
        name,
        help,
        type: series.kind,
        aggregator: 'sum',
        values: snapshots.take().collectors.flatMap((row) =>
          valuesOf(row).map(({ value, suffix, le }) => ({
            value,
            labels: { collector: row.collector, ...(le === undefined ? {} : { le }) },
            ...(suffix === undefined ? {} : { metricName: name + suffix }),
          })),
        ),
      }),
    };
    this.#registry.registerMetric(metric as unknown as Metric);
  }
}

function named(series: SeriesDeclaration): { name: string; help: string } {
  return { name: exportedName(series.name), help: series.help };
}

/** Buckets are cumulative in the exposition, as the format asks. */
function histogramValues({ durations }: CollectorRow): { value: number; suffix: string; le?: string }[] {
  let sum = 0;
  const buckets = durations.counts.map((count, index) => {
    sum += count;
    return { value: sum, suffix: '_bucket', le: String(COLLECTION_BOUNDS_SECONDS[index] ?? '+Inf') };
  });
  return [...buckets, { value: durations.sum, suffix: '_sum' }, { value: sum, suffix: '_count' }];
}
