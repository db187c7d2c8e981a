import {
  COLLECTION_BOUNDS_SECONDS,
  sumOf,
  tellingBuckets,
  UPLOAD_BOUNDS_SECONDS,
  type HistogramState,
} from '@thugshells/shared/metrics/histogram.ts';
import { collectorSeries, storageSeries, timeSeries, uploaderSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import type { SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';
import type { AgentState } from '@thugshells/shared/state/agent-state.ts';
import type { UploadCounts } from '@thugshells/shared/state/uploader-report.ts';

import type { Collector } from '../collectors/collector.ts';

export interface SelfSources {
  /** Undefined while there is no database to read it from. */
  readonly state: () => AgentState | undefined;
  /** Milliseconds that this clock is ahead of the receiver's; undefined until they were compared. */
  readonly skewMs: () => number | undefined;
}

/**
 * What the two programs count of themselves, as samples like any other: they reach the receiver also after an outage.
 * A source of another kind than the collectors, since it reads the database and not the kernel.
 */
export class SelfSource implements Collector {
  readonly name = 'self';
  readonly comparesReads = false;
  readonly #sources: SelfSources;

  constructor(sources: SelfSources) {
    this.#sources = sources;
  }

  async collect(): Promise<readonly Reading[]> {
    const state = this.#sources.state();
    return state === undefined ? [] : selfReadings(state, this.#sources.skewMs());
  }
}

/** The readings of a state; what was never measured is missing, not zero. */
export function selfReadings(state: AgentState, skewMs: number | undefined): Reading[] {
  const { collectors, uploads, judgement, books, databaseBytes, walBytes, walCheckpointMs, walReclaimedBytes } = state;
  return [
    ...collectors.flatMap(({ collector, collected, failed, durations }) => [
      reading(collectorSeries.collected, collected, { collector }),
      reading(collectorSeries.failed, failed, { collector }),
      ...sumAndCount(collectorSeries.duration, durations, { collector }),
    ]),
    // By each collector they would outnumber what the board has to say; /metrics has them.
    ...buckets(
      collectorSeries.duration,
      sumOf(
        collectors.map(({ durations }) => durations),
        COLLECTION_BOUNDS_SECONDS,
      ),
      { bounds: COLLECTION_BOUNDS_SECONDS, labels: { collector: 'all' } },
    ),
    ...(uploads === undefined ? [] : uploadReadings(uploads)),
    reading(storageSeries.databaseBytes, databaseBytes),
    reading(storageSeries.walBytes, walBytes),
    reading(storageSeries.pending, books.pending),
    ...(judgement === undefined
      ? []
      : [
          reading(uploaderSeries.health, judgement.health),
          reading(storageSeries.oldestPending, judgement.oldestPendingSeconds),
        ]),
    reading(storageSeries.rejected, books.rejected),
    reading(storageSeries.dropped, books.dropped),
    ...(walCheckpointMs === null ? [] : [reading(storageSeries.walCheckpointDuration, walCheckpointMs / 1000)]),
    reading(storageSeries.walReclaimed, walReclaimedBytes),
    ...(skewMs === undefined ? [] : [reading(timeSeries.skew, Math.round(skewMs))]),
  ];
}

function uploadReadings({ uploaded, failures, partial, bytesSent, durations }: UploadCounts): Reading[] {
  return [
    reading(uploaderSeries.uploaded, uploaded),
    reading(uploaderSeries.failures, failures),
    reading(uploaderSeries.partial, partial),
    reading(uploaderSeries.bytesSent, bytesSent),
    ...buckets(uploaderSeries.duration, durations, { bounds: UPLOAD_BOUNDS_SECONDS, labels: {} }),
    ...sumAndCount(uploaderSeries.duration, durations, {}),
  ];
}

function reading(series: SeriesDeclaration, value: number, labels: Labels = {}): Reading {
  return { series, value, labels };
}

/** One of a histogram's own series, as the exposition format names them. */
function part(series: SeriesDeclaration, suffix: string): SeriesDeclaration {
  return { ...series, name: series.name + suffix };
}

function sumAndCount(series: SeriesDeclaration, { counts, sum }: HistogramState, labels: Labels): Reading[] {
  const count = counts.reduce((total, each) => total + each, 0);
  return [reading(part(series, '_sum'), sum, labels), reading(part(series, '_count'), count, labels)];
}

function buckets(
  series: SeriesDeclaration,
  state: HistogramState,
  { bounds, labels }: { readonly bounds: readonly number[]; readonly labels: Labels },
): Reading[] {
  return tellingBuckets(state, bounds).map(({ le, count }) =>
    reading(part(series, '_bucket'), count, { ...labels, le }),
  );
}
