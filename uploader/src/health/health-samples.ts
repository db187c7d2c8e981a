import { storageSeries, uploaderSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import type { UnstoredSample } from '../encoding/encode-samples.ts';
import { severity } from './component-health.ts';
import type { DeviceStatus } from './device-status.ts';

/** Converts what the uploader knows of the device to samples. @param own labels that every series of the device has */
export function toHealthSamples(status: DeviceStatus, own: Labels): UnstoredSample[] {
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
    ...Object.entries(status.components).map(([component, health]) =>
      sample(uploaderSeries.componentStatus, severity[health.status], { component }),
    ),
  ];
}
