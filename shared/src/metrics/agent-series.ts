import { declareSeries, NORMAL_PRIORITY, type SeriesDeclaration } from './series.ts';

/** What the collector counts of itself; each with the label `collector`. */
export const collectorSeries = {
  collected: declareSeries({
    name: 'collector.metrics_collected_total',
    kind: 'counter',
    unit: 'none',
    help: 'Samples stored by this collector since the database was created.',
  }),
  failed: declareSeries({
    name: 'collector.metrics_failed_total',
    kind: 'counter',
    unit: 'none',
    help: 'Failed scrapes of this collector and readings that were refused, since the database was created.',
  }),
  duration: declareSeries({
    name: 'collector.collection_duration_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'Duration of one scrape.',
  }),
  seriesDropped: declareSeries({
    name: 'collector.series_dropped_total',
    kind: 'counter',
    unit: 'none',
    help: 'Times that a series of the collector began to be left out because there are too many; not there before the first.',
  }),
} as const;

/** What the uploader counts of itself; its counters begin at 0 with its process. */
export const uploaderSeries = {
  uploaded: declareSeries({
    name: 'uploader.metrics_uploaded_total',
    kind: 'counter',
    unit: 'none',
    help: 'Samples that the receiver accepted since this process started.',
  }),
  failures: declareSeries({
    name: 'uploader.upload_failures_total',
    kind: 'counter',
    unit: 'none',
    help: 'Requests of which the receiver accepted nothing.',
  }),
  partial: declareSeries({
    name: 'uploader.partial_success_total',
    kind: 'counter',
    unit: 'none',
    help: 'Requests of which the receiver accepted a part.',
  }),
  duration: declareSeries({
    name: 'uploader.upload_duration_seconds',
    kind: 'histogram',
    unit: 'seconds',
    help: 'Time from a request to its response.',
  }),
  bytesSent: declareSeries({
    name: 'uploader.bytes_sent_total',
    kind: 'counter',
    unit: 'bytes',
    help: 'Bytes of requests sent, including headers and failed attempts.',
  }),
  health: declareSeries({
    name: 'uploader.health_status',
    kind: 'gauge',
    unit: 'none',
    help: 'The state that /health reports: 0 ok, 1 degraded, 2 error.',
  }),
  verifiedThrough: declareSeries({
    name: 'uploader.verified_through_timestamp_seconds',
    kind: 'gauge',
    unit: 'seconds',
    help: 'Unix time up to which delivered samples were compared with what the receiver returns; missing without verification.',
  }),
  missingAtReceiver: declareSeries({
    name: 'uploader.missing_at_receiver_total',
    kind: 'counter',
    unit: 'none',
    help: 'Delivered samples that the receiver did not return, since this process started; missing without verification.',
  }),
  reverified: declareSeries({
    name: 'uploader.reverified_total',
    kind: 'counter',
    unit: 'none',
    help: 'Samples that were missing at the receiver, were sent again and are there now; missing without verification.',
  }),
  componentStatus: declareSeries({
    name: 'uploader.component_status',
    kind: 'gauge',
    unit: 'none',
    help: 'The state of a component of /health that is not ok, with the reason: 1 degraded, 2 error; 0 once when it has recovered.',
  }),
  buildInfo: declareSeries({
    name: 'uploader.build_info',
    kind: 'gauge',
    unit: 'none',
    help: 'Always 1; the label version is that of the uploader. Sent while the collector stores nothing.',
  }),
  sentPerDay: declareSeries({
    name: 'uploader.sent_bytes_per_day',
    kind: 'gauge',
    unit: 'bytes',
    help: 'Bytes of requests sent per day at the rate of the last day; missing for half an hour after a start.',
  }),
} as const;

