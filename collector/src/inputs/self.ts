import {
  COLLECTION_BOUNDS_SECONDS,
  sumHistograms,
  selectBuckets,
  UPLOAD_BOUNDS_SECONDS,
  type HistogramState,
} from '@thugshells/shared/metrics/histogram.ts';
import {
  bootSeries,
  collectorSeries,
  storageSeries,
  timeSeries,
  uploaderSeries,
} from '@thugshells/shared/metrics/agent-series.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import type { SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';
import type { AgentState } from '@thugshells/shared/state/agent-state.ts';
import type { UploadCounts } from '@thugshells/shared/state/uploader-report.ts';
import { findRecovered, type UnhealthyComponent } from '@thugshells/shared/state/unhealthy-components.ts';
import type { VerificationState } from '@thugshells/shared/state/verification-state.ts';

import type { Collector } from '../collectors/collector.ts';

export interface SelfCollectorParts {
  /** Returns undefined while there is no database. */
  readonly readState: () => AgentState | undefined;
  /** Returns the milliseconds that this clock is ahead of the receiver's; undefined until they were compared. */
  readonly readSkewMs: () => number | undefined;
}

/**
 * Collects the counters and the health of both programs, as samples that reach the receiver after an outage like all
 * others. It reads the database and not the kernel.
 */
export class SelfCollector implements Collector {
  readonly name = 'self';
  readonly comparesReads = false;
  readonly #parts: SelfCollectorParts;
  /** As of the last scrape. */
  #unhealthy: readonly UnhealthyComponent[] = [];

  constructor(parts: SelfCollectorParts) {
    this.#parts = parts;
  }

  async collect(): Promise<readonly Reading[]> {
    const state = this.#parts.readState();
    if (state === undefined) return [];
    const unhealthy = state.judgement?.unhealthy ?? [];
    const recovered = findRecovered(this.#unhealthy, unhealthy);
    this.#unhealthy = unhealthy;
    return [...toSelfReadings(state, this.#parts.readSkewMs()), ...recovered.map(toComponentReading)];
  }
}

/** Converts the state of both programs to readings; what was never measured is missing, not 0. */
export function toSelfReadings(state: AgentState, skewMs: number | undefined): Reading[] {
  const { collectors, uploads, judgement, verification, books, databaseBytes, walBytes } = state;
  const { walCheckpointMs, walReclaimedBytes } = state;
  return [
    ...collectors.flatMap(({ collector, collected, failed, durations }) => [
      toReading(collectorSeries.collected, collected, { collector }),
      toReading(collectorSeries.failed, failed, { collector }),
      ...toSumAndCount(collectorSeries.duration, durations, { collector }),
    ]),
    // Buckets of each collector would outnumber the other series; /metrics exposes them.
    ...toBuckets(
      collectorSeries.duration,
      sumHistograms(
        collectors.map(({ durations }) => durations),
        COLLECTION_BOUNDS_SECONDS,
      ),
      { bounds: COLLECTION_BOUNDS_SECONDS, labels: { collector: 'all' } },
    ),
    ...(uploads === undefined ? [] : toUploadReadings(uploads)),
    ...(verification === undefined ? [] : toVerificationReadings(verification)),
    toReading(storageSeries.databaseBytes, databaseBytes),
    toReading(storageSeries.walBytes, walBytes),
    toReading(storageSeries.pending, books.pending),
    ...(judgement === undefined
      ? []
      : [
          toReading(uploaderSeries.health, judgement.health),
          ...(judgement.unhealthy ?? []).map(toComponentReading),
          toReading(storageSeries.oldestPending, judgement.oldestPendingSeconds),
        ]),
    toReading(storageSeries.rejected, books.rejected),
    toReading(storageSeries.dropped, books.dropped),
    ...(walCheckpointMs === null ? [] : [toReading(storageSeries.walCheckpointDuration, walCheckpointMs / 1000)]),
    toReading(storageSeries.walReclaimed, walReclaimedBytes),
    ...toBootReadings(state.boots),
    ...(skewMs === undefined ? [] : [toReading(timeSeries.skew, Math.round(skewMs))]),
  ];
}

function toComponentReading({ component, reason, health }: UnhealthyComponent): Reading {
  return toReading(uploaderSeries.componentStatus, health, { component, reason });
}

function toBootReadings(boots: AgentState['boots']): Reading[] {
  if (boots === undefined) return [];
  const { counted, unclean, wasLastClean } = boots;
  return [
    toReading(bootSeries.boots, counted),
    toReading(bootSeries.unclean, unclean),
    ...(wasLastClean === null ? [] : [toReading(bootSeries.wasLastClean, wasLastClean ? 1 : 0)]),
  ];
}

function toUploadReadings({ uploaded, failures, partial, bytesSent, durations }: UploadCounts): Reading[] {
  return [
    toReading(uploaderSeries.uploaded, uploaded),
    toReading(uploaderSeries.failures, failures),
    toReading(uploaderSeries.partial, partial),
    toReading(uploaderSeries.bytesSent, bytesSent),
    ...toBuckets(uploaderSeries.duration, durations, { bounds: UPLOAD_BOUNDS_SECONDS, labels: {} }),
    ...toSumAndCount(uploaderSeries.duration, durations, {}),
  ];
}

function toVerificationReadings({ throughMs, missing, reverified }: VerificationState): Reading[] {
  return [
    ...(throughMs === undefined ? [] : [toReading(uploaderSeries.verifiedThrough, throughMs / 1000)]),
    toReading(uploaderSeries.missingAtReceiver, missing),
    toReading(uploaderSeries.reverified, reverified),
  ];
}

function toReading(series: SeriesDeclaration, value: number, labels: Labels = {}): Reading {
  return { series, value, labels };
}

/** Returns one of the series of a histogram, named as in the exposition format. */
function toPartSeries(series: SeriesDeclaration, suffix: string): SeriesDeclaration {
  return { ...series, name: series.name + suffix };
}

function toSumAndCount(series: SeriesDeclaration, { counts, sum }: HistogramState, labels: Labels): Reading[] {
  const count = counts.reduce((total, each) => total + each, 0);
  return [
    toReading(toPartSeries(series, '_sum'), sum, labels),
    toReading(toPartSeries(series, '_count'), count, labels),
  ];
}

function toBuckets(
  series: SeriesDeclaration,
  state: HistogramState,
  { bounds, labels }: { readonly bounds: readonly number[]; readonly labels: Labels },
): Reading[] {
  return selectBuckets(state, bounds).map(({ le, count }) =>
    toReading(toPartSeries(series, '_bucket'), count, { ...labels, le }),
  );
}
