import { storageSeries, uploaderSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Labels } from '@thugshells/shared/metrics/sample.ts';
import { findRecovered, type UnhealthyComponent } from '@thugshells/shared/state/unhealthy-components.ts';

import type { UnstoredSample } from '../encoding/encode-samples.ts';
import { listUnhealthy, severity } from './component-health.ts';
import type { DeviceStatus } from './device-status.ts';

/** What is sent of a device. */
export interface SentHealth {
  readonly status: DeviceStatus;
  /** The components of the request before that were not ok. */
  readonly reported: readonly UnhealthyComponent[];
  /** Labels that every series of the device has. */
  readonly own: Labels;
}

/** Converts what the uploader knows of the device to samples. */
export function toHealthSamples({ status, reported, own }: SentHealth): UnstoredSample[] {
  const unhealthy = listUnhealthy(status.components);
  const sample = ({ name }: { readonly name: string }, value: number, labels: Labels = {}): UnstoredSample => ({
    name,
    value,
    tags: { ...own, ...labels },
  });
  return [
    sample(uploaderSeries.health, severity[status.status]),
    sample(storageSeries.pending, status.books.pending),
    sample(storageSeries.oldestPending, Math.round(status.backlog.oldest_pending_age_seconds ?? 0)),
    sample(uploaderSeries.buildInfo, 1, { version: status.version }),
    ...[...unhealthy, ...findRecovered(reported, unhealthy)].map(({ component, reason, health }) =>
      sample(uploaderSeries.componentStatus, health, { component, reason }),
    ),
  ];
}