/** The store that both programs share. */
export const storageSeries = {
  databaseBytes: declareSeries({
    name: 'storage.database_size_bytes',
    kind: 'gauge',
    unit: 'bytes',
    help: 'Size of the database file.',
  }),
  walBytes: declareSeries({
    name: 'storage.wal_size_bytes',
    kind: 'gauge',
    unit: 'bytes',
    help: 'Size of the write-ahead log.',
  }),
  pending: declareSeries({
    name: 'storage.metrics_pending_upload',
    kind: 'gauge',
    unit: 'none',
    help: 'Pending samples.',
  }),
  oldestPending: declareSeries({
    name: 'storage.oldest_pending_seconds',
    kind: 'gauge',
    unit: 'seconds',
    help: 'Age of the oldest pending sample; 0 if there is none.',
  }),
  rejected: declareSeries({
    name: 'storage.metrics_rejected',
    kind: 'gauge',
    unit: 'none',
    help: 'Samples that were rejected and will not be uploaded; the database has the reasons.',
  }),
  dropped: declareSeries({
    name: 'storage.metrics_dropped',
    kind: 'gauge',
    unit: 'none',
    help: 'Samples that were dropped before they could be uploaded.',
  }),
  walCheckpointDuration: declareSeries({
    name: 'storage.wal_checkpoint_duration_seconds',
    kind: 'gauge',
    unit: 'seconds',
    help: 'Duration of the last WAL checkpoint.',
  }),
  walReclaimed: declareSeries({
    name: 'storage.wal_reclaimed_bytes_total',
    kind: 'counter',
    unit: 'bytes',
    help: 'Bytes of write-ahead log that WAL checkpoints have moved into the database.',
  }),
} as const;

/** What the collector knows of the boots of the device; its database keeps them over all boots. */
export const bootSeries = {
  boots: declareSeries({
    name: 'system.boots_total',
    kind: 'counter',
    unit: 'none',
    help: 'Boots of the device in which the collector has run, since the database was created.',
  }),
  unclean: declareSeries({
    name: 'system.unclean_shutdowns_total',
    kind: 'counter',
    unit: 'none',
    help: 'Boots that ended without the end of the collector: by a power cut, a crash of the kernel or a reset.',
  }),
  wasLastClean: declareSeries({
    name: 'system.last_shutdown_clean',
    kind: 'gauge',
    unit: 'none',
    help: '1 if the collector saw its end in the boot before this one, else 0; absent in the first boot.',
  }),
} as const;

/** The clock. */
export const timeSeries = {
  skew: declareSeries({
    name: 'time.skew_ms',
    kind: 'gauge',
    unit: 'milliseconds',
    help: 'How far this clock is ahead of the receiver’s.',
  }),
} as const;

/** The series of each scrape target, under the names that Prometheus gives them; each with the labels of the target. */
export const scrapeSeries = {
  // The one name that has no dot: whoever scrapes calls it so.
  up: {
    name: 'up',
    kind: 'gauge',
    unit: 'none',
    help: 'Whether the target could be scraped: 1 or 0.',
    priority: NORMAL_PRIORITY,
  } satisfies SeriesDeclaration,
  duration: declareSeries({
    name: 'scrape.duration_seconds',
    kind: 'gauge',
    unit: 'seconds',
    help: 'Duration of the last scrape of the target.',
  }),
  samples: declareSeries({
    name: 'scrape.samples_scraped',
    kind: 'gauge',
    unit: 'none',
    help: 'Samples that the target returned.',
  }),
  samplesKept: declareSeries({
    name: 'scrape.samples_post_metric_relabeling',
    kind: 'gauge',
    unit: 'none',
    help: 'Samples of the target that its configuration did not drop.',
  }),
  seriesAdded: declareSeries({
    name: 'scrape.series_added',
    kind: 'gauge',
    unit: 'none',
    help: 'Series of the target that the scrape before did not have.',
  }),
} as const;

/** The series of text files. */
export const textfileSeries = {
  mtime: declareSeries({
    name: 'textfile.mtime_seconds',
    kind: 'gauge',
    unit: 'seconds',
    help: 'When a text file was written last, in Unix time; each with the label file.',
  }),
  scrapeError: declareSeries({
    name: 'textfile.scrape_error',
    kind: 'gauge',
    unit: 'none',
    help: 'Whether any text file could not be read or parsed: 1 or 0.',
  }),
} as const;
